"""Arrays: weights as a whole, data element by element.

Weights that two machines trained drift apart together with the arithmetic, without being another model. How
far they may is no matter of single elements, so their distance is taken relative to their length: weights
that have nothing to do with each other are, in many dimensions, about 1.4 times their length apart.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import npz
from reproof.errors import ReproofError
from reproof.params.models import Tolerance
from reproof.verify.kinds.found import IDENTICAL, Found, Standing, different, number

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NEAR = 0.1
"""Of weights: the largest distance, as a share of the recorded weights' length, that is the same model's."""

_MAX_HEADER_BYTES = 100_000_000
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1", "BF16": "<u2",
}  # fmt: skip


def weights(recorded: Path, found: Path) -> Found:
    """Compare two safetensors files as weights."""
    return of_weights(_safetensors(recorded), _safetensors(found))


def state(recorded: Path, found: Path) -> Found:
    """Compare two training states: the same parts, whatever their numbers.

    An optimiser's averages of the last gradients drift faster than weights do; nothing but a training that
    goes on reads them, and that one is compared by itself.
    """
    first, second = _safetensors(recorded), _safetensors(found)
    if words := _of_another_form(first, second):
        return different(words)
    largest = max((_largest(first[name], second[name]) for name in first), default=0.0)
    return Found(Standing.FOLLOWS, f"training state differs (max |Δ| {number(largest)})", largest)


def data(recorded: Path, found: Path, tolerance: Tolerance) -> Found:
    """Compare two files of arrays, element by element: whole numbers, truths and texts must be the same."""
    first, second = _numpy(recorded), _numpy(found)
    if words := _of_another_form(first, second):
        return different(words)
    largest = 0.0
    for name, one in first.items():
        other = second[name]
        if one.dtype.kind not in "fc":
            if not _same(one, other):
                return different(f"{name}: {_count_of_others(one, other)} of {one.size} values differ")
            continue
        largest = max(largest, _largest(one, other))
        if not _all_within(one, other, tolerance):
            return different(f"{name}: max |Δ| {number(_largest(one, other))}", largest)
    return (
        Found(Standing.CLOSE, f"arrays differ (max |Δ| {number(largest)})", largest) if largest else IDENTICAL
    )


def of_weights(recorded: Mapping[str, Array], found: Mapping[str, Array]) -> Found:
    """Compare weights by name: the same names, shapes and types, and close to each other as a whole."""
    import numpy as np

    if words := _of_another_form(recorded, found):
        return different(words)
    length = distance = largest = 0.0
    where = ""
    for name, one in recorded.items():
        other = found[name]
        if one.dtype.kind not in "fciu":
            if not _same(one, other):
                return different(f"{name} differs")
            continue
        first, second = _as_float(one), _as_float(other)
        if not np.array_equal(np.isfinite(first), np.isfinite(second)):
            return different(f"{name}: not finite at other places")
        own = _largest(one, other)
        if own > largest:
            largest, where = own, name
        finite = np.isfinite(first)
        gap = second[finite] - first[finite]
        distance += float(np.vdot(gap, gap).real)
        length += float(np.vdot(first[finite], first[finite]).real)
    if distance == 0:
        return IDENTICAL
    relative = math.sqrt(distance / length) if length else math.inf
    words = f"weights differ (max |Δ| {number(largest)} in {where}"
    if relative > NEAR:
        return different(f"{words}, {relative:.0%} of their length: another model)", largest)
    return Found(Standing.CLOSE, f"{words})", largest, of_weights=True)


def _of_another_form(recorded: Mapping[str, Array], found: Mapping[str, Array]) -> str:
    """What differs besides numbers; '' where nothing does."""
    if missing := sorted(recorded.keys() ^ found.keys()):
        side = "recorded" if missing[0] in recorded else "made here"
        return f"{missing[0]} is only in the one {side}"
    for name, one in recorded.items():
        if one.shape != found[name].shape or one.dtype != found[name].dtype:
            return (
                f"{name}: {one.dtype} {one.shape} was recorded, {found[name].dtype} {found[name].shape} found"
            )
    return ""


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _count_of_others(one: Array, other: Array) -> int:
    return int((one != other).sum())


def _largest(one: Array, other: Array) -> float:
    """The largest |difference| of two arrays of one shape; infinite where only one is finite."""
    import numpy as np

    if one.dtype.kind not in "fciu" or not one.size:
        return 0.0 if _same(one, other) else math.inf
    first, second = _as_float(one), _as_float(other)
    with np.errstate(invalid="ignore"):
        gap = np.abs(second - first)
    gap[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0
    gap[np.isnan(gap)] = np.inf
    return float(gap.max())


def _all_within(one: Array, other: Array, tolerance: Tolerance) -> bool:
    import numpy as np

    first, second = _as_float(one), _as_float(other)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(invalid="ignore"):
        near = np.abs(second - first) <= np.maximum(tolerance.absolute, tolerance.relative * np.abs(first))
    return bool((same | (near & np.isfinite(first) & np.isfinite(second))).all())


def _as_float(array: Array) -> Array:
    import numpy as np

    if array.dtype.kind == "c":
        return np.asarray(array, np.complex128)
    return np.asarray(array, np.float64)


def _numpy(path: Path) -> dict[str, Array]:
    import numpy as np

    if path.suffix.lower() == ".npz":
        return npz.read(path)
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.ndarray):
        raise ReproofError("an archive of arrays, not a single one", where=path)
    return {"": loaded}


def _safetensors(path: Path) -> dict[str, Array]:
    """Read tensors as NumPy arrays, without torch: brain floats become float32.

    Format: https://github.com/huggingface/safetensors#format

    Raises:
        ReproofError: a type of numbers that NumPy does not have, such as 8-bit floats.
    """
    import numpy as np

    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(path.stat().st_size - 8, _MAX_HEADER_BYTES):
            raise ReproofError("the safetensors file is cut short or not one", where=path)
        header: dict[str, dict[str, Any]] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    whole = np.memmap(path, np.uint8, "r", offset=8 + length) if path.stat().st_size > 8 + length else None
    tensors: dict[str, Array] = {}
    for name, entry in sorted(header.items()):
        kind, (begin, end) = entry["dtype"], entry["data_offsets"]
        if kind not in _TYPES:
            raise ReproofError(f"{name}: numbers of the type {kind} cannot be compared", where=path)
        raw: Array = np.empty(0, np.uint8) if whole is None else whole[begin:end]
        values = np.frombuffer(raw.tobytes(), _TYPES[kind]).reshape(entry["shape"])
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = values
    return tensors
