"""One call for everything that evaluation.json holds, of schema version 2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproof.errors import ReproofError
from reproof.evaluation import compare, details, tasks
from reproof.evaluation.predictions import Baseline, Predictions, Regression
from reproof.stats import bootstrap, classifiers, regressors

SCHEMA_VERSION = 2
FOCUS = "test"
"""The split whose answers are compared and looked at one by one."""


def assess(
    splits: Mapping[str, Predictions] | Mapping[str, Regression],
    classes: Sequence[str] | None = None,
    baselines: Sequence[Baseline] = (),
    *,
    dataset: str,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what evaluation.json holds: metrics with intervals, comparisons, and the answers to look at.

    Every split but `train` has 95% intervals over its examples: BCa, from the same resamples for the model
    and its baselines, so that differences are paired. On `test` also comparisons with each baseline,
    calibration, the most confused pairs of classes, and the hardest and the easiest examples.

    Args:
        splits: the model's answers by split; `test` among them.
        classes: their names by index; None for a regressor.
        baselines: on the same examples; `test` among their splits.
        dataset: its name, for readers.
        resamples: how many are drawn.
        seed: of the resamples. The same for every run, so that runs on one test split are drawn alike.

    Raises:
        ReproofError: for answers that are not finite or of another shape, for baselines whose name repeats or
            has other signs than letters, digits, `_` and `-`, and without a split `test`.
    """
    task = tasks.of(splits, classes, resamples)
    _check(splits, baselines)
    scores: dict[str, dict[str, Any]] = {}
    compared: dict[str, dict[str, Any]] = {
        baseline.name: {"description": baseline.description, "splits": {}} for baseline in baselines
    }
    for split, answers in splits.items():
        if split == "train":
            scores[split] = task.score(answers)
            continue
        given = {b.name: tasks.answers_of(b, split, answers, task) for b in baselines if split in b.answers}
        model, *others = compare.score(task, [answers, *given.values()], resamples=resamples, seed=seed)
        scores[split] = model.scores
        for name, other in zip(given, others, strict=True):
            compared[name]["splits"][split] = details.without_classes(other.scores)
            if split == FOCUS:
                compared[name]["comparison"] = compare.comparison(task, model, other, name=name, split=split)
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task.name,
        "dataset": dataset,
        "classes": None if classes is None else [str(name) for name in classes],
        "bootstrap": {
            "method": bootstrap.METHOD,
            "resamples": resamples,
            "seed": seed,
            "confidence": bootstrap.CONFIDENCE,
        },
        "splits": {name: details.small_enough(own, name == FOCUS) for name, own in scores.items()},
        "baselines": compared,
        **details.of(splits[FOCUS], classes, split=FOCUS, resamples=resamples, seed=seed),
    }


def metrics(report: Mapping[str, Any]) -> dict[str, tuple[float | None, str | None]]:
    """Return the numbers of a report that a stage records, each with the reason where it is None.

    They are `<split>.<metric>`, `baseline.<name>.<split>.<headline>` (accuracy, or RMSE) and `test.ece`.
    """
    every = classifiers.METRICS if report["task"] == "classification" else regressors.METRICS
    found: dict[str, tuple[float | None, str | None]] = {}
    for split, scores in report["splits"].items():
        for metric in every:
            found[f"{split}.{metric}"] = scores[metric], scores.get(f"{metric}_missing_reason")
    if report["calibration"]:
        found[f"{report['calibration']['split']}.ece"] = report["calibration"]["ece"], None
    for name, baseline in report["baselines"].items():
        for split, scores in baseline["splits"].items():
            found[f"baseline.{name}.{split}.{every[0]}"] = scores[every[0]], None
    return found


def _check(splits: Mapping[str, Any], baselines: Sequence[Baseline]) -> None:
    if FOCUS not in splits:
        raise ReproofError("no split to assess", expected=f"`{FOCUS}`", found=", ".join(splits))
    names = [baseline.name for baseline in baselines]
    for baseline in baselines:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", baseline.name) or names.count(baseline.name) > 1:
            hint = "letters, digits, _ and -, and each name once"
            raise ReproofError("a baseline cannot be called so", found=repr(baseline.name)[:100], hint=hint)
        if FOCUS not in baseline.answers:
            where, found = f"baseline {baseline.name}", ", ".join(baseline.answers)
            raise ReproofError(f"no answers on the split `{FOCUS}`", where=where, found=found or "none")
