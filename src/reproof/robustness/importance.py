"""What the answer depends on: places of an image by occlusion, features by permutation.

Occlusion: M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014
(arXiv:1311.2901). Permutation: L. Breiman, "Random Forests", Machine Learning 45 (2001), section 10. Of
features that say the same, each looks unimportant by itself; and neither method says what causes what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reproof.robustness.corruptions import Scale
from reproof.robustness.scoring import Metric, Score, sampled, scored
from reproof.stats.intervals import t_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MAX_CELLS = 14
"""Of the grid of patches, in height and in width."""
MAX_OCCLUDED = 20_000
MAX_PERMUTED = 1_000_000
"""Passes of single examples through the model, which bound the number of examples."""
MIN_EXAMPLES = 50
REPEATS = 5
MAX_FEATURES = 50
"""That are listed; the others are counted."""
_DIGITS = 6
"""Of a drop: finer ones are noise, and would fill a file that Git keeps."""


def occlusion(
    x: Array, targets: Array, score: Score, *, metric: Metric, scale: Scale, seed: int
) -> dict[str, Any]:
    """Return what robustness.json holds under `importance`, for images.

    A patch of the image is replaced by the training split's mean image, one place after the other; patches
    overlap, three cells of the grid wide. A drop is how much `metric.graded` gets worse, in the mean.

    Args:
        x: raw images, shape (examples, channels, height, width).
        targets: of each example.
        score: raw examples and their targets to `metric.graded` of the answers.
        metric: its name for that, and whether more is better.
        scale: of the training split.
        seed: of the sample, where not all examples are used.
    """
    import numpy as np

    height, width = x.shape[2:]
    cell = [-(-size // MAX_CELLS) for size in (height, width)]
    grid = [-(-size // side) for size, side in zip((height, width), cell, strict=True)]
    count = min(len(x), max(MIN_EXAMPLES, MAX_OCCLUDED // (grid[0] * grid[1])))
    used = sampled(len(x), count, seed)
    x, targets = x[used], targets[used]
    mean = scale.mean.round() if np.issubdtype(x.dtype, np.integer) else scale.mean
    baseline = float(scored(score, x, targets).mean())
    rows = {}
    for row in range(grid[0]):
        drops = []
        for column in range(grid[1]):
            above, left = (
                slice(max(0, (place - 1) * side), (place + 2) * side)
                for place, side in zip((row, column), cell, strict=True)
            )

            def hide(batch: Array, above: slice = above, left: slice = left) -> Array:
                changed = batch.copy()
                changed[:, :, above, left] = mean[:, above, left]
                return changed

            hidden = float(scored(score, x, targets, hide).mean())
            drops.append(round(metric.sign * (baseline - hidden), _DIGITS))
        rows[str(row)] = drops
    return {
        "kind": "occlusion",
        "description": f"how much worse the mean {metric.graded_name} gets when a patch of "
        f"{3 * cell[0]}×{3 * cell[1]} pixels is replaced by the training split's mean image",
        "metric": metric.graded_name,
        "examples": count,
        "baseline": baseline,
        "values": None,
        "rows": rows,
        "repeats": 1,
    }


def permutation(
    x: Array, targets: Array, score: Score, *, metric: Metric, names: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return what robustness.json holds under `importance`, for feature vectors.

    The values of one feature are shuffled among the examples. A drop is how much the metric gets worse, in
    the mean over the shuffles; its interval is over the shuffles of these examples, not over other examples.

    Args:
        x: raw vectors, shape (examples, features).
        targets: of each example.
        score: raw examples and their targets to `metric.of_each` of the answers.
        metric: what is made of these numbers.
        names: of the features, in the order of the columns.
        seed: of the shuffles, and of the sample, where not all examples are used.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    count = min(len(x), max(MIN_EXAMPLES, MAX_PERMUTED // (REPEATS * x.shape[1])))
    used = sampled(len(x), count, seed)
    x, targets = x[used], targets[used]
    baseline = metric.value(scored(score, x, targets))
    changed = x.copy()
    drops: dict[str, Any] = {}
    for index, name in enumerate(names):
        found = []
        for _ in range(REPEATS):
            changed[:, index] = random.permutation(x[:, index])
            found.append(metric.sign * (baseline - metric.value(scored(score, changed, targets))))
        changed[:, index] = x[:, index]
        interval = t_interval(found)
        drops[name] = {
            "drop": round(float(np.mean(found)), _DIGITS),
            "interval": interval and [round(end, _DIGITS) for end in interval],
        }
    largest = sorted(drops, key=lambda name: -drops[name]["drop"])  # equal ones in the order of the columns
    return {
        "kind": "permutation",
        "description": f"how much worse the {metric.name} gets when a feature is shuffled among examples, "
        f"with a 95% t interval over {REPEATS} shuffles",
        "metric": metric.name,
        "examples": count,
        "baseline": baseline,
        "values": {name: drops[name] for name in largest[:MAX_FEATURES]},
        "left_out": len(largest[MAX_FEATURES:]),
        "rows": None,
        "repeats": REPEATS,
    }
