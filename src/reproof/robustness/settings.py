"""The block `robustness` of params.yaml."""

from __future__ import annotations

import math

from pydantic import Field, field_validator

from reproof.params import Params

STRENGTHS = ("1", "2", "3")


class Settings(Params):
    """What is measured of a model's robustness, and on how many examples.

    `strengths` replaces the library's three amounts of a corruption or of `fgsm`, such as
    `{fgsm: [0.01, 0.02, 0.05]}`; `second_data` is a folder like data/raw, relative to the project.
    """

    enabled: bool = True
    max_examples: int = Field(default=2000, ge=1)
    """Of the test split; a larger one is sampled, with the run's seed, for what takes many passes."""
    strengths: dict[str, list[float]] = Field(default_factory=dict)
    importance: bool = True
    second_data: str | None = None

    @field_validator("strengths")
    @classmethod
    def _three_that_grow(cls, strengths: dict[str, list[float]]) -> dict[str, list[float]]:
        for name, amounts in strengths.items():
            grows = all(a < b for a, b in zip([0.0, *amounts], [*amounts, math.inf], strict=True))
            if len(amounts) != len(STRENGTHS) or not grows:
                raise ValueError(f"three amounts over 0 for {name}, each larger than the one before")
        return strengths
