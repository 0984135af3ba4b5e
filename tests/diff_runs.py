"""Runs that differ in known ways, in real Git and a real DVC cache: a whole record, edited."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from conftest import commit_all, run
from projects import ROOT

from reproof import digest, evaluation, git, splits
from reproof.evaluation import scores

EXAMPLE = ROOT / "reports" / "example"
LATEST = "results/latest"
CLASSES = ("ant", "bee", "cat")
TRAIN = '''"""Trains."""

import numpy as np
import sklearn


def rate(step):
    """The learning rate."""
    return 0.1


def main():
    return rate(1) + np.pi


LIMIT = 3
'''
DVC_YAML = """\
stages:
  prepare:
    cmd: python src/prepare.py
    outs: [prepared/train.npz, prepared/test.npz]
  train:
    cmd: python src/train.py
    deps: [src/train.py]
    outs: [results/latest/checkpoint]
  evaluate:
    cmd: python src/evaluate_model.py
    deps: [src/evaluate_model.py, results/latest/checkpoint]
    outs: [results/latest/predictions.parquet]
"""
PARAMS = """\
seed: 0
threads: 2
train: {lr: 0.1, steps: 50}
summary:
  accuracy: evaluate.test.accuracy
  loss: evaluate.test.loss
  latency_ms: benchmark.torch-cpu-fp32-b1-t1.latency_ms
comparison:
  metrics:
    accuracy: {better: higher, margin: 0.001}
    loss: {better: lower}
    latency_ms: {better: lower, margin: 0.02}
"""


@dataclass
class Made:
    """One run, to be edited before it is written."""

    answers: dict[str, Any]
    meta: dict[str, Any]
    benchmark: dict[str, Any]
    params: dict[str, Any]
    code: dict[str, str] = field(default_factory=dict)
    classes: Sequence[str] | None = CLASSES
    weights: str = "w"
    x: Callable[[str], float] = lambda name: float(name[1:])
    metrics: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    listed: bool = True


@cache
def example(name: str) -> Any:
    """A file of the example's record."""
    return json.loads((EXAMPLE / LATEST / name).read_text())


def answers(count: int = 200, seed: int = 0, *, right: float = 0.8, first: int = 0) -> evaluation.Predictions:
    """Answers to `count` examples, `right` of them about right; the truth depends on the id alone."""
    random = np.random.default_rng(seed)
    numbers = np.arange(first, first + count)
    labels = numbers % 3
    given = random.dirichlet(np.ones(3), count)
    hits = random.random(count) < right
    best = np.where(hits, labels, (labels + 1) % 3)
    given[np.arange(count), best] += 1
    given /= given.sum(axis=1, keepdims=True)
    return evaluation.Predictions(np.array([f"x{i:04d}" for i in numbers]), labels, given.astype(np.float32))


def run_of(**changes: Any) -> Made:
    """A run like all others, with some attributes set."""
    made = Made(
        {"train": answers(60, 5, first=1000), "test": answers()},
        copy.deepcopy(example("meta.json")),
        copy.deepcopy(example("benchmark.json")),
        yaml.safe_load(PARAMS),
        {"src/train.py": TRAIN, "src/evaluate_model.py": "print(1)\n", "README.md": "Ours.\n"},
    )
    made.meta["packages"] = {"numpy": "2.3.1", "torch": "2.13.0", "attrs": "25.1", "scikit-learn": "1.9.1"}
    made.meta["pinned"]["threads"] = made.meta["pinned"]["torch"]["threads"] = 2
    for cell in made.benchmark["cells"].values():
        cell["verdict"]["status"] = "stable"
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def project(folder: Path) -> Path:
    """A project of DVC without a run."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".gitignore").write_text("results/latest/predictions.parquet\n/prepared\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    run("git", "init", "--quiet", cwd=folder)
    commit_all(folder, "Start")
    return folder


def add(folder: Path, name: str, made: Made, *, number: int | None = None) -> str:
    """Write a run's record and files, commit them, and tag the commit with `name`; return its id."""
    write(folder, name, made, number=number)
    commit = commit_all(folder, name)
    run("git", "tag", name, cwd=folder)
    return commit


def write(folder: Path, name: str, made: Made, *, number: int | None = None) -> None:
    """Write a run's record and files into the workspace."""
    latest = folder / LATEST
    shutil.rmtree(latest, ignore_errors=True)
    for path, text in made.code.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for script in (folder / "src").glob("*.py"):
        if script.relative_to(folder).as_posix() not in made.code:
            script.unlink()
    (folder / "params.yaml").write_text(yaml.safe_dump(made.params, sort_keys=False))
    (latest / "stages").mkdir(parents=True)
    evaluation.write_predictions(latest / "predictions.parquet", made.answers, made.classes)
    shutil.rmtree(folder / "prepared", ignore_errors=True)
    splits.save(folder / "prepared", _splits(made))
    _keep(folder)
    number = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16) if number is None else number
    for path, data in _record(folder, made, number).items():
        if path not in made.drop:
            (latest / path).write_text(data if isinstance(data, str) else json.dumps(data, indent=1))


