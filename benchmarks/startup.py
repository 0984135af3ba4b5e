"""Part b: how long `reproof --help` takes, beside importing Typer alone, and what it must not import."""

from __future__ import annotations

import time
from typing import Any

from measuring import PYTHON, ROOT, in_turn, ratios, run, say, summary, verdict

TARGET_RATIO = 3.0
FORBIDDEN = ("torch", "pandas", "dvc", "onnxruntime", "git", "numpy")
"""No help text needs them: the heavy ones of the commands themselves."""

_HELP = "import sys; sys.argv = ['reproof', '--help']; from reproof.cli import main"
COMMANDS = {
    "python": (str(PYTHON), "-c", "pass"),
    "typer": (str(PYTHON), "-c", "import typer"),
    "help": (str(PYTHON.with_name("reproof")), "--help"),
}


def measure(repeats: int) -> dict[str, Any]:
    """Time the three commands in turn, each in a process of its own, after one warm-up of the page cache."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        run(command, cwd=ROOT)
    for repeat in range(repeats):
        for name in in_turn(list(COMMANDS), repeat):
            begin = time.perf_counter()
            run(COMMANDS[name], cwd=ROOT)
            seconds[name].append(time.perf_counter() - begin)
    ratio = ratios(seconds["help"], seconds["typer"])
    loaded = forbidden_loaded()
    say(f"  reproof --help takes {ratio['median']:.2f} times `import typer`; forbidden: {loaded or 'none'}")
    return {
        "target_ratio": TARGET_RATIO,
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "ratio": ratio,
        "forbidden": list(FORBIDDEN),
        "loaded": loaded,
        "verdict": "not met" if loaded else verdict(ratio, TARGET_RATIO),
    }


def forbidden_loaded() -> list[str]:
    """Return which of FORBIDDEN `reproof --help` has loaded when it ends."""
    watched = "import atexit, sys; atexit.register(lambda: print('LOADED', *sys.modules)); "
    loaded = run([PYTHON, "-c", f"{watched}{_HELP}; main()"], cwd=ROOT).rpartition("LOADED ")[2].split()
    return [name for name in FORBIDDEN if name in loaded]
