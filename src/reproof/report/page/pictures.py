"""Pictures inside the page: each as a data URI, so that one file holds all."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Pictures:
    """What documents may show: Vega-Lite specifications by path, and the files under `folder`."""

    figures: Mapping[str, dict[str, Any]]
    folder: Path | None

    def figure(self, source: str) -> str | None:
        """Return the path of the figure that an address in Markdown names; None when it names none."""
        name = _path(source)
        return name if name in self.figures else None

    def data_uri(self, source: str) -> str | None:
        """Return the picture that `source` names; None where it is remote, absent, over 5 MB or no picture.

        A figure without a file is drawn from its specification. Files are read from the folder and from what
        lies beside it, and from nowhere else.
        """
        name = _path(source)
        if name is None:
            return None
        if path := self._inside(name):
            return _uri(_TYPES[path.suffix.lower()], path.read_bytes())
        if name in self.figures:
            import vl_convert

            return _uri(_TYPES[".svg"], vl_convert.vegalite_to_svg(self.figures[name]).encode())
        return None

    def _inside(self, name: str) -> Path | None:
        if self.folder is None:
            return None
        try:
            path = (self.folder / name).resolve()
            known = path.is_relative_to(self.folder.resolve().parent) and path.suffix.lower() in _TYPES
            return path if known and path.is_file() and path.stat().st_size <= _MAX_BYTES else None
        except (OSError, ValueError):  # a name that no file can have
            return None


def _path(source: str) -> str | None:
    """The relative path that an address means; None when it is not one."""
    try:
        parts = urlsplit(source)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return None
    return unquote(parts.path).removeprefix("./")


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
