"""Made-up data and models of which it is known what decides, for the tests of robustness."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproof.errors import ReproofError
from reproof.robustness import Subject
from reproof.splits import Split

CLASSES = ["left", "right"]


def same(x: Any) -> Any:
    return x


def no_torch() -> Any:
    raise ReproofError("the checkpoint is missing")


def vectors(count: int, seed: int, groups: int = 0) -> Split:
    """Five features with other scales, of which the first alone decides the class."""
    random = np.random.default_rng(seed)
    x = (random.normal(size=(count, 5)) * [1, 2, 3, 4, 5] + 10).astype(np.float32)
    named = np.array([f"site {i % groups}" for i in range(count)]) if groups else None
    return Split(
        x, (x[:, 0] > 10).astype(np.int64), np.arange(count).astype(str), named, np.array(list("abcde"))
    )


def images(count: int, seed: int) -> Split:
    """Grey images of 8×8 noise with a bright square of 2×2 in the left or the right half."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 60, (count, 1, 8, 8)).astype(np.uint8)
    y = np.arange(count) % 2
    for image, side in zip(x, y, strict=True):
        image[0, 3:5, 1 + 4 * side : 3 + 4 * side] = 240
    return Split(x, y.astype(np.int64), np.arange(count).astype(str))


def by_first_feature(x: Any) -> Any:
    """Probabilities of a classifier that looks at the first feature alone."""
    right = 1 / (1 + np.exp(-3 * (x[:, 0] - 10)))
    return np.stack([1 - right, right], axis=1)


def by_brighter_half(x: Any) -> Any:
    halves = x.astype(float).mean(axis=(1, 2))
    right = 1 / (1 + np.exp((halves[:, :4].mean(axis=1) - halves[:, 4:].mean(axis=1)) / 10))
    return np.stack([1 - right, right], axis=1)


OF_VECTORS = Subject(
    "made up", vectors(400, 0), vectors(200, 1, groups=3), CLASSES, same, by_first_feature, same, no_torch
)
OF_IMAGES = Subject("made up", images(100, 0), images(80, 1), CLASSES, same, by_brighter_half, same, no_torch)


def linear(weights: list[list[float]], bias: list[float]) -> Any:
    """A torch model of these weights, as a function that makes it."""

    def make() -> Any:
        import torch

        layer = torch.nn.Linear(len(weights[0]), len(weights))
        layer.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(bias)})
        return torch.nn.Sequential(torch.nn.Flatten(), layer)

    return make
