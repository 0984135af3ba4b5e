"""Every claim about speed, measured in one go: reports/performance.json, and a page and pictures made of it.

    make performance                                    # all of it, about half an hour
    python benchmarks/performance.py --only startup     # one part, printed and not written
    python benchmarks/performance.py --render           # the page again, out of the JSON

How often and how much stands in params.yaml, `performance`. Parts of it that this machine lacks, such as a
peer that is not installed, are null with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import ab_trials
import amounts as chosen
import capture_and_digests
import history_speed
import interval_coverage
import loadgen
import pipeline_time
import resume_cost
import sinks
import startup
import timing_overhead
import verify_speed
from amounts import Amounts
from claims import Part, machine, watched
from measuring import ROOT, say
from performance_report import write

from reproof import clock, environment, files

SCHEMA_VERSION = 1
REPORTS = ROOT / "reports"
SHOWN_PACKAGES = ("dvc", "mlcommons-loadgen", "numpy", "onnxruntime", "orjson", "torch", "typer")


PARTS: dict[str, Part] = {
    "logging": lambda amounts: sinks.measure(amounts.repeats, amounts.steps),
    "startup": lambda amounts: startup.measure(amounts.startups),
    "pipeline": lambda amounts: pipeline_time.measure(amounts.pipelines),
    "resume": lambda amounts: resume_cost.measure(amounts.repeats),
    "capture_and_digests": lambda amounts: capture_and_digests.measure(amounts.repeats, amounts.megabytes),
    "timing": lambda amounts: timing_overhead.measure(amounts.repeats, amounts.seconds),
    "loadgen": lambda amounts: loadgen.measure(amounts.repeats, amounts.seconds),
    "coverage": lambda amounts: interval_coverage.measure(amounts.processes),
    "history": lambda amounts: history_speed.measure(amounts.repeats),
    "verify": lambda amounts: verify_speed.measure(amounts.pipelines),
    "ab": lambda amounts: ab_trials.measure(amounts.repeats, amounts.seconds, amounts.trials),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure these, and print them as JSON")
    parser.add_argument("--again", nargs="+", choices=PARTS, help="measure these anew, for the page there is")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the page anew")
    arguments = parser.parse_args()
    if arguments.again:
        path = REPORTS / "performance.json"
        files.write_json(path, renewed(files.read_json(path), measure(chosen.load(), arguments.again)))
    elif not arguments.render:
        found = measure(chosen.load(), arguments.only or list(PARTS))
        if arguments.only:
            print(json.dumps(found["parts"], indent=2))
            return
        files.write_json(REPORTS / "performance.json", found)
    write(REPORTS / "performance.json", REPORTS)
    say("read reports/performance.md")


def measure(amounts: Amounts, names: list[str]) -> dict[str, Any]:
    """Measure the named parts; one that fails is null, with its reason, and does not end the others."""
    began = clock.now()
    parts: dict[str, Any] = {}
    failed: dict[str, str] = {}
    noises: dict[str, Any] = {}
    for name in names:
        say(f"{name} …")
        parts[name], reason, noises[name] = watched(PARTS[name], amounts)
        noises[name] |= {"ended": clock.now(), "library": environment.library()["commit"]}
        if reason is not None:
            failed[name] = reason
            say(f"  {name} failed: {reason}")
        say(f"{name}: {noises[name]['seconds']:.0f} s")
    facts = environment.capture()
    return {
        "schema_version": SCHEMA_VERSION,
        "began": began,
        "ended": clock.now(),
        "amounts": amounts.model_dump(),
        "library": facts["library"],
        "machine": machine(),
        "packages": {name: facts["packages"].get(name) for name in SHOWN_PACKAGES},
        "noise": noises,
        "failed": failed,
        "parts": parts,
    }


def renewed(page: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return a page with some parts measured anew; beside each part stands when, and by which library.

    Raises:
        SystemExit: on another machine than the page's: its ratios would stand beside those of this one.
    """
    if page["machine"]["fingerprint"] != found["machine"]["fingerprint"]:
        sys.exit("the page is of another machine: make performance")
    names = found["parts"].keys()
    kept = {name: why for name, why in page["failed"].items() if name not in names}
    return page | {
        "parts": page["parts"] | found["parts"],
        "noise": page["noise"] | found["noise"],
        "failed": kept | found["failed"],
    }


if __name__ == "__main__":
    main()
