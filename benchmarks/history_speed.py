"""How fast thousands of runs are read back from Git, beside `dvc exp show` and a bare `git cat-file --batch`.

    python benchmarks/history_speed.py            # as performance.py calls it, about ten minutes
    python benchmarks/history_speed.py --quick    # only shows that it runs

Each measured command is a process of its own in a fresh clone. Cold is without our cache, or DVC's; files
that have just been written are in the page cache for all of them.
"""

from __future__ import annotations

import functools
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import runs_in_git
from claims import claim, script
from measuring import PYTHON, in_turn, ratios, run, say, summary, told_by

SIZES = (200, 2_000, 20_000)
QUICK_SIZES = (20, 50, 100)
COLD_S, CACHED_S = 1.0, 0.5
OVER_DVC_COLD, OVER_DVC_WARM, OVER_CAT_FILE, LINEAR = 50.0, 2.0, 3.0, 1.5

_READ = """
import json, resource, sys, time
from pathlib import Path
from reproof import history
begin = time.perf_counter()
rows = history.read_rows(Path.cwd(), cache=False)
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
told = Path("/proc/self/status")
if told.exists():  # ru_maxrss counts what the parent had before this process began to be another
    peak = next(int(line.split()[1]) for line in told.read_text().splitlines() if "VmHWM" in line) * 1024
print(json.dumps({"seconds": seconds, "peak_bytes": peak, "runs": len(rows.rows)}))
"""
_OBJECTS = """
import json
from pathlib import Path
from reproof import history
from reproof.history import store
asked, real = {}, store.Store.read
def read(self, ids):
    asked.update(dict.fromkeys(ids))
    return real(self, ids)
store.Store.read = read
history.read_rows(Path.cwd(), cache=False)
Path(".git/asked").write_text("".join(f"{one}\\n" for one in asked))
print(len(asked))
"""
_ENGINES = {
    "stream": """
from reproof.history import repository, store
found = store.Store(repository.open_at(Path.cwd())).read(ids)
read = sum(len(data) for _, _, data in found)
""",
    "libgit2": """
import pygit2
odb = pygit2.Repository(".").odb
read = sum(len(odb.read(one)[1]) for one in ids)
""",
    "gitpython": """
import git
odb = git.Repo(".").odb
read = sum(len(odb.stream(bytes.fromhex(one)).read()) for one in ids)
""",
}
"""Ways to read the same objects and to make nothing of them; docs/decisions/0014."""

_ENGINE = """
import json, time
from collections.abc import Callable
from pathlib import Path
ids = Path(".git/asked").read_text().split()
begin = time.perf_counter()
{}
print(json.dumps(time.perf_counter() - begin))
"""
_COMPARE = (PYTHON.with_name("reproof"), "compare", "--format", "json")
_SHOW = (PYTHON.with_name("dvc"), "exp", "show", "--json")


def measure(repeats: int) -> dict[str, Any]:
    """Measure reading at three sizes, and beside DVC and Git at the middle one."""
    sizes = SIZES if repeats > 1 else QUICK_SIZES
    clones = {size: runs_in_git.cloned(size) for size in sizes}
    grown = {size: _grown(clone, size, repeats) for size, clone in clones.items()}
    beside = _beside(clones[sizes[1]], sizes[1], repeats)
    slower = ratios(grown[sizes[2]]["seconds_a_run"]["values"], grown[sizes[1]]["seconds_a_run"]["values"])
    more = ratios(grown[sizes[2]]["bytes_a_run"]["values"], grown[sizes[1]]["bytes_a_run"]["values"])
    middle, large = f"{sizes[1]:,}", f"{sizes[2]:,}"
    claims = {
        "compare_cold": claim(
            f"reproof compare, {middle} runs, cold", beside["cold"], "at most", COLD_S, "s"
        ),
        "compare_cached": claim(
            f"reproof compare, {middle} runs, cached", beside["cached"], "at most", CACHED_S, "s"
        ),
        "over_dvc_cold": claim(
            f"dvc exp show over reproof compare, {middle} runs, both cold",
            beside["dvc_cold_over_cold"], "at least", OVER_DVC_COLD, "×",
        ),
        "over_dvc_warm": claim(
            f"dvc exp show, warm, over reproof compare, cold, {middle} runs",
            beside["dvc_warm_over_cold"], "at least", OVER_DVC_WARM, "×",
        ),
        "over_cat_file": claim(
            f"reading {middle} runs over git cat-file of the same objects",
            beside["read_over_cat_file"], "at most", OVER_CAT_FILE, "×",
        ),
        "linear_time": claim(
            f"seconds a run at {large} runs over {middle}", slower, "at most", LINEAR, "×"
        ),
        "linear_memory": claim(f"bytes a run at {large} runs over {middle}", more, "at most", LINEAR, "×"),
    }  # fmt: skip
    for clone in clones.values():
        shutil.rmtree(clone, ignore_errors=True)
    return {"sizes": {str(size): found for size, found in grown.items()}, "beside": beside, "claims": claims}


