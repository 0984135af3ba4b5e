"""Thousands of experiments in a repository, as `dvc exp run` leaves them, within seconds.

Each is the example's record with run ids, times, params, scores and digests of its own, in every file that a
run of its own would have changed, and with the excerpt that `summarize` writes today.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import rendered_project
from measuring import BUILD, ENV, ROOT, run

from reproof import excerpts, files

EXAMPLE = ROOT / "reports" / "example" / "results" / "latest"
_LATEST = "results/latest"
_CHANGED_STAGES = ("train", "export", "evaluate", "benchmark", "robustness", "summarize")
_SEEDS = 5


def cloned(count: int) -> Path:
    """Return a fresh clone of a rendered project with so many experiments on its one commit."""
    made, clone = BUILD / f"runs-{count}", BUILD / f"runs-{count}-clone"
    for folder in (made, clone):
        shutil.rmtree(folder, ignore_errors=True)
    if not rendered_project.PROJECT.is_dir():
        rendered_project.render()
    shutil.copytree(rendered_project.PROJECT, made, symlinks=True)
    record = _example()
    for name, data in record.items():
        (made / _LATEST / name).parent.mkdir(parents=True, exist_ok=True)
        (made / _LATEST / name).write_bytes(data)
    run(["git", "add", "--all"], cwd=made)
    run(["git", "commit", "--quiet", "--message", "A run"], cwd=made)
    _add(made, record, count)
    # Not by hard links: a fresh clone has one pack, as a forge sends it.
    run(["git", "clone", "--quiet", "--no-local", made, clone], cwd=BUILD)
    run(["git", "fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*"], cwd=clone)
    shutil.rmtree(made)
    return clone


def _example() -> dict[str, bytes]:
    paths = (path for path in sorted(EXAMPLE.rglob("*")) if path.is_file())
    found = {path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in paths}
    meta = orjson.loads(found["meta.json"])
    return found | {"meta.json": _json(meta | {"excerpt": excerpts.excerpt(found.get, meta["stages"])})}


def _add(project: Path, record: dict[str, bytes], count: int) -> None:
    baseline = run(["git", "rev-parse", "HEAD"], cwd=project).strip()
    read = {name: orjson.loads(data) for name, data in record.items() if name.endswith(".json")}
    process = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=project, stdin=subprocess.PIPE, env=ENV)
    assert process.stdin is not None
    for number in range(count):
        name = f"sweep-{number:05d}"
        ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"
        committer = f"committer A <a@localhost> {1_800_000_000 + number} +0000"
        parts = [f"commit {ref}\n{committer}\ndata 0\nfrom {baseline}\n".encode()]
        changed = _changed(record, read, number, name, baseline)
        for path, data in changed.items():
            parts.append(
                b"M 100644 inline %s\ndata %d\n%s\n" % (f"{_LATEST}/{path}".encode(), len(data), data)
            )
        config = changed["config.yaml"]
        parts.append(b"M 100644 inline params.yaml\ndata %d\n%s\n" % (len(config), config))
        process.stdin.write(b"".join(parts))
    process.stdin.close()
    if process.wait():
        raise RuntimeError("git fast-import has failed")


def _changed(
    record: dict[str, bytes], read: dict[str, Any], number: int, name: str, baseline: str
) -> dict[str, bytes]:
    """The files that another run of the example would have left otherwise."""
    rng = random.Random(number)  # nosec B311
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)

    def time(seconds: float) -> str:
        return f"{start + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%fZ}"

    def measured(values: dict[str, Any]) -> dict[str, Any]:
        return {k: v * (1 + 0.01 * rng.gauss(0, 1)) if isinstance(v, float) else v for k, v in values.items()}

    def digests(values: dict[str, Any]) -> dict[str, Any]:
        return {path: f"sha256:{rng.getrandbits(256):064x}" for path in values}

    found: dict[str, bytes] = {}
    told = dict(read["meta.json"]["stages"])
    for stage in _CHANGED_STAGES:
        one = read[f"stages/{stage}.json"]
        own = {
            "run_id": f"{start:%Y%m%d-%H%M%S}-{rng.getrandbits(24):06x}",
            "start_time": time(rng.random()),
            "end_time": time(30 + rng.random()),
            "seconds": 30 * rng.random(),
        }
        more = {"metrics": measured(one["metrics"]), "writes": digests(one["writes"])}
        found[f"stages/{stage}.json"] = _json(one | own | more)
        if stage in told:
            told[stage] = told[stage] | own | {"experiment": name}
    summary, digested = read["summary.json"], read["digests.json"]
    found["summary.json"] = _json(summary | {"metrics": measured(summary["metrics"]), "end_time": time(31)})
    found["digests.json"] = _json(digested | {"artefacts": digests(digested["artefacts"])})
    seed, rate = number % _SEEDS, 0.001 * (1 + number // _SEEDS)
    lines = record["config.yaml"].decode().splitlines(keepends=True)
    lines = [f"seed: {seed}\n" if line.startswith("seed:") else line for line in lines]
    lines = [f"  lr: {rate!r}\n" if line.startswith("  lr:") else line for line in lines]
    found["config.yaml"] = "".join(lines).encode()
    whole = record | found
    meta = read["meta.json"] | {
        "run_id": orjson.loads(found["stages/train.json"])["run_id"],
        "start_time": time(0),
        "end_time": time(31),
        "seed": seed,
        "experiment": {"name": name, "baseline": baseline},
        "stages": told,
        "excerpt": excerpts.excerpt(whole.get, told),
    }
    return found | {"meta.json": (files.json_text(meta) + "\n").encode()}


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
