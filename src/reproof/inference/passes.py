"""One pass over all inputs in batches: preprocess, model, postprocess. One bad input spoils no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.contract.answers import of_arrays
from reproof.errors import ReproofError
from reproof.inference import reasons
from reproof.inference.decoding import Example
from reproof.model_files.ports import Arrays

Array = npt.NDArray[Any]
Call = Callable[[Array | Mapping[str, Array]], Arrays]
STAGES = ("preprocess", "model", "postprocess", "end_to_end")
_MS = 1000


@dataclass
class Row:
    """An input and what became of it; `status` is success or failed, and failed says why in `reason`."""

    id: str
    file: str
    source: str
    kind: str
    notes: str | None = None
    sha256: str | None = None
    example: Example | None = None
    status: str = "failed"
    reason: str | None = "it was not run"
    answer: Mapping[str, Any] | None = None
    outputs: str | None = None
    picture: str | None = None


@dataclass
class Pass:
    """What a pass measured: times of each batch by stage, in ms, the first call, and that one again."""

    times: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    first_call_ms: float | None = None
    max_abs_diff: float | None = None
    not_compared: str | None = "no input ran"


@dataclass(frozen=True)
class Steps:
    """The three functions that make a pass; `fixed` is the only batch size that the model takes, if any."""

    preprocess: Callable[[Any], Any]
    call: Call
    postprocess: Callable[[Any], Any]
    batch_size: int
    fixed: int | None
    root: Path


def run(
    rows: Sequence[Row], steps: Steps, keep: Callable[[Row, Arrays], None], progress: Callable[[int], None]
) -> Pass:
    """Run every row that holds an example, in batches, and put into it what became of it.

    A batch that fails is run again input by input. `keep` gets each answered row with its outputs, a first
    axis of one; `progress` the number of rows that are done. The model's first answer is computed twice, and
    compared: the first call, which is a cold one, counts as `first_call_ms` and not as one of `times`.
    """
    measured = Pass()
    waiting = [row for row in rows if row.example is not None]
    done = len(rows) - len(waiting)
    size = steps.fixed or steps.batch_size
    while waiting:
        batch = _next(waiting, size)
        del waiting[: len(batch)]
        for row, arrays in _answered(batch, steps, measured):
            keep(row, arrays)
        done += len(batch)
        progress(done)
    return measured


def _next(waiting: Sequence[Row], size: int) -> list[Row]:
    """The next rows that can stand in one batch: with one array each, or with arrays of the same names."""
    first = waiting[0].example
    alike = set(first) if isinstance(first, Mapping) else None
    batch = []
    for row in waiting[:size]:
        if (set(row.example) if isinstance(row.example, Mapping) else None) != alike:
            break
        batch.append(row)
    return batch


def _answered(batch: list[Row], steps: Steps, measured: Pass) -> list[tuple[Row, Arrays]]:
    """The rows that the model answered, with its outputs; the others get their reason."""
    try:
        return _run(batch, steps, measured)
    except Exception as error:  # noqa: BLE001 (what the user's steps or the model raise is this row's reason)
        if len(batch) > 1:
            return [pair for row in batch for pair in _answered([row], steps, measured)]
        batch[0].status, batch[0].reason = "failed", reasons.told(error, steps.root)
        return []


def _run(batch: list[Row], steps: Steps, measured: Pass) -> list[tuple[Row, Arrays]]:
    """Run one batch; where the model takes more, the last input is repeated, and that dropped."""
    count = steps.fixed or len(batch)
    filled = batch + [batch[-1]] * (count - len(batch))
    given = _joined([row.example for row in filled])
    began = perf_counter()
    prepared = steps.preprocess(given)
    ready = perf_counter()
    outputs = steps.call(prepared)
    answered = perf_counter()
    if measured.first_call_ms is None:
        measured.first_call_ms = (answered - ready) * _MS
        shift, ready = ready - began, perf_counter()
        again = steps.call(prepared)
        answered, began = perf_counter(), ready - shift
        measured.max_abs_diff, measured.not_compared = _difference(outputs, again)
    answers = steps.postprocess(_as_given(outputs))
    ended = perf_counter()
    parts = _split(outputs, count, steps.fixed is not None)
    for row, answer in zip(batch, _by_example(answers, parts), strict=False):
        row.answer, row.status, row.reason = answer, "success", None
    spent = (ready - began, answered - ready, ended - answered, ended - began)
    for stage, seconds in zip(STAGES, spent, strict=True):
        measured.times[stage].append(seconds * _MS)
    return list(zip(batch, parts, strict=False))


def _joined(examples: Sequence[Example | None]) -> Any:
    """What preprocess takes: a list of arrays; for several inputs arrays by name, stacked."""
    if isinstance(examples[0], Mapping):
        return {name: np.stack([one[name] for one in examples]) for name in examples[0]}  # type: ignore[index]
    return list(examples)


def _as_given(outputs: Arrays) -> Array | tuple[Array, ...]:
    arrays = tuple(outputs.values())
    return arrays[0] if len(arrays) == 1 else arrays


def _split(outputs: Arrays, count: int, fixed: bool) -> list[Arrays]:
    """The outputs of each example; of a batch of one as they are."""
    if count == 1:
        return [outputs]
    if odd := [name for name, array in outputs.items() if array.shape[:1] != (count,)]:
        raise ReproofError(
            "an output has no axis that counts the examples",
            where=odd[0],
            expected=f"{count} first",
            found="×".join(map(str, outputs[odd[0]].shape)) or "a scalar",
            hint=f"the model takes {count} at once: call it from a script of your own"
            if fixed
            else "infer.batch_size: 1 in params.yaml",
        )
    return [{name: array[i : i + 1] for name, array in outputs.items()} for i in range(count)]


def _by_example(answers: Any, parts: Sequence[Arrays]) -> list[Mapping[str, Any]]:
    """The answers of a batch, by example: a list of mappings, or what has an axis for the examples."""
    count = len(parts)
    if isinstance(answers, list | tuple) and all(isinstance(answer, Mapping) for answer in answers):
        if len(answers) == count:
            return list(answers)
        if count == 1:  # outputs without an axis for examples, which alone do not say so
            return [of_arrays(parts[0])]
        raise ReproofError(
            "postprocess gives another number of answers than there are examples",
            expected=str(count),
            found=str(len(answers)),
        )
    if isinstance(answers, Mapping):
        return [{name: _part(value, i, count) for name, value in answers.items()} for i in range(count)]
    return [{"answer": _part(answers, i, count)} for i in range(count)]


def _part(value: Any, index: int, count: int) -> Any:
    counted = isinstance(value, list | tuple | np.ndarray) and np.ndim(value) > 0 and len(value) == count
    return value[index] if counted else value


def _difference(first: Arrays, second: Arrays) -> tuple[float | None, str | None]:
    worst = 0.0
    for name, array in first.items():
        other = second.get(name)
        if other is None or other.shape != array.shape:
            return None, f"the second time {name} has another shape"
        if array.dtype.kind not in "biuf":
            if not np.array_equal(array, other):
                return None, f"the second time {name} has other texts"
            continue
        one, two = array.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):
            apart = np.abs(one - two)
        same = (one == two) | (np.isnan(one) & np.isnan(two))
        worst = max(worst, float(np.where(same, 0, apart).max(initial=0.0)))
    return (worst, None) if np.isfinite(worst) else (None, "only one of the two answers is finite")
