"""One run of the showcase as the files that DVC would leave of it, without DVC and without a process a stage.

The training is real, and so is every number that is computed from its answers. The stages' own records are
taken from a stage that really ran, and told of the others; `reproof.record.summarize` makes the rest.
`test_showcase.py` compares the outcome with what `dvc exp run` makes.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from reproof import digest, evaluation, files, params, record, splits

LATEST = "results/latest"
STAGES = ("prepare", "train", "evaluate", "benchmark")
SPLIT_SEED = 0
"""Of all runs: no experiment changes the splits but by the data."""
HELD_BY_DVC = ("prepared", f"{LATEST}/checkpoint", f"{LATEST}/predictions.parquet")
_READS = {
    "prepare": ["data/digits.csv"],
    "train": ["prepared/train.npz"],
    "evaluate": [*(f"prepared/{name}.npz" for name in splits.NAMES), f"{LATEST}/checkpoint"],
    "benchmark": [f"{LATEST}/checkpoint", "src/timings.json"],
    "summarize": [f"{LATEST}/stages/{stage}.json" for stage in STAGES],
}
_WRITES = {
    "prepare": ["prepared", f"{LATEST}/split_manifest.json", f"{LATEST}/split_checksums.json"],
    "train": [f"{LATEST}/checkpoint", f"{LATEST}/curves.csv"],
    "evaluate": [f"{LATEST}/evaluation.json", f"{LATEST}/predictions.parquet"],
    "benchmark": [f"{LATEST}/benchmark.json"],
    "summarize": [
        f"{LATEST}/{name}" for name in ("config.yaml", "meta.json", "digests.json", "summary.json")
    ],
}
_SCRIPT = {"evaluate": "evaluate_model"}

OTHER_MACHINE: dict[str, Any] = {
    "fingerprint": "b7d01c55e2aa",
    "os": {"system": "Linux", "release": "5.15.0-91-generic", "name": "Ubuntu 22.04.3 LTS"},
    "cpu": {
        "model": "Intel(R) Xeon(R) Silver 4210",
        "architecture": "x86_64",
        "isa": "AVX2",
        "logical_cores": 20,
        "physical_cores": 10,
        "usable_cores": 20,
        "quota_cores": None,
    },
    "ram_bytes": 137438953472,
}
_OTHER_PACKAGES = {"numpy": "2.3.5", "onnxruntime": "1.23.0"}


@dataclass(frozen=True)
class Plan:
    """A run to be made.

    Attributes:
        name: of the experiment; None for a run of the workspace, such as `dvc repro` makes.
        changes: of params.yaml, flat.
        start: of the first stage.
        baseline: the commit that it starts from.
        code_tree: of the code as it ran.
        branch: that is checked out.
        changed: files of the workspace that are not as in the baseline, as `git status` marks them.
        slower: than this machine, by which factor; another than 1 is another machine.
    """

    name: str | None
    changes: Mapping[str, Any]
    start: datetime
    baseline: str
    code_tree: str
    branch: str = "main"
    changed: Mapping[str, str] = field(default_factory=dict)
    slower: float = 1.0

    @property
    def baseline_of_experiment(self) -> str | None:
        return self.baseline if self.name else None


@dataclass
class Workshop:
    """A workspace in which runs of one version are made, one after the other.

    Attributes:
        folder: holds the project's files at that version.
        scripts: its scripts, imported.
        shape: the record of a stage that really ran on this machine.
        cache: the files that DVC holds, by their hash.
        prepared: the records of the stage prepare so far, by machine: later runs have it from the run cache.
    """

    folder: Path
    scripts: Mapping[str, ModuleType]
    shape: Mapping[str, Any]
    cache: dict[str, bytes] = field(default_factory=dict)
    prepared: dict[float, bytes] = field(default_factory=dict)

    @functools.cached_property
    def parts(self) -> dict[str, splits.Split]:
        """The splits, which lie in `prepared` too."""
        import numpy as np

        table = np.loadtxt(self.folder / "data/digits.csv", delimiter=",", skiprows=1)
        found: dict[str, splits.Split] = self.scripts["prepare"].split(table, SPLIT_SEED)
        splits.save(self.folder / "prepared", found)
        return found

    @functools.cached_property
    def quality(self) -> Any:
        """What the stage prepare finds out about them."""
        return splits.quality(self.parts, self.scripts["evaluate_model"].CLASSES)

    def make(self, plan: Plan) -> dict[str, bytes]:
        """Return what Git holds of the run: its record, params.yaml and dvc.lock, by path."""
        text = (self.folder / "params.yaml").read_bytes()
        before, _ = params.parse(text, "params.yaml")
        changed = _changed(text.decode(), plan.changes)
        raw, _ = params.parse(changed, "params.yaml")
        model = self.scripts["config"].Config.model_validate(raw)
        overrides = params.differences(before, raw)
        latest = self.folder / LATEST
        shutil.rmtree(latest, ignore_errors=True)
        self._stages(plan, model, overrides)
        record.summarize(latest, STAGES, changed, model, overrides)
        experiment = {"name": plan.name, "baseline": plan.baseline_of_experiment}
        meta = files.read_json(latest / "meta.json")
        meta |= {"overrides_against": plan.baseline, "experiment": experiment}
        files.write_json(latest / "meta.json", meta)
        self._summarize(plan, model, overrides)
        lock = yaml.dump(self._lock(raw), sort_keys=False, Dumper=yaml.CSafeDumper).encode()
        held = {
            path.relative_to(self.folder).as_posix(): path for path in latest.rglob("*") if path.is_file()
        }
        own = {name: path.read_bytes() for name, path in held.items() if not name.startswith(HELD_BY_DVC)}
        return own | {"params.yaml": changed, "dvc.lock": lock}

    def _stages(self, plan: Plan, model: Any, overrides: Any) -> None:
        """Do what the stages' scripts do, and write their records."""
        from threadpoolctl import threadpool_limits

        scripts, latest = self.scripts, self.folder / LATEST
        parts = self.parts
        files.write_json(latest / "split_manifest.json", scripts["prepare"].manifest(parts, model.data))
        files.write_json(latest / "split_checksums.json", splits.checksums(parts))
        with threadpool_limits(1):
            weights, losses = scripts["model"].fit(
                parts["train"].x, parts["train"].y, model.model, model.train, model.seed
            )
            answers = scripts["evaluate_model"].answers(weights, parts)
        files.write_bytes(latest / "checkpoint/weights.npz", scripts["train"].packed(weights))
        files.write_text(latest / "curves.csv", scripts["train"].curves(losses))
        report = scripts["evaluate_model"].assess(answers)
        files.write_json(latest / "evaluation.json", report)
        evaluation.write_predictions(
            latest / "predictions.parquet", answers, scripts["evaluate_model"].CLASSES
        )
        timings = files.read_json(self.folder / "src/timings.json")
        benchmark, timed = scripts["benchmark"].timed(timings, weights, plan.slower)
        machine = _machine(self.shape["environment"], plan, model.threads)
        benchmark["hardware"] |= {
            "fingerprint": machine["fingerprint"],
            "cpu": machine["cpu"]["model"],
            "usable_cores": machine["cpu"]["usable_cores"],
        }
        files.write_json(latest / "benchmark.json", benchmark)
        measured = {name: value for name, (value, _) in evaluation.metrics(report).items()}
        told: dict[str, dict[str, Any]] = {
            "prepare": {"facts": {"quality": self.quality}, "metrics": {}},
            "train": {"facts": {"device": "cpu"}, "metrics": {"train.loss": losses[-1]}},
            "evaluate": {"facts": {}, "metrics": measured},
            "benchmark": {"facts": {}, "metrics": timed},
        }
        at = plan.start
        for stage in STAGES:
            seconds = random.Random(f"{plan.name} {plan.start} {stage}").uniform(0.8, 1.6) * plan.slower
            path = latest / f"stages/{stage}.json"
            if stage == "prepare" and plan.slower in self.prepared:
                files.write_bytes(path, self.prepared[plan.slower])
                continue
            files.write_json(
                path, self._record(plan, stage, at, seconds, model, machine, overrides) | told[stage]
            )
            at += timedelta(seconds=seconds + 1)
        self.prepared.setdefault(plan.slower, (latest / "stages/prepare.json").read_bytes())

    def _summarize(self, plan: Plan, model: Any, overrides: Any) -> None:
        machine = _machine(self.shape["environment"], plan, model.threads)
        at = plan.start + timedelta(seconds=12)
        own = self._record(plan, "summarize", at, 0.3, model, machine, overrides)
        files.write_json(self.folder / LATEST / "stages/summarize.json", own)

    def _record(
        self, plan: Plan, stage: str, at: datetime, seconds: float, model: Any, machine: Any, overrides: Any
    ) -> dict[str, Any]:
        reads, writes = (
            {path: digest.digest(self.folder / path) for path in paths}
            for paths in (_READS[stage], _WRITES[stage])
        )
        code = {"commit": plan.baseline, "code_tree": plan.code_tree, "branch": plan.branch}
        return copy.deepcopy(dict(self.shape)) | {
            "stage": stage,
            "run_id": f"{at:%Y%m%d-%H%M%S}-{hashlib.sha1(f'{plan} {stage}'.encode()).hexdigest()[:6]}",
            "start_time": clock(at),
            "end_time": clock(at + timedelta(seconds=seconds)),
            "seconds": seconds,
            "argv": f"python src/{_SCRIPT.get(stage, stage)}.py",
            "pinned": {**self.shape["pinned"], "seed": model.seed, "threads": model.threads},
            "overrides": overrides,
            "reads": reads,
            "writes": writes,
            "metrics": {},
            "facts": {},
            "code": self.shape["code"] | code | {"dirty": bool(plan.changed), "changed": dict(plan.changed)},
            "dvc": {
                "stage": stage,
                "experiment": plan.name,
                "baseline": plan.baseline if plan.name else None,
            },
            "environment": machine,
        }

    def _lock(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """What dvc.lock holds; the files that DVC holds go into `cache`."""
        pipeline = yaml.safe_load((self.folder / "dvc.yaml").read_bytes())["stages"]
        stages = {}
        for name, stage in pipeline.items():
            outs = [path for kind in ("outs", "metrics", "plots") for path in map(_path, stage.get(kind, []))]
            keys = list(raw) if isinstance(stage.get("params", [None])[0], dict) else stage.get("params", [])
            entry = {"cmd": stage["cmd"], "deps": [self._entry(path) for path in sorted(stage["deps"])]}
            if keys:
                entry["params"] = {"params.yaml": {key: raw[key] for key in sorted(keys)}}
            stages[name] = entry | {"outs": [self._entry(path) for path in sorted(outs)]}
        return {"schema": "2.0", "stages": {name: stages[name] for name in sorted(stages)}}

    def _entry(self, name: str) -> dict[str, Any]:
        """As DVC does: a folder's hash is that of the list of its files (dvc_data.hashfile.tree.Tree)."""
        path = self.folder / name
        if path.is_file():
            content = path.read_bytes()
            return {"path": name, "hash": "md5", **self._kept(content, name), "size": len(content)}
        listed, size = [], 0
        for inner in sorted(path.rglob("*")):
            content = inner.read_bytes()
            size += len(content)
            listed.append({**self._kept(content, name), "relpath": inner.relative_to(path).as_posix()})
        kept = self._kept(json.dumps(listed, sort_keys=True).encode(), name, ".dir")
        return {"path": name, "hash": "md5", **kept, "size": size, "nfiles": len(listed)}

    def _kept(self, content: bytes, name: str, suffix: str = "") -> dict[str, str]:
        found = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        if name in HELD_BY_DVC:
            self.cache[found] = content
        return {"md5": found}


def clock(at: datetime) -> str:
    """A time as records have it."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _machine(environment: Mapping[str, Any], plan: Plan, threads: int) -> dict[str, Any]:
    found = copy.deepcopy(dict(environment))
    found["variables"] |= {name: str(threads) for name in found["variables"] if name.endswith("_THREADS")}
    if plan.slower != 1:
        found |= copy.deepcopy(OTHER_MACHINE)
        found["packages"] |= _OTHER_PACKAGES
    return found


def _changed(text: str, changes: Mapping[str, Any]) -> bytes:
    """params.yaml with other values; every other sign stays."""
    for key, value in changes.items():
        *block, name = key.split(".")
        pattern = rf"(^{block[0]}:\n(?:  .*\n)*?  {name}: ).*" if block else rf"(^{name}: ).*"
        text, count = re.subn(pattern, rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
        assert count == 1, key
    return text.encode()


def _path(entry: Any) -> str:
    return next(iter(entry)) if isinstance(entry, dict) else str(entry)
