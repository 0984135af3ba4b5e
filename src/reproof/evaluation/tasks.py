"""What differs between classifiers and regressors: their metrics, and how these are resampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.errors import ReproofError
from reproof.evaluation import scores
from reproof.evaluation.predictions import Baseline, Predictions, Regression
from reproof.stats import bootstrap, classifiers, regressors

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Answers = Any
"""`Predictions` or `Regression`; all splits of one assessment are of one kind."""


@dataclass(frozen=True)
class Task:
    """One kind of answers.

    Attributes:
        name: `classification` or `regression`.
        metrics: their names, the headline first.
        score: the metrics of one split.
        scorer: what resamples are scored with, and the metrics that are left out, with reasons.
        replaced: the same examples with a baseline's answers.
    """

    name: str
    metrics: Sequence[str]
    score: Callable[[Answers], dict[str, Any]]
    scorer: Callable[[Answers], tuple[bootstrap.Scorer, dict[str, str]]]
    replaced: Callable[[Answers, Array], Answers]


def of(splits: Mapping[str, Answers], classes: Sequence[str] | None, resamples: int) -> Task:
    """Return the task that the answers are of.

    Raises:
        ReproofError: for no splits, an empty one, kinds that are mixed, classes that do not fit, or shapes
            that differ.
    """
    kinds = {type(part) for part in splits.values()}
    if len(kinds) != 1 or not kinds <= {Predictions, Regression}:
        raise ReproofError(
            "the answers are not of one kind",
            expected="for each split evaluation.Predictions, or for each evaluation.Regression",
            found=", ".join(sorted(kind.__name__ for kind in kinds)) or "no splits",
        )
    of_classes = kinds == {Predictions}
    if of_classes != (classes is not None):
        hint = "classifiers need the names of the classes; regressors have None"
        raise ReproofError("the classes do not fit the answers", found=str(classes)[:100], hint=hint)
    for name, part in splits.items():
        truth, given = (part.labels, part.probabilities) if of_classes else (part.targets, part.predicted)
        expected = (len(part.ids), len(classes)) if classes is not None else (len(part.ids),)
        if not len(part.ids):
            raise ReproofError("there is nothing to assess: a split without examples", where=name)
        if given.shape != expected or truth.shape != expected[:1]:
            found = f"{given.shape}, and truths of {truth.shape}"
            raise ReproofError("answers of another shape", where=name, expected=str(expected), found=found)
    return _classification(classes, resamples) if classes is not None else _regression()


def answers_of(baseline: Baseline, split: str, model: Answers, task: Task) -> Answers:
    """Return a baseline's answers on the model's examples.

    Raises:
        ReproofError: when their shape is not that of the model's, or they are not finite.
    """
    import numpy as np

    given, where = np.asarray(baseline.answers[split]), f"baseline {baseline.name}, {split}"
    expected = (model.probabilities if isinstance(model, Predictions) else model.predicted).shape
    if given.shape != expected:
        raise ReproofError(
            "answers of another shape than the model's",
            where=where,
            expected=str(expected),
            found=str(given.shape),
            hint="a baseline answers the same examples, with a column for each class",
        )
    if not np.isfinite(given).all():
        raise ReproofError("answers that are not all finite", where=where)
    return task.replaced(model, given)


def _classification(classes: Sequence[str], resamples: int) -> Task:
    def scorer(answers: Predictions) -> tuple[bootstrap.Scorer, dict[str, str]]:
        import numpy as np

        missing = {}
        if len(np.unique(answers.labels)) < len(classes):
            missing["auc"] = "the split lacks a class"
        elif reason := classifiers.too_costly(len(answers.ids), len(classes), resamples):
            missing["auc"] = reason
        return classifiers.scorer(answers.labels, answers.probabilities, auc=not missing), missing

    return Task(
        "classification",
        classifiers.METRICS,
        lambda answers: scores.classification(answers, classes),
        scorer,
        lambda answers, given: Predictions(answers.ids, answers.labels, given),
    )


def _regression() -> Task:
    return Task(
        "regression",
        regressors.METRICS,
        scores.regression,
        lambda answers: (regressors.scorer(answers.targets, answers.predicted), {}),
        lambda answers, given: Regression(answers.ids, answers.targets, given),
    )
