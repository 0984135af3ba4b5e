"""A claim beside what was measured of it; and the command line that the scripts about timing share."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import amounts as chosen
from amounts import Amounts
from measuring import BUILD, Failed, summary

from reproof import environment
from reproof.benchmark import noise, nvml

Part = Callable[[Amounts], dict[str, Any]]


def claim(
    what: str,
    found: Mapping[str, Any],
    sense: Literal["at most", "at least"],
    target: float,
    unit: str,
) -> dict[str, Any]:
    """Return a claim as the record holds it.

    Args:
        what: is measured.
        found: the median with its interval, `median`, `low` and `high`, in `unit`.
        sense: which side of the target is claimed.
        target: in `unit`.
        unit: as the page prints it.
    """
    return {
        "what": what,
        "sense": sense,
        "target": target,
        "unit": unit,
        "measured": dict(found),
        "verdict": _verdict(found["low"], found["high"], sense, target),
    }


def counted(what: str, count: int, of: int) -> dict[str, Any]:
    """Return the claim that something never happened in so many trials."""
    return claim(what, summary([float(count)]), "at most", 0.0, f"of {of}")


def _verdict(low: float, high: float, sense: str, target: float) -> str:
    if sense == "at least":
        low, high, target = -high, -low, -target
    if high <= target:
        return "met"
    return "not met" if low > target else "noisy"


def watched(part: Part, amounts: Amounts) -> tuple[dict[str, Any] | None, str | None, dict[str, Any]]:
    """Measure a part; return what it found, or None and why it failed, and what the machine did meanwhile."""
    BUILD.mkdir(parents=True, exist_ok=True)
    gauge = nvml.Gauge(reason="no part of this uses a GPU")
    before, start = noise.read(gauge), time.perf_counter()
    found, reason = None, None
    try:
        found = part(amounts)
    except Failed as error:
        reason = str(error)
    meanwhile = noise.between(before, noise.read(gauge), time.perf_counter() - start).model_dump(
        mode="json", include={"seconds", "loadavg_1min", "psi_stalled_seconds", "steal_percent"}
    )
    return found, reason, meanwhile


def machine() -> dict[str, Any]:
    """Return what this machine is."""
    facts = environment.capture()
    return {key: facts[key] for key in ("fingerprint", "os", "python", "cpu", "ram_bytes")}


def script(part: Part, arguments: Sequence[str] | None = None) -> int:
    """Measure one part, print it as JSON, and return the exit code: 0 where every claim is met.

    It is 1 where one is not met, where one is `noisy` (its target lies inside the interval), and where the
    part could not be measured. Progress goes to stderr.
    """
    parser = argparse.ArgumentParser(description=sys.modules[part.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that it runs; claims nothing")
    amounts = chosen.QUICK if parser.parse_args(arguments).quick else chosen.load()
    with contextlib.redirect_stdout(sys.stderr):
        found, reason, meanwhile = watched(part, amounts)
    told = {"machine": machine(), "amounts": amounts.model_dump(), "noise": meanwhile}
    print(json.dumps(told | {"failed": reason, "found": found}, indent=2, ensure_ascii=False))
    claims = found["claims"].values() if found else ()
    return 1 if found is None or any(each["verdict"] != "met" for each in claims) else 0
