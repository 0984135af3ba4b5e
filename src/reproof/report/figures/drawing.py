"""Figures as Vega-Lite, made with Altair and drawn to SVG: the same data gives the same bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import files
from reproof.report.figures.svg import slim

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 520, 240
COLOURS = ["#2f6db3", "#d1701f", "#4b8f6b", "#8a5aa8", "#9a8a3a", "#6d6d6d"]
"""They stay apart for colour-blind readers, and in grey."""


@dataclass(frozen=True)
class Figure:
    """A figure: `name` is its file's, `alt` tells its content to those who cannot see it.

    `is_curve`: it shows the course of the training; documents show all of these, whatever their names.
    """

    name: str
    title: str
    alt: str
    spec: dict[str, Any]
    is_curve: bool = False


def figure(
    name: str, title: str, alt: str, drawn: alt.Chart | alt.LayerChart, *, is_curve: bool = False
) -> Figure:
    """Return a chart in the documents' one style."""
    import altair

    title = " ".join(title.split())
    styled = (
        drawn.properties(
            title=altair.TitleParams(title, anchor="start"),
            background="white",
        )
        # Words are measured in the font of this machine, and shown in a reader's, which may be a sixth wider.
        .configure(font="sans-serif", padding={"left": 24, "right": 24, "top": 5, "bottom": 5})
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e6e6e6", labelLimit=220)
    )
    return Figure(name, title, alt, styled.to_dict(validate=False), is_curve)


def chart(
    values: Sequence[Mapping[str, Any]], *, width: int | None = None, height: int | None = None
) -> alt.Chart:
    """Return an empty chart of some rows; `width` and `height` in pixels, those of its layer where None."""
    import altair

    made = altair.Chart(altair.Data(values=list(values)))  # type: ignore[no-untyped-call]
    return made if width is None else made.properties(width=width, height=height)


def redraw(figures: list[Figure], folder: Path) -> None:
    """Draw all figures beside `folder`, then put them in the place of what it held."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".figures-") as beside:
        drawn = Path(beside) / "figures"
        drawn.mkdir()
        write(figures, drawn)
        if folder.exists():
            shutil.rmtree(folder)
        drawn.replace(folder)


def write(figures: list[Figure], folder: Path) -> None:
    """Draw each figure to `<folder>/<name>.svg`."""
    import vl_convert

    for each in figures:
        files.write_text(folder / f"{each.name}.svg", slim(vl_convert.vegalite_to_svg(each.spec)))
