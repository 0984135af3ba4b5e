"""Runs written straight into Git, as `dvc exp run` and people leave them; and what is read back of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conftest import run
from many_runs import record_of

from reproof import excerpts

OLD = Path(__file__).parent / "old_records" / "0.1"
LATEST = "results/latest"

Record = Mapping[str, bytes]


def git(folder: Path, *words: str) -> str:
    """What a Git command prints, without the line's end."""
    return run("git", *words, cwd=folder).stdout.strip()


def as_of_today(record: Record) -> dict[str, bytes]:
    """A record with the excerpt that `summarize` puts into meta.json."""
    meta = json.loads(record["meta.json"])
    meta["excerpt"] = excerpts.excerpt(record.get, meta["stages"])
    return {**record, "meta.json": json.dumps(meta, indent=2).encode()}


def a_record(number: int = 0, *, excerpt: bool = True, **meta: Any) -> dict[str, bytes]:
    """The record of a run: its seed and its accuracy are made of `number`."""
    found = record_of(OLD)
    run_id = f"20260101-0000{number % 60:02d}-{number:06x}"
    told = json.loads(found["meta.json"]) | {"run_id": run_id, "seed": number}
    told |= {"start_time": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.000000Z"}
    told["experiment"] = {"name": None, "baseline": None}
    told["stages"]["train"]["run_id"] = run_id
    found["meta.json"] = json.dumps(told | meta).encode()
    summary = json.loads(found["summary.json"])
    summary["metrics"] = {**summary["metrics"], "accuracy": 0.5 + number / 1000}
    found["summary.json"] = json.dumps(summary).encode()
    train = json.loads(found["stages/train.json"]) | {"run_id": run_id}
    found["stages/train.json"] = json.dumps(train).encode()
    found["config.yaml"] = found["config.yaml"].replace(b"seed: 0", b"seed: %d" % number)
    return as_of_today(found) if excerpt else found


def commit(
    folder: Path,
    record: Record | None,
    ref: str,
    *,
    parent: str | None = None,
    prefix: str = "",
    params: bytes | None = None,
    message: str = "A run",
    time: int = 1_800_000_000,
) -> str:
    """Make a commit that holds a record, and nothing else of results/latest; return its id."""
    lines = [f"commit {ref}\ncommitter A <a@example.org> {time} +0000\n".encode()]
    lines.append(b"data %d\n%s\n" % (len(message.encode()), message.encode()))
    if parent:
        lines.append(f"from {parent}\n".encode())
    lines.append(f"D {prefix}{LATEST}\n".encode() if parent else b"")
    files = {f"{prefix}{LATEST}/{name}": data for name, data in (record or {}).items()}
    if params is not None or (record and "config.yaml" in record):
        files[f"{prefix}params.yaml"] = params if params is not None else (record or {})["config.yaml"]
    for path, data in files.items():
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=folder, input=b"".join(lines), check=True
    )
    return git(folder, "rev-parse", ref)


def experiment(folder: Path, record: Record | None, name: str, baseline: str, **more: Any) -> str:
    """Make an experiment as DVC does: a commit under refs/exps that no branch holds."""
    ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"
    return commit(folder, record, ref, parent=baseline, **more)


def repository(folder: Path, *options: str) -> Path:
    """An empty repository with a branch `main`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", *options)
    return folder
