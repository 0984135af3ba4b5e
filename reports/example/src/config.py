"""What params.yaml may hold. A wrong key, type or range is an error that names the line."""

from typing import Literal

from pydantic import Field, model_validator
from reproof.benchmark import Settings
from reproof.params import Params, RunParams
from reproof.robustness import Settings as Robustness


class Fractions(Params):
    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Fractions":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test = 1; they sum to {total:g}")
        return self


class Data(Params):
    name: str = Field(min_length=1)
    split_seed: int = Field(ge=0, lt=2**32)
    fractions: Fractions


class Model(Params):
    channels: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)


class Train(Params):
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    weight_decay: float = Field(ge=0)
    mixed_precision: Literal["no", "fp16", "bf16"]
    validate_every: int = Field(ge=1)
    resume_from: str | None


class Export(Params):
    opset: int = Field(ge=18)
    tolerance: float = Field(gt=0)


class Config(RunParams):
    """The whole of params.yaml; seed, threads, deterministic, device, summary and links are RunParams'."""

    data: Data
    model: Model
    train: Train
    export: Export
    benchmark: Settings
    robustness: Robustness
