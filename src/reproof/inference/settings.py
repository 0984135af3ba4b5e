"""The blocks `inputs:` and `infer:` of params.yaml."""

from __future__ import annotations

from pydantic import Field

from reproof.params import Params


class Inputs(Params):
    """What the model is run on."""

    folders: list[str] = Field(default=["inputs"], min_length=1)
    """In the project; searched with all that is below them."""
    max_inputs: int = Field(default=64, ge=1)
    """The first ones, in the order of folders and names."""
    synthetic: int = Field(default=8, ge=0)
    """How many inputs are made where none is found."""


class Settings(Params):
    """How the model is run."""

    batch_size: int = Field(default=1, ge=1)
    """A model with a fixed batch size takes that one instead."""
