"""The outermost fields of an ONNX file, without reading what is in them: is it one, and is it whole?

Protobuf marks no beginning and no end, and stores each part behind its length: so the outermost lengths tell
a file that was cut short, whatever its size. Source: https://protobuf.dev/programming-guides/encoding/ and
`ModelProto` in onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Of `ModelProto`: how each is stored, by its number (0: a number; 2: a length and bytes)."""
_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_FIXED_BYTES = {1: 8, 5: 4}
_MAX_FIELDS = 1_000_000
_MIN_KNOWN = 2


@dataclass(frozen=True)
class Outline:
    """What the outermost level of a file says.

    Args:
        plausible: whether its fields are those of an ONNX model.
        has_graph: whether a graph is among them.
        has_opset: whether it names an operator set; every whole model does.
        cut: what is missing at the end; None where nothing is.
    """

    plausible: bool
    has_graph: bool
    has_opset: bool
    cut: str | None


def read(stream: BinaryIO, size: int) -> Outline:
    """Walk over the fields of a file of `size` bytes; the stream stands at its beginning."""
    seen: dict[int, int] = {}
    cut = None
    for _ in range(_MAX_FIELDS):
        at = stream.tell()
        if at >= size:
            break
        tag = _varint(stream)
        number, kind = (tag >> 3, tag & 7) if tag is not None else (0, -1)
        if tag is not None and _MODEL_FIELDS.get(number) != kind and number <= max(_MODEL_FIELDS):
            return Outline(False, False, False, None)
        length = _length(stream, kind)
        if tag is None or length is None:
            if kind in (-1, 0, 2):
                cut = f"it ends inside field {number}" if number else "it ends inside a field"
                break
            return Outline(False, False, False, None)
        seen[number] = seen.get(number, 0) + 1
        if stream.tell() + length > size:
            cut = f"a part of {length:,} bytes begins at byte {stream.tell():,}, and the file has {size:,}"
            break
        stream.seek(length, 1)
    known = sum(count for number, count in seen.items() if number in _MODEL_FIELDS)
    plausible = known >= _MIN_KNOWN and (_IR_VERSION in seen or _GRAPH in seen)
    plausible = plausible or (set(seen) == {_GRAPH})
    return Outline(plausible, _GRAPH in seen, _OPSET in seen, cut)


def _length(stream: BinaryIO, kind: int) -> int | None:
    """How many bytes of a field follow; None where that cannot be read."""
    if kind == 0:
        return 0 if _varint(stream) is not None else None
    if kind == 2:
        return _varint(stream)
    return _FIXED_BYTES.get(kind)


def _varint(stream: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
