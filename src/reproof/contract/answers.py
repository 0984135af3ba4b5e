"""From a model's outputs to what people read: an answer an example, as plain data.

| `output.kind` | an answer holds, beside `kind` and `summary` (a line of text) |
|---|---|
| classes | `top`: by rank from "1": `label`, `index`, `score`; `classes`: how many there are |
| boxes | `count`, `boxes`: by rank: `label`, `index`, `score`, `x1`, `y1`, `x2`, `y2` as the model saw them |
| embedding | `dimension`, `norm` (Euclidean) |
| mask | `shares`: of the pixels, by class, the largest first |
| array, null | `arrays`: by output: `dtype`, `shape`, `min`, `max`, `mean` |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.contract import boxes
from reproof.contract.labels import label, labels
from reproof.contract.schema import Contract, Output
from reproof.errors import ReproofError
from reproof.model_files.ports import Arrays, Port

Array = npt.NDArray[Any]
Outputs = Array | Mapping[str, Array] | Sequence[Array]
Answer = dict[str, Any]

FILE = "contract.yaml"
_THRESHOLD = 0.5
"""Of a mask with one channel: pixels above it are in."""


def postprocess(
    contract: Contract, outputs: Outputs, ports: Sequence[Port] | None = None, *, root: Path = Path()
) -> list[Answer]:
    """Return an answer for each example of a batch.

    Args:
        contract: what contract.yaml says.
        outputs: one array, several by name, or several in the order of the model's outputs.
        ports: the model's outputs, which name the arrays of a sequence.
        root: the project, for the path of the labels.

    Raises:
        ReproofError: when the outputs are not of the declared kind; the hint names the field of the contract.
    """
    said, arrays = contract.output, named(outputs, ports)
    if said.kind in (None, "array"):
        return _arrays(arrays)
    if said.kind == "boxes":
        return boxes.found(said, arrays, labels(said, root))
    array = _chosen(said, arrays)
    if said.kind == "classes":
        return _classes(said, array, labels(said, root))
    if said.kind == "mask":
        return _masks(said, array, labels(said, root), contract.input.layout == "HWC")
    return [_embedding(row) for row in array]


def named(outputs: Outputs, ports: Sequence[Port] | None) -> Arrays:
    """Return outputs by name: the model's own names where `ports` tell them, else `output`, `output_0`, …."""
    if isinstance(outputs, Mapping):
        return {name: np.asarray(array) for name, array in outputs.items()}
    several = isinstance(outputs, list | tuple)
    arrays = [np.asarray(array) for array in outputs] if several else [np.asarray(outputs)]
    if ports and len(ports) == len(arrays):
        return {port.name: array for port, array in zip(ports, arrays, strict=True)}
    if len(arrays) == 1:
        return {"output": arrays[0]}
    return {f"output_{index}": array for index, array in enumerate(arrays)}


def softmax(values: Array) -> Array:
    """Return shares that add up to 1 over the last axis, float64."""
    exact = values.astype(np.float64)
    grown = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def scores(array: Array) -> Array:
    """Return scores by class, shape (batch, classes): axes of 1 behind it, as of global pooling, are dropped.

    Raises:
        ReproofError: when there are other axes than that.
    """
    found = (
        array.reshape(array.shape[:2]) if array.ndim > 2 and array.size == np.prod(array.shape[:2]) else array
    )
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or not found.shape[1] or found.dtype.kind not in "biuf":
        raise _odd("classes", "one score a class, shape (batch, classes)", array)
    return found


def _classes(said: Output, array: Array, names: Sequence[str] | None) -> list[Answer]:
    values = scores(array)
    values = softmax(values) if said.softmax else values
    return [_top(row, said.top_k, names) for row in values]


def _top(row: Array, most: int, names: Sequence[str] | None) -> Answer:
    # NaN is no score, and comes last; equal scores keep the order of the classes.
    order = np.argsort(-np.nan_to_num(row.astype(np.float64), nan=-np.inf), kind="stable")[:most]
    top = {
        str(rank): {"label": label(names, int(index)), "index": int(index), "score": _number(row[index])}
        for rank, index in enumerate(order, 1)
    }
    told = ", ".join(f"{label(names, int(index))} {short(_number(row[index]))}" for index in order[:3])
    return {"kind": "classes", "summary": told, "classes": len(row), "top": top}


