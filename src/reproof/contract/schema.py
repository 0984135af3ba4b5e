"""contract.yaml: what a model takes and gives, as its authors say. The file itself tells the rest.

Every field may be null: not known. `examination` says which of them matter for this model, and checks the
others against what the model file says.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reproof.params import Params

Positive = Annotated[int, Field(ge=1)]


class Source(Params):
    """Where the model comes from."""

    repo: str | None = None
    version: str | None = None
    license: str | None = None


class Input(Params):
    """From a file to the array that the model takes. Images are decoded to height × width × RGB, 0 to 255."""

    modality: Literal["image", "audio", "text", "tensor"] | None = None
    name: str | None = None
    """The model's input that it is for, where the model has several."""
    layout: Literal["CHW", "HWC"] | None = None
    colour: Literal["RGB", "BGR", "grey"] | None = None
    size: list[Positive] | None = Field(default=None, min_length=2, max_length=2)
    """Height and width of the picture that the model sees."""
    resize: Literal["stretch", "crop", "letterbox"] | None = None
    """To `size`: each axis by its own; the shorter side, and the middle of it; the longer side, padded."""
    scale: float | None = Field(default=None, gt=0)
    """Values are divided by it: 255 gives 0 to 1."""
    mean: list[float] | None = None
    """Subtracted by channel, after the division."""
    std: list[float] | None = None
    """Divided by, by channel, after the subtraction."""
    sampling_rate: Positive | None = None
    """Of audio, in Hz; other files are resampled."""
    seconds: float | None = Field(default=None, gt=0)
    """Of audio: cut or padded with silence to this length."""
    tokenizer: str | None = None
    """Of text: a tokenizer.json in the project."""
    max_tokens: Positive | None = None

    @model_validator(mode="after")
    def _channels(self) -> Input:
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ValueError(f"as many values in mean as in std; {len(self.mean)} and {len(self.std)}")
        if self.std and not all(self.std):
            raise ValueError("no zero in std")
        return self


class Boxes(Params):
    """Of a detector: how boxes stand in its output, and which of them are kept."""

    format: Literal["xyxy", "xywh", "cxcywh"] = "xyxy"
    score_threshold: float = Field(default=0.25, ge=0, le=1)
    iou_threshold: float = Field(default=0.45, ge=0, le=1)


class Output(Params):
    """From the model's arrays to what people read."""

    kind: Literal["classes", "boxes", "embedding", "mask", "array"] | None = None
    name: str | None = None
    """The model's output that it is for, where the model has several."""
    softmax: bool | None = None
    """Of classes: whether the output still needs it (logits)."""
    labels: str | list[str] | None = None
    """Names of the classes, or a text file in the project with one a line."""
    top_k: Positive = 5
    boxes: Boxes = Boxes()


class Contract(Params):
    """The whole of contract.yaml."""

    source: Source = Source()
    input: Input = Input()
    output: Output = Output()
