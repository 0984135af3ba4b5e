"""A record and an attempt as files, without an execution: what a comparison of the two is made of."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from reproof import digest, dvc, recorded
from reproof.errors import ReproofError
from reproof.verify.execution import Attempt
from reproof.verify.outcome import Outcome, compare
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.snapshot import Snapshot, of_attempt, of_record
from reproof.verify.tolerances import Tolerances

LATEST = "results/latest"
HELD_BY_GIT = (".json", ".csv", ".png")
WRITES = {
    "prepare": ["prepared/train.npz", f"{LATEST}/split_checksums.json", f"{LATEST}/split_manifest.json"],
    "train": [f"{LATEST}/{name}" for name in ("checkpoint", "metrics.ndjson", "params.ndjson", "curves.csv")],
    "evaluate": [f"{LATEST}/predictions.parquet", f"{LATEST}/evaluation.json", f"{LATEST}/examples.png"],
    "benchmark": [f"{LATEST}/benchmark.json"],
}
OUTS = {
    "prepare": ["prepared", *WRITES["prepare"][1:], f"{LATEST}/stages/prepare.json"],
    "train": [*WRITES["train"], f"{LATEST}/stages/train.json"],
    "evaluate": [*WRITES["evaluate"], f"{LATEST}/notes.txt", f"{LATEST}/stages/evaluate.json"],
    "benchmark": WRITES["benchmark"],
}
METRICS: dict[str, dict[str, float | None]] = {
    "prepare": {},
    "train": {"validation.loss": 0.25, "mae_seconds": 3.0},
    "evaluate": {"test.accuracy": 0.9673, "test.loss": 0.1, "test.auc": None},
    "benchmark": {"b1.latency_ms": 0.5},
}
READS = {"prepare": ["data/raw.csv"], "train": ["prepared/train.npz"], "evaluate": [f"{LATEST}/checkpoint"]}


@dataclass
class Pair:
    """Both sides as folders, and what their stages say; change either, then ask for `outcome()`."""

    recorded: Path
    made: Path
    metrics: dict[str, dict[str, float | None]]
    metrics_made: dict[str, dict[str, float | None]]
    tolerances: Tolerances
    at_hand: Callable[[str], bool] = lambda _: True
    writes_made: dict[str, list[str]] | None = None
    reads_made: dict[str, str] | None = None

    def run(self) -> RecordedRun:
        """The record, as the commit would hold it."""
        stages = {name: _record(self.recorded, name, self.metrics[name], WRITES[name]) for name in WRITES}
        lock = {name: {"outs": [_out(self.recorded, path) for path in OUTS[name]]} for name in OUTS}
        held = {
            path.relative_to(self.recorded).as_posix(): path.read_bytes()
            for path in self.recorded.rglob("*")
            if path.is_file() and path.suffix in HELD_BY_GIT
        }
        summary = {"accuracy": "evaluate.test.accuracy", "loss": "evaluate.test.loss"}
        return RecordedRun(
            root=self.recorded,
            prefix="",
            commit="3f2c1ab" + "0" * 33,
            name="exp-0042",
            run=recorded.Run("20260101-000000-abcdef", seed=0),
            meta={},
            config=b"",
            stages=stages,
            digests={},
            files={},
            links=frozenset(),
            pipeline={"train": dvc.Declared([], [], ["seed", "train"])},
            dvc_yaml={"stages": {}},
            lock={"stages": lock},
            params={"summary": summary},
            _cached=held,
        )

    def attempt(self, stages: tuple[str, ...] = ("prepare", "train", "evaluate")) -> Attempt:
        """What an execution would leave."""
        writes = self.writes_made or WRITES
        records = {name: _record(self.made, name, self.metrics_made[name], writes[name]) for name in stages}
        for path, value in (self.reads_made or {}).items():
            records["prepare"]["reads"][path] = value
        return Attempt(
            number=1,
            stages=records,
            project=self.made,
            seconds=dict.fromkeys(stages, 1.0),
            wall_seconds=1.0,
            log=self.made / "log",
            nonce="0" * 32,
            confinement="audit hook",
            allowed=(),
            refused={},
            variables={},
        )

    def fetch(self, path: str) -> Path | None:
        """A recorded artefact, where it is at hand."""
        return self.recorded / path if self.at_hand(path) and (self.recorded / path).exists() else None

    def outcome(self, stages: tuple[str, ...] = ("prepare", "train", "evaluate")) -> Outcome:
        """Compare both sides."""
        return compare(self.run(), self.attempt(stages), self.tolerances, self.fetch)

    def snapshots(self) -> tuple[Snapshot, Snapshot]:
        """Both sides as names and values."""
        run, attempt = self.run(), self.attempt()
        return of_record(run, attempt.stages), of_attempt(run, attempt)


def pair(folder: Path) -> Pair:
    """Make a record, and an attempt that made the very same, a moment later."""
    for side, moment in (("recorded", 1), ("made", 2)):
        write_files(folder / side, moment)
    return Pair(
        folder / "recorded",
        folder / "made",
        {name: dict(values) for name, values in METRICS.items()},
        {name: dict(values) for name, values in METRICS.items()} | {"benchmark": {"b1.latency_ms": 0.7}},
        Tolerances(declared=True),
    )


def write_files(top: Path, moment: int) -> None:
    """Write all artefacts; what tells of the execution differs by `moment`."""
    random = np.random.default_rng(7)
    latest = top / LATEST
    for name in ("checkpoint", "stages"):
        (latest / name).mkdir(parents=True)
    (top / "prepared").mkdir()
    (top / "data").mkdir()
    (top / "data/raw.csv").write_text("a,b\n1,2\n")
    np.savez(top / "prepared/train.npz", x=random.normal(size=(8, 4)), y=np.arange(8) % 3)
    write_json(latest / "split_checksums.json", {"splits": {"train": "sha256:aa", "test": "sha256:bb"}})
    write_json(latest / "split_manifest.json", {"seed": 0, "ids": {"train": ["a", "b"], "test": ["c"]}})
    write_weights(latest / "checkpoint/model.safetensors")
    write_weights(latest / "checkpoint/state.safetensors", seed=9)
    write_json(latest / "checkpoint/config.json", {"channels": 16})
    write_log(latest / "metrics.ndjson", moment=moment)
    write_params(latest / "params.ndjson", moment=moment)
    (latest / "curves.csv").write_text("step,train_loss\n10,0.9\n20,0.8\n")
    write_predictions(latest / "predictions.parquet")
    scores = {"accuracy": 0.9673, "confusion": [[5, 1], [0, 4]]}
    write_json(latest / "evaluation.json", {"test": scores, "hardest": ["e1", "e2"]})
    (latest / "examples.png").write_bytes(b"\x89PNG picture")
    (latest / "notes.txt").write_text("no stage says that it wrote this\n")
    write_json(latest / "benchmark.json", {"latency_ms": 0.5 * moment})
    for name in WRITES:
        write_json(latest / f"stages/{name}.json", {"start_time": moment})


def write_json(path: Path, value: Any) -> None:
    """Write JSON."""
    path.write_text(json.dumps(value))


def write_weights(path: Path, *, seed: int = 3, shift: float = 0.0) -> None:
    """Write a small model's weights, all of them shifted."""
    random = np.random.default_rng(seed)
    tensors = {name: random.normal(size=(6, 5)).astype(np.float32) for name in ("a.weight", "b.weight")}
    save_file({name: value + np.float32(shift) for name, value in tensors.items()}, path)


