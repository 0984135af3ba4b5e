"""Documents made of a run's record, the declared params and people's notes; of nothing else.

Others use single modules of this room, such as its Markdown: its own names are imported when asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reproof.report.rendering import gaps, render, render_all

__all__ = ["gaps", "render", "render_all"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("reproof.report.rendering"), name)
