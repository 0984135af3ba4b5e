"""SVG as Git should keep it: what a picture does not show is left out, which halves it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # nosec B405 (of our own drawing, no foreign XML)

_NAMESPACE = "http://www.w3.org/2000/svg"
_NOTHING = frozenset({"role", "class", "pointer-events", "version"})
_EMPTY_PATHS = frozenset({"", "M0,0h0v0h0Z"})


def slim(svg: str) -> str:
    """Return the same picture without classes, roles and empty shapes, and with coordinates to 0.01 pixels.

    What it shows is told to those who cannot see it by the document's alternative text, not by the file.
    """
    ET.register_namespace("", _NAMESPACE)
    root = ET.fromstring(svg)  # noqa: S314  # nosec B314
    _strip(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _strip(node: ET.Element) -> None:
    for name in list(node.attrib):
        is_default = name in ("opacity", "fill-opacity") and node.attrib[name] == "1"
        if name in _NOTHING or name.startswith("aria-") or is_default:
            del node.attrib[name]
        else:  # coordinates; never the words and numbers that are shown
            node.attrib[name] = re.sub(r"(\d+\.\d\d)\d+", r"\1", node.attrib[name])
    for child in list(node):
        _strip(child)
        tag = child.tag.removeprefix(f"{{{_NAMESPACE}}}")
        empty_group = tag == "g" and not len(child) and not (child.text or "").strip()
        if empty_group or (tag == "path" and child.get("d", "") in _EMPTY_PATHS):
            node.remove(child)
