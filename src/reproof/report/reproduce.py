"""How a run is run again: the commit that it began from, and the params set over it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from reproof import redact


def commands(meta: Mapping[str, Any], flat: Mapping[str, Any]) -> list[str]:
    """Return the commands that run it again.

    Args:
        meta: the run's meta.json.
        flat: its params, flat.
    """
    changed = meta.get("overrides") or {}
    settings = []
    for key, change in changed.items():
        if key in flat:
            added = "++" if change["from"] is None else ""  # of Hydra's grammar: set it, known or not
            settings.append(f"{added}{key}={'null' if flat[key] is None else json.dumps(flat[key])}")
        elif not any(other.startswith(f"{key}.") for other in changed):
            settings.append(f"~{key}")
    changes = " ".join(f"-S {shlex.quote(setting)}" for setting in settings)
    commit = meta.get("overrides_against")
    return [
        f"git checkout {commit}" if commit else "# its code is in no commit",
        "make setup && source .venv/bin/activate",
        redact.text(f"dvc exp run --force {changes}".rstrip()),
    ]


def other_code(meta: Mapping[str, Any]) -> list[str]:
    """Return the stages that ran other code than the training did."""
    own = meta["git"]["code_tree"]
    return [name for name, stage in meta["stages"].items() if stage["code_tree"] != own]
