"""Stage scripts that tests write and run, and what those leave behind."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conftest import run

SCRIPT = """\
import json, math, os, sys, time
from pathlib import Path
from reproof.errors import ReproofError
from reproof.params import RunParams
from reproof.stage import run_stage


class Config(RunParams):
    clip: float = 1.0
    layers: list[int] = []
    blocks: list[dict[str, int]] = []


def main(stage):
{body}


if __name__ == "__main__":
    run_stage({name!r}, main, Config{options})
"""
# What the pins ask for with these tests' params: a process that has it does not start twice.
PINNED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def write(project: Path, body: str, name: str = "train", options: str = "") -> None:
    """Write the stage script src/<name>.py, whose main has this body."""
    (project / "src").mkdir(exist_ok=True)
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    (project / f"src/{name}.py").write_text(SCRIPT.format(body=indented, name=name, options=options))


def stage(
    project: Path,
    *arguments: str,
    name: str = "train",
    env: Mapping[str, str] | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a stage script as dvc.yaml does."""
    script = f"src/{name}.py"
    return run(sys.executable, script, *arguments, cwd=project, env={**PINNED, **(env or {})}, check=check)


def read(project: Path, name: str) -> Any:
    return json.loads((project / "results" / name).read_bytes())


def record(project: Path, name: str = "train") -> Any:
    return read(project, f"latest/stages/{name}.json")


def summary(project: Path) -> Any:
    return read(project, "latest/summary.json")


def lists(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every list in JSON data, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from lists(item, f"{path}/{key}")
    elif isinstance(value, list):
        yield path, value
        for index, item in enumerate(value):
            yield from lists(item, f"{path}/{index}")


def assert_dvc_reads_no_table(value: Any) -> None:
    """DVC takes a list of objects, and an empty one, in a JSON plot for its data points."""
    assert not [path for path, items in lists(value) if all(isinstance(item, dict) for item in items)]


SUCCESS = {
    "status": "success",
    "metrics": {"loss": 0.5},
    "runtime_seconds": 1.0,
    "end_time": "2026-01-31T12:00:00Z",
}


def leave_a_success(project: Path) -> None:
    """Put the summary and meta of an earlier run into the workspace."""
    results = project / "results/latest"
    results.mkdir(parents=True, exist_ok=True)
    (results / "summary.json").write_text(json.dumps(SUCCESS))
    (results / "meta.json").write_text('{"run_id": "20260131-115900-abcdef", "status": "success"}')
