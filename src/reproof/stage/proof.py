"""What a stage gives back to `reproof verify`, to prove that it ran: nothing of it without the variable."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from reproof import audit_hook

NONCE = "REPROOF_VERIFY_NONCE"
REACH = "REPROOF_VERIFY_REACH"
_MOST_NAMED = 20


def begin() -> None:
    """Put this process under the verification's lists, should its start not have done so (`python -E`)."""
    if os.environ.get(NONCE) and REACH in os.environ:
        audit_hook.install(os.environ[REACH])


def of_stage(*, ended: bool) -> dict[str, Any]:
    """Return what is added to the stage's record: nothing outside a verification.

    Args:
        ended: whether the stage has done its work, so that what it has imported is known.
    """
    nonce = os.environ.get(NONCE)
    guard = audit_hook.installed()
    if not nonce:
        return {}
    return {
        "verification": {
            "nonce": nonce,
            "guarded": guard is not None,
            "modules": foreign_modules(guard) if ended and guard else None,
            "refused": guard.refused[:_MOST_NAMED] if guard else None,
        }
    }


def foreign_modules(guard: audit_hook.Guard) -> list[str]:
    """Return the files of loaded modules that are neither the workplace's nor the Python environment's."""
    found = set()
    own: dict[str, bool] = {}
    for module in list(sys.modules.values()):
        name = getattr(module, "__dict__", {}).get("__file__")  # no getattr: some modules import on it
        if not isinstance(name, str):
            continue
        if not Path(name).exists():  # out of an archive: that is the file
            name = next((str(one) for one in Path(name).parents if one.is_file()), "")
            if not name:
                continue
        folder = str(Path(name).absolute().parent)
        if folder not in own:
            own[folder] = guard.is_own(folder)
        if not (own[folder] and not Path(name).is_symlink()) and not guard.is_own(name):
            found.add(os.path.realpath(name))
    return sorted(found)[:_MOST_NAMED]
