"""Commands between a run and a forge: commit it, report on it, publish the report."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reproof import redact, screen
from reproof.cli.app import Json, app
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from reproof.pull_request.ci import Job
    from reproof.pull_request.report import Report

REGRESSION = 4
"""Exit code where a headline metric got worse and params.yaml says that this is an error."""

Base = Annotated[
    str | None,
    typer.Option(
        metavar="REV", help="What to compare with. Default: the branch that CI names, or origin's main."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")]


@app.command()
def commit(
    message: Annotated[
        list[str], typer.Option("--message", "-m", help="What was done; again for another paragraph.")
    ],
    experiment: Annotated[
        str | None,
        typer.Argument(metavar="[EXP]", help="An experiment to apply. Default: this workspace's run."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Commit a run, with trailers that tie the commit to it.

    Applies an experiment as `dvc exp apply` does, or takes the run of this workspace, and commits what
    belongs to it: code, params, dvc.lock, results, reports. The message ends with Run-Id, Experiment,
    Params-Digest, Data-Digest and Metrics, which `git interpret-trailers` reads back. Refuses a tree with
    changes that are no part of the run. For example:

        reproof commit gamic-pika -m "Twice the channels"
    """
    from reproof import dvc
    from reproof.pull_request.commit import commit as commit_run

    made = commit_run(dvc.project_root(Path.cwd()), experiment, message)
    for note in made.notes:
        screen.say("note", note)
    if as_json:
        print(json.dumps(asdict(made), indent=2))
        return
    print(f"{made.branch} {made.commit[:10]}: run {made.run_id}")
    for name, value in made.trailers.items():
        print(f"  {name}: {value}")


@app.command("pr-report")
def pr_report(
    base: Base = None,
    output: Output = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="End with 4 where a headline metric got worse and params.yaml says fail_on_regression.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write what a reviewer wants to know of this branch, as Markdown for a pull request.

    Whether this workspace's run is better than that of the base, and whether really; what has changed; what
    got worse; whether dvc.lock agrees with params and files, without pulling anything. Over seeds where there
    are several, else over the test examples that both models answered. At most 60,000 characters.
    """
    from reproof import dvc, files
    from reproof.pull_request import report as reporting

    here = Path.cwd()
    found = reporting.make(dvc.project_root(here), base)
    if output is not None:
        files.write_text(here / output, found.text)
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
    elif output is None:
        print(found.text, end="")
    else:
        print(f"{output}: {found.judgement.words.lower()} beside {found.base}")
    if check:
        _end(found)


@app.command()
def publish(base: Base = None, output: Output = None) -> None:
    """Write the report of `pr-report` into a CI job's summary, and keep one comment on the pull request.

    In GitHub Actions and GitLab CI. The summary of the step comes first; then one comment, found again by a
    hidden mark, is created or brought up to date. The token is GITHUB_TOKEN, or GITLAB_TOKEN (a project
    access token, since GitLab's job token may not write notes); REPROOF_TOKEN goes before both. A fork's
    token, which only reads, is a notice and no error. Ends with 4 as `pr-report --check` does.
    """
    from reproof import dvc, files, git
    from reproof.pull_request import ci
    from reproof.pull_request import publish as publishing
    from reproof.pull_request import report as reporting

    job = ci.job()
    if job is None:
        raise ReproofError(
            "not in a job of GitHub Actions or GitLab CI",
            expected="GITHUB_ACTIONS and GITHUB_REPOSITORY, or GITLAB_CI and CI_PROJECT_ID",
            hint="reproof pr-report prints the same report",
        )
    here = Path.cwd()
    root = dvc.project_root(here)
    found = reporting.make(root, base)
    if output is not None:
        files.write_text(here / output, found.text)
    if hindered := publishing.write_summary(job, found.text):
        _notice(job, hindered)
    with git.open_repository(root) as repo:
        prefix = git.prefix(repo, root)
    done = publishing.comment(job, found.text, prefix)
    if done.notice:
        _notice(job, done.notice)
    if done.action is None and job.summary is None:
        print(found.text, end="")  # else nobody would see it
    if done.action:
        print(f"comment {done.action}{f': {redact.url(done.url)}' if done.url else ''}")
    _end(found)


def _end(found: Report) -> None:
    if found.fails:
        names = ", ".join(line.name for line in found.judgement.regressions)
        screen.say("regression", f"worse than {found.base}: {names}")
        raise typer.Exit(REGRESSION)


def _notice(job: Job, text: str) -> None:
    """A line that people see; on GitHub one that its page shows above the log."""
    words = " ".join(redact.text(text).split())
    if job.forge == "github" and os.environ.get("GITHUB_ACTIONS") == "true":
        print(f"::notice title=Reproof::{words.replace('%', '%25')}")
    else:
        screen.say("notice", words)
