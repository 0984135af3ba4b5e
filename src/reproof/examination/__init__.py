"""The stage examine: what a model file is and needs, before anything of it runs; and the plan of the run.

`examine` returns what examination.json holds, `plan` the Markdown of plan.md made of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof.examination.settings import Settings

if TYPE_CHECKING:
    from reproof.examination.assemble import examine
    from reproof.examination.plan_document import plan

__all__ = ["Settings", "examine", "plan"]

# The params of every stage hold `Settings`; the rest only one of them needs.
_LATER = {"examine": "assemble", "plan": "plan_document"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
