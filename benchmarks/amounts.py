"""How often and how much is measured: params.yaml, `performance`; or the least that shows that it runs."""

from __future__ import annotations

from measuring import ROOT
from pydantic import ConfigDict, Field

from reproof import params


class Amounts(params.Params):
    """How often and how much; in params.yaml under `performance`."""

    repeats: int = Field(ge=1)
    pipelines: int = Field(ge=1)
    startups: int = Field(ge=1)
    steps: int = Field(ge=10)
    megabytes: int = Field(ge=1)
    seconds: float = Field(gt=0)
    processes: int = Field(ge=2)
    trials: int = Field(ge=1)


class Config(params.Params):
    model_config = ConfigDict(extra="ignore")  # the other blocks are other stages'
    performance: Amounts


QUICK = Amounts(repeats=1, pipelines=1, startups=1, steps=10, megabytes=1, seconds=0.2, processes=2, trials=1)
"""Shows that a part runs and what it prints; its numbers carry no claim."""


def load() -> Amounts:
    """Return what params.yaml asks for."""
    return params.load(ROOT / "params.yaml", Config).model.performance
