"""Peak memory of this process, by phase.

`ru_maxrss` is no source on Linux: a fresh process inherits its parent's. VmHWM is the process's own, and
writing 5 to clear_refs starts it anew (Linux, Documentation/filesystems/proc.rst).
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from reproof.benchmark.messages import MemoryPeaks

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_KIB = 1024


def reset_peak() -> bool:
    """Start the peak anew from what is in use now; False where the system does not allow it."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def current() -> int | None:
    """Return the bytes of RAM that this process holds now; None where there is no such counter."""
    return _status("VmRSS")


def peaks(was_reset: bool, baseline: int | None) -> MemoryPeaks:
    """Return the peak of RAM since `reset_peak`, how it was measured, and what was in use before."""
    peak, method = _peak(was_reset)
    missing = {
        "peak_ram_bytes": peak is None and method,
        "baseline_ram_bytes": baseline is None and "this system has no /proc/self/status",
    }
    return MemoryPeaks(
        peak_ram_bytes=peak,
        baseline_ram_bytes=baseline,
        ram_method=None if peak is None else method,
        unavailable_reason={name: reason for name, reason in missing.items() if reason},
    )


def _peak(was_reset: bool) -> tuple[int | None, str]:
    """Bytes and their source; or None and why there is none."""
    found = _status("VmHWM")
    if found is not None:
        return found, "VmHWM since the load began" if was_reset else "VmHWM since the process began"
    if sys.platform == "darwin":  # bytes there, and a new process starts from nothing
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss), "ru_maxrss since the process began"
    return None, f"no peak counter of a process's own on {sys.platform}"


def _status(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * _KIB if found else None