def write_log(path: Path, *, moment: int = 1, changed: int | None = None, shift: float = 1e-12) -> None:
    """Write a log of 30 steps that differs from step `changed` on."""
    lines = []
    for step in range(1, 31):
        value = 1 / step + (shift if changed is not None and step >= changed else 0.0)
        record = {"schema_version": 1, "timestamp": f"{moment}:{step}", "run_id": f"run-{moment}"}
        named = {"step": step, "split": "train", "metric": "loss", "value": value}
        lines.append(record | named | {"dataset": "d", "tags": {}})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_params(path: Path, *, moment: int = 1, **params: Any) -> None:
    """Write what a training was given, of which it depends on seed and train alone."""
    config = {"seed": 0, "train": {"lr": 0.5}, "report": {"title": None}} | params
    head = {"schema_version": 1, "timestamp": f"{moment}:0", "run_id": f"run-{moment}"}
    lines = [{"kind": "config", "params": config}, {"kind": "derived", "params": {"steps": 30}}]
    path.write_text("".join(json.dumps(head | line) + "\n" for line in lines))


def write_predictions(path: Path, *, shift: float = 0.0, **columns: list[Any]) -> None:
    """Write answers on six examples; the last is a close call."""
    first = np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.501]) + shift
    table = {
        "id": [f"e{index}" for index in range(6)],
        "split": ["test"] * 6,
        "label": ["x", "y", "x", "y", "x", "x"],
        "predicted": ["x" if value > 0.5 else "y" for value in first],
        "probability_0": first.astype(np.float32),
        "probability_1": (1 - first).astype(np.float32),
    }
    pq.write_table(pa.table({**table, **columns}), path)


def copy(pair_: Pair, path: str) -> None:
    """Make one artefact of the attempt the recorded one again."""
    shutil.copyfile(pair_.recorded / path, pair_.made / path)


def _record(top: Path, stage: str, metrics: dict[str, float | None], writes: list[str]) -> dict[str, Any]:
    return {
        "stage": stage,
        "writes": {path: _digest(top / path) for path in writes},
        "reads": {path: _digest(top / path) for path in READS.get(stage, [])},
        "metrics": metrics,
    }


def _digest(path: Path) -> str:
    try:
        return digest.digest(path)
    except ReproofError as error:
        return error.what


def _out(top: Path, path: str) -> dict[str, str]:
    target = top / path
    if target.is_file():
        return {"path": path, "md5": hashlib.md5(target.read_bytes()).hexdigest()}
    files = sorted(file.relative_to(target).as_posix() for file in target.rglob("*") if file.is_file())
    listing = [{"md5": hashlib.md5((target / f).read_bytes()).hexdigest(), "relpath": f} for f in files]
    return {"path": path, "md5": hashlib.md5(json.dumps(listing).encode()).hexdigest() + ".dir"}
