"""What often goes wrong with a model of somebody else's, looked for in what this one answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import digest
from reproof.contract import answers
from reproof.contract.schema import Contract, Output
from reproof.errors import ReproofError
from reproof.inference.passes import Pass, Row
from reproof.model_files.ports import Arrays, dtype_name

Array = npt.NDArray[Any]
Pitfalls = dict[str, dict[str, str]]
Add = Callable[[str, str, str], None]

STRETCH = 1.5
"""Where a picture's sides change their ratio by more than that, things in it look like others."""

_SUM_TOLERANCE = 1e-2
"""Of probabilities in half precision."""


@dataclass
class Seen:
    """What is kept of each answer, for these looks and for the record of the outputs.

    Attributes:
        outputs: by name: type, shape and the numbers of its values, over all inputs.
        answers: the digest of each row's outputs, by the digest of its input.
        sums_to_one: of each answer of the kind classes, whether it looks like probabilities.
        classes: how many scores such an answer has.
        stretched: the files whose sides change their ratio the most, and by how much.
    """

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    sums_to_one: list[bool] = field(default_factory=list)
    classes: int | None = None
    stretched: dict[str, float] = field(default_factory=dict)


def look(seen: Seen, contract: Contract, row: Row, arrays: Arrays) -> None:
    """Take note of one answered row, and of its outputs, a first axis of one."""
    example = row.example
    given = dict(example) if isinstance(example, Mapping) else {"": np.asarray(example)}
    # Whole numbers, such as the number of a class, may well be the same for different inputs.
    floats = {name: array for name, array in arrays.items() if array.dtype.kind in "fc"}
    if floats and not not_numbers(arrays):
        seen.answers[digest.arrays(given)] = digest.arrays(floats)
    for name, array in arrays.items():
        _count(seen.outputs, name, array)
    if contract.output.kind == "classes":
        _look_at_scores(seen, contract.output, arrays)
    said = contract.input
    if row.kind == "image" and said.size and said.resize == "stretch" and isinstance(example, np.ndarray):
        height, width = example.shape[:2]
        ratio = (said.size[1] / said.size[0]) / (width / height)
        seen.stretched[row.file] = max(ratio, 1 / ratio)


def not_numbers(arrays: Arrays) -> str | None:
    """Return how many values of an answer are NaN, in words; None where none is."""
    floats = [array for array in arrays.values() if array.dtype.kind in "fc"]
    bad = sum(int(np.isnan(array).sum()) for array in floats)
    return f"{bad} of {sum(array.size for array in floats)} output values are NaN" if bad else None


def found(seen: Seen, contract: Contract, labels: Sequence[str] | None, measured: Pass) -> Pitfalls:
    """Return the pitfalls by name, each with its symptom and what to do about it."""
    pitfalls: Pitfalls = {}

    def add(name: str, symptom: str, fix: str) -> None:
        pitfalls[name] = {"symptom": symptom, "fix": fix}

    _of_values(seen, add)
    _of_sameness(seen, measured, add)
    if contract.output.kind == "classes":
        _of_classes(seen, contract.output.softmax, labels, add)
    if far := [name for name, ratio in seen.stretched.items() if ratio > STRETCH]:
        worst = max(far, key=lambda name: seen.stretched[name])
        add(
            "stretched",
            f"{len(far)} of {len(seen.stretched)} are stretched; {worst} by {seen.stretched[worst]:.2g}",
            "input.resize: crop or letterbox in contract.yaml, where the model was trained with it",
        )
    return pitfalls


def _of_values(seen: Seen, add: Add) -> None:
    for name, facts in seen.outputs.items():
        if facts["nan"]:
            add(
                f"nan_{name}",
                f"{facts['nan']} values of {name} are NaN",
                "look at scale, mean and std in contract.yaml; half precision overflows above 65504",
            )
        if facts["infinite"]:
            add(
                f"infinite_{name}",
                f"{facts['infinite']} values of {name} are infinite",
                "masked scores may be; else look at the inputs' scale, or take a wider precision",
            )


