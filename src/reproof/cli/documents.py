"""Commands that read runs back from Git, and the documents that are written from them on demand."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reproof import screen
from reproof.cli.app import Json, app
from reproof.errors import ReproofError


@app.command()
def history(as_json: Json = False) -> None:
    """Write the runs that Git holds to results/history.json, for reports that speak of several.

    Every run of all local branches and of DVC's experiments, once. The file is a snapshot, tracked by Git:
    commit it, and run this again when there are more. `dvc repro report` then shows other seeds, ablations,
    sweeps, and what `reproof verify` said.
    """
    from reproof import dvc
    from reproof import history as reading
    from reproof.git_objects import objects
    from reproof.verify import certificates

    root = dvc.project_root(Path.cwd())
    with objects(root) as held:
        known = reading.scan(held)
        if str(held.repo.git.rev_parse("--is-shallow-repository")) == "true":
            told = "a shallow clone: runs of older commits are not here; `git fetch --unshallow` brings them"
            screen.say("notice", told)
    runs = certificates.with_best(root, known.runs)
    changed = reading.write(root / reading.FILE, runs)
    if as_json:
        print(json.dumps([asdict(run) for run in runs], indent=2))
        return
    statuses = Counter(run.status for run in runs)
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(
        f"{reading.FILE}: {_counted(len(runs), 'run')}{f' ({told})' if told else ''}"
        f"{'' if changed else ', as before'}"
    )
    experiments = sum(run.experiment is not None for run in runs)
    branches = _counted(len(known.branches), "branch", "es")
    print(f"{experiments} of experiments, {len(runs) - experiments} of commits; {branches}")
    if known.unreadable:
        shown = ", ".join(commit[:10] for commit in known.unreadable[:5])
        many = _counted(len(known.unreadable), "commit")
        print(f"passed over: {many} whose meta.json is no record ({shown})")
    if verified := sum(run.certificate is not None for run in runs):
        print(f"{verified} of them were run again (results/verify)")
    if runs:
        print("to show them in the report: dvc repro report")
    else:
        print("run one first: dvc exp run")


def _counted(count: int, name: str, more: str = "s") -> str:
    return f"{count} {name}{'' if count == 1 else more}"


@app.command()
def record(
    title: Annotated[str, typer.Option("--title", "-t", help="What was found, in a line.")],
    revisions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REV]...", help="An experiment, a branch, a tag or a commit. Default: results/latest."
        ),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="The record is of several runs: REV names each.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: experiments/DATE_TITLE.md."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Write over another file.")] = False,
) -> None:
    """Write a record of a significant run: experiments/DATE_TITLE.md.

    What was asked, how it ran, on which data, the numbers with their intervals, what they say beside the
    record before, and every artefact with its digest. Your own words come from notes/; nothing is lost when
    you write the record of the same run again. For example:

        reproof record --title "Token baseline"

        reproof record gamic-pika --title "Twice the channels"

        reproof record --runs seed-0 seed-1 seed-2 --title "Three seeds"
    """
    from reproof import dvc
    from reproof.report import experiment_record

    here = Path.cwd()
    root = dvc.project_root(here)
    chosen = revisions or []
    if len(chosen) > 1 and not runs:
        raise ReproofError(
            f"{len(chosen)} revisions for a record of one run",
            found=" ".join(chosen),
            hint='a record of several runs: --runs; a title of several words: --title "…"',
        )
    target = None if output is None else here / output
    written = experiment_record.write(root, title, chosen, target, force=force)
    told = ", ".join(f"{run.run_id} ({run.status})" for run in written.runs)
    print(f"{os.path.relpath(written.path, here)}: {'runs' if len(written.runs) > 1 else 'run'} {told}")


@app.command()
def log(
    experiment: Annotated[
        str | None,
        typer.Argument(help="A branch, or the beginning of experiments' names. Default: the current branch."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write every run of a line of work to training_reports/EXPERIMENT.md and .html.

    Of a branch: the runs that it holds, and the experiments that started from it. Of a name such as `lr`:
    the experiments lr, lr-1, lr-2. Runs in progress and those that died or failed are there too; run it again
    when they have ended.
    """
    from reproof import dvc
    from reproof.report import training_report
    from reproof.report.training_rows import STATUSES

    here = Path.cwd()
    written = training_report.write(dvc.project_root(here), experiment)
    files = [os.path.relpath(path, here) for path in (written.markdown, written.html)]
    if as_json:
        rows = [{**asdict(run), "name": run.name} for run in written.runs]
        print(json.dumps({"experiment": written.experiment, "files": files, "runs": rows}, indent=2))
        return
    counts = Counter(STATUSES.get(run.status, run.status) for run in written.runs)
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    print(f"{files[0]}, {files[1]}: {_counted(len(written.runs), 'run')} ({told})")
