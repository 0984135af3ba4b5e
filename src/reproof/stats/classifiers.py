"""A classifier's metrics under weights: what `bootstrap.draw` scores resamples with.

Everything is a sum over examples by class, so that a block of resamples is a few products of a sparse matrix
with the block of weights. With weights of one the values are those of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reproof.stats.bootstrap import RESAMPLES, Scorer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

METRICS = ("accuracy", "precision", "recall", "f1", "auc", "loss")
MAX_RANKED = 1_000_000_000
"""Examples times classes times resamples, up to which the AUC is resampled; that many take 2 to 9 s."""


def scorer(labels: Array, probabilities: Array, *, auc: bool = True) -> Scorer:
    """Return the scorer of one classifier: accuracy, macro precision, recall, F1 and AUC, and the loss.

    A class that the examples have and a resample has lost does not enter that resample's averages; a class
    that the examples lack counts 0 in precision, recall and F1, as it does in `evaluation.classification`.

    Args:
        labels: true class indices, shape (examples,).
        probabilities: shape (examples, classes).
        auc: whether the AUC is scored, which costs the most.
    """
    import numpy as np
    from scipy.sparse import vstack

    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    hits = (predicted == labels).astype(np.float64)
    truth, answered = indicator(labels, classes), indicator(predicted, classes)
    by_class = vstack([truth, answered, truth.multiply(hits[None, :])]).tocsr()
    in_examples = np.bincount(labels, minlength=classes)[:, None] > 0
    sums = np.stack([hits, losses(labels, probabilities)])
    ranks = [_auc(labels == index, probabilities[:, index]) for index in range(classes)] if auc else []

    def score(weights: Array) -> dict[str, Array]:
        total = weights.sum(axis=0)
        accuracy, loss = sums @ weights / total
        support, answers, right = np.split(by_class @ weights, 3)
        counted = (support > 0) | ~in_examples
        found = {
            "accuracy": accuracy,
            "precision": _mean(_ratio(right, answers), counted),
            "recall": _mean(_ratio(right, support), counted),
            "f1": _mean(_ratio(2 * right, answers + support), counted),
            "loss": loss,
        }
        if auc:
            values = np.stack([rank(weights) for rank in ranks])
            found["auc"] = _mean(values, counted)
        return found

    return score


def losses(labels: Array, probabilities: Array) -> Array:
    """Return the negative log-likelihood of each example in nats, shape (examples,).

    Rows are brought to the sum one, and probabilities away from zero by the machine epsilon of float64, as
    scikit-learn's `log_loss` does: a certain and wrong answer costs 36 nats.
    """
    import numpy as np

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    epsilon = np.finfo(np.float64).eps
    of_truth = exact[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(of_truth, epsilon, 1 - epsilon)))


def too_costly(examples: int, classes: int, resamples: int = RESAMPLES) -> str | None:
    """Return why the AUC is not resampled; None when it is."""
    if examples * classes * resamples <= MAX_RANKED:
        return None
    return f"too costly: {examples:,} examples times {classes:,} classes times {resamples:,} resamples"


def indicator(groups: Array, count: int) -> Any:
    """Return the sparse matrix, shape (count, examples), that sums weights by group."""
    import numpy as np
    from scipy.sparse import csr_array

    examples = np.arange(len(groups))
    return csr_array((np.ones(len(groups)), (groups, examples)), shape=(count, len(groups)))


def _auc(positive: Array, scores: Array) -> Callable[[Array], Array]:
    """The area under the ROC curve of one class against the rest, ties counted half (Mann and Whitney).

    Only the order against the positives matters: the negatives are summed within the gaps between the
    positives' scores (even rows) and at these scores (odd rows).
    """
    import numpy as np

    steps = np.unique(scores[positive])
    of_positive = np.where(positive, np.searchsorted(steps, scores), len(steps))
    gaps = np.searchsorted(steps, scores, side="left") + np.searchsorted(steps, scores, side="right")
    of_negative = np.where(positive, 2 * len(steps) + 1, gaps)
    # The last row of each takes those of the other kind, and is dropped.
    positives = indicator(of_positive, len(steps) + 1)[: len(steps)]
    negatives = indicator(of_negative, 2 * len(steps) + 2)[:-1]

    def score(weights: Array) -> Array:
        above, below = positives @ weights, negatives @ weights
        total = below.sum(axis=0)
        tied = below[1::2]
        worse = np.cumsum(below[0::2], axis=0)[:-1]  # in the gaps under each step
        worse += np.cumsum(tied, axis=0) - tied / 2
        return _ratio((above * worse).sum(axis=0), above.sum(axis=0) * total, nothing=np.nan)

    return score


def _ratio(part: Array, whole: Array, nothing: float = 0.0) -> Array:
    import numpy as np

    return np.asarray(np.divide(part, whole, out=np.full(part.shape, nothing), where=whole > 0))


def _mean(values: Array, counted: Array) -> Array:
    import numpy as np

    return np.asarray(np.where(counted, values, 0.0).sum(axis=0) / counted.sum(axis=0))
