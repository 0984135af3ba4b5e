"""What users choose in their params, and the fixed rules of the method behind it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reproof.params import Params

RuntimeName = Literal["torch", "onnxruntime", "torch_compile", "torch_export"]
DeviceName = Literal["cpu", "cuda", "mps", "rocm", "tensorrt", "openvino"]
PrecisionName = Literal["fp32", "fp16", "bf16", "int8"]
Positive = Annotated[int, Field(ge=1)]

QUICK_REPEATS = 3


class Rules(BaseModel):
    """When a process may have warmed up, and when it has measured enough; `timing` applies them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warmup_min_calls: int = 20
    warmup_min_seconds: float = 0.5
    warmup_cap_seconds: float = 10.0
    min_calls: int = 200
    min_seconds: float = 2.0
    cap_seconds: float = 60.0


FULL = Rules()
QUICK = Rules(min_calls=50, min_seconds=0.5, cap_seconds=10.0)


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"batch_sizes": [1, 32], "quick": True},
    "full": {
        "runtimes": ["torch", "onnxruntime", "torch_compile", "torch_export"],
        "precisions": ["fp32", "int8"],
        "batch_sizes": [1, 8, 32],
        "profile": True,
    },
}
"""What `dvc exp run -S benchmark=full` means: the block may be one of these words."""


class Settings(Params):
    """The benchmark's block in params.yaml: every combination of the lists is one cell.

    The block may also be one word, `quick` or `full` (see `PRESETS`).
    """

    runtimes: list[RuntimeName] = Field(default=["torch", "onnxruntime"], min_length=1)
    devices: list[DeviceName] = Field(default=["cpu"], min_length=1)
    precisions: list[PrecisionName] = Field(default=["fp32"], min_length=1)
    """Of the model's arithmetic. int8 is ONNX Runtime's dynamic quantisation."""
    batch_sizes: list[Positive] = Field(default=[1], min_length=1)
    threads: list[Positive] = Field(default=[1], min_length=1)
    repeats: int = Field(default=5, ge=1)
    """Fresh processes for each cell; the interval needs at least 2."""
    quick: bool = False
    """For a first look: shorter timing, and at most 3 repeats."""
    timeout_s: float = Field(default=300.0, gt=0)
    """A process that takes longer, from start to result, is stopped and its cell has failed."""
    profile: bool = False
    """Whether a further process of each cell tells which operators its time goes to."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        if given not in PRESETS:
            raise ValueError(f"a mapping, or one of {', '.join(PRESETS)}")
        return PRESETS[given]

    @field_validator("runtimes", "devices", "precisions", "batch_sizes", "threads")
    @classmethod
    def _once(cls, values: list[object]) -> list[object]:
        if len(set(values)) != len(values):
            raise ValueError("each value once")
        return values


def rules(settings: Settings) -> Rules:
    """Return the rules that these settings ask for."""
    return QUICK if settings.quick else FULL


def repeats(settings: Settings) -> int:
    """Return the number of processes a cell."""
    return min(settings.repeats, QUICK_REPEATS) if settings.quick else settings.repeats
