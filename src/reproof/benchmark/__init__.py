"""The inference benchmark: how fast a model answers on this machine, with an interval and a verdict.

A stage script builds a `Subject`, reads `Settings` from its params, calls `measure` and writes the `Result`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof.benchmark.settings import Settings

if TYPE_CHECKING:
    from reproof.benchmark.measuring import measure
    from reproof.benchmark.progress import Progress
    from reproof.benchmark.schema import Provenance, Result
    from reproof.benchmark.subject import Subject

__all__ = ["Progress", "Provenance", "Result", "Settings", "Subject", "measure"]

# The params of every stage hold `Settings`; the rest, which takes 0.2 s to import, only one of them needs.
_LATER = {
    "measure": "measuring",
    "Progress": "progress",
    "Provenance": "schema",
    "Result": "schema",
    "Subject": "subject",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
