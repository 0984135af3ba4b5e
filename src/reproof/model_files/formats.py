"""Which format a file has, by its content; the end of its name only helps to say what is wrong."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import IO, Any, Literal

from reproof import npz
from reproof.errors import ReproofError
from reproof.model_files import foreign, outline, pickles

Format = Literal["onnx", "safetensors", "torchscript", "torch-export", "torch-weights"]

SUFFIXES: dict[str, str] = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".pt": "torch",
    ".pth": "torch",
    ".pt2": "torch",
    ".ckpt": "torch",
    ".torchscript": "torch",
}
"""Ends of names that promise a model which runs here."""

_HEAD_BYTES = 512
_MAX_HEADER_BYTES = 100_000_000
"""Of safetensors, by its own specification."""
_AGAIN = "copy or download the file again; where DVC holds it, `dvc checkout --force` restores it"


def detect(path: Path, *, where: str | Path | None = None) -> Format:
    """Return the format of a model file, by its content.

    Reads the beginning, the outermost structure, and the pickles inside it as text; runs nothing.

    Args:
        path: the file.
        where: how errors call it; default its path.

    Raises:
        ReproofError: no such file, a folder, nothing in it, cut short, a pickle that needs code, another
            tool's model, or no model at all; with what to do.
    """
    shown = str(where or path)
    check_is_file(path, shown)
    size = path.stat().st_size
    if size == 0:
        raise ReproofError("an empty file, of 0 bytes", where=shown, hint=_AGAIN)
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(0)
        if instead := foreign.stand_in(head, shown):
            raise instead
        if head.startswith(b"PK"):
            return _archive(stream, shown)
        if tool := foreign.name_of(head):
            raise foreign.refusal(tool, shown)
        if head[:1] == b"\x80" and pickles.MAGIC in head[:40]:
            return _legacy(stream, shown)
        if _begins_as_safetensors(head, size):
            check_safetensors(stream, size, shown)
            return "safetensors"
        found = outline.read(stream, size)
        if found.plausible:
            return _onnx(found, shown)
        raise _not_one(stream, head, size, path.suffix.lower(), shown)


def cut_short(where: str, found: str | None = None) -> ReproofError:
    """Return the error for a file whose end is missing."""
    return ReproofError("cut short: the file's end is missing", where=where, found=found, hint=_AGAIN)


def check_is_file(path: Path, shown: str) -> None:
    """Refuse a folder, what is not there, and what is no file, with what to do."""
    if path.is_dir():
        raise ReproofError("a folder, not a model file", where=shown, hint="name the file inside it")
    if not path.exists():
        pointer = path.with_name(f"{path.name}.dvc")
        hint = "`dvc pull` brings it: DVC knows it" if pointer.is_file() else "check the name"
        if path.is_symlink():
            hint = "it is a link to a file that is not there; `dvc checkout` restores those of DVC"
        raise ReproofError("no such file", where=shown, hint=hint)
    if not path.is_file():
        raise ReproofError("neither a file nor a folder", where=shown)


def _onnx(found: outline.Outline, shown: str) -> Format:
    if found.cut:
        raise cut_short(shown, found.cut)
    if not found.has_graph:
        raise ReproofError(
            "an ONNX file without a graph", where=shown, expected="a graph with nodes", hint=_AGAIN
        )
    if not found.has_opset:
        raise cut_short(shown, "an ONNX file that names no operator set")
    return "onnx"


def _archive(stream: IO[bytes], shown: str) -> Format:
    """A ZIP archive: all of torch's formats are some, and so are those of other tools."""
    try:
        with zipfile.ZipFile(stream) as archive:
            inner = {name.partition("/")[2]: name for name in archive.namelist() if "/" in name}
            if "constants.pkl" in inner and "data.pkl" in inner:
                return "torchscript"
            flat = set(archive.namelist())
            exported = "archive_format" in inner and any(name.startswith("models/") for name in inner)
            if exported or "serialized_exported_program.json" in flat | set(inner):
                return "torch-export"
            if "data.pkl" in inner:
                with archive.open(inner["data.pkl"]) as data:
                    _refuse_code(pickles.needs_code(pickles.limited(data)), shown)
                return "torch-weights"
            if tool := foreign.name_of_archive(flat):
                raise foreign.refusal(tool, shown)
            names = ", ".join(sorted(flat)[:5])
    except zipfile.BadZipFile as error:
        raise cut_short(shown, f"a ZIP archive, such as torch writes: {error}") from error
    except npz.UNREADABLE as error:
        raise _damaged(shown, error) from error
    raise ReproofError(
        "a ZIP archive without a model of torch in it",
        where=shown,
        found=names[:200] or "nothing",
        hint="where it was packed for the download, unpack it and put the model that is inside here",
    )


