"""Functions in the user's scripts, named as `src/data.py:preprocess`."""

from __future__ import annotations

import importlib.util
import symtable
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from reproof import files
from reproof.errors import ReproofError


def check(root: Path, reference: str) -> tuple[Path, str]:
    """Return file and name of a reference, without running the file.

    Raises:
        ReproofError: when it is not `file.py:function`, leads out of the project, or the file does not
            bind that name at its top level.
    """
    name, _, function = reference.rpartition(":")
    if not name.endswith(".py") or not function.isidentifier():
        raise ReproofError(
            "not a reference to a function", expected="such as src/model.py:load", found=reference
        )
    path = files.inside(root, name, where=reference)
    try:
        top = symtable.symtable(path.read_text(encoding="utf-8"), str(path), "exec")
    except OSError as error:
        raise ReproofError(f"cannot read the file: {error.strerror}", where=reference) from error
    except (SyntaxError, ValueError) as error:
        raise ReproofError("not a Python file", where=reference, found=str(error)) from error
    bound = sorted(s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported())
    if function not in bound:
        raise ReproofError(
            "no such function",
            where=reference,
            expected=f"`def {function}` (or an import of it) at the top level of {name}",
            found=", ".join(bound) or "nothing",
        )
    return path, function


def load(root: Path, reference: str) -> Callable[..., Any]:
    """Import the file and return the function.

    The file's folder comes first on `sys.path`, as when Python runs the file, so that siblings import.
    """
    path, function = check(root, reference)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    found = getattr(_module(path), function)
    if not callable(found):
        raise ReproofError("not a function", where=reference, found=type(found).__name__)
    return found  # type: ignore[no-any-return]


def _module(path: Path) -> ModuleType:
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    # Under its own name, so that a sibling's `import model` finds the same module; but a script that is
    # named like a module in use must not take its place.
    name = path.stem if loaded is None else f"_project_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ReproofError("cannot be imported", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
