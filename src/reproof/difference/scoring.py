"""Two models' metrics on the same resamples of the examples that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.evaluation.predictions import Predictions, Regression
from reproof.stats import bootstrap, classifiers, regressors

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

METRICS = (*classifiers.METRICS, *regressors.METRICS)
"""Those that follow from answers on single examples."""


@dataclass(frozen=True)
class Side:
    """One model's answers on a split.

    Attributes:
        answers: on all its examples.
        classes: the names of the classes, in the order of the probabilities; None for a regressor.
        rows: of the examples that are compared, shape (shared,), as indices.
    """

    answers: Predictions | Regression
    classes: Sequence[str] | None
    rows: Array

    @property
    def hits(self) -> Array:
        """Whether each compared answer is right, shape (shared,); of a classifier."""
        assert isinstance(self.answers, Predictions)
        right: Array = (self.answers.predicted == self.answers.labels)[self.rows]
        return right

    @property
    def truths(self) -> Array:
        """The compared examples' classes by name, or targets; shape (shared,)."""
        import numpy as np

        if isinstance(self.answers, Predictions):
            return np.asarray(self.classes, dtype=str)[self.answers.labels[self.rows]]
        return self.answers.targets[self.rows]


@dataclass(frozen=True)
class Metric:
    """One metric of both models on the examples that they share.

    Attributes:
        name: in full, such as `evaluate.test.accuracy`.
        a: of the first model; None where it is not defined on these examples.
        b: of the second.
        difference: b minus a.
        interval: 95% BCa interval of the difference, over examples.
        missing_reason: why there is no interval.
    """

    name: str
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    missing_reason: str | None


def values(names: Sequence[str], one: Side) -> dict[str, float | None]:
    """Return a model's own metrics on the compared rows, by their short names; None where not defined."""
    import numpy as np

    scorers, missing = _scorers(names, one, one, resamples=1)
    found = scorers[0](np.ones((len(one.rows), 1)))
    return {n: _finite(float(found[n][0])) for n in names if n in found and n not in missing}


def scored(
    prefix: str, names: Sequence[str], a: Side, b: Side, *, resamples: int, seed: int
) -> dict[str, Metric]:
    """Score two models on the same resamples of the examples that they share.

    Args:
        prefix: of the metrics' full names, such as `evaluate.test.`.
        names: the metrics' short names.
        a: the first model.
        b: the second, on the same examples in the same order.
        resamples: how many are drawn.
        seed: of the draws.

    Returns:
        the metrics by their full names; one that cannot be compared has the reason.
    """
    import numpy as np

    examples = len(a.rows)
    reason = bootstrap.too_many(examples, resamples)
    scorers, missing = _scorers(names, a, b, resamples)
    drawn = [] if reason else bootstrap.draw(scorers, examples, resamples=resamples, seed=seed)
    whole = np.ones((examples, 1))
    values = [{name: float(found[0]) for name, found in scorer(whole).items()} for scorer in scorers]

    def metric(name: str) -> Metric:
        full, why = f"{prefix}{name}", missing.get(name)
        first, second = (None if why else _finite(one.get(name)) for one in values)
        if first is None or second is None:
            return Metric(full, first, second, None, None, why or "not defined on these examples")
        found = bootstrap.Interval(None, reason)
        if drawn:
            found = bootstrap.interval(drawn[1][name] - drawn[0][name])
        return Metric(full, first, second, second - first, found.bounds, found.missing_reason)

    return {f"{prefix}{name}": metric(name) for name in names}


def _scorers(
    names: Sequence[str], a: Side, b: Side, resamples: int
) -> tuple[list[bootstrap.Scorer], dict[str, str]]:
    """What scores resamples of both, and metrics that cannot be compared, with reasons."""
    if isinstance(a.answers, Regression) and isinstance(b.answers, Regression):
        return _of_regressors(names, a.answers, b.answers, (a.rows, b.rows))
    assert isinstance(a.answers, Predictions)
    assert isinstance(b.answers, Predictions)
    missing = {name: "these are classifiers" for name in names if name not in classifiers.METRICS}
    own, other = list(a.classes or ()), list(b.classes or ())
    if not _are_finite(a.answers.probabilities, b.answers.probabilities):
        missing |= dict.fromkeys(names, "probabilities are not all finite")
    elif sorted(own) != sorted(other) or len(set(own)) != len(own):
        missing |= {name: "the classes differ" for name in names if name != "accuracy"}
    if not {*names} - {"accuracy"} - missing.keys():  # right or wrong is all that it takes
        return [_accuracy(a.hits), _accuracy(b.hits)], missing
    labels = a.answers.labels[a.rows]
    if "auc" in names and (why := _no_auc(labels, len(own), resamples)):
        missing["auc"] = why
    auc = "auc" in names and "auc" not in missing
    order = [other.index(name) for name in own]
    given = (a.answers.probabilities[a.rows], b.answers.probabilities[b.rows][:, order])
    return [classifiers.scorer(labels, one, auc=auc) for one in given], missing


def _of_regressors(
    names: Sequence[str], a: Regression, b: Regression, rows: tuple[Array, Array]
) -> tuple[list[bootstrap.Scorer], dict[str, str]]:
    missing = {name: "these are regressors" for name in names if name not in regressors.METRICS}
    if not _are_finite(a.targets, a.predicted, b.predicted):
        missing |= dict.fromkeys(names, "targets or answers are not all finite")
    targets = a.targets[rows[0]]
    return [
        regressors.scorer(targets, one.predicted[at]) for one, at in zip((a, b), rows, strict=True)
    ], missing


def _no_auc(labels: Array, classes: int, resamples: int) -> str | None:
    import numpy as np

    if len(np.unique(labels)) < classes:
        return "the shared examples lack a class"
    return classifiers.too_costly(len(labels), classes, resamples)


def _are_finite(*arrays: Array) -> bool:
    import numpy as np

    return all(bool(np.isfinite(array).all()) for array in arrays)


def _accuracy(hits: Array) -> bootstrap.Scorer:
    import numpy as np

    values = hits.astype(np.float64)
    return lambda weights: {"accuracy": values @ weights / weights.sum(axis=0)}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
