"""Corruptions of images and of feature vectors, each at three strengths.

After D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", ICLR 2019 (arXiv:1903.12261): amounts are fixed beforehand, and no model is trained on them.
The draws of a corruption are the same at each strength, so that only the amount differs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.errors import ReproofError
from reproof.robustness.scoring import Metric, Score, scored, summary
from reproof.robustness.settings import STRENGTHS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]

PIXEL_RANGE = "of the pixel range"
DEVIATIONS = "standard deviations of the feature in the training split"


@dataclass(frozen=True)
class Scale:
    """What amounts are measured in, out of the training split.

    Attributes:
        low, high: ends of the range of pixels: 0 and 255 for 8 bits, else the smallest and largest seen.
        mean: of each value of an example, shape of one example.
        deviation: likewise, the standard deviation; None for images, of which nothing is measured in it.
    """

    low: float
    high: float
    mean: Array
    deviation: Array | None

    @property
    def range(self) -> float:
        """Of pixels, in their own units."""
        return self.high - self.low


def scale_of(train: Array) -> Scale:
    """Return the scale of training examples, shape (examples, …)."""
    import numpy as np

    low, high = (0.0, 255.0) if train.dtype == np.uint8 else (float(train.min()), float(train.max()))
    deviation = None if train.ndim == 4 else train.std(axis=0, dtype=np.float64)
    return Scale(low, high, train.mean(axis=0, dtype=np.float64), deviation)


@dataclass(frozen=True)
class Corruption:
    """One way in which examples get worse.

    Attributes:
        description: one line: what is done.
        unit: of the amounts.
        amounts: of the three strengths, growing.
        apply: float64 examples of shape (batch, …), the amount, the scale and a generator to changed ones;
            how much it draws does not depend on the amount.
    """

    description: str
    unit: str
    amounts: Sequence[float]
    apply: Callable[[Array, float, Scale, np.random.Generator], Array]


def of(x: Array) -> Mapping[str, Corruption]:
    """Return the corruptions of such examples: (examples, channels, height, width) are images."""
    return IMAGES if x.ndim == 4 else FEATURES


def amounts(x: Array, chosen: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """Return the amounts of each corruption of `x`: those that are chosen, else the library's.

    Raises:
        ReproofError: when the choice names something else than a corruption of `x` or `fgsm`.
    """
    known = of(x)
    if unknown := sorted(set(chosen) - set(known) - {"fgsm"}):
        raise ReproofError(
            "no such corruption of " + ("images" if known is IMAGES else "feature vectors"),
            where=f"robustness.strengths.{unknown[0]}",
            expected="one of: " + ", ".join([*known, "fgsm"]),
            found=unknown[0],
        )
    return {name: chosen.get(name, corruption.amounts) for name, corruption in known.items()}


def corrupted(name: str, x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:
    """Return a corrupted copy of `x`, of its dtype: pixels in their range, integers rounded."""
    import numpy as np

    changed = of(x)[name].apply(x.astype(np.float64), amount, scale, random)
    if x.ndim == 4:
        changed = changed.clip(scale.low, scale.high)
    whole: Array = np.rint(changed) if np.issubdtype(x.dtype, np.integer) else changed
    return whole.astype(x.dtype)


def measure(
    x: Array,
    targets: Array,
    score: Score,
    *,
    metric: Metric,
    clean: float,
    scale: Scale,
    chosen: Mapping[str, Sequence[float]],
    seed: int,
) -> dict[str, Any]:
    """Return what robustness.json holds under `corruptions`.

    Args:
        x: raw examples, as the model's preprocessing takes them.
        targets: of each example.
        score: raw examples and their targets to one number each (`metric.of_each` of the answers).
        metric: what is made of these numbers.
        clean: its value on `x` as they are.
        scale: of the training split.
        chosen: other amounts than the library's, by corruption.
        seed: of the draws.
    """
    import numpy as np

    found = {}
    for name, own in amounts(x, chosen).items():
        strengths = {}
        for strength, amount in zip(STRENGTHS, own, strict=True):
            random = np.random.default_rng([seed, zlib.crc32(name.encode())])

            def change(batch: Array, amount: float = amount, random: Any = random, name: str = name) -> Array:
                return corrupted(name, batch, amount, scale, random)

            result = summary(metric, scored(score, x, targets, change))
            unit = of(x)[name].unit
            strengths[strength] = {
                "amount": amount,
                "unit": unit,
                **result,
                "change": result["value"] - clean,
            }
        found[name] = {"description": of(x)[name].description, "strengths": strengths}
    return found


# Images: x has shape (batch, channels, height, width).


def _pixel_noise(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:
    return x + amount * scale.range * random.standard_normal(x.shape)


def _blur(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:  # noqa: ARG001
    """A Gaussian to three standard deviations, along rows and then along columns; edges are repeated."""
    import numpy as np

    radius = max(1, round(3 * amount))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / amount) ** 2)
    weights /= weights.sum()
    for axis in (2, 3):
        width = [(radius, radius) if each == axis else (0, 0) for each in range(4)]
        padded, size = np.pad(x, width, mode="edge"), x.shape[axis]
        x = np.zeros_like(x)
        for first, weight in enumerate(weights):
            x += weight * np.take(padded, np.arange(first, first + size), axis=axis)
    return x


def _contrast(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:  # noqa: ARG001
    mean: Array = x.mean(axis=(2, 3), keepdims=True)
    return mean + (1 - min(amount, 1.0)) * (x - mean)


def _brightness(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:  # noqa: ARG001
    return x + amount * scale.range


def _shift(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:  # noqa: ARG001
    import numpy as np

    changed = x.copy()
    ways = random.integers(0, 4, len(x))
    for way, (axis, sign) in enumerate([(2, 1), (2, -1), (3, 1), (3, -1)]):
        size = x.shape[axis]
        steps = sign * max(1, round(amount * size))
        changed[ways == way] = np.take(x[ways == way], (np.arange(size) - steps).clip(0, size - 1), axis=axis)
    return changed


def _occlusion(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:
    import numpy as np

    height, width = x.shape[2:]
    side = min(max(1, round(amount * min(height, width))), height, width)
    where = random.random((2, len(x), 1))  # nosec B311
    top, left = (
        (place * (size - side + 1)).astype(int) for place, size in zip(where, (height, width), strict=True)
    )
    rows, columns = np.arange(height)[None], np.arange(width)[None]
    hidden = ((rows >= top) & (rows < top + side))[:, :, None] & (
        (columns >= left) & (columns < left + side)
    )[:, None, :]
    colour = scale.mean.mean(axis=(1, 2))[None, :, None, None]
    return np.where(hidden[:, None], colour, x)


# Anything else: x has shape (batch, features), or more axes of features.


def _feature_noise(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:
    assert scale.deviation is not None, "only images have none"
    return x + amount * scale.deviation * random.standard_normal(x.shape)


def _missing(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:
    import numpy as np

    return np.where(random.random(x.shape) < amount, scale.mean, x)  # nosec B311


def _scaling(x: Array, amount: float, scale: Scale, random: np.random.Generator) -> Array:  # noqa: ARG001
    return x * (1 + amount * random.choice([-1.0, 1.0], x.shape))  # nosec B311


IMAGES: Mapping[str, Corruption] = {
    "gaussian_noise": Corruption(
        "independent Gaussian noise on each pixel",
        PIXEL_RANGE + " (standard deviation)",
        (0.1, 0.2, 0.3),
        _pixel_noise,
    ),
    "blur": Corruption("a Gaussian blur", "pixels (standard deviation)", (0.5, 1.0, 2.0), _blur),
    "contrast": Corruption(
        "pixels drawn towards the mean of their image", "of the contrast, lost", (0.4, 0.6, 0.8), _contrast
    ),
    "brightness": Corruption("a constant added to all pixels", PIXEL_RANGE, (0.1, 0.2, 0.3), _brightness),
    "shift": Corruption(
        "the image moved up, down, left or right by whole pixels, its edge repeated",
        "of the image's side",
        (0.125, 0.25, 0.375),
        _shift,
    ),
    "occlusion": Corruption(
        "a square of the training split's mean colour at a random place",
        "of the image's shorter side",
        (0.25, 0.375, 0.5),
        _occlusion,
    ),
}
FEATURES: Mapping[str, Corruption] = {
    "gaussian_noise": Corruption(
        "independent Gaussian noise on each value", DEVIATIONS, (0.25, 0.5, 1.0), _feature_noise
    ),
    "missing_features": Corruption(
        "values replaced at random by the feature's mean in the training split",
        "of the values",
        (0.1, 0.25, 0.5),
        _missing,
    ),
    "scaling": Corruption(
        "each value made larger or smaller by a share of itself, at random",
        "of the value",
        (0.05, 0.1, 0.2),
        _scaling,
    ),
}
