"""contract.yaml: what a model takes and gives, read, held against the model, and put to use.

`load` reads it; `check`, `open_fields` and `found` hold it against what the model's file tells; `preprocess`
and `postprocess` do what it says.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reproof.contract.schema import Contract

if TYPE_CHECKING:
    from reproof.contract.checks import check
    from reproof.contract.reading import load
    from reproof.contract.shapes import only_batch_size
    from reproof.contract.steps import FILE, ports_of, postprocess, preprocess, recorded_ports
    from reproof.contract.undeclared import found, open_fields

__all__ = [
    "FILE",
    "Contract",
    "check",
    "found",
    "load",
    "only_batch_size",
    "open_fields",
    "ports_of",
    "postprocess",
    "preprocess",
    "recorded_ports",
]

_LATER = {
    "FILE": "steps",
    "check": "checks",
    "found": "undeclared",
    "load": "reading",
    "only_batch_size": "shapes",
    "open_fields": "undeclared",
    "ports_of": "steps",
    "postprocess": "steps",
    "preprocess": "steps",
    "recorded_ports": "steps",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
