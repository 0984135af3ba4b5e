"""What the parts of `performance.py` share: fresh processes, contenders in turn, medians with intervals."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "performance"
"""Everything that is measured on is made here, and left for a look afterwards."""

PYTHON = Path(sys.executable)
ENV = {
    **os.environ,
    "PATH": os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")]),
    # Nothing may call home while it is timed, and nothing of the user's settings may count.
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GIT_AUTHOR_NAME": "Reproof",
    "GIT_AUTHOR_EMAIL": "performance@localhost",
    "GIT_COMMITTER_NAME": "Reproof",
    "GIT_COMMITTER_EMAIL": "performance@localhost",
}
# `dvc repro` itself sets some of these for the stage that runs this; others pin what is to be pinned by us.
for _name in list(ENV):
    if _name.startswith(
        ("DVC_EXP", "DVC_STAGE", "DVC_ROOT", "REPROOF_", "PYTHON", "OMP_", "MKL_", "OPENBLAS_")
    ):
        del ENV[_name]

_LEAST_COVERAGE = 0.93
"""What an interval has to cover at least, where there are repeats enough: five are (93.75%)."""


class Failed(Exception):
    """A measured command that did not end well; the text is the end of what it printed."""


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    Raises:
        Failed: when it fails, or takes longer than ten minutes.
    """
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments,
            cwd=cwd,
            env={**ENV, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{arguments[0]} took longer than {error.timeout:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def told_by(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Any:
    """Run a command and return the JSON in the last line that it printed."""
    return json.loads(run(command, cwd=cwd, env=env).splitlines()[-1])


def in_turn(contenders: Sequence[str], repeat: int) -> list[str]:
    """Return the contenders in the order of this repeat: each one is first, second, … equally often."""
    shift = repeat % len(contenders) if contenders else 0
    return [*contenders[shift:], *contenders[:shift]]


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return median, interval of the median, extremes and all values of independent repeats.

    The interval lies between two of the values themselves and assumes no distribution: with n repeats,
    [k-th smallest, k-th largest] covers the median with probability 1 - 2 P(Binomial(n, 1/2) < k) (David and
    Nagaraja, "Order Statistics", 7.1). k is the largest one that covers 93%; with fewer than five repeats
    the interval is from the smallest to the largest, and `coverage` says what that is worth.
    """
    ordered = sorted(values)
    count = len(ordered)
    coverages = {k: 1 - 2 * _tail(count, k) for k in range(1, count // 2 + 1)}
    k = max((k for k, coverage in coverages.items() if coverage >= _LEAST_COVERAGE), default=1)
    return {
        "median": statistics.median(ordered),
        "low": ordered[k - 1],
        "high": ordered[count - k],
        "coverage": coverages.get(k, 0.0),
        "min": ordered[0],
        "max": ordered[-1],
        "values": list(values),
    }


def _tail(count: int, k: int) -> float:
    return sum(math.comb(count, i) for i in range(k)) / 2**count


def ratios(over: Sequence[float], under: Sequence[float]) -> dict[str, Any]:
    """Return the summary of the ratios taken within each repeat: what disturbs one repeat disturbs both."""
    return summary([a / b for a, b in zip(over, under, strict=True)])


def verdict(found: Mapping[str, Any], target: float) -> str:
    """Return `met`, `not met`, or `noisy` where the target lies inside the interval."""
    if found["high"] <= target:
        return "met"
    return "not met" if found["low"] > target else "noisy"


def say(text: str) -> None:
    """Print progress at once, also into a pipe."""
    print(text, flush=True)
