"""The content digest of a model file, by the format that its content has."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reproof import digest as contents
from reproof import files, onnx_graph
from reproof.errors import ReproofError
from reproof.model_files import external, formats

_PROTOBUF_BYTES = (1 << 31) - 1
"""What one message may hold: an ONNX model with more has its weights beside it."""


def digest(path: Path, root: Path | None = None) -> str:
    """Return `sha256:<hex>`, equal for files that hold the same model.

    As `reproof.digest` for ONNX, with the external data that belongs to it, and for safetensors. Other
    formats, and ONNX models of 2 GiB and more with their data, by the bytes of the files: a model saved
    twice may then have two digests.

    Args:
        path: the file.
        root: the project's folder, which external data may be linked from; default the file's own.

    Raises:
        ReproofError: as `detect`; or the file is damaged, or its external data is missing.
    """
    kind = formats.detect(path)
    if kind == "onnx":
        return _of_onnx(path, root or path.parent)
    if kind == "safetensors" and path.suffix.lower() == ".safetensors":
        return contents.digest(path)
    return f"sha256:{files.sha256(path)}"


def _of_onnx(path: Path, root: Path) -> str:
    from google.protobuf.message import DecodeError

    try:
        model = external.load(path)
    except DecodeError as error:
        raise ReproofError("not an ONNX model, or damaged", where=path, found=str(error)[:200]) from error
    beside = external.sizes(model, path, root, path.name)
    if not beside:
        return _sha256(onnx_graph.canonical_bytes(model))
    if path.stat().st_size + sum(beside.values()) < _PROTOBUF_BYTES:
        return _sha256(onnx_graph.canonical_bytes(path))
    parts = [f"{name}\0{files.sha256(path.parent / name)}\n" for name in beside]
    return _sha256("".join([f"\0{files.sha256(path)}\n", *parts]).encode())


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
