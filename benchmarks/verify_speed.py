"""What `reproof verify` costs beside the run that it executes again: the template's digits.

    python benchmarks/verify_speed.py            # as performance.py calls it, about five minutes
    python benchmarks/verify_speed.py --quick    # only shows that it runs

Each repeat records the run anew by DVC and verifies it at once: what disturbs the one disturbs the other. The
stages' time is what they say of themselves; the start of their interpreters is not in it, and is in ours.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import rendered_project
from claims import claim, script
from measuring import BUILD, PYTHON, ratios, run, say, summary, told_by

FACTOR, EXTRA_S = 1.3, 5.0
EXECUTED = ("prepare", "train", "export", "evaluate", "robustness")
QUICK_EPOCHS = "epochs: 1 "
PARTS = ("record", "worktree", "inputs", "hashing", "execution", "comparison")
"""Of a verification, as it tells them; the rest is the start of its interpreter and of DVC's library."""


def measure(repeats: int) -> dict[str, Any]:
    """Record and verify so often; the claim is on whole commands, from start to exit."""
    project = _project(quick=repeats == 1)
    originals: list[float] = []
    walls: dict[str, list[float]] = {"dvc": [], "verify": []}
    parts: dict[str, list[float]] = {name: [] for name in (*PARTS, "rest")}
    for repeat in range(repeats):
        begin = time.perf_counter()
        run(["dvc", "repro", "--force", "--single-item", *EXECUTED], cwd=project)
        walls["dvc"].append(time.perf_counter() - begin)
        run(["dvc", "repro"], cwd=project)
        run(["git", "add", "--all"], cwd=project)
        run(["git", "commit", "--quiet", "--allow-empty", "--message", "A run"], cwd=project)
        originals.append(sum(_seconds(project, stage) for stage in EXECUTED))
        begin = time.perf_counter()
        told = json.loads(
            run([PYTHON.with_name("reproof"), "verify", "--json", "--require", "bit"], cwd=project)
        )
        walls["verify"].append(time.perf_counter() - begin)
        if tuple(told["executed"]) != EXECUTED:
            raise RuntimeError(f"{told['executed']} were executed")
        spent = told["seconds"]
        for name in PARTS:
            parts[name].append(spent.get(name, 0.0))
        parts["rest"].append(walls["verify"][-1] - sum(spent.get(name, 0.0) for name in PARTS))
        say(
            f"  {repeat + 1}/{repeats} stages {originals[-1]:.1f} s, dvc {walls['dvc'][-1]:.1f} s, "
            f"verify {walls['verify'][-1]:.1f} s"
        )
    over = ratios([wall - EXTRA_S for wall in walls["verify"]], originals)
    hashed = _hashing(project, repeats)
    claims = {
        "verify": claim(
            f"reproof verify of the digits, less {EXTRA_S:g} s, over its stages' own seconds",
            over, "at most", FACTOR, "×",
        ),
    }  # fmt: skip
    return {
        "stages": list(EXECUTED),
        "stages_s": summary(originals),
        "dvc_s": summary(walls["dvc"]),
        "verify_s": summary(walls["verify"]),
        "verify_over_dvc": ratios(walls["verify"], walls["dvc"]),
        "parts_s": {name: summary(values) for name, values in parts.items()},
        "hashing": hashed,
        "claims": claims,
    }


def _project(*, quick: bool) -> Path:
    if not rendered_project.PROJECT.is_dir():
        rendered_project.render()
    project = rendered_project.fresh_copy("verify")
    if quick:
        path = project / "params.yaml"
        path.write_text(path.read_text().replace("epochs: 15", QUICK_EPOCHS))
    run(["dvc", "repro"], cwd=project)
    run(["git", "add", "--all"], cwd=project)
    run(["git", "commit", "--quiet", "--message", "A run"], cwd=project)
    return project


def _seconds(project: Path, stage: str) -> float:
    return float(json.loads((project / f"results/latest/stages/{stage}.json").read_text())["seconds"])


_BRING = """
import json, sys, time
from pathlib import Path
from reproof.verify import inputs, recorded_run, stages, workplace
run = recorded_run.load(Path.cwd(), "HEAD")
with workplace.workplace(run) as place:
    found = inputs.bring(run, place, stages.choose(run, place))
    print(json.dumps({"bytes": found.bytes, **found.seconds}))
"""


def _hashing(project: Path, repeats: int, megabytes: int = 400) -> dict[str, Any]:
    """How fast large inputs are brought and hashed: files that DVC holds, and a stage reads."""
    copy = BUILD / "verify-inputs"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy, symlinks=True)
    large = copy / "data" / "large"
    large.mkdir()
    for index in range(8):
        (large / f"{index}.bin").write_bytes(bytes([index]) * ((1 if repeats == 1 else megabytes) * 125_000))
    run(["dvc", "add", "--quiet", "data/large"], cwd=copy)
    prepare = copy / "src" / "prepare.py"
    call = "    params = stage.params.data\n"
    prepare.write_text(prepare.read_text().replace(call, f'{call}    stage.input("data/large")\n'))
    run(["git", "add", "--all"], cwd=copy)
    run(["git", "commit", "--quiet", "--message", "Large inputs"], cwd=copy)
    run(["dvc", "repro"], cwd=copy)
    run(["git", "add", "--all"], cwd=copy)
    run(["git", "commit", "--quiet", "--message", "A run"], cwd=copy)
    found = [told_by([PYTHON, "-c", _BRING], cwd=copy) for _ in range(repeats)]
    shutil.rmtree(copy)
    rates = [one["bytes"] / 1e6 / (one["bring"] + one["hash"]) for one in found]
    say(f"  inputs: {summary(rates)['median']:.0f} MB/s brought and hashed")
    return {
        "bytes": found[0]["bytes"],
        "bring_s": summary([one["bring"] for one in found]),
        "hash_s": summary([one["hash"] for one in found]),
        "megabytes_per_s": summary(rates),
    }


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.repeats)))
