"""Part f: what the benchmark's timed loop adds to what it times, on a call that does nothing and beside a
tight loop."""

from __future__ import annotations

import sys
from typing import Any

import onnx_chains
from claims import claim, script
from measuring import BUILD, HERE, PYTHON, ratios, say, summary, told_by

REPORTED_TARGET_US = 0.15
WALL_TARGET_US = 4.0
ALLOWED_SHARE = 0.01
ALLOWED_US = 1.0


def measure(repeats: int, seconds: float) -> dict[str, Any]:
    """Time both in fresh processes; in each, every subject gets `seconds`."""
    folder = BUILD / "timing"
    onnx_chains.write_all(folder)
    runs = []
    for repeat in range(repeats):
        runs.append(told_by([PYTHON, HERE / "timing_loop.py", folder, str(seconds)], cwd=folder))
        say(f"  {repeat + 1}/{repeats} no-op: {runs[-1]['no_op']['model_us']:.2f} µs reported")
    no_op = {
        name: summary([run["no_op"][name] for run in runs])
        for name in ("model_us", "end_to_end_us", "wall_us")
    }
    models = {name: _beside([run["models"][name] for run in runs]) for name in onnx_chains.CHAINS}
    return {
        "calls_of_no_op": [run["no_op"]["calls"] for run in runs],
        "no_op": no_op,
        "models": models,
        "claims": {
            "reported": claim(
                "what the loop reports of a call that does nothing",
                no_op["model_us"], "at most", REPORTED_TARGET_US, "µs",
            ),
            "wall": claim(
                "what a call that does nothing takes, with the loop around it",
                no_op["wall_us"], "at most", WALL_TARGET_US, "µs",
            ),
            **{
                f"tight {name}": claim(
                    f"a model of {name}: off a tight loop, over what is allowed (1% or 1 µs)",
                    told["of_allowed"], "at most", 1.0, "×",
                )
                for name, told in models.items()
            },
        },
    }  # fmt: skip


def _beside(runs: list[dict[str, float]]) -> dict[str, Any]:
    off = [run["reported_us"] - run["tight_us"] for run in runs]
    allowed = [max(ALLOWED_SHARE * run["tight_us"], ALLOWED_US) for run in runs]
    return {
        "calls_a_block": [run["calls_a_block"] for run in runs],
        "blocks": [run["blocks"] for run in runs],
        "reported_us": summary([run["reported_us"] for run in runs]),
        "tight_us": summary([run["tight_us"] for run in runs]),
        "off_us": summary(off),
        "allowed_us": summary(allowed),
        "of_allowed": ratios([abs(difference) for difference in off], allowed),
    }


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.repeats, amounts.seconds)))