def _legacy(stream: IO[bytes], shown: str) -> Format:
    try:
        _refuse_code(pickles.legacy_needs_code(stream), shown)
    except ValueError as error:
        raise cut_short(shown, f"a file of torch before 1.6: {error}") from error
    return "torch-weights"


def _refuse_code(names: list[str], shown: str) -> None:
    if names:
        raise pickles.refusal(names, shown)


def _damaged(shown: str, error: Exception) -> ReproofError:
    return ReproofError("damaged", where=shown, found=str(error)[:200] or type(error).__name__, hint=_AGAIN)


def _begins_as_safetensors(head: bytes, size: int) -> bool:
    return size > 8 and len(head) > 8 and head[8:9] == b"{" and 2 <= _length(head) <= _MAX_HEADER_BYTES


def _length(head: bytes) -> int:
    return int(struct.unpack("<Q", head[:8])[0])


def check_safetensors(stream: IO[bytes], size: int, shown: str) -> dict[str, Any]:
    """Return the header of a safetensors file: by tensor, its dtype, shape and place. The stream is at 0.

    Format: https://github.com/huggingface/safetensors#format

    Raises:
        ReproofError: cut short, or a header that does not describe the bytes behind it.
    """
    length = _length(stream.read(8))
    if 8 + length > size:
        raise cut_short(shown, f"a header of {length:,} bytes, in a file of {size:,}")
    try:
        header = json.load(io.BytesIO(stream.read(length)))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        ends = [_end_of(name, entry) for name, entry in entries.items()]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ReproofError(
            "a safetensors file whose header makes no sense",
            where=shown,
            found=f"{type(error).__name__}: {error}"[:200],
            hint=_AGAIN,
        ) from error
    end = 8 + length + max(ends, default=0)
    if end > size:
        raise cut_short(shown, f"tensors up to byte {end:,}, in a file of {size:,}")
    if not entries:
        raise ReproofError("a safetensors file without a tensor", where=shown, hint=_AGAIN)
    return entries


def _end_of(name: str, entry: dict[str, Any]) -> int:
    begin, end = entry["data_offsets"]
    sizes = [*entry["shape"], begin, end]
    if not isinstance(entry["dtype"], str) or not all(
        type(number) is int and number >= 0 for number in sizes
    ):
        raise ValueError(f"tensor {name!r}")
    if end < begin:
        raise ValueError(f"tensor {name!r} ends before it begins")
    return int(end)


def _not_one(stream: IO[bytes], head: bytes, size: int, suffix: str, shown: str) -> ReproofError:
    """Why content that fits no format does not: as the end of the name promises, or for what it is."""
    if tool := foreign.SUFFIXES.get(suffix):
        return foreign.refusal(tool, shown)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return _some_pickle(stream, shown)
    told = foreign.unknown(head, shown)
    if SUFFIXES.get(suffix) == "safetensors" and size > 8:
        return ReproofError(
            "a safetensors file whose header makes no sense",
            where=shown,
            expected=f"8 bytes with the header's length, of at most {_MAX_HEADER_BYTES:,}, then JSON",
            found=f"a length of {_length(head):,}, then {head[8:16].hex(' ')}",
            hint=_AGAIN,
        )
    if SUFFIXES.get(suffix) == "onnx":
        return ReproofError("not an ONNX model, or cut short", where=shown, found=told.found, hint=_AGAIN)
    return told


def _some_pickle(stream: IO[bytes], shown: str) -> ReproofError:
    stream.seek(0)
    try:
        names = pickles.needs_code(stream)
    except ValueError as error:
        return cut_short(shown, f"a pickle: {error}")
    if any(name.startswith("sklearn.") for name in names):
        return foreign.refusal("sklearn", shown)
    if names:
        return pickles.refusal(names, shown)
    return ReproofError(
        "a pickle that torch.save did not write",
        where=shown,
        hint="where it was made, save what it holds: torch.save(state_dict, path), or safetensors",
    )
