"""Your model."""

import json
from pathlib import Path
from typing import Any

from reproof import checkpoint
from torch import nn


def build(shape: list[int], classes: int, channels: int, dropout: float) -> nn.Module:
    """Return an untrained model.

    Args:
        shape: of one example: (channels, height, width) gives a small CNN, (features,) an MLP.
        classes: number of classes.
        channels: width of the first layer.
        dropout: share of activations dropped in training.
    """
    if len(shape) == 1:
        return nn.Sequential(
            nn.BatchNorm1d(shape[0]),
            nn.Linear(shape[0], 4 * channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * channels, classes),
        )
    depth, height, width = shape
    return nn.Sequential(
        nn.Conv2d(depth, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(2 * channels * (height // 2) * (width // 2), classes),
    )


def load(folder: Path) -> nn.Module:
    """Return the trained model of a checkpoint folder, ready for inference."""
    facts: dict[str, Any] = json.loads((folder / checkpoint.CONFIG).read_text())
    model = build(**facts["model"])
    checkpoint.load_into(model, folder / checkpoint.BEST)
    return model.eval()
