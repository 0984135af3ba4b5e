"""Facts about this machine and this Python: what a number was measured on.

Every fact is read, not guessed; what cannot be read here is null, with the reason beside it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reproof import redact

SCHEMA_VERSION = 1

CAPTURED_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "BLIS_ARCH_TYPE",
    "BLIS_NUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "DNNL_MAX_CPU_ISA",
    "GLIBC_TUNABLES",
    "KMP_AFFINITY",
    "KMP_DETERMINISTIC_REDUCTION",
    "LOCAL_RANK",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_NUM_THREADS",
    "MKL_THREADING_LAYER",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "NVPL_BLAS_DEBUG_CPU_TYPE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "OMP_SCHEDULE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "RANK",
    "SLURM_JOB_ID",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "VECLIB_MAXIMUM_THREADS",
    "WORLD_SIZE",
)
"""The only environment variables that a record ever holds: those that change bits, and job numbers."""

_ISA_LEVELS = (("avx512f", "AVX512"), ("avx2", "AVX2"), ("asimd", "NEON"), ("sse4_2", "SSE4.2"))


def capture(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return everything that is recorded of the environment, as plain JSON data."""
    cpu = cpu_facts()
    gpus, gpu_reason, driver = gpu_facts()
    facts: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint(),
        "os": {"system": platform.system(), "release": platform.release(), "name": _os_name()},
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "virtual_environment": sys.prefix != sys.base_prefix,
        },
        "cpu": cpu,
        "ram_bytes": _ram_bytes(),
        "gpus": gpus,
        "gpu_driver": driver,
        "gpus_missing_reason": gpu_reason,
        "cuda": _torch_cuda(),
        "library": library(),
        "variables": {name: env[name] for name in CAPTURED_VARIABLES if name in env},
        "packages": packages(),
    }
    return facts


@functools.cache
def packages() -> dict[str, str]:
    """Return the installed distributions with their versions, by normalised name."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name, version = name_and_version(distribution)
        if name:  # broken metadata has none; the first on sys.path is the one that is imported
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return dict(sorted(found.items()))


def name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Return both out of the head of a distribution's metadata; '' for what it does not say.

    `distribution.name` and `.version` each parse all of it, the package's readme included: that took 0.1 s
    for 160 packages, in every stage.
    """
    text = next(filter(None, map(distribution.read_text, ("METADATA", "PKG-INFO", ""))), "")
    head, _, _ = text.partition("\n\n")
    fields = (re.search(rf"^{field}:[ \t]*(.*?)[ \t]*$", head, flags=re.M) for field in ("Name", "Version"))
    name, version = (found[1] if found else "" for found in fields)
    return name, version


def cpu_facts() -> dict[str, Any]:
    """Return CPU model, instruction set, cores, and how many of them this process may use."""
    import psutil

    flags, model = _cpu_info()
    level = next((name for flag, name in _ISA_LEVELS if flag in flags), None)
    return {
        "model": model,
        "architecture": platform.machine(),
        "isa": level,
        "logical_cores": psutil.cpu_count(logical=True),
        "physical_cores": psutil.cpu_count(logical=False),
        "usable_cores": usable_cores(),
        "quota_cores": cgroup_quota(),
    }


def usable_cores() -> int:
    """Return the number of cores that this process may really use: affinity and cgroup quota, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def cgroup_quota() -> float | None:
    """Return the CPU quota of this process's cgroup in cores; None where there is none.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst.
    """
    try:
        group = next(
            (
                line.split("::", 1)[1]
                for line in Path("/proc/self/cgroup").read_text().splitlines()
                if "::" in line
            ),
            "/",
        )
    except OSError:
        return None
    folder = Path("/sys/fs/cgroup") / group.strip().lstrip("/")
    for level in (folder, *folder.parents):
        if not level.is_relative_to("/sys/fs/cgroup"):
            break
        try:
            quota, period = (level / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            return int(quota) / int(period)
    try:  # cgroup v1
        quota_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota_us / period_us if quota_us > 0 else None


@functools.cache
def gpu_facts() -> tuple[dict[str, dict[str, Any]] | None, str | None, str | None]:
    """Return NVIDIA's GPUs by index, or None and the reason; and the driver's version."""
    try:
        import pynvml
    except ImportError:
        return None, "nvidia-ml-py is not installed", None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return None, f"NVML: {error}", None
    try:
        found = {}
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found[str(index)] = {"name": pynvml.nvmlDeviceGetName(handle), "memory_bytes": int(memory.total)}
        reason = None if found else "NVML sees no GPU"
        return found or None, reason, str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return None, f"NVML: {error}", None
    finally:
        pynvml.nvmlShutdown()


@functools.cache
def fingerprint() -> str:
    """Return 12 hex digits that name this kind of machine: only equal ones have comparable timings.

    It covers CPU model and architecture, usable cores, memory in GiB, GPUs and their driver; no host name.
    """
    _, model = _cpu_info()
    gpus, _, driver = gpu_facts()
    facts = [model, platform.machine(), usable_cores(), round((_ram_bytes() or 0) / 2**30), gpus, driver]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


@functools.cache
def library() -> dict[str, Any]:
    """Return the version of this library, and the commit that it was installed from where pip noted it."""
    distribution = importlib.metadata.distribution("reproof")
    facts: dict[str, Any] = {"version": distribution.version, "commit": None, "source": None}
    noted = json.loads(distribution.read_text("direct_url.json") or "{}")
    if vcs := noted.get("vcs_info"):
        return facts | {"commit": vcs.get("commit_id"), "source": redact.url(noted.get("url", ""))}
    if noted.get("dir_info", {}).get("editable"):
        from reproof import audit_hook, git

        if (guard := audit_hook.installed()) and guard.library:
            return guard.library  # a checkout that a verification may not look into, and has looked into
        return facts | {"commit": git.checkout(Path(__file__).parent), "source": "editable"}
    return facts | {"source": "installed without a commit"}


@functools.cache
def _cpu_info() -> tuple[frozenset[str], str]:
    """CPU flags (as far as the system tells) and model name."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset(), platform.processor() or platform.machine()
    fields = dict(re.findall(r"^([^\t:]+)\s*:\s*(.*)$", text, flags=re.MULTILINE))
    flags = fields.get("flags") or fields.get("Features") or ""
    return frozenset(flags.split()), fields.get("model name") or platform.processor() or platform.machine()


def _ram_bytes() -> int | None:
    import psutil

    return int(psutil.virtual_memory().total)


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _torch_cuda() -> str | None:
    """The CUDA version that torch was built for; only where torch is loaded already."""
    torch = sys.modules.get("torch")
    return getattr(torch.version, "cuda", None) if torch else None
