"""Where the time of a stage goes, told by the stage's own process. Python imports this file when it starts.

`pipeline_time.py` puts this folder on PYTHONPATH for one `dvc exp run`. In a stage's process every moment
belongs to exactly one kind of time (`Clock`); imports and the library's functions switch it. In all other
processes (DVC's own) only the start and the end of the stages' commands are noted. The times are
`time.perf_counter`, which on Linux and macOS is one clock for all processes.

It leaves `<script>.<n>.json` in the folder that REPROOF_PROBE names, one for each life of a process: a stage
that restarts itself to pin its threads has two.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()  # first of all: what came before is the interpreter's own start

import atexit  # noqa: E402
import builtins  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

# What the library imports for its own sake; nothing in the template's scripts would load these else.
FOR_US = {
    *("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"),
    *("git", "gitdb", "smmap", "yaml", "_yaml", "psutil", "orjson", "pynvml", "jinja2", "markupsafe"),
}
THEIR_OWN = {"config", "data", "model", "baselines"}  # the user's modules beside the scripts

# Every function of the library that a stage spends its own time in, with the kind that it counts as.
# Whatever is not named, such as export, parity, evaluation or the benchmark, is the work itself.
FUNCTIONS = {
    "reproof.stage": {
        "run_stage": "start and end",
        "Stage.input": "start and end",
        "Stage.output": "start and end",
        "Stage.write_json": "record",
        "Stage.metric": "record",
        "Stage.fact": "record",
        "Stage.missing": "record",
        "Stage.log": "logging",
        "Stage.progress": "logging",
        "Stage.provenance": "record",
        "Stage._record": "record",
    },
    "reproof.pin": {"pin_torch": "start and end", "restart_pinned": "start and end"},
    "reproof.params": {"load": "params"},
    "reproof.lock": {"check": "packages"},
    "reproof.git": {"code_state": "code state", "head": "code state"},
    "reproof.digest": {"digest": "digests", "text_of": "digests", "arrays": "digests"},
    "reproof.environment": {"capture": "environment", "library": "environment"},
    "reproof.registry": {"Heartbeat.__init__": "registry", "Heartbeat.end": "registry"},
    "reproof.runlog": {
        "RunLog.__init__": "logging",
        "RunLog.metrics": "logging",
        "RunLog.params": "logging",
        "RunLog.close": "logging",
        "write_curves": "logging",
    },
    "reproof.record": {"mark": "record", "overrides": "code state", "summarize": "record"},
    "reproof.report": {"render": "report"},
    "reproof.resume.training": {
        "Resume.open": "resume state",
        "Resume.here": "resume state",
        "Resume.done": "resume state",
    },
}


class Clock:
    """Adds each moment of the main thread to the kind of time on top of a stack."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.kinds = ["work"]
        self.since = BEGUN

    def switch(self) -> None:
        """Book what has passed since the last switch."""
        now = time.perf_counter()
        kind = self.kinds[-1]
        self.spent[kind] = self.spent.get(kind, 0.0) + now - self.since
        self.since = now

    def enter(self, kind: str) -> None:
        self.switch()
        self.kinds.append(kind)

    def leave(self) -> None:
        self.switch()
        self.kinds.pop()


def watch_stage(name: str, folder: Path) -> None:
    """Book the time of this process, which runs the script `name` of a stage."""
    clock, main_thread = Clock(), threading.get_ident()
    plain_import, plain_execve = builtins.__import__, os.execve

    def booked(kind: str, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != main_thread:  # the heartbeat's
                return function(*args, **kwargs)
            clock.enter(kind)
            try:
                return function(*args, **kwargs)
            finally:
                clock.leave()

        return call

    def import_(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        here = clock.kinds[-1]
        if level or threading.get_ident() != main_thread or (kind := kind_of(name, here)) == here:
            return plain_import(name, globals, locals, fromlist, level)
        clock.enter(kind)
        try:
            return plain_import(name, globals, locals, fromlist, level)
        finally:
            clock.leave()
            if name.startswith("reproof"):
                wrap_new()

    def kind_of(name: str, here: str) -> str:
        """The kind that an absolute import counts as, from within a moment of the kind `here`."""
        top = name.partition(".")[0]
        if top == "reproof":
            return "imports of the library"
        if top in FOR_US:
            return "imports for the library"
        if top in THEIR_OWN:
            return "work"
        if top == "numpy":
            return "their imports"
        # The standard library, and what one of our packages needs, count as whose import needs it.
        ours = here in ("imports of the library", "imports for the library")
        return here if top in sys.stdlib_module_names or ours else "their imports"

    def wrap_new() -> None:
        for module_name in [name for name in waiting if name in sys.modules]:
            module = sys.modules[module_name]
            if getattr(module.__spec__, "_initializing", False):
                continue
            for path, kind in waiting.pop(module_name).items():
                holder: Any = module
                *parents, last = path.split(".")
                for parent in parents:
                    holder = getattr(holder, parent, None)
                function = getattr(holder, last, None)
                if function is None:
                    missing.append(f"{module_name}.{path}")
                elif last == "run_stage":
                    setattr(holder, last, running(function))
                else:
                    setattr(holder, last, booked(kind, function))

    def running(run_stage: Any) -> Any:
        def call(name: str, main: Any, *args: Any, **kwargs: Any) -> Any:
            return booked("start and end", run_stage)(name, booked("work", main), *args, **kwargs)

        return call

    def write(ends: str) -> None:
        clock.switch()
        number = sum(1 for _ in folder.glob(f"{name}.*.json")) + 1
        told = {
            "stage": os.environ.get("DVC_STAGE", name),
            "ends": ends,
            "begun": BEGUN,
            "ended": clock.since,
        }
        text = json.dumps(told | {"spent": clock.spent, "not_found": missing})
        (folder / f"{name}.{number}.json").write_text(text)

    def execve(*args: Any) -> None:
        write("restart")
        plain_execve(*args)

    waiting = {name: dict(functions) for name, functions in FUNCTIONS.items()}
    missing: list[str] = []
    builtins.__import__ = import_
    os.execve = execve  # type: ignore[assignment]
    atexit.register(write, "exit")


def watch_commands(folder: Path) -> None:
    """Note when this process, DVC's, starts a stage's command and when that has ended."""
    import subprocess

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
            self._begun = time.perf_counter()
            self._command = args if isinstance(args, str) else args[-1]
            super().__init__(args, *rest, **options)

        def communicate(self, *args: Any, **kwargs: Any) -> Any:
            answer = super().communicate(*args, **kwargs)
            if isinstance(self._command, str) and self._command.startswith("python src/"):
                told = {"command": self._command, "begun": self._begun, "ended": time.perf_counter()}
                with (folder / "commands.ndjson").open("a") as stream:
                    stream.write(json.dumps(told) + "\n")
            return answer

    subprocess.Popen = Popen  # type: ignore[misc]


if "REPROOF_PROBE" in os.environ:
    _script = Path(sys.orig_argv[1]) if len(sys.orig_argv) > 1 else Path()
    if _script.parent.name == "src":
        watch_stage(_script.stem, Path(os.environ["REPROOF_PROBE"]))
    elif "DVC_STAGE" not in os.environ:
        watch_commands(Path(os.environ["REPROOF_PROBE"]))
