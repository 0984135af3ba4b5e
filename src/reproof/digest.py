"""Content digests: the identity of what a file means, not of the bytes that happen to carry it.

Two files with one digest hold the same weights, the same graph or the same table, whoever wrote them and
when. File hashes, which DVC keeps, stay for transport. Kinds, by file name:

| file | the digest covers |
|---|---|
| `.safetensors`, `.npz`, `.npy` | each array's name, dtype, shape and bytes, in the order of names |
| `.onnx` | the graph with its weights, without metadata, doc strings and producer |
| `.parquet` | each column's name, type, length and values, in the order of names |
| `.json` | the values, with keys in order and one spelling of each number |
| `.ndjson` | each record likewise, in order, without `timestamp` and `run_id` |
| anything else | its bytes |
| a folder | the digest and relative path of each file, in the order of paths |
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy.typing as npt

_CHUNK_BYTES = 1 << 20
_VOLATILE = ("timestamp", "run_id")
_MAX_HEADER_BYTES = 100_000_000
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the readers raise on a file that is not what its name says: its content decides which."""


def digest(path: Path) -> str:
    """Return `sha256:<hex>` over the content of a file or a folder.

    Raises:
        ReproofError: when the file is missing, or is not what its name says.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".gitignore")
        lines = (f"{p.relative_to(path).as_posix()}\0{digest(p)}\n".encode() for p in files)
        return _sha256(lines)
    if not path.exists():
        raise ReproofError("no such file", where=path)
    read = _READERS.get(path.suffix.lower(), _bytes)
    try:
        return read(path)
    except ReproofError:
        raise
    except _UNREADABLE as error:
        raise ReproofError(
            f"not a readable {path.suffix} file", where=path, found=str(error)[:200]
        ) from error


def arrays(named: Mapping[str, npt.ArrayLike]) -> str:
    """Return the digest of named arrays: equal to that of a `.npz` or `.safetensors` file that holds them."""
    return _tensors(
        (name, _dtype_name(a := np.asarray(value)), a.shape, _raw(a)) for name, value in named.items()
    )


def text_of(value: Any) -> str:
    """Return the digest of plain JSON data."""
    return _sha256([_canonical(value)])


def _bytes(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _json(path: Path) -> str:
    return text_of(json.loads(path.read_bytes()))


def _ndjson(path: Path) -> str:
    with path.open("rb") as stream:
        records = (json.loads(line) for line in stream if line.strip())
        kept = ({k: v for k, v in record.items() if k not in _VOLATILE} for record in records)
        return _sha256(_canonical(record) + b"\n" for record in kept)


def _npz(path: Path) -> str:
    with np.load(path, allow_pickle=False) as archive:
        return arrays({name: archive[name] for name in archive.files})


def _npy(path: Path) -> str:
    return arrays({"": np.load(path, allow_pickle=False)})


def _safetensors(path: Path) -> str:
    """Read the format by hand: an eight-byte length, a JSON header, the tensors. No torch, any dtype.

    Format: https://github.com/huggingface/safetensors#format
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(size - 8, _MAX_HEADER_BYTES):
            raise ReproofError("the safetensors file is cut short or not one", where=path)
        header = json.loads(stream.read(length))
        start = 8 + length
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        if start + end != size:
            raise ReproofError(
                "the safetensors file is cut short",
                where=path,
                expected=f"{start + end} bytes",
                found=f"{size}",
            )

        def chunks(begin: int, stop: int) -> Iterable[bytes]:
            stream.seek(start + begin)
            for offset in range(begin, stop, _CHUNK_BYTES):
                yield stream.read(min(_CHUNK_BYTES, stop - offset))

        return _tensors(
            (name, entry["dtype"], tuple(entry["shape"]), chunks(*entry["data_offsets"]))
            for name, entry in entries.items()
        )


def _onnx(path: Path) -> str:
    from google.protobuf.message import DecodeError
    from onnx.checker import ValidationError

    from reproof import onnx_graph

    try:
        return _sha256([onnx_graph.canonical_bytes(path)])
    except (DecodeError, ValidationError) as error:
        raise ReproofError("not an ONNX model, or cut short", where=path, found=str(error)[:200]) from error


def _parquet(path: Path) -> str:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    columns: list[tuple[bytes, list[Any]]] = []
    for name in sorted(table.column_names):
        values = table.column(name)
        head = f"{name}\0{values.type}\0{len(values)}\0"
        if values.null_count == 0 and (np_values := values.to_numpy()).dtype != object:
            columns.append((head.encode(), _raw(np_values)))
        else:
            columns.append((head.encode(), [json.dumps(values.to_pylist(), default=str).encode()]))
    return _sha256(part for head, body in columns for part in (head, *body))


_READERS: dict[str, Callable[[Path], str]] = {
    ".json": _json,
    ".ndjson": _ndjson,
    ".npz": _npz,
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".onnx": _onnx,
    ".parquet": _parquet,
}

# The names that safetensors gives to numpy's types.
_DTYPES = {"f": "F", "i": "I", "u": "U", "c": "C"}


def _dtype_name(array: npt.NDArray[Any]) -> str:
    if array.dtype.kind in _DTYPES:
        return f"{_DTYPES[array.dtype.kind]}{array.dtype.itemsize * 8}"
    return "BOOL" if array.dtype.kind == "b" else array.dtype.str


def _raw(array: npt.NDArray[Any]) -> list[Any]:
    if array.dtype.hasobject:
        raise ReproofError("an array of Python objects has no content digest", expected="numbers or strings")
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return [little.reshape(-1).view(np.uint8).data] if little.size else []


def _tensors(entries: Iterable[tuple[str, str, tuple[int, ...], Iterable[Any]]]) -> str:
    parts = sorted(entries, key=lambda entry: entry[0])
    return _sha256(
        part
        for name, dtype, shape, body in parts
        for part in (f"{name}\0{dtype}\0{','.join(map(str, shape))}\0".encode(), *body)
    )


def _canonical(value: Any) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def _sha256(parts: Iterable[Any]) -> str:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return f"sha256:{hasher.hexdigest()}"
