"""Resume states as people and machines read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from reproof.clock import duration
from reproof.resume.store import State


def as_text(states: Sequence[State]) -> str:
    """Return one line a state, the last saved first."""
    if not states:
        return "Nothing to go on from: every training here has come to its end."
    return "\n".join(_line(state) for state in states)


def cleared(removed: Sequence[State], used: Sequence[State]) -> str:
    """Say what was removed, and what was not since it is in use."""
    lines = [f"removed {state.name} ({_size(state.size_bytes)})" for state in removed]
    lines += [f"kept {state.name}: {state.holder or 'a training'} uses it" for state in used]
    return "\n".join(lines) or "Nothing to remove."


def as_json(states: Sequence[State]) -> str:
    """Return the states as a JSON list."""
    plain = [{**asdict(state), "folder": str(state.folder)} for state in states]
    return json.dumps(plain, indent=2)


def _line(state: State) -> str:
    about = state.about
    whose = about.get("experiment") or about.get("workspace") or "whose is not known"
    step = "nothing saved yet" if state.step is None else f"step {state.step:,}"
    used = f"; in use by {state.holder}" if state.holder else ""
    return (
        f"{state.name}  {step}, {duration(state.age_seconds)} ago, {_size(state.size_bytes)}, {whose}{used}"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
