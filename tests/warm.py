"""Stage scripts in processes that have torch and its company loaded already.

Importing them takes seconds, and a script that refuses its input does little else. So a server imports the
heavy packages once, and forks for each script (multiprocessing's forkserver). What is under test, the
project's scripts and the library, is imported by each process anew.
"""

from __future__ import annotations

import functools
import multiprocessing
import subprocess
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

import forked
import pytest
from stages import PINNED

HEAVY = [
    "accelerate",
    "git",
    "onnxruntime",
    "onnxscript",
    "pandas",
    "PIL.Image",
    "psutil",
    "pydantic",
    "pytest",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "torch._dynamo",
    "torch.onnx",
]


@functools.cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    return context


def stage(
    project: Path,
    *arguments: str,
    name: str = "train",
    env: Mapping[str, str] | None = None,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a stage script as `stages.stage` does."""
    command = [f"src/{name}.py", *arguments]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for variable, value in PINNED.items():
            patch.setenv(variable, value)  # the server takes over what is set when it starts
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _server().Process(
            target=forked.become, args=(str(project), command, dict(env or {}), str(out), str(err))
        )
        process.start()
        process.join(timeout=300)
        process.kill()
        done = subprocess.CompletedProcess(command, process.exitcode or 0, out.read_text(), err.read_text())
    assert not (check and done.returncode), done.stderr
    return done
