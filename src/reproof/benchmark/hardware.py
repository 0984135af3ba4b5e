"""The machine, as the result's `hardware` group."""

from __future__ import annotations

from reproof import environment
from reproof.benchmark import noise
from reproof.benchmark.schema import Hardware


def describe() -> Hardware:
    """Return what is known of this machine."""
    cpu = environment.cpu_facts()
    gpus, gpu_reason, driver = environment.gpu_facts()
    governor = noise.governor()
    missing = {
        "quota_cores": cpu["quota_cores"] is None and "no CPU quota is set",
        "governor": governor is None and "this system shows no frequency governor",
        "gpus": gpu_reason,
        "driver": driver is None and gpu_reason,
    }
    return Hardware(
        fingerprint=environment.fingerprint(),
        cpu=cpu["model"],
        usable_cores=cpu["usable_cores"],
        quota_cores=cpu["quota_cores"],
        governor=governor,
        gpus=None if gpus is None else [gpu["name"] for gpu in gpus.values()],
        driver=driver,
        unavailable_reason={name: reason for name, reason in missing.items() if reason},
    )
