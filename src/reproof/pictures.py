"""Examples as pictures: tiles with captions in one PNG. The same examples give the same bytes.

Images are tiles, feature vectors strips of colour. Small images are enlarged without smoothing, so that every
pixel can be seen; large ones become smaller, because Git holds the file.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import files
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image, ImageFont

    from reproof.splits import Split

    Array = npt.NDArray[Any]

MAX_BYTES = 80_000
"""Of one file: beyond it colours become fewer and tiles smaller; the last step is taken whatever its size."""

EDGE = 96
"""Of a tile at most, in pixels."""

_SMALLER = ((1.0, 256), (2 / 3, 128), (1 / 2, 128), (1 / 3, 64))  # of the edge, and with so many colours
_CELL = 88  # pixels at least, so that captions have room
_STRIP = 28  # height of a feature vector's strip, pixels
_GAP = 8
_LINE = 15
_FONT_SIZE, _TITLE_SIZE = 12, 13
_INK, _PALE = (33, 33, 33), (110, 110, 110)
_LOW, _HIGH = (247, 250, 253), (24, 73, 134)  # of a strip: a light and a dark blue


def grid(
    examples: Sequence[Array],
    captions: Sequence[Sequence[str]],
    path: Path,
    *,
    title_rows: Mapping[int, str] | None = None,
    columns: int = 6,
    edge: int = EDGE,
) -> None:
    """Write a PNG with one tile an example, `columns` of them in a row.

    Args:
        examples: each of one shape: (channels, height, width) or (height, width) for an image, (features,)
            for a vector. uint8 is taken for pixels 0–255; floats within 0–1 for shares of that; all else is
            scaled to the range that the examples have, and of vectors each feature by itself. One channel is
            grey, three are RGB, four RGBA over white; of any other number the mean is shown.
        captions: for each example the lines below it. A line too long for its tile is cut; signs that the
            font lacks lose their accents or become `?`.
        path: of the PNG.
        title_rows: a line above the example of that index, which begins a new row.
        columns: tiles in a row.
        edge: of a tile, pixels: the largest that an image gets.

    Raises:
        ReproofError: when the examples are not numbers, or of different shapes.
    """
    from PIL import Image

    titles = dict(title_rows or {})
    tiles = _tiles(examples)
    data = _png(_sheet([_sized(tile, edge) for tile in tiles], captions, titles, columns, edge))
    for share, colours in _SMALLER:
        if len(data) <= MAX_BYTES:
            break
        smaller = round(edge * share)
        sheet = _sheet([_sized(tile, smaller) for tile in tiles], captions, titles, columns, smaller)
        data = _png(sheet.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    files.write_bytes(path, data)


def samples(
    split: Split, classes: Sequence[str] | None, path: Path, *, each: int = 8, most_classes: int = 10
) -> None:
    """Write a PNG with a few examples of each class, spread evenly over the split's order.

    Args:
        split: where they are taken from.
        classes: names by index; None where `split.y` are values, which the captions then show.
        path: of the PNG.
        each: how many of a class, or in all where there are none.
        most_classes: how many classes are shown, the first ones.
    """
    import numpy as np

    if classes is None:
        rows = np.unique(np.linspace(0, len(split.y) - 1, min(2 * each, len(split.y))).astype(int))
        grid([split.x[i] for i in rows], [[f"{split.y[i]:.4g}"] for i in rows], path, columns=each)
        return
    chosen: list[int] = []
    titles: dict[int, str] = {}
    present = [index for index in range(len(classes)) if (split.y == index).any()]
    for index in present[:most_classes]:
        members = np.flatnonzero(split.y == index)
        titles[len(chosen)] = classes[index]
        picked = np.unique(np.linspace(0, len(members) - 1, min(each, len(members))).astype(int))
        chosen += members[picked].tolist()
    if len(present) > most_classes and titles:
        titles[0] += f"   (the first {most_classes} of {len(present)} classes)"
    grid([split.x[i] for i in chosen], [[] for _ in chosen], path, title_rows=titles, columns=each, edge=56)


def answers(report: Mapping[str, Any], split: Split, path: Path, *, columns: int = 6) -> None:
    """Write a PNG with the hardest and the easiest examples of an evaluation, with what the model said.

    Args:
        report: of `evaluation.assess`.
        split: the test split, whose ids the report names.
        path: of the PNG.
        columns: tiles in a row.
    """
    rows = {str(name): index for index, name in enumerate(split.ids)}
    entries: list[Mapping[str, Any]] = []
    titles: dict[int, str] = {}
    headings = {"hardest": "Hardest: the worst answers on test", "easiest": "Easiest: the best answers"}
    for key, heading in headings.items():
        if report[key]:
            titles[len(entries)] = heading
            entries += report[key].values()
    examples = [split.x[rows[entry["id"]]] for entry in entries]
    grid(examples, [_said(entry) for entry in entries], path, title_rows=titles, columns=columns)


def _said(entry: Mapping[str, Any]) -> list[str]:
    if "target" in entry:
        return [f"true {entry['target']:.4g}", f"said {entry['predicted']:.4g}"]
    share = entry["probability"]
    # 0.9996 is not certain, and is not printed as if it were.
    shown = "> 0.99" if 0.99 < share < 1 else "< 0.01" if 0 < share < 0.01 else f"{share:.2f}"
    return [f"true {entry['label']}", f"said {entry['predicted']}", f"p(true) {shown}"]


def _tiles(examples: Sequence[Array]) -> list[Image.Image]:
    """Each example as an image of its own size: mode L or RGB, one pixel a value."""
    import numpy as np
    from PIL import Image

    if not len(examples):
        raise ReproofError("there are no examples to show")
    arrays = [np.asarray(example) for example in examples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ReproofError("examples of different shapes make no picture", found=f"{shapes[0]}, {shapes[1]}")
    whole = np.stack(arrays)
    if whole.dtype.kind not in "buif":
        hint = "leave the picture out of the stage script, and of dvc.yaml"
        raise ReproofError("no picture can be made of these examples", found=f"type {whole.dtype}", hint=hint)
    if whole.ndim == 3:
        whole = whole[:, None]
    if whole.ndim != 4:
        rows = whole.reshape(len(whole), -1)
        shares = _shares(rows, by_column=True)[:, :, None]
        low, high = np.array(_LOW), np.array(_HIGH)
        colours = np.round(low + shares * (high - low)).astype(np.uint8)
        return [Image.fromarray(row[None]) for row in colours]
    levels = whole if whole.dtype == np.uint8 else np.round(255 * _shares(whole)).astype(np.uint8)
    channels = levels.shape[1]
    if channels == 1:
        return [Image.fromarray(np.ascontiguousarray(image[0])) for image in levels]
    if channels in (3, 4):
        colour = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in levels]
        return [
            _over_white(Image.fromarray(image)) if channels == 4 else Image.fromarray(image)
            for image in colour
        ]
    return [Image.fromarray(np.round(image.mean(axis=0)).astype(np.uint8)) for image in levels]


def _shares(values: Array, *, by_column: bool = False) -> Array:
    """Values brought to 0–1; what is not finite becomes 0."""
    import numpy as np

    finite = np.isfinite(values)
    exact = np.where(finite, values, 0).astype(np.float64)
    if values.dtype.kind in "bf" and not by_column and exact.min() >= 0 and exact.max() <= 1:
        return np.asarray(exact)
    axis = 0 if by_column else None
    low, high = exact.min(axis=axis), exact.max(axis=axis)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray((exact - low) / spread)


def _over_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _sized(tile: Image.Image, edge: int) -> Image.Image:
    """Bring a tile to at most `edge` pixels: whole multiples where it grows, area means where it shrinks."""
    from PIL import Image

    width, height = tile.size
    if height == 1 and width > 1:  # a feature vector, of one pixel a feature
        resample = Image.Resampling.NEAREST if width <= edge else Image.Resampling.BOX
        return tile.resize((edge, 1), resample).resize((edge, _STRIP), Image.Resampling.NEAREST)
    longer = max(width, height)
    if longer <= edge:
        factor = edge // longer
        return tile.resize((width * factor, height * factor), Image.Resampling.NEAREST)
    size = max(1, round(width * edge / longer)), max(1, round(height * edge / longer))
    return tile.resize(size, Image.Resampling.BOX)


def _sheet(
    tiles: Sequence[Image.Image],
    captions: Sequence[Sequence[str]],
    titles: Mapping[int, str],
    columns: int,
    edge: int,
) -> Image.Image:
    """All tiles on white, with titles and captions."""
    from PIL import Image, ImageDraw

    font, title_font = _font(_FONT_SIZE), _font(_TITLE_SIZE)
    cell = max(edge, _CELL) if any(captions) else edge
    below = _LINE * max(map(len, captions), default=0)
    height = max(tile.height for tile in tiles) + below + _GAP
    places, x, y = [], 0, _GAP
    for index in range(len(tiles)):
        if x == columns or (index and index in titles):
            x, y = 0, y + height
        y += _LINE + 5 if index in titles else 0
        places.append((_GAP + x * (cell + _GAP), y))
        x += 1
    wide = [title_font.getlength(_plain(text, title_font)) for text in titles.values()]
    width = max(max(left for left, _ in places) + cell + _GAP, min(int(max(wide, default=0)), 600) + 2 * _GAP)
    mode = "L" if all(tile.mode == "L" for tile in tiles) else "RGB"
    ink, pale, white = (_INK, _PALE, (255, 255, 255)) if mode == "RGB" else (_INK[0], _PALE[0], 255)
    sheet = Image.new(mode, (width, y + height), white)
    draw = ImageDraw.Draw(sheet)
    for index, (tile, (left, top)) in enumerate(zip(tiles, places, strict=True)):
        if index in titles:
            title = _cut(titles[index], title_font, width - 2 * _GAP)
            draw.text((_GAP, top - _LINE - 3), title, fill=ink, font=title_font)
        sheet.paste(tile, (left, top))
        for number, line in enumerate(captions[index]):
            at = (left, top + max(t.height for t in tiles) + 1 + number * _LINE)
            draw.text(at, _cut(line, font, cell), fill=pale if number else ink, font=font)
    return sheet


def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that Pillow carries, laid out by Pillow alone: what else a machine has does not matter."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise ReproofError("this Pillow draws no text", hint="install a Pillow wheel, which has FreeType")
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


def _cut(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """One line that fits: signs that can be drawn, and dots where it was cut."""
    shown = _plain(text, font)
    if font.getlength(shown) <= width:
        return shown
    while shown and font.getlength(shown + "…") > width:
        shown = shown[:-1]
    return shown.rstrip() + "…"


def _plain(text: str, font: ImageFont.FreeTypeFont) -> str:
    text = " ".join(text[:500].split())
    missing = bytes(font.getmask("\uffff"))

    def drawn(sign: str) -> str:
        for candidate in (sign, unicodedata.normalize("NFKD", sign)[:1]):
            if candidate.isprintable() and (candidate == " " or bytes(font.getmask(candidate)) != missing):
                return candidate
        return "?"

    return "".join(drawn(sign) for sign in text if not unicodedata.combining(sign))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
