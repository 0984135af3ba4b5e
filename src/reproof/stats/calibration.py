"""Whether a classifier's confidence is the share of its answers that are right.

The bins are 15 of equal width, as in C. Guo et al., "On Calibration of Modern Neural Networks" (2017,
arXiv:1706.04599), so that the number can be compared with published ones. J. Nixon et al., "Measuring
Calibration in Deep Learning" (2019, arXiv:1904.01685) show what that hides: most answers of a confident model
fall into the last bin.

The expected calibration error (ECE) is biased upward: a bin's accuracy differs from its confidence also by
chance, and the absolute value counts that, the more the fewer examples a bin has. A bootstrap adds such
chance once more, so its interval would be none for the ECE: of a perfectly calibrated classifier it leaves
out 0. So the ECE stands beside those that a perfectly calibrated classifier with the same confidences would
show on as many examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.stats import bootstrap
from reproof.stats.classifiers import indicator

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BINS = 15
DESCRIPTION = (
    f"{BINS} bins of equal width by the confidence of the answer (Guo et al. 2017, arXiv:1706.04599). "
    "The ECE is biased upward: chance alone gives a perfectly calibrated model with these confidences "
    "the value `ece_if_calibrated` on average, and one over `ece_if_calibrated_95` in one case of 20."
)
NO_INTERVAL = (
    "a bootstrap of a statistic that chance alone makes larger is no interval for it; see ece_if_calibrated"
)
"""Why the ECE has none."""


@dataclass(frozen=True)
class Bin:
    """Answers with a confidence over `low` and up to `high`: their mean confidence, and the share right."""

    low: float
    high: float
    examples: int
    confidence: float
    accuracy: float


def reliability(labels: Array, probabilities: Array) -> list[Bin]:
    """Return the bins that hold examples, by rising confidence.

    Args:
        labels: true class indices, shape (examples,).
        probabilities: shape (examples, classes).
    """
    confidence, right, groups = _answers(labels, probabilities)
    found = []
    for index in range(BINS):
        inside = groups == index
        if inside.any():
            means = float(confidence[inside].mean()), float(right[inside].mean())
            found.append(Bin(index / BINS, (index + 1) / BINS, int(inside.sum()), *means))
    return found


def ece(bins: Sequence[Bin]) -> float:
    """Return the ECE: the mean distance of accuracy and confidence, weighted by examples."""
    return sum(b.examples * abs(b.accuracy - b.confidence) for b in bins) / sum(b.examples for b in bins)


def ece_if_calibrated(
    labels: Array, probabilities: Array, *, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the ECE of a perfectly calibrated classifier with these confidences: that of chance.

    Whether each answer is right is drawn with its confidence as the probability (J. Bröcker and L. Smith,
    "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting 22, 2007).

    Returns:
        its mean, and its 95th percentile, which chance alone exceeds in one case of 20.
    """
    import numpy as np

    confidence, _, groups = _answers(labels, probabilities)
    random, by_bin = np.random.default_rng(seed), indicator(groups, BINS)
    columns = max(1, bootstrap.CHUNK_BYTES // (8 * len(labels)))
    found = []
    for start in range(0, resamples, columns):
        shape = (len(labels), min(columns, resamples - start))
        chance: Array = (random.random(shape) < confidence[:, None]) - confidence[:, None]  # nosec B311
        found.append(np.abs(by_bin @ chance).sum(axis=0) / len(labels))
    drawn = np.concatenate(found)
    return float(drawn.mean()), float(np.quantile(drawn, 0.95))


def _answers(labels: Array, probabilities: Array) -> tuple[Array, Array, Array]:
    """Confidence, whether right, and bin of each answer."""
    import numpy as np

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    confidence = exact[np.arange(len(labels)), predicted]
    groups = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return confidence, (predicted == labels).astype(np.float64), groups
