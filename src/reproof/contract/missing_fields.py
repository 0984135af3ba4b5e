"""Which field of contract.yaml to fill in where examples do not fit the model."""

from __future__ import annotations

from collections.abc import Sequence

from reproof.contract.schema import Input
from reproof.model_files.ports import Arrays, Port

CHANNELS = (1, 3, 4)


def hint(said: Input, arrays: Arrays, ports: Sequence[Port]) -> str:
    """Return what to write, such as `input.size: write [224, 224]`; or to write the steps."""
    for port in ports:
        array = arrays.get(port.name)
        if array is None:
            continue
        found = _image(said, port, array.shape) if said.modality == "image" else None
        if said.modality == "audio":
            found = _audio(said, port)
        if said.modality is None and array.ndim == 4 == len(port.shape) and array.shape[-1] == 3:
            found = "input.modality: write image, and then size, resize, layout and the normalisation"
        if said.modality == "text" and len(port.shape) == 2 and isinstance(port.shape[1], int):
            found = f"input.max_tokens: write {port.shape[1]}"
        if found:
            return found
    return "write preprocess in src/steps.py for this model, or give it inputs of the shape that it takes"


def _image(said: Input, port: Port, shape: tuple[int, ...]) -> str | None:
    if len(port.shape) != 4 or len(shape) != 4:
        return None
    first, last = port.shape[1] in CHANNELS, port.shape[3] in CHANNELS
    layout = "CHW" if first and not last else "HWC" if last and not first else None
    if layout and said.layout != layout:
        return f"input.layout: write {layout}"
    channels = port.shape[3] if (layout or said.layout) == "HWC" else port.shape[1]
    if channels == 1 and said.colour != "grey":
        return "input.colour: write grey"
    if channels == 3 and said.colour == "grey":
        return "input.colour: write RGB or BGR, as the model's authors say"
    size = port.shape[1:3] if (layout or said.layout) == "HWC" else port.shape[2:]
    if all(isinstance(side, int) for side in size) and said.size != list(size):
        way = "" if said.resize else ", and input.resize: stretch, crop or letterbox"
        return f"input.size: write [{size[0]}, {size[1]}]{way}"
    return None


def _audio(said: Input, port: Port) -> str | None:
    samples = port.shape[-1] if port.shape else None
    if not isinstance(samples, int):
        return None
    if said.sampling_rate is None:
        return f"input.sampling_rate and input.seconds: the model takes {samples} samples"
    return f"input.seconds: write {samples / said.sampling_rate:.10g}"
