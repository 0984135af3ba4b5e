"""`reproof record`: one significant run, or several that lead to one conclusion, as a document that stays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import files, redact
from reproof.errors import ReproofError
from reproof.file_names import slug
from reproof.recorded import Run
from reproof.report import (
    addresses,
    artefacts,
    notes,
    previous_record,
    record_parts,
    results,
    templating,
    training,
    web,
    words,
)
from reproof.report.markdown import code, text
from reproof.report.source import Source
from reproof.report.subjects import Subject, open_run

FOLDER = "experiments"
TEMPLATE = "record.md.jinja"


@dataclass(frozen=True)
class Written:
    """The record that `write` wrote, and its runs, the primary one first."""

    path: Path
    runs: tuple[Run, ...]


def write(
    root: Path, title: str, revisions: Sequence[str] = (), output: Path | None = None, *, force: bool = False
) -> Written:
    """Write `experiments/<date>_<title>.md`.

    A record of the same runs is written anew, since nobody's words stand in it; another file is not.

    Args:
        root: the project's folder.
        title: one line; its file is called after it.
        revisions: experiments, branches, tags or commits, the primary one first; none for the workspace's
            own run.
        output: the file; default: in `experiments/`, by the date of the run and the title.
        force: write over any other file.

    Raises:
        ReproofError: no title, no such revision, no run there, the same run twice, or another file stands
            there.
    """
    title = " ".join("".join(letter if letter.isprintable() else " " for letter in title).split())
    if not title:
        raise ReproofError("a record has a title", expected='--title "What was found"')
    chosen: list[str | None] = [*revisions] or [None]
    with contextlib.ExitStack() as stack:
        subjects = [stack.enter_context(open_run(root, rev)) for rev in chosen]
        runs = tuple(subject.run for subject in subjects)
        if len({run.run_id for run in runs}) < len(runs):
            raise ReproofError("the same run is named twice", found=", ".join(run.run_id for run in runs))
        date = (runs[0].start_time or runs[0].run_id)[:10]
        name = f"{slug(date)}_{slug(redact.text(title)).lower().replace('-', '_')}.md"
        path = output or files.inside(root, f"{FOLDER}/{name}", where=FOLDER)
        _check(path, runs, force=force)
        body = templating.fill(templating.environment(root), TEMPLATE, _context(root, path, title, subjects))
        metrics, intervals = record_parts.metrics(subjects[0].source)
        front = previous_record.front_of(title, runs[0], runs, metrics, intervals)
    files.write_text(path, f"{front}\n{body}")
    return Written(path, runs)


def _check(path: Path, runs: Sequence[Run], *, force: bool) -> None:
    if force or not path.exists():
        return
    there = previous_record.read(path)
    if there is None or there.runs != tuple(run.run_id for run in runs):
        raise ReproofError(
            "a file stands there already",
            where=path,
            found=f"a record of {', '.join(there.runs)}" if there else "no record of these runs",
            hint="take another --title or --output; --force writes over it",
        )


def _context(root: Path, path: Path, title: str, subjects: list[Subject]) -> dict[str, Any]:
    first, runs = subjects[0], [subject.run for subject in subjects]
    source, run = first.source, first.run
    metrics, intervals = record_parts.metrics(source)
    previous = previous_record.before(root / FOLDER, run, runs)
    up = Path(os.path.relpath(root, path.parent)).as_posix()
    splits, rows = record_parts.scores(source)
    return {
        "title": title,
        "source": source,
        "meta": source.meta,
        "run": run,
        "runs": runs,
        "table": record_parts.table(subjects),
        "is_aggregate": len(runs) > 1,
        "related": record_parts.related(source, run),
        "dashboards": record_parts.dashboards(run),
        "hyperparameters": training.hyperparameters(source),
        "derived": record_parts.derived(source),
        "splits": splits,
        "scores": rows,
        "headline": _headline(source, intervals),
        "baselines": record_parts.baselines(source),
        "findings": results.findings(source),
        "previous": previous,
        "previous_link": _relative(previous.path, path.parent) if previous else None,
        "differences": previous_record.differences(previous, run, metrics, intervals) if previous else [],
        "shown": record_parts.shown_by_the_record(first),
        "artefacts": artefacts.of(first),
        "remote": addresses.of_remote(source.meta["git"].get("remote")),
        "file": lambda name: (
            f"{code(name)} (held by DVC)"
            if artefacts.held_by_dvc(first, name)
            else f"[{text(name)}](<{up}/{web.quoted(name)}>)"
        ),
        "report_of": report.run if (report := previous_record.read(root / "reports/experiment.md")) else None,
        "dataset_address": lambda value: web.dataset(value, root),
        **words.functions(source, notes.read(root / "notes"), ()),
    }


def _relative(path: Path, folder: Path) -> str:
    return web.quoted(Path(os.path.relpath(path, folder)).as_posix())


def _headline(source: Source, intervals: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for short, value in source.summary.get("metrics", {}).items():
        path = str(source.params.get(f"summary.{short}", short))
        found.append({"name": short, "path": path, "value": value, "interval": intervals.get(path)})
    return found
