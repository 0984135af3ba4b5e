"""The files beside an ONNX model that hold its weights: named in it, relative to its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reproof import files
from reproof.errors import ReproofError

_EXTERNAL = 1
"""`TensorProto.EXTERNAL`."""
_MAX_NAME = 500


def names(path: Path) -> list[str]:
    """Return the external files that a model names, sorted; none for what cannot be read as a model."""
    try:
        from google.protobuf.message import DecodeError
    except ImportError:
        return []
    try:
        model = load(path)
    except (ImportError, DecodeError, OSError):
        return []
    return sorted({location for location, _ in _places(model)})


def load(path: Path) -> Any:
    """Return a model's `onnx.ModelProto` without its external data.

    Raises:
        ImportError: onnx is not installed.
        google.protobuf.message.DecodeError: the file is no ONNX model.
    """
    import onnx

    return onnx.load_model(path, load_external_data=False, format="protobuf")


def sizes(model: Any, path: Path, root: Path, shown: str) -> dict[str, int]:
    """Return the bytes of each external file of a model, by the name that the model gives it.

    Args:
        model: an `onnx.ModelProto`.
        path: its file; external files stand beside it, or in folders below.
        root: no file may lie outside it, links followed.
        shown: how errors call the model.

    Raises:
        ReproofError: a file that is missing, too short for what the model says of it, or leads out of the
            model's folder or the project.
    """
    ends: dict[str, int] = {}
    for location, end in _places(model):
        ends[location] = max(end, ends.get(location, 0))
    found: dict[str, int] = {}
    for location, end in sorted(ends.items()):
        beside = _checked(location, path.parent, root, shown)
        found[location] = beside.stat().st_size
        if found[location] < end:
            raise ReproofError(
                "external data that is cut short",
                where=shown,
                expected=f"{location} of at least {end:,} bytes",
                found=f"{found[location]:,} bytes",
                hint="copy or download it again, together with the model",
            )
    return found


def _checked(location: str, folder: Path, root: Path, shown: str) -> Path:
    """Where a name leads: the words must stay in the folder, and the link behind them in the project."""
    words = location[:100]
    try:
        beside = files.inside(folder, location, follow_links=False)
        files.inside(root, beside, where=shown)
    except ReproofError as error:
        raise ReproofError(
            "external data outside the model's folder",
            where=shown,
            expected="a file beside the model",
            found=words or "an empty name",
            hint="save the model anew with its data beside it: "
            "onnx.save(model, path, save_as_external_data=True, location='weights.bin')",
        ) from error
    if not beside.is_file():
        raise ReproofError(
            "the model's external data is missing",
            where=shown,
            expected=f"{words}, beside the model",
            found="a folder" if beside.is_dir() else "no such file",
            hint="most of the weights are there: copy it from where the model came from, under the same name",
        )
    return beside


def _places(model: Any) -> Iterator[tuple[str, int]]:
    """Name and end of each external tensor; the end is 0 where the model does not say."""
    for tensor in tensors(model):
        if tensor.data_location == _EXTERNAL:
            said = {entry.key: entry.value for entry in tensor.external_data}
            offset, length = (_number(said.get(key)) for key in ("offset", "length"))
            yield said.get("location", "")[:_MAX_NAME], offset + length


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0


def tensors(message: Any) -> Iterator[Any]:
    """Every `TensorProto` in a message, in subgraphs and functions too."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for item in [value] if hasattr(value, "ListFields") else value:
            yield from tensors(item)
