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

import contextlib
import hashlib
import importlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import environment, npz
from reproof.errors import ReproofError
from reproof.plain import RepeatedName, named_once

if TYPE_CHECKING:
    from io import BufferedReader

    import numpy as np
    import numpy.typing as npt

_CHUNK_BYTES = 1 << 18
_LARGE_BYTES = 1 << 20
_VOLATILE = ("timestamp", "run_id")
_MAX_HEADER_BYTES = 100_000_000


def digest(path: Path) -> str:
    """Return `sha256:<hex>` over the content of a file or a folder.

    Raises:
        ReproofError: when the file is missing, or is not what its name says.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not is_dvcs(p))
        digests = _of_each(files)
        return _sha256(
            f"{p.relative_to(path).as_posix()}\0{digests[p]}\n".encode("utf-8", "surrogateescape")
            for p in files
        )
    if not path.exists():
        raise ReproofError("no such file", where=path)
    if not path.is_file():  # a pipe or a device has no end
        raise ReproofError("neither a file nor a folder", where=path)
    return _of_file(path)


def is_dvcs(path: Path) -> bool:
    """Return whether it is a .gitignore as DVC writes it beside what it tracks: names, and nothing else."""
    return path.name == ".gitignore" and all(
        line.startswith("/") for line in path.read_text("utf-8", "replace").splitlines()
    )


def arrays(named: Mapping[str, npt.ArrayLike]) -> str:
    """Return the digest of named arrays: equal to that of a `.npz` or `.safetensors` file that holds them."""
    import numpy as np

    return _tensors(
        (name, _dtype_name((a := np.asarray(value)).dtype), a.shape, _raw(a)) for name, value in named.items()
    )


def text_of(value: Any) -> str:
    """Return the digest of plain JSON data."""
    return _sha256([_canonical(value)])


def _of_each(files: Sequence[Path]) -> dict[Path, str]:
    """Large files on all cores: SHA-256 lets other threads run. Small ones would only wait for each other."""
    large = {path for path in files if path.stat().st_size >= _LARGE_BYTES}
    if large:
        importlib.import_module("numpy")  # the readers do: two threads at once may find it half loaded
    with ThreadPoolExecutor(environment.usable_cores()) as pool:  # it starts no more threads than it needs
        begun = {path: pool.submit(_of_file, path) for path in files if path in large}
        return {path: begun[path].result() if path in large else _of_file(path) for path in files}


def _of_file(path: Path) -> str:
    read = _READERS.get(path.suffix.lower(), _bytes)
    try:
        return read(path)
    except ReproofError:
        raise
    except PermissionError as error:
        hint = "change its owner or its mode"
        raise ReproofError("no permission to read it", where=path, hint=hint) from error
    except npz.UNREADABLE as error:
        raise ReproofError(
            f"not a readable {path.suffix} file",
            where=path,
            found=npz.told(error),
            hint="make it anew; where DVC holds it, `dvc checkout --force` restores it",
        ) from error


def _bytes(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _json(path: Path) -> str:
    try:
        return text_of(json.loads(path.read_bytes(), object_pairs_hook=named_once))
    except RepeatedName:
        return _bytes(path)


def _ndjson(path: Path) -> str:
    with path.open("rb") as stream:
        records = (json.loads(line, object_pairs_hook=named_once) for line in stream if line.strip())
        kept = ({k: v for k, v in record.items() if k not in _VOLATILE} for record in records)
        with contextlib.suppress(RepeatedName):
            return _sha256(_canonical(record) + b"\n" for record in kept)
    return _bytes(path)


def _npz(path: Path) -> str:
    with path.open("rb") as stream:
        stored = npz.stored(stream)
        return arrays(npz.read(path)) if stored is None else _of_stored(stream, stored)


def _npy(path: Path) -> str:
    import numpy as np

    with path.open("rb") as stream:
        stored = npz.stored_array(stream, path.stat().st_size)
        if stored is not None:
            return _of_stored(stream, {"": stored})

    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ReproofError("an archive of arrays, not a single one", where=path)
    return arrays({"": array})


def _safetensors(path: Path) -> str:
    """Read the format by hand: an eight-byte length, a JSON header, the tensors. No torch, any dtype.

    Format: https://github.com/huggingface/safetensors#format
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(size - 8, _MAX_HEADER_BYTES):
            raise ReproofError("the safetensors file is cut short or not one", where=path)
        header = json.loads(stream.read(length), object_pairs_hook=named_once)
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

        def body(begin: int, stop: int) -> Iterable[memoryview]:
            return _chunks(stream, start + begin, start + stop)

        return _tensors(
            (name, entry["dtype"], tuple(entry["shape"]), body(*entry["data_offsets"]))
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

    with pyarrow.parquet.ParquetFile(path) as file:  # `read_table` imports pandas
        table = file.read()
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


def _dtype_name(dtype: np.dtype[Any]) -> str:
    if dtype.names is not None:
        return repr(dtype.newbyteorder("<").descr)  # `str` of a record's type is its size alone
    if dtype.kind in _DTYPES:
        return f"{_DTYPES[dtype.kind]}{dtype.itemsize * 8}"
    return "BOOL" if dtype.kind == "b" else dtype.str


def _raw(array: npt.NDArray[Any]) -> list[Any]:
    import numpy as np

    if array.dtype.hasobject:
        raise ReproofError("an array of Python objects has no content digest", expected="numbers or strings")
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return [little.reshape(-1).view(np.uint8).data] if little.size else []


def _tensors(entries: Iterable[tuple[str, str, tuple[int, ...], Iterable[Any]]]) -> str:
    def parts() -> Iterator[Any]:
        for name, dtype, shape, body in sorted(entries, key=lambda entry: entry[0]):
            yield f"{name}\0{dtype}\0{','.join(map(str, shape))}\0".encode()
            yield from body  # one at a time: a tensor need not fit into memory

    return _sha256(parts())


def _of_stored(stream: BufferedReader, stored: Mapping[str, npz.Stored]) -> str:
    return _tensors(
        (name, _dtype_name(array.dtype), array.shape, _chunks(stream, array.begin, array.end))
        for name, array in stored.items()
    )


def _chunks(stream: BufferedReader, begin: int, end: int) -> Iterable[memoryview]:
    """The bytes from `begin` to `end`, each part in the same memory as the one before."""
    stream.seek(begin)
    buffer = memoryview(bytearray(min(_CHUNK_BYTES, end - begin)))
    while begin < end and (count := stream.readinto(buffer[: end - begin])):
        yield buffer[:count]
        begin += count


def _canonical(value: Any) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def _sha256(parts: Iterable[Any]) -> str:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return f"sha256:{hasher.hexdigest()}"
