"""Part g: the same ONNX models through MLCommons LoadGen, SingleStream, beside the benchmark's own loop.

LoadGen is the peer here, not the judge: what it says of these models is no MLPerf result.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from typing import Any

import onnx_chains
from claims import claim, script
from measuring import BUILD, HERE, PYTHON, Failed, ratios, say, summary, told_by

ALLOWED_SHARE = 0.01
ALLOWED_US = 6.0
"""LoadGen's clock starts before its own way into Python and stops after the way back."""


def measure(repeats: int, seconds: float) -> dict[str, Any]:
    """Time both in turn, in fresh processes; in each, every model gets `seconds`.

    Raises:
        Failed: where LoadGen is not installed.
    """
    if importlib.util.find_spec("mlperf_loadgen") is None:
        raise Failed("mlcommons-loadgen is not installed; this Python may have no wheel of it")
    folder = BUILD / "timing"
    onnx_chains.write_all(folder)
    runs = []
    for repeat in range(repeats):
        runs.append(told_by([PYTHON, HERE / "loadgen_loop.py", folder, str(seconds)], cwd=folder))
        said = ", ".join(f"{r['off_us']:+.1f} µs at {n}" for n, r in runs[-1].items())
        say(f"  {repeat + 1}/{repeats} off LoadGen: {said}")
    models = {name: _beside([run[name] for run in runs]) for name in onnx_chains.CHAINS}
    return {
        "version": metadata.version("mlcommons-loadgen"),
        "models": models,
        "claims": {
            name: claim(
                f"a model of {name}: off LoadGen, over what is allowed (1% and 6 µs)",
                told["of_allowed"], "at most", 1.0, "×",
            )
            for name, told in models.items()
        },
    }  # fmt: skip


def _beside(runs: list[dict[str, float]]) -> dict[str, Any]:
    off = [run["off_us"] for run in runs]
    allowed = [ALLOWED_SHARE * run["loadgen_us"] + ALLOWED_US for run in runs]
    return {
        "blocks": [run["blocks"] for run in runs],
        "calls": [run["calls"] for run in runs],
        "loadgen_calls": [run["loadgen_calls"] for run in runs],
        "reported_us": summary([run["reported_us"] for run in runs]),
        "loadgen_us": summary([run["loadgen_us"] for run in runs]),
        "off_us": summary(off),
        "of_allowed": ratios([abs(difference) for difference in off], allowed),
    }


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.repeats, amounts.seconds)))
