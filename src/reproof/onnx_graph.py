"""ONNX models without what does not matter to them: paths, line numbers, names of people's tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reproof.errors import ReproofError

_MAX_BYTES = (1 << 31) - 1
"""Protobuf's limit for one message."""


def canonical_bytes(source: Path | Any) -> bytes:
    """Return a model as bytes that depend on its graph and weights alone.

    The exporter of torch writes absolute paths, line numbers and source text into `metadata_props` of
    every node; a comment in the script would change the file, and a user's path would leave with it.

    Args:
        source: a file, or an `onnx.ModelProto`, which is stripped in place.

    Raises:
        ReproofError: over 2 GiB.
        google.protobuf.message.DecodeError: the file is no ONNX model.
    """
    import onnx

    if isinstance(source, Path) and source.stat().st_size > _MAX_BYTES:
        raise ReproofError("ONNX models over 2 GiB are not supported", where=source)
    model = onnx.load_model(source) if isinstance(source, Path) else source
    if not model.HasField("graph"):
        raise ReproofError(
            "no ONNX model: it has no graph", where=source if isinstance(source, Path) else None
        )
    _strip(model)
    return bytes(model.SerializeToString(deterministic=True))


def _strip(message: Any) -> None:
    """Clear metadata and doc strings in a message and in everything below it."""
    for field in ("doc_string", "metadata_props", "producer_name", "producer_version"):
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    if message.DESCRIPTOR.name == "TensorProto" and not message.external_data:
        message.ClearField("data_location")  # loaded by now: where the bytes lay is no part of the model
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if hasattr(value, "ListFields"):
            _strip(value)
        else:
            for item in value:
                _strip(item)