def _of_sameness(seen: Seen, measured: Pass, add: Add) -> None:
    inputs, distinct = len(seen.answers), len(set(seen.answers.values()))
    if inputs > 1 and distinct == 1:
        add(
            "constant_output",
            f"{inputs} different inputs got one and the same answer",
            "look at the scale in contract.yaml: values out of range saturate a model; and at its weights",
        )
    elif distinct < inputs:
        add(
            "equal_outputs",
            f"{inputs} different inputs got {distinct} different answers",
            "look whether preprocessing makes different inputs equal, such as by cutting them",
        )
    apart = measured.max_abs_diff
    if apart or (measured.not_compared or "").startswith(("the second", "only one")):
        add(
            "not_reproducible",
            f"the first input, run twice, differs by {apart:.3g}" if apart else str(measured.not_compared),
            "a model in training mode, random layers, or a runtime that sums in any order",
        )


def _of_classes(seen: Seen, softmax: bool | None, labels: Sequence[str] | None, add: Add) -> None:
    if seen.sums_to_one and all(seen.sums_to_one) and softmax:
        add(
            "softmax_twice",
            "the model's output adds up to 1 already, and contract.yaml asks for a softmax",
            "output.softmax: false in contract.yaml",
        )
    if seen.sums_to_one and not any(seen.sums_to_one) and not softmax:
        add(
            "logits",
            "the scores are no probabilities: below 0, above 1, or with another sum than 1",
            "output.softmax: true in contract.yaml, where they are logits of classes that exclude each other",
        )
    if labels is not None and seen.classes is not None and len(labels) != seen.classes:
        add(
            "labels",
            f"{len(labels)} labels for {seen.classes} classes",
            "output.labels in contract.yaml: one label a class, in the order of the model's output",
        )


def _look_at_scores(seen: Seen, said: Output, arrays: Arrays) -> None:
    array = arrays.get(said.name) if said.name else next(iter(arrays.values()))
    if array is None or array.dtype.kind not in "f":
        return
    try:
        row = answers.scores(array)[0].astype(np.float64)
    except ReproofError:  # whose row says so
        return
    seen.classes = len(row)
    shares = row.min() >= 0 and row.max() <= 1 and abs(row.sum() - 1) <= _SUM_TOLERANCE
    seen.sums_to_one.append(bool(shares))


def _count(outputs: dict[str, dict[str, Any]], name: str, array: Array) -> None:
    """Add an answer to the numbers of an output, over all inputs; `sum` and `finite` make its mean."""
    shape = list(array.shape)
    facts = outputs.setdefault(
        name,
        {"dtype": dtype_name(array.dtype), "shape": shape, "nan": 0, "infinite": 0, "min": None, "max": None}
        | {"sum": 0.0, "finite": 0},
    )
    if facts["shape"] != shape:
        facts["shape"] = None
    if array.dtype.kind not in "biuf":
        return
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    facts["nan"] += int(np.isnan(values).sum())
    facts["infinite"] += int(np.isinf(values).sum())
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        facts["min"] = low if facts["min"] is None else min(facts["min"], low)
        facts["max"] = high if facts["max"] is None else max(facts["max"], high)
        facts["sum"] += float(finite.sum())
        facts["finite"] += finite.size


def outputs(seen: Seen) -> dict[str, dict[str, Any]]:
    """Return what the record says of each output: of all its values together, one input's shape."""
    told = {}
    for name, facts in seen.outputs.items():
        kept = {key: value for key, value in facts.items() if key not in ("sum", "finite")}
        kept["mean"] = facts["sum"] / facts["finite"] if facts["finite"] else None
        if not kept["shape"]:  # an empty list is no use to readers of JSON either
            reason = "it is a scalar" if kept["shape"] == [] else "it differs from input to input"
            kept |= {"shape": None, "shape_reason": reason}
        told[name] = kept
    return told
