"""Runs that Git does not hold: in progress, failed, killed, or ended and not committed yet.

The registry knows executions of single stages. Those that one workspace made one after the other, under one
name of an experiment, are a run: until a stage runs for the second time, which begins the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import clock, dvc, history, record_values, registry
from reproof.clean_words import clean
from reproof.history import History
from reproof.invocation import LATEST
from reproof.record import ANCHOR
from reproof.recorded import Run

KILLED = "ended without a word: killed (kill -9, or out of memory), or the machine went down"
_LAST = ("summarize", "report")
_BETWEEN_STAGES_SECONDS = 60.0


@dataclass(frozen=True)
class Unfinished:
    """A run that has no commit.

    Attributes:
        run: what is known of it; its status is `in_progress` or `failed`, or that of the workspace's record.
        stage: that ran last; None for the workspace's record.
        step, total_steps: how far that stage is, or was; None where it does not say.
        dataset: the name of its data; None where no stage has told it.
    """

    run: Run
    stage: str | None = None
    step: int | None = None
    total_steps: int | None = None
    dataset: str | None = None


def runs(root: Path, known: History) -> list[Unfinished]:
    """Return the runs that Git does not hold, by start time.

    A run that was killed counts no more once another has gone on from its state: that one is it.

    Args:
        root: the main repository's project.
        known: the runs that Git holds.
    """
    private = dvc.private_folder(root)
    entries = [entry for entry in registry.entries(private) if _is_whole(entry)]
    gone_on = {entry.get("continues") for entry in entries} | {run.continues for run in known.runs}
    found = []
    seen = set(known.executions)
    for group in _groups(entries):
        ids = {entry["run_id"] for entry in group}
        if ids & gone_on or _is_in_git(group, known):
            continue
        if one := _unfinished(group, private):
            found.append(one)
            seen |= ids
    own = history.of_results(root / LATEST)
    if own and own.run_id not in seen and own.status in ("success", "partial"):
        found.append(Unfinished(own))
    return sorted(found, key=lambda one: (one.run.start_time or "", one.run.run_id))


def _is_whole(entry: dict[str, Any]) -> bool:
    named = all(
        isinstance(entry.get(key), str) for key in ("run_id", "stage", "workspace", "status", "start_time")
    )
    return named and isinstance(entry.get("host"), str) and isinstance(entry.get("pid"), int)


def _groups(entries: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: list[list[dict[str, Any]]] = []
    current: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for entry in entries:
        key = (entry["workspace"], entry.get("experiment"))
        group = current.get(key)
        if group is None or entry["stage"] in {one["stage"] for one in group}:
            group = current[key] = []
            groups.append(group)
        group.append(entry)
    return groups


def _is_in_git(group: list[dict[str, Any]], known: History) -> bool:
    """Whether a commit holds the run, or the failure as which it ended.

    Stages that ran before the training say nothing: DVC takes them over into other runs.
    """
    if group[-1]["run_id"] in known.executions and group[-1]["status"] != "in_progress":
        return True
    anchors = [entry for entry in group if entry["stage"] == ANCHOR]
    telling = anchors or [entry for entry in group if entry["stage"] not in _LAST]
    if telling:
        return all(entry["run_id"] in known.executions for entry in telling)
    return group[-1].get("experiment") in known.experiments


def _unfinished(group: list[dict[str, Any]], private: Path) -> Unfinished | None:
    """The run of a group; None for one that ended well, whose results are elsewhere or overwritten."""
    last = group[-1]
    anchor = next((entry for entry in group if entry["stage"] == ANCHOR), last)
    status, error = last["status"], last.get("error")
    if status == "in_progress" and not _is_alive(private, last):
        status, error = "failed", KILLED
    elif status in ("success", "partial"):
        if any(entry["stage"] in _LAST for entry in group) or not _just_now(last):
            return None
        status = "in_progress"
    told: dict[str, Any] = next(
        (entry for entry in reversed(group) if isinstance(entry.get("params"), dict)), {}
    )
    flat = told.get("params", {})
    seed, job = flat.get("seed"), told.get("job")
    links = {key.removeprefix("links."): v for key, v in flat.items() if key.startswith("links.")}
    local = {"kind": "local", "id": str(anchor["pid"]), "url": None}
    run = Run(
        run_id=anchor["run_id"],
        experiment=record_values.words(last.get("experiment")),
        branch=record_values.words(told.get("branch")),
        baseline=record_values.words(told.get("baseline")),
        status=status,
        start_time=anchor["start_time"],
        end_time=None if status == "in_progress" else record_values.words(last.get("heartbeat")),
        seed=seed if isinstance(seed, int) else None,
        code_tree=record_values.words(told.get("code_tree")),
        params=flat,
        links={**links, "job": job if isinstance(job, dict) else local},
        error={"stage": last["stage"], "message": clean(str(error))} if error else None,
    )
    dataset = next((entry["dataset"] for entry in group if isinstance(entry.get("dataset"), str)), None)
    return Unfinished(run, last["stage"], _count(last.get("step")), _count(last.get("total_steps")), dataset)


def _is_alive(private: Path, entry: dict[str, Any]) -> bool:
    with suppress(KeyError, TypeError, ValueError):
        return registry.is_alive(private, entry)
    return False


def _just_now(entry: dict[str, Any]) -> bool:
    with suppress(KeyError, TypeError, ValueError):
        return clock.seconds_since(entry["heartbeat"]) < _BETWEEN_STAGES_SECONDS
    return False


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None
