"""Part a: what logging five scalars a step costs, beside other trackers on the same disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from measuring import BUILD, HERE, PYTHON, Failed, in_turn, ratios, run, say, summary, told_by, verdict
from peers import PEERS_PYTHON, missing_reason

TARGET_US = 10.0
SCALARS = 5
OURS = ("reproof", "orjson")
PEERS = ("trackio", "tensorboard", "mlflow", "dvclive")


def measure(repeats: int, steps: int) -> dict[str, Any]:
    """Time every contender in fresh processes, in turn; a peer that is not installed has null and why."""
    absent = {name: reason for name in PEERS if (reason := missing_reason(name))}
    contenders = [name for name in (*OURS, *PEERS) if name not in absent]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name in in_turn(contenders, repeat):
            if name in absent:
                continue
            try:
                found[name].append(_once(name, steps))
                say(f"  {repeat + 1}/{repeats} {name}: {found[name][-1]['step_us']:,.1f} µs a step")
            except Failed as error:
                absent[name] = f"failed: {error}"
                say(f"  {repeat + 1}/{repeats} {name} {absent[name]}")
    ours = [once["step_us"] for once in found["reproof"]]
    told = {}
    for name in (*OURS, *PEERS):
        if name in absent:
            told[name] = {"version": None, "step_us": None, "step_and_close_us": None, "ratio": None}
            told[name]["reason"] = absent[name]
            continue
        loops = [once["step_us"] for once in found[name]]
        told[name] = {
            "version": found[name][0]["version"],
            "step_us": summary(loops),
            "step_and_close_us": summary([once["step_and_close_us"] for once in found[name]]),
            "ratio": ratios(loops, ours),
            "reason": None,
        }
    return {
        "scalars": SCALARS,
        "steps": steps,
        "target_us": TARGET_US,
        "verdict": verdict(told["reproof"]["step_us"], TARGET_US),
        "contenders": told,
    }


def _once(name: str, steps: int) -> dict[str, Any]:
    folder = BUILD / "sinks" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if name == "dvclive":  # it wants a Git repository
        run(["git", "init", "--quiet"], cwd=folder)
        run(["git", "commit", "--quiet", "--allow-empty", "--message", "Start"], cwd=folder)
    python = PYTHON if name in OURS else PEERS_PYTHON
    env = {"TRACKIO_DIR": str(folder / "trackio"), "HOME": str(_home())}
    once: dict[str, Any] = told_by(
        [python, HERE / "sink_loop.py", name, str(steps), folder], cwd=folder, env=env
    )
    return once


def _home() -> Path:
    # Of its own: settings in a user's home send runs elsewhere, and some trackers write there.
    home = BUILD / "home"
    home.mkdir(parents=True, exist_ok=True)
    return home
