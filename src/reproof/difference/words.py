"""The parts of a difference as words, for every document alike."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reproof.difference.code import Code, File
from reproof.difference.data import Data, Split
from reproof.difference.environment import Change
from reproof.difference.metrics import Line
from reproof.difference.models import Shared
from reproof.difference.whole import Difference
from reproof.history import Row
from reproof.recorded import Run
from reproof.report import markdown
from reproof.report.markdown import between, p_value, score, signed

ARROW = "→"
_MOST = 12


def place(row: Row) -> str:
    """Return where a run stands: its run id, when it began, how it ended, and the commit."""
    run: Run = row.run
    began = f"{run.start_time[:10]} {run.start_time[11:16]} UTC" if run.start_time else "no time recorded"
    commit = f"commit {run.commit[:10]}" if run.commit else "in no commit"
    names = f"; also {', '.join(row.names[1:])}" if row.names[1:] else ""
    return f"{run.run_id or 'no run id'}, {began}, {run.status.replace('_', ' ')}, {commit}{names}"


def verdict(line: Line) -> str:
    """Return what one metric did: both values, the difference with its interval, and what may be said."""
    found = line.verdict
    values = f"{score(line.a)} {ARROW} {score(line.b)}"
    inner = [] if found.difference is None else [signed(found.difference)]
    if found.interval:
        inner.append(f"95% {between(found.interval, with_sign=True)}")
    told = f" ({'; '.join(inner)})" if inner and line.a is not None and line.b is not None else ""
    return f"{line.name} {values}{told}: {line.word}: {found.reason}"


def mcnemar(shared: Shared) -> str:
    """Return what the exact McNemar test says of a split, or why there is none."""
    if shared.mcnemar is None or shared.mcnemar.p_value is None:
        return f"{shared.split}: no McNemar test: {shared.mcnemar_missing_reason}"
    found = shared.mcnemar
    return (
        f"{shared.split}: of {shared.on}, {found.only_first:,} are right in A alone and "
        f"{found.only_second:,} in B alone (exact McNemar, {p_value(shared.mcnemar.p_value)})"
    )


def data(found: Data) -> list[str]:
    """Return what differs in the data."""
    if found.same:
        told = ["the same content in every split"]
    elif found.same is None:
        told = [f"not known: {found.missing_reason}"]
    else:
        told = ["the same examples, split otherwise"] if found.is_other_split else []
        told += [split(one) for one in found.splits]
    for one in found.inputs:
        what = "is read by B alone" if one.a is None else "is read by A alone" if one.b is None else "differs"
        told.append(f"raw file {one.path} {what}")
    return told


def split(one: Split) -> str:
    """Return what differs in one split."""
    sizes = ("not known" if size is None else f"{size:,}" for size in (one.size_a, one.size_b))
    parts = [f"{one.name}: {f' {ARROW} '.join(sizes)} examples"]
    for count, elsewhere, examples, word, preposition in (
        (one.came, one.came_from, one.examples_came, "came", "from"),
        (one.went, one.went_to, one.examples_went, "went", "to"),
    ):
        if count:
            moved = ", ".join(f"{n:,} {preposition} {name}" for name, n in elsewhere.items())
            few = ", ".join(examples) + (", …" if count > len(examples) else "")
            parts.append(f"{count:,} {word}{f' ({moved})' if moved else ''}: {few}")
    if one.changed:
        verb = "id stands" if one.changed == 1 else "ids stand"
        parts.append(f"{one.changed:,} {verb} for other content")
    if one.content_came is not None and (one.content_came, one.content_went) != (one.came, one.went):
        parts.append(f"by content {one.content_came:,} came and {one.content_went:,} went")
    return "; ".join([*parts, *([one.note] if one.note else [])])


def code(found: Code) -> list[str]:
    """Return what differs in the code, a line a file."""
    if found.same:
        return ["the same tree"]
    told = [f"not known: {found.missing_reason}"] if found.missing_reason else []
    return told + [file(one) for one in found.files]


def file(one: File) -> str:
    """Return what differs in one file."""
    owners = ", ".join(one.stages) + ("; data" if one.is_data else "")
    stages = f" ({owners})" if owners else "" if one.is_run else " (run by no stage)"
    touched = one.functions
    if one.state != "changed":
        return f"{one.path}{stages}: {'new' if one.state == 'came' else 'gone'}"
    if one.is_meaningless:
        return f"{one.path}{stages}: comments, docstrings or formatting alone"
    if not touched:
        return f"{one.path}{stages}: changed"
    parts = [
        f"{word} {_some(names)}"
        for word, names in (("changed", touched.changed), ("new", touched.came), ("gone", touched.went))
        if names
    ]
    parts += [f"renamed {old} {ARROW} {new}" for old, new in touched.renamed]
    return f"{one.path}{stages}: {'; '.join(parts)}"


def change(one: Change) -> str:
    """Return one fact of the environment."""
    if one.a is None or one.b is None:
        return f"{one.name}: {one.b} is new" if one.a is None else f"{one.name}: {one.a} is gone"
    return f"{one.name} {one.a} {ARROW} {one.b}"


def environment(found: Difference) -> tuple[list[str], list[str]]:
    """Return the facts that numbers may depend on, and the others."""
    changes = found.environment.changes
    matters = [change(one) for one in changes if one.matters]
    others = [change(one) for one in changes if not one.matters]
    if found.environment.unknown:
        others.append(f"in one record alone: {', '.join(found.environment.unknown)}")
    return matters, others


def params(found: Difference) -> list[str]:
    """Return the params that differ."""
    if found.params.missing_reason:
        return [f"not known: {found.params.missing_reason}"]
    told = []
    for one in found.params.changed:
        first, second = value(one.a) if one.in_a else "(none)", value(one.b) if one.in_b else "(none)"
        told.append(f"{one.name} {first} {ARROW} {second}")
    return told


def value(item: object) -> str:
    """Return a param's value as it stands in params.yaml."""
    if isinstance(item, bool) or item is None:
        return {True: "true", False: "false", None: "null"}[item]
    if isinstance(item, list | dict):
        return json.dumps(item, ensure_ascii=False)
    return markdown.number(item, 6) if isinstance(item, float) else str(item)


def artefacts(found: Difference) -> list[str]:
    """Return which artefacts are the same, by content digest."""
    if found.artefacts.missing_reason:
        return [f"not known: {found.artefacts.missing_reason}"]
    told = []
    for state, word in (("differs", "differ"), ("only a", "in A alone"), ("only b", "in B alone")):
        paths = [one.path for one in found.artefacts.every if one.state == state]
        told += [f"{word}: {_some(paths)}"] if paths else []
    same = [one.path for one in found.artefacts.every if one.state == "same"]
    return [*told, f"the same content: {_some(same)}"] if same else told


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST])
    return shown if len(names) <= _MOST else f"{shown}, and {len(names) - _MOST} more"
