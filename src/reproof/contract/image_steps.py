"""From a decoded picture to what an image model takes, as contract.yaml says, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reproof.contract.schema import Input
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[Any]

PAD = 114
"""Grey level around a letterboxed picture, as the detectors of the YOLO family are trained with."""

FILE = "contract.yaml"


def prepare(said: Input, example: Array) -> Array:
    """Return a picture as the model takes it: colour, size, values, order of axes; no batch axis.

    Pixels are `uint8` of shape (height, width), (height, width, 1) or (height, width, 3), RGB. An array of
    another type is taken as made ready for the model, and returned as it is. Values become float32 where
    scale, mean or std are declared, and stay `uint8` where none is: `(pixel / scale - mean) / std`.

    Raises:
        ReproofError: no picture, a size without a way to get there, or means for another number of channels.
    """
    if example.dtype != np.uint8:
        return example
    picture = seen(said, example)
    if said.colour == "grey":
        picture = np.asarray(_image(picture).convert("L"))[:, :, None]
    elif said.colour == "BGR":
        picture = picture[:, :, ::-1]
    values = _values(said, picture)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if said.layout == "CHW" else values)


def seen(said: Input, example: Array) -> Array:
    """Return the picture in the size that the model sees, RGB, (height, width, 3), `uint8`."""
    picture = _rgb(example)
    if said.size is None or list(picture.shape[:2]) == said.size:
        return picture
    if said.resize is None:
        raise ReproofError(
            "a picture of another size than the model sees, and no way to get there",
            where=f"{FILE}: input.resize",
            expected=_size(said.size),
            found=_size(picture.shape),
            hint="input.resize: write stretch, crop or letterbox, as the model's authors say",
        )
    return np.asarray(_resized(_image(picture), said.size, said.resize))


def _rgb(example: Array) -> Array:
    if example.ndim == 2:
        example = example[:, :, None]
    if example.ndim != 3 or example.shape[2] not in (1, 3) or not example.size:
        raise ReproofError(
            "no picture",
            where=f"{FILE}: input.modality",
            expected="uint8 of shape (height, width, 3), or (height, width)",
            found="×".join(map(str, example.shape)) or "a scalar",
            hint="save arrays that are made ready for the model as floats",
        )
    return np.ascontiguousarray(np.broadcast_to(example, (*example.shape[:2], 3)))


def _resized(image: Image.Image, size: Sequence[int], way: str) -> Image.Image:
    """Bilinear, with Pillow's own antialiasing where a picture shrinks."""
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    height, width = size
    if way == "stretch":
        return image.resize((width, height), bilinear)
    ratios = (width / image.width, height / image.height)
    factor = max(ratios) if way == "crop" else min(ratios)
    inner_width, inner_height = (max(1, round(side * factor)) for side in image.size)
    inner = image.resize((inner_width, inner_height), bilinear)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    ground = Image.new("RGB", (width, height), (PAD, PAD, PAD))
    ground.paste(inner, (left, top))  # of what is larger, only the middle
    return ground


def _values(said: Input, picture: Array) -> Array:
    if said.scale is None and not said.mean and not said.std:
        return picture
    values = picture.astype(np.float32)
    if said.scale is not None:
        values /= np.float32(said.scale)
    if said.mean:
        values -= _by_channel("mean", said.mean, picture.shape[2])
    if said.std:
        values /= _by_channel("std", said.std, picture.shape[2])
    return values


def _by_channel(field: str, numbers: Sequence[float], channels: int) -> Array:
    if len(numbers) not in (1, channels):
        raise ReproofError(
            "not a value a channel",
            where=f"{FILE}: input.{field}",
            expected=f"{channels}, or one for all",
            found=str(len(numbers)),
        )
    return np.array(numbers, np.float32)


def _image(picture: Array) -> Image.Image:
    from PIL import Image

    return Image.fromarray(picture)


def _size(size: Sequence[int]) -> str:
    return "×".join(map(str, size[:2]))
