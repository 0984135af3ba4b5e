"""A model and its baselines on one split, scored on the same resamples of its examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reproof.evaluation.predictions import Predictions
from reproof.evaluation.tasks import Answers, Task
from reproof.stats import bootstrap, intervals, paired


@dataclass(frozen=True)
class Scored:
    """One model on one split.

    Attributes:
        answers: what it said.
        scores: its metrics, with the keys `intervals`, `intervals_missing` and `intervals_method`.
        drawn: each metric on the resamples.
        missing: why a metric has none.
    """

    answers: Answers
    scores: dict[str, Any]
    drawn: dict[str, bootstrap.Draws]
    missing: dict[str, str]


def score(task: Task, every: Sequence[Answers], *, resamples: int, seed: int) -> list[Scored]:
    """Score several models on the same examples, with intervals over these."""
    examples = len(every[0].ids)
    scorers, missing = zip(*(task.scorer(answers) for answers in every), strict=True)
    if reason := bootstrap.too_many(examples, resamples):
        drawn: list[dict[str, bootstrap.Draws]] = [{} for _ in every]
        missing = tuple(dict.fromkeys(task.metrics, reason) for _ in every)
    else:
        drawn = bootstrap.draw(scorers, examples, resamples=resamples, seed=seed)
    found = []
    for answers, draws, reasons in zip(every, drawn, missing, strict=True):
        scores = task.score(answers)
        reasons |= {name: why for name in task.metrics if (why := scores.get(f"{name}_missing_reason"))}
        scores |= _intervals(task, answers, draws, reasons)
        found.append(Scored(answers, scores, draws, reasons))
    return found


def comparison(task: Task, model: Scored, other: Scored, *, name: str, split: str) -> dict[str, Any]:
    """Return how the model differs from a baseline, metric by metric and answer by answer."""
    return {
        "split": split,
        "claim": f"This compares two trained models, this one and {name}, on the same "
        f"{len(model.answers.ids):,} {split} examples, and says how far other examples of that kind might "
        "move the difference; that one method beats the other takes several seeds of each.",
        "differences": _differences(task, model, other),
        **_mcnemar(model.answers, other.answers),
    }


def _intervals(
    task: Task, answers: Answers, drawn: Mapping[str, bootstrap.Draws], missing: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, list[float]] = {}
    reasons = dict(missing)
    methods: dict[str, str] = {}
    for metric in task.metrics:
        interval = bootstrap.Interval(None, missing.get(metric))
        if metric not in missing:
            interval = bootstrap.interval(drawn[metric])
        if interval.bounds:
            found[metric] = list(interval.bounds)
        elif metric == "accuracy":  # all right, or too many to resample: an exact interval has a formula
            hits = int((answers.predicted == answers.labels).sum())
            found[metric] = list(intervals.clopper_pearson(hits, len(answers.ids)))
            methods[metric] = f"Clopper-Pearson: {interval.missing_reason}"
            reasons.pop(metric, None)
        else:
            reasons[metric] = str(interval.missing_reason)
    return {"intervals": found, "intervals_missing": reasons, "intervals_method": methods}


def _differences(task: Task, model: Scored, other: Scored) -> dict[str, Any]:
    found: dict[str, Any] = {}
    missing = model.missing | other.missing
    for metric in task.metrics:
        ours, theirs = model.scores[metric], other.scores[metric]
        interval = bootstrap.Interval(None, missing.get(metric))
        if metric not in missing:
            interval = bootstrap.interval(model.drawn[metric] - other.drawn[metric])
        found[metric] = {
            "difference": None if ours is None or theirs is None else ours - theirs,
            "interval": list(interval.bounds) if interval.bounds else None,
            "missing_reason": interval.missing_reason,
        }
    return found


def _mcnemar(model: Answers, other: Answers) -> dict[str, Any]:
    if not isinstance(model, Predictions):
        reason = "it compares right and wrong answers, which a regressor does not have"
        return {"mcnemar": None, "mcnemar_missing_reason": reason}
    found = paired.mcnemar(model.predicted == model.labels, other.predicted == model.labels)
    if found.p_value is None:
        return {"mcnemar": None, "mcnemar_missing_reason": "both have the same examples right"}
    counts = {"only_model": found.only_first, "only_baseline": found.only_second}
    return {"mcnemar": counts | {"p_value": found.p_value}, "mcnemar_missing_reason": None}
