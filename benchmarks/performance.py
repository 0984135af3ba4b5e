"""Every claim about speed, measured in one go: reports/performance.json, and a page and pictures made of it.

    make performance                                    # all of it, about ten minutes
    python benchmarks/performance.py --only startup     # one part, printed and not written
    python benchmarks/performance.py --render           # the page again, out of the JSON

How often and how much stands in params.yaml, `performance`. Parts of it that this machine lacks, such as a
peer that is not installed, are null with the reason.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import capture_and_digests
import pipeline_time
import resume_cost
import sinks
import startup
from measuring import BUILD, ROOT, Failed, say
from performance_report import write
from pydantic import ConfigDict, Field

from reproof import clock, environment, files, params
from reproof.benchmark import noise, nvml

SCHEMA_VERSION = 1
REPORTS = ROOT / "reports"
SHOWN_PACKAGES = ("dvc", "numpy", "orjson", "torch", "typer")


class Amounts(params.Params):
    """How often and how much; in params.yaml under `performance`."""

    repeats: int = Field(ge=1)
    pipelines: int = Field(ge=1)
    startups: int = Field(ge=1)
    steps: int = Field(ge=10)
    megabytes: int = Field(ge=1)


class Config(params.Params):
    model_config = ConfigDict(extra="ignore")  # the other blocks are other stages'
    performance: Amounts


PARTS: dict[str, Callable[[Amounts], dict[str, Any]]] = {
    "logging": lambda amounts: sinks.measure(amounts.repeats, amounts.steps),
    "startup": lambda amounts: startup.measure(amounts.startups),
    "pipeline": lambda amounts: pipeline_time.measure(amounts.pipelines),
    "resume": lambda amounts: resume_cost.measure(amounts.repeats),
    "capture_and_digests": lambda amounts: capture_and_digests.measure(amounts.repeats, amounts.megabytes),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure these, and print them as JSON")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the page anew")
    arguments = parser.parse_args()
    if not arguments.render:
        amounts = params.load(ROOT / "params.yaml", Config).model.performance
        found = measure(amounts, arguments.only or list(PARTS))
        if arguments.only:
            print(json.dumps(found["parts"], indent=2))
            return
        files.write_json(REPORTS / "performance.json", found)
    write(REPORTS / "performance.json", REPORTS)
    say("read reports/performance.md")


def measure(amounts: Amounts, names: list[str]) -> dict[str, Any]:
    """Measure the named parts; one that fails is null, with its reason, and does not end the others."""
    BUILD.mkdir(parents=True, exist_ok=True)
    began, gauge = clock.now(), nvml.Gauge(reason="no part of this uses a GPU")
    parts: dict[str, Any] = {}
    failed: dict[str, str] = {}
    noises: dict[str, Any] = {}
    for name in names:
        say(f"{name} …")
        before, start = noise.read(gauge), time.perf_counter()
        try:
            parts[name] = PARTS[name](amounts)
        except Failed as error:
            parts[name], failed[name] = None, str(error)
            say(f"  {name} failed: {error}")
        seconds = time.perf_counter() - start
        noises[name] = noise.between(before, noise.read(gauge), seconds).model_dump(
            mode="json", include={"seconds", "loadavg_1min", "psi_stalled_seconds", "steal_percent"}
        )
        say(f"{name}: {seconds:.0f} s")
    facts = environment.capture()
    return {
        "schema_version": SCHEMA_VERSION,
        "began": began,
        "ended": clock.now(),
        "amounts": amounts.model_dump(),
        "library": facts["library"],
        "machine": {key: facts[key] for key in ("fingerprint", "os", "python", "cpu", "ram_bytes")},
        "packages": {name: facts["packages"].get(name) for name in SHOWN_PACKAGES},
        "noise": noises,
        "failed": failed,
        "parts": parts,
    }


if __name__ == "__main__":
    main()
