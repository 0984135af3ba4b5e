"""What a training used and cost: hyperparameters with their reasons, machine, time, money."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reproof.report.source import Source

BLOCKS = ("model.", "train.")
"""The params that count as hyperparameters, beside the seed."""


@dataclass(frozen=True)
class Hyperparameter:
    """A param, its value, and why: the comment beside it, or that this run set it to something else."""

    name: str
    value: Any
    rationale: str | None


def hyperparameters(source: Source) -> list[Hyperparameter]:
    """Return the run's hyperparameters.

    The comment beside a value speaks of the value that stands there in Git; where the run set another one
    (`-S`), it says so instead.
    """
    changed = source.meta.get("overrides") or {}
    chosen = [key for key in source.params if key.startswith(BLOCKS) or key == "seed"]
    found = []
    for key in chosen:
        why = source.rationale.get(key)
        if key in changed:
            before = json.dumps(changed[key]["from"], ensure_ascii=False)
            why = f"set for this run; at the commit it is {before}"
        found.append(Hyperparameter(key, source.params[key], why))
    return found


@dataclass(frozen=True)
class Use:
    """One stage's use of the machine; None where it was not recorded."""

    stage: str
    seconds: float | None
    cpu_seconds: float | None
    peak_ram_bytes: int | None
    peak_vram_bytes: int | None


def use(source: Source) -> list[Use]:
    """Return what each stage used, in the order in which they ran."""
    found = []
    for name, record in source.stages.items():
        resources = record.get("resources") or {}
        seconds = source.meta.get("stages", {}).get(name, {}).get("seconds", record.get("seconds"))
        found.append(
            Use(
                name,
                seconds,
                resources.get("cpu_seconds"),
                resources.get("peak_ram_bytes"),
                resources.get("peak_vram_bytes"),
            )
        )
    return found


def cost(source: Source) -> tuple[float, str] | None:
    """Return what the run's computing cost at the declared price, and the currency; None without a price."""
    price, seconds = source.declared.price, source.summary.get("runtime_seconds")
    if price is None or seconds is None:
        return None
    return price.per_hour * seconds / 3600, price.currency


def budget(source: Source) -> list[tuple[str, str, str, bool | None]]:
    """Return for each declared limit: what, the limit, what was used, and whether it was kept."""
    declared, rows = source.declared.budget, []
    seconds, paid = source.summary.get("runtime_seconds"), cost(source)
    if declared.hours is not None:
        used = None if seconds is None else seconds / 3600
        kept = None if used is None else used <= declared.hours
        rows.append(("computing time", f"{declared.hours:g} h", _or("not measured", used, "h"), kept))
    if declared.cost is not None:
        currency = source.declared.price.currency if source.declared.price else ""
        kept = None if paid is None else paid[0] <= declared.cost
        spent = _or("no price declared: report.price", paid and paid[0], currency)
        rows.append(("money", f"{declared.cost:g} {currency}".strip(), spent, kept))
    return rows


def _or(reason: str, value: float | None, unit: str) -> str:
    return reason if value is None else f"{value:.3g} {unit}".strip()
