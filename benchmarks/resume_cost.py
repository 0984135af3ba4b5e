"""Part d: what saving the state to go on from after a crash costs the training of the template's digits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from measuring import Failed, in_turn, ratios, run, say, summary, verdict
from rendered_project import PROJECT, fresh_copy, render

TARGET_SHARE = 0.02
VARIANTS = {"saving": {}, "without": {"REPROOF_RESUME": "0"}}


def measure(repeats: int, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Train with and without saving, in turn, by the script itself.

    The share is what the training's own record says of its saves, over the time between its first and its
    last logged step. The ratio of the two loops is the cross-check: it holds whatever saving costs beside
    the calls that save, and the noise of the machine.
    """
    if not PROJECT.is_dir():
        render()
    project = fresh_copy("training")
    changes = [part for setting in settings for part in ("-S", setting)]
    run(["dvc", "exp", "run", "--quiet", *changes, "prepare"], cwd=project)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for repeat in range(repeats):
        for name in in_turn(list(VARIANTS), repeat):
            found[name].append(_train(project, VARIANTS[name]))
            say(f"  {repeat + 1}/{repeats} training, {name}: {found[name][-1]['loop_s']:.2f} s of steps")
    if not all(once["saves"] for once in found["saving"]):
        raise Failed("the training saved no state at the default interval")
    loops = {name: [once["loop_s"] for once in times] for name, times in found.items()}
    saved = [once["save_s"] for once in found["saving"]]
    share = ratios(saved, loops["saving"])
    say(f"  saving took {share['median']:.2%} of the steps' time")
    return {
        "settings": list(settings),
        "target_share": TARGET_SHARE,
        "share": share,
        "saves": summary([once["saves"] for once in found["saving"]]),
        "save_s": summary(saved),
        "loop_s": {name: summary(values) for name, values in loops.items()},
        "loop_ratio": ratios(loops["saving"], loops["without"]),
        "verdict": verdict(share, TARGET_SHARE),
    }


def _train(project: Path, env: dict[str, str]) -> dict[str, float]:
    run(["python", "src/train.py"], cwd=project, env=env)
    results = project / "results" / "latest"
    resume = json.loads((results / "stages" / "train.json").read_text())["resume"] or {}
    lines = (results / "metrics.ndjson").read_text().splitlines()
    first, last = (datetime.fromisoformat(json.loads(lines[i])["timestamp"]) for i in (0, -1))
    return {
        "loop_s": (last - first).total_seconds(),
        "saves": resume.get("saves", 0),
        "save_s": resume.get("save_seconds", 0.0),
    }
