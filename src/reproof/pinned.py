"""Import it first in a stage script: Python starts again with the run's threads and hash seed, if need be.

    import reproof.pinned  # noqa: F401

`run_stage` does the same, by the checked params. But by then the libraries are loaded that load again after
the restart; here nothing is. So this module reads the few keys it needs from the text of the params file,
restarts on plain numbers alone, and leaves all else to `run_stage`. It does nothing where the script is not
the program: a test or a notebook that imports it goes on.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from reproof import pin

_GUARD = "REPROOF_PINNED"
_KEY = r"^{}:[ \t]+({})[ \t]*(?:#.*)?$"


def _is_program() -> bool:
    """Whether a script of a project is what Python runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None or os.name == "nt":  # Windows gives a restarted process another id
        return False
    # The command line as the interpreter got it: `runpy` and test runners change the other one.
    given = any(
        argument.endswith(".py") and Path(argument).resolve() == Path(main).resolve()
        for argument in sys.orig_argv[1:]
    )
    return given and not Path(main).resolve().is_relative_to(Path(sys.prefix).resolve())


def _config(arguments: list[str]) -> Path | None:
    """The params file of the command line, or that of the project around the working directory."""
    for index, argument in enumerate(arguments):
        if argument == "--config":
            return Path(arguments[index + 1]) if index + 1 < len(arguments) else None
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2])
    here = Path.cwd()
    folder = next((f for f in (here, *here.parents) if (f / "dvc.yaml").is_file()), None)
    return folder and folder / "params.yaml"


def _wanted(text: str) -> dict[str, str] | None:
    """The variables, where the three keys stand in the text as plain values."""
    patterns = {"seed": r"\d{1,10}", "threads": r"\d{1,4}", "deterministic": "true|false"}
    found = {key: re.findall(_KEY.format(key, value), text, re.M) for key, value in patterns.items()}
    if len(found["seed"]) != 1 or len(found["threads"]) != 1 or len(found["deterministic"]) > 1:
        return None
    seed, threads = (str(int(found[key][0])) for key in ("seed", "threads"))
    return pin.variables_of(seed, threads, found["deterministic"] != ["false"])


def _restart() -> None:
    if os.environ.pop(_GUARD, None) == str(os.getpid()) or not _is_program():
        return
    try:
        config = _config(sys.argv[1:])
        wanted = _wanted(config.read_text(encoding="utf-8")) if config else None
    except (OSError, ValueError):
        return  # `run_stage` says what is wrong
    if wanted and any(os.environ.get(name) != value for name, value in wanted.items()):
        env = os.environ | wanted | {_GUARD: str(os.getpid())}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)  # noqa: S606  # nosec B606


_restart()
