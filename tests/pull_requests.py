"""Branches with runs, made in milliseconds out of one real record: what pull requests are about."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import many_runs
import pytest
from conftest import commit_all, run
from projects import ENV

from reproof import cli
from reproof.pull_request import report
from reproof.pull_request.report import MAX_CHARACTERS, Report

RECORD = dict[str, bytes]


def a_run(
    record: RECORD, number: int, *, seed: int = 0, lr: float = 0.5, accuracy: float = 0.9, loss: float = 0.3
) -> RECORD:
    """The record of another run of the same code and data; `number` makes its run id."""
    made = many_runs.changed(record, number, f"run-{number}")
    lines = []
    for line in made["config.yaml"].decode().splitlines(keepends=True):
        line = f"seed: {seed}\n" if line.startswith("seed:") else line
        lines.append(f"  lr: {lr!r}\n" if line.startswith("  lr:") else line)
    scores = {"accuracy": accuracy, "loss": loss}
    metrics = {f"test.{name}": value for name, value in scores.items()}
    measured, stages = json.loads(made["stages/evaluate.json"]), json.loads(made["meta.json"])["stages"]
    stages["evaluate"]["run_id"] = f"e{number}"  # else DVC's run cache had given both one measurement
    return edited(
        made | {"config.yaml": "".join(lines).encode()},
        {
            "meta.json": {"seed": seed, "stages": stages},
            "summary.json": {"metrics": scores},
            "stages/evaluate.json": {"metrics": measured["metrics"] | metrics, "run_id": f"e{number}"},
        },
    )


def edited(record: RECORD, changes: Mapping[str, Mapping[str, Any]]) -> RECORD:
    """A record with other values in some of its JSON files."""
    return record | {
        name: json.dumps(json.loads(record[name]) | dict(values), indent=2).encode()
        for name, values in changes.items()
    }


def with_params(record: RECORD, text: str) -> RECORD:
    """A record whose params.yaml ends with more lines."""
    return record | {"config.yaml": record["config.yaml"] + text.encode()}


def lay(project: Path, record: RECORD) -> None:
    """Make a record the workspace's run."""
    for name, data in record.items():
        path = project / "results/latest" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (project / "params.yaml").write_bytes(record["config.yaml"])


def commit_run(project: Path, record: RECORD, message: str) -> str:
    """Commit a record on the current branch."""
    lay(project, record)
    return commit_all(project, message)


def add_experiment(project: Path, record: RECORD, name: str, baseline: str = "HEAD") -> None:
    """Keep a record as DVC keeps an experiment of a baseline."""
    start = run("git", "rev-parse", baseline, cwd=project).stdout.strip()
    ref = f"refs/exps/{start[:2]}/{start[2:]}/{name}"
    parts = [f"commit {ref}\ncommitter A <a@example.org> 1800000000 +0000\ndata 0\nfrom {start}\n".encode()]
    files = {f"results/latest/{path}": data for path, data in record.items()}
    for path, data in {**files, "params.yaml": record["config.yaml"]}.items():
        parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=project, input=b"".join(parts), check=True
    )


def reproof(
    project: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as its process would, without the second that a start takes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(project),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name, value in {**ENV, **(env or {})}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["reproof", *arguments])
        patch.setattr(sys, "excepthook", sys.excepthook)
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def pr_report(
    project: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `reproof pr-report`."""
    return reproof(project, "pr-report", *arguments, env=env)


JUDGED = """\
comparison:
  metrics:
    accuracy: {better: higher, margin: 0.005}
    loss: {better: lower}
"""


def make(project: Path, base: str = "main", **env: str) -> Report:
    found = report.make(project, base, env)
    assert len(found.text) <= MAX_CHARACTERS
    return found


def two_methods(
    project: Path, record: RECORD, base: list[float], head: list[float], params: str = JUDGED
) -> Report:
    """Compare two methods over seeds: the first of each is what the branch holds."""
    run("git", "switch", "--quiet", "main", cwd=project)
    own = with_params(record, params)
    commit_run(project, a_run(own, 100, lr=0.5, accuracy=base[0]), "The base")
    for number, score in enumerate(base[1:], start=1):
        add_experiment(
            project, a_run(own, 100 + number, seed=number, lr=0.5, accuracy=score), f"base-{number}"
        )
    run("git", "switch", "--quiet", "--create", "method", cwd=project)
    for number, score in enumerate(head[1:], start=1):
        add_experiment(
            project, a_run(own, 200 + number, seed=number, lr=0.1, accuracy=score), f"head-{number}"
        )
    commit_run(project, a_run(own, 200, lr=0.1, accuracy=head[0]), "Another rate")
    return make(project)


# Pictures and links


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "ada/digits",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_RUN_ID": "9",
}
