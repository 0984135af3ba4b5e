"""Part c: where the time of one `dvc exp run` on the template's digits goes.

Each repeat runs the pipeline twice in fresh copies of the project: once as it is, once with the probe of
`probe/sitecustomize.py` in the stages' processes. The first is how long it takes, the second says where that
goes, and their ratio is what the probe itself costs.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import BUILD, HERE, in_turn, ratios, run, say, summary, verdict
from rendered_project import fresh_copy, render

TARGET_SHARE = 0.1
TARGET_S = 2.0

GROUPS = {
    "our code": (
        "start and end",
        "params",
        "code state",
        "environment",
        "packages",
        "digests",
        "record",
        "registry",
        "logging",
        "resume state",
    ),
    "restart": ("restart",),
    "our imports": ("imports of the library", "imports for the library"),
    "imports": ("their imports",),
    "work": ("work",),
    "report": ("report",),
    "interpreter": ("interpreter",),
    "DVC": ("DVC",),
}
"""What the kinds of the probe add up to; all together they are the wall time."""
OURS = ("restart", "our imports", "our code")
WORK = ("work", "report")


def measure(repeats: int, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Run the pipeline `repeats` times with and without the probe.

    Args:
        repeats: of both.
        settings: further `-S` of `dvc exp run`, such as a shorter training for the tests.
    """
    render()
    walls: dict[str, list[float]] = {"plain": [], "probed": []}
    times: list[dict[str, dict[str, float]]] = []
    not_found: set[str] = set()
    for repeat in range(repeats):
        for name in in_turn(list(walls), repeat):
            project = fresh_copy(f"pipeline-{name}")
            probed = BUILD / "probe" / str(repeat) if name == "probed" else None
            walls[name].append(_run(project, settings, probed))
            say(f"  {repeat + 1}/{repeats} dvc exp run, {name}: {walls[name][-1]:.1f} s")
            if probed:
                spent, missing = attribution(probed, walls[name][-1])
                times.append(spent)
                not_found |= missing
    kinds = [_by_kind(spent) for spent in times]
    groups = {group: [sum(kind[name] for name in names) for kind in kinds] for group, names in GROUPS.items()}
    ours = [sum(groups[name][i] for name in OURS) for i in range(len(kinds))]
    work = [sum(groups[name][i] for name in WORK) for i in range(len(kinds))]
    # Of the limit of its own repeat: 1 is at the limit.
    allowed = [max(TARGET_S, TARGET_SHARE * seconds) for seconds in work]
    share = ratios(ours, allowed)
    say(f"  ours: {summary(ours)['median']:.2f} s of {summary(allowed)['median']:.2f} s allowed")
    return {
        "settings": list(settings),
        "target_share": TARGET_SHARE,
        "target_s": TARGET_S,
        "wall_s": {name: summary(values) for name, values in walls.items()},
        "probe_ratio": ratios(walls["probed"], walls["plain"]),
        "groups_s": {name: summary(values) for name, values in groups.items()},
        "ours_s": summary(ours),
        "work_s": summary(work),
        "allowed_s": summary(allowed),
        "ours_to_allowed": share,
        "ours_by_kind_s": {
            name: summary([kind[name] for kind in kinds]) for group in OURS for name in GROUPS[group]
        },
        "stages_s": {
            stage: {
                group: summary([_group(spent[stage], names) for spent in times])
                for group, names in GROUPS.items()
                if group != "DVC"
            }
            for stage in times[0]
            if stage != "DVC"
        },
        "functions_not_found": sorted(not_found),
        "verdict": verdict(share, 1.0),
    }


def _run(project: Path, settings: Sequence[str], probe: Path | None) -> float:
    env = {}
    if probe:
        probe.mkdir(parents=True, exist_ok=True)
        for old in probe.iterdir():
            old.unlink()
        env = {"PYTHONPATH": str(HERE / "probe"), "REPROOF_PROBE": str(probe)}
    changes = [part for setting in settings for part in ("-S", setting)]
    begin = time.perf_counter()
    run(["dvc", "exp", "run", *changes], cwd=project, env=env)
    return time.perf_counter() - begin


def attribution(probe: Path, wall: float) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Return seconds by stage and kind out of what the probe left, and the functions that it did not find.

    What no process booked is the interpreter's within a stage's command (its start, its end), and DVC's
    outside of them. What a process did before it restarted itself is all `restart`, the second start of the
    interpreter included.
    """
    spent: dict[str, dict[str, float]] = {}
    missing: set[str] = set()
    commands = [json.loads(line) for line in (probe / "commands.ndjson").read_text().splitlines()]
    for command in commands:
        script = Path(command["command"].split()[1]).stem
        lives = [json.loads(path.read_text()) for path in sorted(probe.glob(f"{script}.*.json"))]
        kinds: dict[str, float] = defaultdict(float)
        for life, later in zip(lives, [*lives[1:], None], strict=True):
            missing |= set(life["not_found"])
            if later:
                kinds["restart"] += later["begun"] - life["begun"]
                continue
            for kind, seconds in life["spent"].items():
                kinds[kind] += seconds
        seconds = command["ended"] - command["begun"]
        kinds["interpreter"] = seconds - sum(kinds.values())
        spent[lives[-1]["stage"]] = dict(kinds)
    in_stages = sum(sum(kinds.values()) for kinds in spent.values())
    spent["DVC"] = {"DVC": wall - in_stages}
    return spent, missing


def _by_kind(spent: dict[str, dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for kinds in spent.values():
        for kind, seconds in kinds.items():
            total[kind] += seconds
    unknown = set(total) - {name for names in GROUPS.values() for name in names}
    assert not unknown, f"the probe books {unknown}, which belongs to no group"
    return total


def _group(kinds: dict[str, float], names: Sequence[str]) -> float:
    return sum(kinds.get(name, 0.0) for name in names)
