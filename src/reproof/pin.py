"""What changes bits, held still: threads, seeds, the hash seed, deterministic kernels.

Some of it is read when the interpreter or a native library starts, so a process that was started
otherwise replaces itself once by one that was started right.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reproof.params import RunParams

_RESTARTED = "REPROOF_RESTARTED"
_STARTED_IN = Path.cwd()
"""The command line's relative paths, the script's own among them, start from here."""


def variables(params: RunParams) -> dict[str, str]:
    """Return the environment variables that have to be set before native libraries load."""
    return variables_of(str(params.seed), str(params.threads), params.deterministic)


def variables_of(seed: str, threads: str, deterministic: bool) -> dict[str, str]:
    """Return the same of plain values, where the params are not read yet."""
    wanted = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONHASHSEED": seed,
    }
    if deterministic:
        # cuBLAS is deterministic only with a fixed workspace (CUDA's manual, "Results reproducibility").
        wanted["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    return wanted


def restart_pinned(params: RunParams) -> None:
    """Return if this process was started with `variables(params)`; else start it again, with them.

    The process id, standard streams and command line stay (on Windows a child takes its place).
    """
    wanted = variables(params)
    if os.environ.pop(_RESTARTED, None) == str(os.getpid()):
        return  # once is enough: something that starts with Python sets a variable otherwise
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    env = os.environ | wanted | {_RESTARTED: str(os.getpid())}
    command = [sys.executable, *sys.orig_argv[1:]]
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(_STARTED_IN)  # a stage has gone to the project's folder by now
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=env))
    os.execve(sys.executable, command, env)  # noqa: S606 (our own interpreter and arguments)  # nosec B606


def seed_python(params: RunParams) -> None:
    """Seed `random` and NumPy's global generator."""
    import numpy as np

    random.seed(params.seed)
    np.random.seed(params.seed)


def pin_torch(params: RunParams) -> None:
    """Import torch; set its seed, its threads and its deterministic kernels.

    On a CPU the flag matters too: with more than one thread, indexed accumulation differs from run to
    run without it.
    """
    import torch

    torch.manual_seed(params.seed)
    torch.set_num_threads(params.threads)
    torch.use_deterministic_algorithms(params.deterministic)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = params.deterministic


def facts(params: RunParams) -> dict[str, Any]:
    """Return what is in force, read back where it can be read back, for the record."""
    held: dict[str, Any] = {
        "seed": params.seed,
        "threads": params.threads,
        "deterministic": params.deterministic,
        "device_requested": params.device,
    }
    if torch := sys.modules.get("torch"):
        held["torch"] = {
            "threads": torch.get_num_threads(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }
    return held
