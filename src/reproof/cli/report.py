"""The command that renders a run's documents, or says what they lack."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reproof.cli.app import Json, app
from reproof.cli.revision import Rev, record_of
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from reproof.report.missing import Gap

INCOMPLETE = 3
"""Exit code of `--strict` where something is missing."""


@app.command()
def report(
    rev: Rev = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The folder to write. Default: reports; of REV, results/RUN/reports."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; list what the documents lack.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="As --check, and end with 3 when anything is missing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Render the documents of a run, or list what they lack.

    The stage `report` does this in each run; this renders those of any other run, or of today's notes without
    DVC (`dvc repro report` keeps them too). For example:

        reproof report --check

        reproof report seed-1 --output seed-1-reports

    Documents are made of the record, the declared params, and the words in notes/; those of another run get a
    copy of its record beside them, `record/`. --check lists what was not measured, not declared and not
    written, with what to do.
    """
    from reproof import file_names
    from reproof.report import gaps, render_all

    with record_of(rev) as (root, record):
        if check or strict:
            found = gaps(root, record)
            print(json.dumps([asdict(gap) for gap in found], indent=2) if as_json else _listed(found))
            raise typer.Exit(INCOMPLETE if strict and found else 0)
        own = root / "results" / file_names.of_run(rev) / "reports" if rev else root / "reports"
        folder = own if output is None else Path.cwd() / output
        if output is not None:
            _check_ours(folder)
        written = render_all(root, record, folder)
    names = [os.path.relpath(path, Path.cwd()) for path in written]
    print(json.dumps(names) if as_json else "\n".join(names))


def _check_ours(folder: Path) -> None:
    """Rendering empties `figures/`: only where this command, or the stage, has rendered before."""
    if (folder / "figures").exists() and not (folder / "experiment.md").exists():
        raise ReproofError(
            "a folder figures/ that no report belongs to",
            where=folder / "figures",
            hint="it is left as it is: name another folder with --output",
        )


def _listed(found: list[Gap]) -> str:
    from reproof.report.missing import NOT_WRITTEN

    if not found:
        return "Nothing is missing."
    lines: list[str] = []
    if measured := [gap for gap in found if gap.kind == "measured"]:
        lines += ["", f"not measured ({len(measured)})"]
        for gap in measured:
            lines.append(f"  {gap.part}: {gap.reason}")
            lines += [f"    {gap.remedy}"] if gap.remedy else []
    if declared := [gap.part for gap in found if gap.kind == "declared"]:
        lines += ["", f"not declared in params.yaml ({len(declared)})", f"  {', '.join(declared)}"]
    if words := [gap for gap in found if gap.kind == "written"]:
        lines += ["", f"not written ({len(words)})"]
        for where in dict.fromkeys((gap.remedy, gap.reason) for gap in words):
            parts = ", ".join(gap.part for gap in words if (gap.remedy, gap.reason) == where)
            place, reason = where
            said = f"  {place}: {parts}" if reason == NOT_WRITTEN else f"  {parts}: {reason}; {place}"
            lines += textwrap.wrap(said, 110, subsequent_indent="    ")
    return "\n".join(lines[1:])