def _grown(clone: Path, size: int, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of a reading without a cache, in fresh processes; and those of none."""
    command = [PYTHON, "-c", _READ]
    told_by(command, cwd=clone)
    found = [told_by(command, cwd=clone) for _ in range(repeats)]
    if any(one["runs"] != size + 1 for one in found):
        raise RuntimeError(f"{found[0]['runs']} runs of {size + 1} were read")
    nothing = _READ.replace("history.read_rows(Path.cwd(), cache=False)", "history.Rows(())")
    empty = told_by([PYTHON, "-c", nothing], cwd=clone)["peak_bytes"]
    seconds = [one["seconds"] for one in found]
    say(f"  {size:,} runs: {summary(seconds)['median']:.3f} s, {found[0]['peak_bytes'] / 1e6:.0f} MB")
    return {
        "seconds": summary(seconds),
        "seconds_a_run": summary([one / size for one in seconds]),
        "peak_bytes": summary([one["peak_bytes"] for one in found]),
        "bytes_a_run": summary([max(1, one["peak_bytes"] - empty) / size for one in found]),
    }


def _beside(clone: Path, size: int, repeats: int) -> dict[str, Any]:
    """The command cold and cached, DVC's cold and warm, and Git's bare reading, in turn."""
    objects = int(run([PYTHON, "-c", _OBJECTS], cwd=clone))
    asked = clone / ".git" / "asked"

    def timed(command: Any, *without: str) -> float:
        for name in without:
            shutil.rmtree(clone / name, ignore_errors=True)
        begin = time.perf_counter()
        run(command, cwd=clone, env={"DVC_SITE_CACHE_DIR": str(clone / ".git" / "dvc-site")})
        return time.perf_counter() - begin

    def engine(code: str) -> float:
        return float(told_by([PYTHON, "-c", _ENGINE.format(code)], cwd=clone))

    ways: dict[str, Callable[[], float]] = {
        "cold": lambda: timed(_COMPARE, ".git/reproof"),
        "read": lambda: float(told_by([PYTHON, "-c", _READ], cwd=clone)["seconds"]),
        "cat_file": lambda: timed(["sh", "-c", f"git cat-file --batch < '{asked}' > /dev/null"]),
        "dvc_warm": lambda: timed(_SHOW),
        **{name: functools.partial(engine, code) for name, code in _ENGINES.items()},
    }
    dvc_cold = timed(_SHOW, ".dvc/tmp", ".git/dvc-site")
    say(f"  dvc exp show, cold, {size:,} experiments: {dvc_cold:.1f} s")
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in (*ways, "cached")}
    for repeat in range(repeats):
        for name in in_turn(list(ways), repeat):
            seconds[name].append(ways[name]())
            if name == "cold":  # it has just been written
                seconds["cached"].append(timed(_COMPARE))
    say("  " + ", ".join(f"{name} {summary(values)['median']:.3f} s" for name, values in seconds.items()))
    return {
        "runs": size,
        "objects": objects,
        **{name: summary(values) for name, values in seconds.items()},
        "dvc_cold": summary([dvc_cold]),
        # Once: cold takes most of a minute, and its own spread is small beside the ratio.
        "dvc_cold_over_cold": summary([dvc_cold / one for one in seconds["cold"]]),
        "dvc_warm_over_cold": ratios(seconds["dvc_warm"], seconds["cold"]),
        "read_over_cat_file": ratios(seconds["read"], seconds["cat_file"]),
    }


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.repeats)))
