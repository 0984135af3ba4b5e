"""What goes into a model and what came out, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import pictures
from reproof.contract import image_steps
from reproof.contract.answers import short
from reproof.contract.schema import Input
from reproof.errors import ReproofError
from reproof.inference import images, writing
from reproof.inference.passes import Row

Array = npt.NDArray[Any]

SHEET = 9
"""Inputs on the contact sheet, the first ones."""

EDGE = 96
PICTURE_EDGE = 480
_LINES = 5
_INK, _GROUND = (24, 73, 134), (247, 250, 253)
_BOX = (220, 40, 40)


def picture(said: Input, row: Row, path: Path) -> None:
    """Write the picture that the model saw, with boxes drawn into it and the answer below."""
    pixels = _seen(said, row.example)
    answer = row.answer or {}
    lines = [writing.told(answer) or ""]
    if answer.get("kind") == "boxes" and answer["boxes"]:
        pixels = _with_boxes(pixels, answer["boxes"].values())
        lines = [f"{rank} {box['label']} {box['score']:.2f}" for rank, box in answer["boxes"].items()][
            :_LINES
        ]
    elif answer.get("kind") == "classes":
        lines = [f"{short(one['score'])} {one['label']}" for one in answer["top"].values()][:_LINES]
    pictures.grid([pixels.transpose(2, 0, 1)], [lines], path, columns=1, edge=PICTURE_EDGE)


def sheet(said: Input, rows: Sequence[Row], path: Path) -> None:
    """Write the contact sheet: the first inputs, each with its name and what the model said of it.

    Arrays are maps of heat, waves lines, texts their first lines. Where no file could be read, a white tile
    says so.
    """
    shown = [row for row in rows if row.example is not None][:SHEET]
    if not shown:
        blank = np.full((3, EDGE, EDGE), 255, np.uint8)
        pictures.grid([blank], [["no input was read"]], path, columns=1, edge=EDGE)
        return
    tiles = [_tile(said, row) for row in shown]
    pictures.grid(tiles, [[Path(row.file).name, _said(row)] for row in shown], path, columns=3, edge=EDGE)


def _said(row: Row) -> str:
    return (writing.told(row.answer) or "") if row.status == "success" else f"failed: {row.reason}"


def _seen(said: Input, example: Any) -> Array:
    try:
        return image_steps.seen(said, example)
    except ReproofError:  # the project's own steps did without what the contract lacks
        return np.asarray(example)


def _tile(said: Input, row: Row) -> Array:
    example = row.example
    if isinstance(example, Mapping):
        example = next(iter(example.values()))
    array = np.asarray(example)
    if row.kind == "image":
        return images.tile(_seen(said, array), EDGE)
    if array.dtype.kind in "UO":
        return _text_tile(str(array.flat[0]) if array.size else "")
    if array.ndim < 2 and array.size > 1 and row.kind == "audio":
        return _wave_tile(array)
    return _heat_tile(array)


def _text_tile(text: str) -> Array:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (EDGE, EDGE), _GROUND)
    shown = "".join(
        sign if sign.isascii() and sign.isprintable() else "?" for sign in text[:120].replace("\n", " ")
    )
    rows = [shown[start : start + 15] for start in range(0, 90, 15)]
    ImageDraw.Draw(image).multiline_text((3, 3), "\n".join(rows), fill=_INK)
    return _as_tile(image)


def _wave_tile(wave: Array) -> Array:
    """The range of the samples in each column of pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (EDGE, EDGE), _GROUND)
    draw = ImageDraw.Draw(image)
    most = float(np.abs(wave).max()) or 1.0
    for x, part in enumerate(np.array_split(wave, EDGE)):
        if part.size:
            high, low = ((1 - float(edge) / most) * (EDGE - 1) / 2 for edge in (part.max(), part.min()))
            draw.line((x, high, x, low), fill=_INK)
    return _as_tile(image)


def _heat_tile(array: Array) -> Array:
    """The last two axes as a map, the mean over the others; from a light blue to a dark one."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(array.real if array.dtype.kind == "c" else array, np.float64))
    flat = values.reshape(-1, *values.shape[-2:]).mean(axis=0) if values.ndim > 2 else np.atleast_2d(values)
    if not flat.size:
        return np.full((3, EDGE, EDGE), 255, np.uint8)
    spread = float(flat.max() - flat.min()) or 1.0
    share = np.clip((flat - flat.min()) / spread, 0, 1)[..., None]
    colours = np.round(np.array(_GROUND) + share * (np.array(_INK) - np.array(_GROUND))).astype(np.uint8)
    return _as_tile(Image.fromarray(colours).resize((EDGE, EDGE), Image.Resampling.BOX))


def _with_boxes(pixels: Array, boxes: Any) -> Array:
    """Frames with their ranks; coordinates that are all within 0 to 1 are taken for shares of the picture."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(image)
    rows = np.array([[box["x1"], box["y1"], box["x2"], box["y2"]] for box in boxes], np.float64)
    if np.abs(rows).max() <= 1:
        rows *= np.array([image.width, image.height, image.width, image.height])
    most = np.array([image.width, image.height, image.width, image.height]) - 1
    for rank, row in enumerate(np.clip(np.nan_to_num(rows), 0, most), 1):
        x1, y1, x2, y2 = (float(value) for value in row)
        draw.rectangle((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), outline=_BOX)
        draw.text((min(x1, x2) + 2, min(y1, y2) + 1), str(rank), fill=_BOX)
    return np.asarray(image)


def _as_tile(image: Any) -> Array:
    return np.asarray(image).transpose(2, 0, 1)
