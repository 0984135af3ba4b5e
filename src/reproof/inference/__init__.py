"""A model on the inputs that a project has, or on made-up ones: what it says to each, and what goes wrong.

The stage infer calls `run`, writes what it returns, and then calls `verdict`, which fails where nothing ran.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof.inference.settings import Inputs, Settings

if TYPE_CHECKING:
    from reproof.inference.running import run, verdict

__all__ = ["Inputs", "Settings", "run", "verdict"]

# The params of every stage hold the settings; the rest takes NumPy and more.
_LATER = {"run": "running", "verdict": "running"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
