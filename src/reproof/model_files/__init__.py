"""Model files that somebody hands over: what they are, what they hold, and how they are loaded.

Nothing here runs what a file says before the file has been looked at: formats are told by content, pickles
are read as text, archives are searched for what would run code. `detect` and `find` need no other package;
`read` takes `onnx` or `torch` where they are installed, and says so where they are not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof.model_files.ports import Port

if TYPE_CHECKING:
    from reproof.model_files.facts import Facts
    from reproof.model_files.finding import find
    from reproof.model_files.formats import Format, detect
    from reproof.model_files.identity import digest
    from reproof.model_files.loading import load_module
    from reproof.model_files.reading import read

__all__ = ["Facts", "Format", "Port", "detect", "digest", "find", "load_module", "read"]

_LATER = {
    "Facts": "facts",
    "Format": "formats",
    "detect": "formats",
    "digest": "identity",
    "find": "finding",
    "load_module": "loading",
    "read": "reading",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
