"""The block `model` of params.yaml."""

from __future__ import annotations

from pydantic import Field

from reproof.params import Params


class Settings(Params):
    """Which model it is about."""

    path: str = Field(default="models", min_length=1)
    """A file in the project, or a folder that holds exactly one model."""
    loader: str = "src/model.py:load"
    """Takes the path of weights without a graph, and returns the `torch.nn.Module` that they belong to."""
