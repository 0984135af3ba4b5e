"""The page: documents, figures, styles and scripts in one file, under a policy that lets nothing else in."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reproof import files
from reproof.errors import ReproofError
from reproof.report.page import markdown_to_html
from reproof.report.page.markdown_to_html import Part
from reproof.report.page.pictures import Pictures

_SCRIPTS = ("tables.js", "charts.js", "page.js")
_LICENCE = "/* Vega, Vega-Lite, Vega-Embed and what they stand on; BSD 3-Clause, https://vega.github.io */\n"


@dataclass(frozen=True)
class Document:
    """A Markdown document: `name` is its file's without `.md`; `text` may begin with YAML front matter."""

    name: str
    title: str
    text: str


def write(
    destination: Path,
    *,
    title: str,
    documents: Sequence[Document],
    figures: Mapping[str, dict[str, Any]],
    folder: Path | None,
    frames: Sequence[str] = (),
) -> None:
    """Write the documents to `destination` as one page that needs no network; same input, same bytes.

    Args:
        destination: the HTML file.
        title: of the page.
        documents: shown one after the other, in this order.
        figures: the Vega-Lite specification of each figure, by the path that the Markdown names
            (`figures/loss.svg`). A figure without one stays a picture.
        folder: where relative paths of pictures start from; None when there are no picture files.
        frames: addresses (http or https) that may be shown inside the page: a paragraph that is nothing but
            a link to one of them is followed by the page that it leads to. That alone uses the network.

    Raises:
        ReproofError: when an address in `frames` is none of the web.
    """
    pictures = Pictures(figures, folder)
    parts = markdown_to_html.convert(
        [(document.name, document.title, document.text) for document in documents], pictures, frames
    )
    shown = {name: figures[name] for part in parts for name in part.figures}
    files.write_text(destination, _page(title, parts, shown, frames))


def _page(title: str, parts: list[Part], figures: Mapping[str, dict[str, Any]], frames: Sequence[str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reproof.report", "assets"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    style = _asset("page.css")
    scripts = ["\n".join(_asset(name) for name in _SCRIPTS)]
    if figures:
        scripts.insert(0, _LICENCE + _vega())
    return environment.get_template("page.html.jinja").render(
        title=title,
        parts=parts,
        policy=_policy(style, scripts, frames),
        style=style,
        scripts=scripts,
        specs=_json(figures) if figures else None,
    )


def _policy(style: str, scripts: Sequence[str], frames: Sequence[str]) -> str:
    """What the page may load: its own scripts and style by their digests, its pictures, and the frames."""
    rules = {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "style-src": [_source(style)],
        "script-src": [_source(script) for script in scripts],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    if frames:
        rules["frame-src"] = sorted({_origin(address) for address in frames})
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or set(parts.netloc) & set(" ;,'\""):
        raise ReproofError("a page to show inside the report needs an http or https address", found=address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


def _json(figures: Mapping[str, dict[str, Any]]) -> str:
    """The specifications as JSON that cannot end the script element that holds it."""
    shown = {
        name: {key: part for key, part in spec.items() if key != "$schema"} for name, spec in figures.items()
    }
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@functools.cache
def _vega() -> str:
    """Vega-Embed with all that it needs, from vl-convert (1.5 s of CPU); it can do without `eval`."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("vl-convert's script cannot stand inside a page")
    return script


def _asset(name: str) -> str:
    return resources.files("reproof.report").joinpath("assets", name).read_text(encoding="utf-8")