def forget(folder: Path) -> None:
    """Remove what DVC holds from the workspace: then it comes from the cache."""
    shutil.rmtree(folder / "prepared")
    (folder / LATEST / "predictions.parquet").unlink()


def _keep(folder: Path) -> None:
    """As `dvc commit` does: what DVC holds into its cache, the hashes into dvc.lock."""
    stages = {}
    for stage, script in (("prepare", "prepare"), ("evaluate", "evaluate_model")):
        outs = []
        for path in yaml.safe_load(DVC_YAML)["stages"][stage]["outs"]:
            if not (folder / path).exists():
                continue
            data = (folder / path).read_bytes()
            md5 = hashlib.md5(data).hexdigest()
            cached = folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
            cached.parent.mkdir(parents=True, exist_ok=True)
            cached.write_bytes(data)
            outs.append({"path": path, "hash": "md5", "md5": md5, "size": len(data)})
        stages[stage] = {"cmd": f"python src/{script}.py", "outs": outs}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def _splits(made: Made) -> dict[str, splits.Split]:
    return {
        name: splits.Split(np.array([[made.x(str(one))] for one in part.ids]), _truth(part), part.ids)
        for name, part in made.answers.items()
    }


def _record(folder: Path, made: Made, number: int) -> dict[str, Any]:
    run_id = f"20260101-{number % 1000000:06d}-{number:06x}"
    times = {"start_time": f"2026-01-01T00:00:00.{number % 1000000:06d}Z", "run_id": run_id}
    meta = made.meta | times
    meta |= {"seed": made.params["seed"], "experiment": {"name": None, "baseline": None}}
    meta["git"] = meta["git"] | {"code_tree": git.code_state(folder).code_tree}
    meta["stages"] = {
        stage: one
        | {"run_id": made.executions.get(stage, f"{run_id}-{stage}"), "fingerprint": meta["fingerprint"]}
        for stage, one in meta["stages"].items()
        if stage in ("train", "evaluate", "benchmark")
    }
    evaluated = {
        f"{split}.{key}": value
        for split, part in made.answers.items()
        for key, value in _scores(made, part).items()
    }
    evaluated |= made.metrics
    cells = made.benchmark["cells"].items()
    by_stage = {
        "train": {"loss": 0.1 + number / 1e9},
        "evaluate": evaluated,
        "benchmark": {f"{cell}.latency_ms": one["stages"]["end_to_end"]["median_ms"] for cell, one in cells},
    }
    recorded = {f"{stage}.{key}": value for stage, found in by_stage.items() for key, value in found.items()}
    headline = {short: recorded.get(full) for short, full in made.params["summary"].items()}
    parts = _splits(made)
    sums = splits.checksums(parts)
    manifest = splits.manifest(parts, dataset="d", seed=0, fractions=dict.fromkeys(parts, 1 / len(parts)))
    if not made.listed:
        manifest["ids"] = None
    artefacts = {
        f"{LATEST}/checkpoint": digest.text_of(made.weights),
        f"{LATEST}/predictions.parquet": digest.digest(folder / LATEST / "predictions.parquet"),
        **{f"prepared/{name}.npz": checksum for name, checksum in sums["splits"].items()},
    }
    end = {"status": meta["status"], "metrics": headline, "runtime_seconds": 1.0, "end_time": None}
    return {
        "meta.json": meta,
        "summary.json": end,
        "config.yaml": yaml.safe_dump(made.params, sort_keys=False),
        "digests.json": {"schema_version": 1, "inputs": made.inputs, "artefacts": artefacts},
        "split_checksums.json": sums,
        "split_manifest.json": manifest,
        "benchmark.json": made.benchmark,
        **{
            f"stages/{stage}.json": {
                "run_id": meta["stages"][stage]["run_id"],
                "status": "success",
                "metrics": found,
            }
            for stage, found in by_stage.items()
        },
    }


def _scores(made: Made, part: Any) -> Mapping[str, float]:
    is_regressor = made.classes is None
    found = scores.regression(part) if is_regressor else scores.classification(part, made.classes or ())
    return {key: value for key, value in found.items() if isinstance(value, float)}


def _truth(part: Any) -> Any:
    return part.labels if isinstance(part, evaluation.Predictions) else part.targets
