"""The GPU as NVIDIA's management library sees it: memory, clocks, throttling. Null and the reason without it.

Sampled between the phases of a process, never while calls are timed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

_THROTTLES = {
    "SwPowerCap": "power cap",
    "HwSlowdown": "hardware slowdown",
    "HwThermalSlowdown": "hardware thermal slowdown",
    "SwThermalSlowdown": "software thermal slowdown",
    "HwPowerBrakeSlowdown": "power brake",
}


@dataclass
class Gauge:
    """Peaks so far in bytes; `reason` says why there is no handle to read."""

    handle: Any = None
    reason: str | None = None
    device_before: int = 0
    device_peak: int = 0
    process_peak: int | None = None


def open_gauge(device: str) -> Gauge:
    """Return a gauge of the first visible GPU, before anything of this process is on it."""
    if device != "cuda":
        return Gauge(reason="the cell runs on the CPU")
    try:
        import pynvml
    except ImportError:
        return Gauge(reason="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
        # The worker's environment sets CUDA_DEVICE_ORDER=PCI_BUS_ID, which is NVML's order too.
        first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        if first.isdigit():
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(first))
        else:
            handle = pynvml.nvmlDeviceGetHandleByUUID(first)
        used = int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    except pynvml.NVMLError as error:
        return Gauge(reason=f"NVML: {error}")
    return Gauge(handle=handle, device_before=used, device_peak=used)


def sample(gauge: Gauge) -> None:
    """Read memory once and keep the peaks."""
    if gauge.handle is None:
        return
    import pynvml

    try:
        gauge.device_peak = max(gauge.device_peak, int(pynvml.nvmlDeviceGetMemoryInfo(gauge.handle).used))
        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(gauge.handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                gauge.process_peak = max(gauge.process_peak or 0, int(process.usedGpuMemory))
    except pynvml.NVMLError as error:
        gauge.handle, gauge.reason = None, f"NVML: {error}"


def memory(gauge: Gauge) -> tuple[dict[str, int | None], dict[str, str]]:
    """Return the peaks by field of the result, and the reasons of those that are null."""
    names = ("nvml_process_peak_bytes", "nvml_device_delta_bytes")
    if gauge.reason is not None:
        return dict.fromkeys(names), dict.fromkeys(names, gauge.reason)
    values = dict(zip(names, (gauge.process_peak, gauge.device_peak - gauge.device_before), strict=True))
    if gauge.process_peak is None:
        hidden = "NVML lists no memory of this process id (a container's own ids hide it)"
        return values, {"nvml_process_peak_bytes": hidden}
    return values, {}


def clocks(gauge: Gauge) -> tuple[float | None, list[str], str | None]:
    """Return the SM clock in MHz, what holds the clocks down now, and why there is no clock to read."""
    if gauge.handle is None:
        return None, [], gauge.reason
    import pynvml

    try:
        mhz = float(pynvml.nvmlDeviceGetClockInfo(gauge.handle, pynvml.NVML_CLOCK_SM))
        bits = int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gauge.handle))
    except pynvml.NVMLError as error:
        return None, [], f"NVML: {error}"
    held = [
        f"GPU: {text}"
        for name, text in _THROTTLES.items()
        if bits & getattr(pynvml, f"nvmlClocksThrottleReason{name}")
    ]
    return mhz, held, None
