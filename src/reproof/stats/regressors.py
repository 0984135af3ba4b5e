"""A regressor's metrics under weights: what `bootstrap.draw` scores resamples with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproof.stats.bootstrap import Scorer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

METRICS = ("rmse", "mae", "r2", "bias")


def scorer(targets: Array, predicted: Array) -> Scorer:
    """Return the scorer of one regressor: RMSE, MAE, R² and bias (the mean of predicted minus target).

    R² is not a number where all targets are equal.

    Args:
        targets: shape (examples,).
        predicted: shape (examples,).
    """
    import numpy as np

    errors = predicted.astype(np.float64) - targets
    # About their mean, or the difference of two large squares below would lose its digits.
    centred = targets.astype(np.float64) - targets.mean(dtype=np.float64)
    sums = np.stack([errors, np.abs(errors), errors**2, centred, centred**2])
    constant = bool((targets == targets[0]).all())

    def score(weights: Array) -> dict[str, Array]:
        bias, mae, mse, mean, squares = sums @ weights / weights.sum(axis=0)
        variance = squares - mean**2
        defined = (variance > 1e-12 * squares) & (not constant)
        r2 = np.full(mse.shape, np.nan)
        np.divide(mse, variance, out=r2, where=defined)
        return {"rmse": np.sqrt(mse), "mae": mae, "r2": 1 - r2, "bias": bias}

    return score
