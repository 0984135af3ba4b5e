"""The environment variables of an execution: the recorded ones, and what programs cannot do without."""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reproof import environment
from reproof.stage import proof
from reproof.verify.reach import Reach
from reproof.verify.workplace import Workplace

_KEPT = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME",
    "NVIDIA_VISIBLE_DEVICES", "REQUESTS_CA_BUNDLE", "ROCR_VISIBLE_DEVICES", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "SYSTEMROOT", "TZ", "USER", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
    "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
"""Of the machine and the way to the network; no recorded run follows from them."""

_OF_ONE_START = ("CUDA_VISIBLE_DEVICES", "LOCAL_RANK", "RANK", "SLURM_JOB_ID", "WORLD_SIZE")
"""Recorded to tell about a run; set here they would name another machine's devices and jobs."""

_MODEL_CACHES = {"HF_HOME": ".cache/huggingface", "TORCH_HOME": ".cache/torch", "NLTK_DATA": "nltk_data"}
"""Where libraries keep what they download, from the user's home: seen where the user allows to read it."""


def variables(
    recorded: Mapping[str, Any],
    place: Workplace,
    reach: Reach,
    nonce: str,
    *,
    changed: Mapping[str, str | None],
    python: Path | None,
    caller: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return all variables that the execution starts with, but for the path of the audit hook.

    Args:
        recorded: those of the run's record.
        place: whose folders stand for home and temporary files.
        reach: what may be read.
        nonce: for the stages to give back.
        changed: what this execution has otherwise; None takes a variable away.
        python: interpreter of a recreated environment.
        caller: the variables of this process.
    """
    inside = place.inside
    found = {name: caller[name] for name in caller if name in _KEPT or name.startswith("LC_")}
    found |= _model_caches(caller, reach)
    found |= {
        str(name): str(value)
        for name, value in recorded.items()
        if name in environment.CAPTURED_VARIABLES and name not in _OF_ONE_START
    }
    found |= {
        "PATH": _path(caller, reach, python),
        "HOME": str(inside / "home"),
        "TMPDIR": str(inside / "tmp"),
        "TMP": str(inside / "tmp"),
        "TEMP": str(inside / "tmp"),
        "SHELL": shutil.which("bash", path=os.defpath) or "/bin/sh",
        "TERM": "dumb",
        # Compiled modules would be written beside those of the environment, which is the user's.
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(inside),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(inside / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(inside / "config"),
        "DVC_SYSTEM_CONFIG_DIR": str(inside / "config"),
        "REPROOF_RESUME": "0",
        proof.NONCE: nonce,
        proof.REACH: str(place.hook / "reach.json"),
    }
    if site.ENABLE_USER_SITE and python is None:
        found["PYTHONUSERBASE"] = site.getuserbase()
    for name, value in changed.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def _path(caller: Mapping[str, str], reach: Reach, python: Path | None) -> str:
    """The environment's programs first, then those of the caller's folders that may be read."""
    first = [str(python.parent)] if python else []
    mine = [*first, str(Path(sys.executable).parent), *caller.get("PATH", os.defpath).split(os.pathsep)]
    return os.pathsep.join(
        dict.fromkeys(folder for folder in mine if folder and _readable(folder, reach.read))
    )


def _readable(folder: str, read: Sequence[str]) -> bool:
    real = os.path.realpath(folder)
    return any(real == one or real.startswith(one.rstrip(os.sep) + os.sep) for one in read)


def _model_caches(caller: Mapping[str, str], reach: Reach) -> dict[str, str]:
    home = Path(caller.get("HOME", os.sep))
    places = {name: caller.get(name) or str(home / below) for name, below in _MODEL_CACHES.items()}
    return {name: path for name, path in places.items() if reach.allowed and _readable(path, reach.allowed)}
