"""What this process has used of the machine so far: processor time, memory of host and GPU."""

from __future__ import annotations

import sys
import time
from typing import Any


def used() -> dict[str, Any]:
    """Return processor seconds and the highest memory in bytes, of this process without its children.

    `peak_ram_bytes` is the highest resident set (getrusage), libraries included; `peak_vram_bytes` what torch
    has held at most on its current CUDA device. What cannot be read is None, and `missing` says why.
    """
    missing: dict[str, str] = {}
    ram = _peak_ram_bytes()
    if ram is None:
        missing["peak_ram_bytes"] = "this system does not tell"
    vram = _peak_vram_bytes()
    if vram is None:
        missing["peak_vram_bytes"] = "torch used no CUDA device"
    return {
        "cpu_seconds": time.process_time(),
        "peak_ram_bytes": ram,
        "peak_vram_bytes": vram,
        "missing": missing,
    }


def _peak_ram_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes, but on macOS


def _peak_vram_bytes() -> int | None:
    torch = sys.modules.get("torch")  # a stage without torch does not load it to ask
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())
