"""Addresses that other people wrote, as links: http and https only, without secrets, and spelt so that no
reader of Markdown or HTML takes them for anything else."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from reproof import redact
from reproof.report.markdown import code, text

_HUB = "https://huggingface.co"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_UNCHANGED = "%:/?#@!$&'()*+,=-._~"  # what all readers of an address leave as it is


def address(value: object) -> str | None:
    """Return an address of the web, percent-encoded where needed; None for anything else."""
    if not isinstance(value, str):
        return None
    clean = redact.url(redact.text(value.strip()))
    try:
        parts = urlsplit(clean)
    except ValueError:
        return None
    host = re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", parts.netloc)
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f]", clean):
        return None
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", quote(clean, safe=_UNCHANGED))


def linked(value: object, label: str | None = None) -> str:
    """Return an address of the web as a Markdown link; another value as words, or as code under a label."""
    found = address(value)
    if found is None:
        return text(value) if label is None else code(value)
    return f"[{text(label or redact.url(str(value)))}](<{found}>)"


def model(value: str) -> str | None:
    """Return the address of a base model: its own, or that of an id of Hugging Face (`org/name`)."""
    return address(value) or (f"{_HUB}/{value}" if _HUB_ID.fullmatch(value) else None)


def dataset(value: str, root: Path) -> str | None:
    """Return the address of a dataset likewise; a path of the project is no id."""
    if found := address(value):
        return found
    is_id = _HUB_ID.fullmatch(value) and not (root / value).exists()
    return f"{_HUB}/datasets/{value}" if is_id else None


def quoted(path: str) -> str:
    """Return a relative path as the target of a link."""
    return quote(path, safe="/._-~")
