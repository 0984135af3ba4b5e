"""Of a detector's outputs: which boxes there are, and which of them are kept.

Known ways to write boxes, told apart by shapes alone; n counts examples, k boxes, C classes:

| outputs | as |
|---|---|
| (n, k, 6), the last whole numbers | four numbers of the box, score, class |
| (n, k, 4 + C) or (n, 4 + C, k), with C names in `output.labels` | four numbers, a score a class |
| (n, k, 5 + C) or (n, 5 + C, k), with C names in `output.labels` | the same, times the fifth |
| boxes (n, k, 4), scores (n, k) or (n, k, C), and classes (n, k) of integers | one output each |

The axis n may be missing where there is one example. Kept is what scores at least the threshold and is not
suppressed by a better box of the same class: greedy, by the overlap (intersection over union).
Method: Felzenszwalb et al., Object Detection with Discriminatively Trained Part-Based Models, 2010, 6.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.contract.labels import label
from reproof.contract.schema import Output
from reproof.errors import ReproofError
from reproof.model_files.ports import Arrays

Array = npt.NDArray[Any]
Raw = tuple[Array, Array, Array]
"""Of one example: boxes (k, 4) as the model writes them, scores (k,), classes (k,)."""

MOST = 300
"""Boxes an example, the best ones."""


def found(said: Output, arrays: Arrays, names: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return the kept boxes of each example, the best first; see `answers`.

    Raises:
        ReproofError: when the outputs are in none of the known ways.
    """
    answers = []
    for raw, scores, classes in _examples(arrays, names):
        wide = corners(raw.astype(np.float64), said.boxes.format)
        sure = np.flatnonzero(scores >= said.boxes.score_threshold)
        keep = sure[kept(wide[sure], scores[sure], classes[sure], said.boxes.iou_threshold)][:MOST]
        answers.append(_answer(wide[keep], scores[keep], classes[keep], names))
    return answers


def corners(boxes: Array, form: str) -> Array:
    """Return boxes as x1, y1, x2, y2, shape (k, 4), out of corner and size (`xywh`), or middle and size."""
    if form == "xyxy":
        return boxes
    at, size = boxes[:, :2], boxes[:, 2:]
    begin = at - size / 2 if form == "cxcywh" else at
    return np.concatenate([begin, begin + size], axis=1)


def kept(boxes: Array, scores: Array, classes: Array, threshold: float) -> npt.NDArray[np.intp]:
    """Return the indices of the boxes that no better one of their class overlaps by more than the threshold.

    The best first; of equal scores the earlier one is better.
    """
    order = np.argsort(-scores, kind="stable")
    chosen: list[np.intp] = []
    while order.size and len(chosen) < MOST:
        best, order = order[0], order[1:]
        chosen.append(best)
        other = (overlap(boxes[best], boxes[order]) <= threshold) | (classes[order] != classes[best])
        order = order[other]
    return np.array(chosen, dtype=np.intp)


def overlap(box: Array, others: Array) -> Array:
    """Return the intersection over union of one box, (4,), with others, (k, 4); 0 where there is no area."""
    begin, end = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(end - begin, 0, None), axis=1)
    whole = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - common
    return np.asarray(np.divide(common, whole, out=np.zeros_like(common), where=whole > 0))


def _examples(arrays: Arrays, names: Sequence[str] | None) -> list[Raw]:
    if len(arrays) == 1:
        (array,) = arrays.values()
        whole = array[None] if array.ndim == 2 else array
        if whole.ndim == 3 and whole.dtype.kind in "fiu":
            return [_together(example, names, arrays) for example in whole]
        raise _odd(arrays)
    return _apart(arrays)


def _together(example: Array, names: Sequence[str] | None, arrays: Arrays) -> Raw:
    classes = len(names) if names else None
    widths = {6} if classes is None else {4 + classes, 5 + classes, 6}
    rows = example if example.shape[1] in widths or example.shape[0] not in widths else example.T
    width = rows.shape[1]
    whole_numbers = width == 6 and bool((rows[:, 5] == np.floor(rows[:, 5])).all())
    if classes is not None and width in (4 + classes, 5 + classes) and not whole_numbers:
        scores = rows[:, width - classes :] * (rows[:, 4:5] if width == 5 + classes else 1)
        return rows[:, :4], scores.max(axis=1), scores.argmax(axis=1)
    if width == 6:
        return rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    raise _odd(arrays)


def _apart(arrays: Arrays) -> list[Raw]:
    """Boxes, scores and classes in outputs of their own."""
    boxes = next((a for a in arrays.values() if a.ndim in (2, 3) and a.shape[-1] == 4), None)
    if boxes is None:
        raise _odd(arrays)
    ahead = boxes.shape[:-1]
    others = {name: a for name, a in arrays.items() if a is not boxes and a.shape[: len(ahead)] == ahead}
    integers = [a for name, a in others.items() if a.shape == ahead and _of_classes(name, a)]
    scores = [a for name, a in others.items() if a.dtype.kind == "f" and not _of_classes(name, a)]
    if len(scores) != 1 or len(integers) > 1 or scores[0].ndim > len(ahead) + 1:
        raise _odd(arrays)
    values = scores[0]
    if values.ndim == len(ahead) + 1:
        values, classes = values.max(axis=-1), values.argmax(axis=-1)
    else:
        classes = integers[0].astype(np.int64) if integers else np.zeros(ahead, np.int64)
    if len(ahead) == 1:
        return [(boxes, values, classes)]
    return list(zip(boxes, values, classes, strict=True))


def _of_classes(name: str, array: Array) -> bool:
    return array.dtype.kind in "iu" or any(word in name.lower() for word in ("label", "class"))


def _answer(boxes: Array, scores: Array, classes: Array, names: Sequence[str] | None) -> dict[str, Any]:
    rows = {
        str(rank): {
            "label": label(names, int(index)),
            "index": int(index),
            "score": float(score),
            **{side: float(value) for side, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)},
        }
        for rank, (box, score, index) in enumerate(zip(boxes, scores, classes, strict=True), 1)
    }
    told = ", ".join(f"{row['label']} {row['score']:.2f}" for row in list(rows.values())[:3])
    count = f"{len(rows)} box{'' if len(rows) == 1 else 'es'}"
    return {
        "kind": "boxes",
        "summary": f"{count}: {told}" if rows else "no box",
        "count": len(rows),
        "boxes": rows,
    }


def _odd(arrays: Arrays) -> ReproofError:
    shapes = (f"{name} {'×'.join(map(str, array.shape))}" for name, array in arrays.items())
    return ReproofError(
        "the outputs are in none of the ways to write boxes that are known here",
        where="contract.yaml: output.kind",
        expected="see reproof.contract.boxes; 4 or 5 numbers and a score a class need output.labels",
        found=", ".join(shapes),
        hint="output.labels: write the names of all classes; or write postprocess in src/steps.py",
    )
