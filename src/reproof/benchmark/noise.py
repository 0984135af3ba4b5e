"""What else the machine did while calls were timed: pressure, steal, load, clocks, throttling."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from reproof.benchmark import nvml
from reproof.benchmark.messages import Noise

_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; null where this system has none."""

    psi_us: int | None
    jiffies: tuple[int, ...] | None
    throttles: int | None
    loadavg_1min: float
    cpu_mhz: float | None
    gpu_sm_mhz: float | None
    gpu_throttles: tuple[str, ...]
    gpu_reason: str | None


def read(gauge: nvml.Gauge) -> Reading:
    """Read all counters now."""
    gpu_mhz, held, reason = nvml.clocks(gauge)
    return Reading(
        psi_us=_psi_us(),
        jiffies=_jiffies(),
        throttles=_throttles(),
        loadavg_1min=os.getloadavg()[0],
        cpu_mhz=_cpu_mhz(),
        gpu_sm_mhz=gpu_mhz,
        gpu_throttles=tuple(held),
        gpu_reason=reason,
    )


def between(before: Reading, after: Reading, seconds: float) -> Noise:
    """Return what happened from one reading to the other, `seconds` later."""
    stalled, steal = _stalled_seconds(before, after), _steal_percent(before, after)
    held = _held(before, after)
    missing = {
        "psi_stalled_seconds": stalled is None and "this system has no /proc/pressure/cpu",
        "steal_percent": steal is None and "this system has no /proc/stat",
        "cpu_mhz": after.cpu_mhz is None and "this system shows no clock",
        "gpu_sm_mhz": after.gpu_reason,
        "throttle_reasons": held is None and "neither the CPU nor a GPU shows throttling here",
    }
    return Noise(
        seconds=seconds,
        psi_stalled_seconds=stalled,
        steal_percent=steal,
        loadavg_1min=before.loadavg_1min,
        cpu_mhz=after.cpu_mhz,
        gpu_sm_mhz=after.gpu_sm_mhz,
        throttle_reasons=held,
        unavailable_reason={name: reason for name, reason in missing.items() if reason},
    )


def governor() -> str | None:
    """Return the CPU frequency governors of all cores; None where the system shows none."""
    found = {text for path in _CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor") if (text := _text(path))}
    return ", ".join(sorted(text.strip() for text in found)) or None


def _psi_us() -> int | None:
    found = re.search(r"^some .*total=(\d+)", _text(Path("/proc/pressure/cpu")))
    return int(found[1]) if found else None


def _jiffies() -> tuple[int, ...] | None:
    found = re.match(r"cpu +(.*)", _text(Path("/proc/stat")))
    # The eight first fields: guest time is counted in user time already.
    return tuple(int(field) for field in found[1].split()[:8]) if found else None


def _throttles() -> int | None:
    counts = [_text(path) for path in _CPUS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(int(count) for count in counts if count) if counts else None


def _cpu_mhz() -> float | None:
    """The mean over cores, at this moment."""
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _text(Path("/proc/cpuinfo")), flags=re.MULTILINE)
    return sum(map(float, found)) / len(found) if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _stalled_seconds(before: Reading, after: Reading) -> float | None:
    """How long some task on this machine waited for a core.

    Source: /proc/pressure/cpu, line `some`, total (Linux, Documentation/accounting/psi.rst).
    """
    if before.psi_us is None or after.psi_us is None:
        return None
    return (after.psi_us - before.psi_us) / 1e6


def _steal_percent(before: Reading, after: Reading) -> float | None:
    """The share of core time that a hypervisor gave to others. Source: proc(5), /proc/stat."""
    if before.jiffies is None or after.jiffies is None:
        return None
    spent = [b - a for a, b in zip(before.jiffies, after.jiffies, strict=True)]
    return 100 * spent[7] / sum(spent) if sum(spent) else 0.0


def _held(before: Reading, after: Reading) -> list[str] | None:
    """What held the clocks down; None where neither CPU nor GPU tells."""
    if before.throttles is None and after.gpu_sm_mhz is None:
        return None
    held = sorted({*before.gpu_throttles, *after.gpu_throttles})
    if before.throttles is not None and (after.throttles or 0) > before.throttles:
        held.append("CPU: thermal throttling")
    return held
