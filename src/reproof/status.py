"""What runs now, and what died or failed: the registry, read for people and machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reproof import clock, registry
from reproof.clock import duration
from reproof.resume import store

_RECENT_SECONDS = 7 * 24 * 3600.0
_MOST_ENDED = 10

State = Literal["running", "died", "failed", "success", "partial"]


@dataclass(frozen=True)
class Execution:
    """One execution of a stage, as the registry knows it.

    Attributes:
        state: `running`; `died` without a word (killed, out of memory, power); or how it ended.
        place: `workspace`, `queue` or `temp` of the main repository, or the folder of another workspace.
        experiment: DVC's name; None outside `dvc exp run`.
        step, total_steps: how far it is, or was; None where the stage does not say.
        seconds_left: at the pace so far; None where it is not known.
        seconds: since it began, while it runs; else since it was last heard of.
        resume_step: the step from which the same run goes on; None where nothing was saved.
    """

    state: State
    stage: str
    run_id: str
    place: str
    experiment: str | None
    step: int | None
    total_steps: int | None
    seconds_left: float | None
    seconds: float
    pid: int
    host: str
    error: str | None
    resume_step: int | None


def executions(root: Path, private: Path, *, everything: bool = False) -> list[Execution]:
    """Return what runs, then what died or failed, the latest first.

    Of those that ended badly only the last week's ten are returned, and none that the same workspace has
    run again since.

    Args:
        root: the main repository.
        private: its private folder.
        everything: also what ended well, and all that is remembered.
    """
    states = {state.about.get("run_id"): state for state in store.states(store.home(private))}
    found, seen = [], set()
    for entry in reversed(registry.entries(private)):
        execution = _execution(entry, root, private, states)
        place = (entry["workspace"], entry["stage"])
        if everything or execution.state == "running" or place not in seen:
            found.append(execution)
        seen.add(place)
    running = [one for one in found if one.state == "running"]
    ended = [one for one in found if one.state != "running"]
    if not everything:
        bad = [one for one in ended if one.state in ("died", "failed") and one.seconds < _RECENT_SECONDS]
        ended = bad[:_MOST_ENDED]
    return running + ended


def _execution(entry: dict[str, Any], root: Path, private: Path, states: dict[Any, store.State]) -> Execution:
    state = entry["status"]
    if state == "in_progress":
        state = "running" if registry.is_alive(private, entry) else "died"
    saved = states.get(entry["run_id"])
    return Execution(
        state=state,
        stage=entry["stage"],
        run_id=entry["run_id"],
        place=_place(Path(entry["workspace"]), root),
        experiment=entry["experiment"],
        step=entry["step"],
        total_steps=entry["total_steps"],
        seconds_left=entry.get("seconds_left") if state == "running" else None,
        seconds=clock.seconds_since(entry["start_time" if state == "running" else "heartbeat"]),
        pid=entry["pid"],
        host=entry["host"],
        error=entry["error"],
        resume_step=saved.step if saved and saved.holder is None else None,
    )


def _place(workspace: Path, root: Path) -> str:
    if workspace == root:
        return "workspace"
    temporary = root / ".dvc" / "tmp" / "exps"
    if workspace.is_relative_to(temporary / "standalone"):
        return "temp"
    return "queue" if workspace.is_relative_to(temporary) else str(workspace)


def as_text(found: list[Execution]) -> str:
    """Return the executions as lines for people."""
    if not found:
        return "Nothing runs, and nothing has died or failed in the last week."
    lines = []
    for title, chosen in (
        ("running", [one for one in found if one.state == "running"]),
        ("died", [one for one in found if one.state == "died"]),
        ("failed", [one for one in found if one.state == "failed"]),
        ("ended well", [one for one in found if one.state in ("success", "partial")]),
    ):
        if chosen:
            lines += [title, *(line for one in chosen for line in _lines(one)), ""]
    return "\n".join(lines[:-1])


def _lines(one: Execution) -> list[str]:
    name = f"{one.experiment} ({one.place})" if one.experiment else one.place
    progress = "" if one.step is None else f"  step {one.step:,}"
    if one.step is not None and one.total_steps:
        progress += f" of {one.total_steps:,} ({100 * one.step / one.total_steps:.0f}%)"
    if one.state == "running":
        left = "" if one.seconds_left is None else f", {duration(one.seconds_left)} left"
        when = f"began {duration(one.seconds)} ago{left}; process {one.pid} on {one.host}"
    else:
        when = f"{duration(one.seconds)} ago"
    lines = [f"  {one.stage:<10} {name}{progress}  {when}"]
    if one.state == "died":
        lines.append("    no word of its end: killed, out of memory, or the machine went down")
    if one.error:
        lines += [f"    {line}" for line in one.error.splitlines()]
    if one.resume_step is not None:
        lines.append(f"    the same run again goes on from step {one.resume_step:,}")
    return lines