def _embedding(vector: Array) -> Answer:
    if vector.dtype.kind not in "biuf":
        raise _odd("embedding", "numbers", vector)
    norm = _number(np.linalg.norm(vector.astype(np.float64)))
    summary = f"{vector.size} values, norm {short(norm)}"
    return {"kind": "embedding", "summary": summary, "dimension": int(vector.size), "norm": norm}


def _masks(said: Output, array: Array, names: Sequence[str] | None, channels_last: bool) -> list[Answer]:
    if array.dtype.kind not in "biuf" or array.ndim not in (3, 4):
        raise _odd("mask", "scores by class and pixel, or a class a pixel", array)
    if array.ndim == 4 and channels_last:
        array = np.moveaxis(array, 3, 1)
    if array.ndim == 4 and array.shape[1] > 1:
        indices = array.argmax(axis=1)
    else:
        flat = array[:, 0] if array.ndim == 4 else array
        # The softmax of one channel is its sigmoid; above 0.5 where the logit is above 0.
        indices = flat if flat.dtype.kind in "iu" else (flat > (0 if said.softmax else _THRESHOLD))
    return [_mask(picture.astype(np.int64), names) for picture in indices]


def _mask(picture: Array, names: Sequence[str] | None) -> Answer:
    present, counts = np.unique(picture, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = {label(names, int(present[i])): float(counts[i] / picture.size) for i in order}
    told = ", ".join(f"{name} {share:.2f}" for name, share in list(shares.items())[:3])
    return {"kind": "mask", "summary": told, "shares": shares, "shape": "×".join(map(str, picture.shape))}


def _arrays(arrays: Arrays) -> list[Answer]:
    """A summary by output; the examples are counted by the first axis, where all outputs agree on it."""
    counts = {len(array) if array.ndim else None for array in arrays.values()}
    (count,) = counts if len(counts) == 1 else (None,)
    parts = [arrays] if count is None else [{name: a[i] for name, a in arrays.items()} for i in range(count)]
    return [of_arrays(part) for part in parts]


def of_arrays(arrays: Mapping[str, Array]) -> Answer:
    """Return the answer of kind `array` for the outputs of one example."""
    facts = {name: summary(np.asarray(array)) for name, array in arrays.items()}
    told = "; ".join(f"{name} {_told(fact)}" for name, fact in facts.items())
    return {"kind": "array", "summary": told, "arrays": facts}


def summary(array: Array) -> dict[str, Any]:
    """Return what can be said of any array: its type, shape as text, range and mean of what is finite."""
    shape = "×".join(map(str, array.shape)) or "scalar"
    dtype = "string" if array.dtype.kind in "UO" else str(array.dtype)
    facts: dict[str, Any] = {"dtype": dtype, "shape": shape, "min": None, "max": None, "mean": None}
    if array.dtype.kind == "U" and array.size:
        facts["first"] = str(array.flat[0])[:200]
    if array.dtype.kind not in "biuf":
        return facts
    finite = array[np.isfinite(array)].astype(np.float64)
    if finite.size:
        low, high, mean = finite.min(), finite.max(), finite.mean()
        facts |= {"min": float(low), "max": float(high), "mean": float(mean)}
    return facts


def _told(facts: Mapping[str, Any]) -> str:
    if facts["min"] is None:
        return f"{facts['shape']} {facts['dtype']}" + (
            f", first {facts['first']}" if "first" in facts else ""
        )
    spread = f"{facts['min']:.4g} to {facts['max']:.4g}, mean {facts['mean']:.4g}"
    return f"{facts['shape']} {facts['dtype']}, {spread}"


def _chosen(said: Output, arrays: Arrays) -> Array:
    if said.name is None and len(arrays) == 1:
        return next(iter(arrays.values()))
    if said.name not in arrays:
        raise ReproofError(
            "the model has several outputs" if said.name is None else "the model has no such output",
            where=f"{FILE}: output.name",
            expected=" or ".join(arrays),
            found=said.name,
            hint="output.name: write which of them the answer is in",
        )
    return arrays[said.name]


def _odd(kind: str, expected: str, array: Array) -> ReproofError:
    shape = "×".join(map(str, array.shape)) or "a scalar"
    return ReproofError(
        "the output is not of the declared kind",
        where=f"{FILE}: output.kind",
        expected=f"{kind}: {expected}",
        found=f"{array.dtype} of shape {shape}",
        hint="output.kind: write what it is, or array",
    )


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def short(value: float | None) -> str:
    """Return a score in two decimals, and a small or a large one in few digits."""
    if value is None:
        return "not a number"
    return f"{value:.2f}" if value == 0 or 0.01 <= abs(value) < 100 else f"{value:.3g}"
