"""Jobs for one runtime, run in a process of their own as the benchmark's are, without its timing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from reproof.benchmark.cells import Cell
from reproof.benchmark.messages import Job
from reproof.benchmark.settings import QUICK

CODE = """
import json, sys
from pathlib import Path
import numpy as np
from reproof.benchmark import batches, runtimes
from reproof.benchmark.messages import Job

job = Job.model_validate_json(Path(sys.argv[1]).read_text())
runtime = runtimes.get(job.cell.runtime)
told = {}
try:
    runtime.import_package()
    model = runtime.load(job)
    told["before"] = runtime.facts(model, job).model_dump()
    found = [model.run(batch) for batch in batches.read(job.batches)]
    told["after"] = runtime.facts(model, job).model_dump()
    told["vram"] = runtime.vram_peaks(job)
    told["device"] = runtime.device_times(model, batches.read(job.batches)[0], job).model_dump()
    flat = {f"{b}.{o}": array for b, outputs in enumerate(found)
            for o, array in enumerate(outputs if isinstance(outputs, tuple) else (outputs,))}
    np.savez(job.folder / "outputs.npz", **flat)
except runtimes.Unavailable as reason:
    told = {"unavailable": str(reason)}
(job.folder / "told.json").write_text(json.dumps(told))
"""


def job(root: Path, folder: Path, **changes: Any) -> Job:
    """Return a job on the project `root`; `changes` are fields of the job or of its cell."""
    folder.mkdir(exist_ok=True)
    cell = {"runtime": "onnxruntime", "device": "cpu", "precision": "fp32", "batch_size": 2, "threads": 1}
    cell |= {key: changes.pop(key) for key in list(changes) if key in cell}
    fields = {
        "rules": QUICK,
        "root": root,
        "batches": root / "batches.npz",
        "folder": folder,
        "onnx": None,
        "checkpoint": None,
        "loader": None,
        "preprocess": None,
        "postprocess": None,
        "seed": 0,
    }
    return Job(cell=Cell.model_validate(cell), **(fields | changes))


def write_batches(root: Path, *batches: Any, name: str = "batches.npz") -> Path:
    """Write batches (arrays, or mappings from input to array) as the benchmark does."""
    entries: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        if isinstance(batch, dict):
            entries |= {f"{number}/{key}": array for key, array in batch.items()}
        else:
            entries[str(number)] = batch
    np.savez(root / name, **entries)
    return root / name


def run(chosen: Job, code: str = CODE, **environment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a job; return what it told, and its outputs as `batch.output`."""
    path = chosen.folder / "job.json"
    path.write_text(chosen.model_dump_json())
    threads = str(chosen.cell.threads)
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"OMP_NUM_THREADS": threads} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    told = json.loads((chosen.folder / "told.json").read_text())
    outputs = chosen.folder / "outputs.npz"
    if not outputs.exists():
        return told, {}
    with np.load(outputs) as archive:
        return told, dict(archive)
