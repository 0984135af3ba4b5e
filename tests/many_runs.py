"""Hundreds of runs in a repository within a second: a real record with other seeds, params and scores."""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from conftest import run

SMALL_FILES = (".json", ".yaml", ".csv")


def record_of(folder: Path) -> dict[str, bytes]:
    """What Git holds of a record, by path."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in SMALL_FILES)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def with_params(record: dict[str, bytes], **blocks: dict[str, Any]) -> dict[str, bytes]:
    """The record of a run whose params.yaml has other values in some blocks."""
    flow = yaml.safe_load(record["config.yaml"])
    for name, values in blocks.items():
        flow[name] = {**(flow.get(name) or {}), **values}
    return record | {"config.yaml": yaml.safe_dump(flow, sort_keys=False, width=1000).encode()}


def add_runs(
    project: Path, record: dict[str, bytes], count: int, *, branch: str | None = None, first: int = 0
) -> list[str]:
    """Add runs made of `record`: experiments on HEAD, or commits on a branch; return their names.

    `first` is the number of the first: runs of other numbers are other runs.
    """
    baseline = run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()
    names = [f"sweep-{number:04d}" for number in range(first, first + count)]
    stream = b"".join(
        _commit(record, number, name, baseline, branch, is_first=number == first)
        for number, name in enumerate(names, start=first)
    )
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        cwd=project,
        input=stream,
        check=True,
        env=dict(os.environ),
    )
    return names


def _commit(
    record: dict[str, bytes], number: int, name: str, baseline: str, branch: str | None, *, is_first: bool
) -> bytes:
    ref = f"refs/heads/{branch}" if branch else f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"
    parent = "" if branch and not is_first else f"from {baseline}\n"
    head = f"commit {ref}\ncommitter A <a@example.org> {1_800_000_000 + number} +0000\ndata 0\n{parent}"
    parts = [head.encode()]
    files = {f"results/latest/{path}": data for path, data in changed(record, number, name).items()}
    files["params.yaml"] = files["results/latest/config.yaml"]
    for path, data in files.items():
        parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    return b"".join(parts)


def changed(record: dict[str, bytes], number: int, name: str) -> dict[str, bytes]:
    """The record as another run would have left it."""
    rng = random.Random(number)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    run_id = f"{start:%Y%m%d-%H%M%S}-{number:06x}"
    seed, lr = number % 5, 0.001 * (1 + number // 5)

    def edited(path: str, **values: Any) -> bytes:
        return json.dumps(json.loads(record[path]) | values, indent=2).encode()

    accuracy = round(0.9 + 0.05 * rng.random(), 4)
    meta, train = json.loads(record["meta.json"]), json.loads(record["stages/train.json"])
    evaluated = json.loads(record["stages/evaluate.json"])["metrics"] | {"test.accuracy": accuracy}
    summary = json.loads(record["summary.json"])
    stages = meta["stages"] | {"train": meta["stages"]["train"] | {"run_id": run_id}}
    times = {"start_time": f"{start:%Y-%m-%dT%H:%M:%S}.000000Z", "run_id": run_id}
    lines = []
    for line in record["config.yaml"].decode().splitlines(keepends=True):
        line = f"seed: {seed}\n" if line.startswith("seed:") else line
        lines.append(f"  lr: {lr!r}\n" if line.startswith("  lr:") else line)
    return record | {
        "meta.json": edited(
            "meta.json", **times, seed=seed, stages=stages, experiment={"name": name, "baseline": None}
        ),
        "config.yaml": "".join(lines).encode(),
        "summary.json": edited("summary.json", metrics=summary["metrics"] | {"accuracy": accuracy}),
        "stages/train.json": json.dumps(train | times, indent=2).encode(),
        "stages/evaluate.json": edited("stages/evaluate.json", metrics=evaluated),
    }
