"""How long it takes, how much memory, how near to fp32: every number with its spread and its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof.report.markdown import between, code, number, size, text
from reproof.report.model_check.record import Check, part
from reproof.report.model_check.verdicts import known_good

_STAGES = (
    ("end_to_end", "Total end-to-end"),
    ("preprocess", "Preprocess"),
    ("model", "Model"),
    ("postprocess", "Postprocess"),
)
_COLD = (
    ("import_ms", "Cold: import", "of the runtime, in a fresh process"),
    ("load_ms", "Cold: load", "from the file to a model that can be called"),
    ("first_call_ms", "Cold: first call", "the model's part"),
    ("second_call_ms", "Cold: second call", "the model's part"),
)
_VRAM = (
    ("torch_allocated_peak_bytes", "allocated by torch"),
    ("torch_reserved_peak_bytes", "reserved by torch"),
    ("nvml_process_peak_bytes", "of the process, by NVML"),
    ("nvml_device_delta_bytes", "added on the device, by NVML"),
)
_MOST_OPERATORS = 10


def context(check: Check) -> dict[str, Any]:
    """Return the values by name."""
    chosen = known_good(check)
    cell = check.measured.get(chosen or "")
    return {
        "cells": check.cells,
        "measured_cells": check.measured,
        "chosen": chosen,
        "chosen_cell": cell,
        "cell_word": _word(cell) if cell else None,
        "left_out_of_matrix": list(part(check.source.facts("benchmark"), "left_out").values()),
        "timing_rows": list(_rows(cell)) if cell else list(_of_one_pass(check)),
        "matrix": [_row(name, one) for name, one in check.cells.items()],
        "numerics": [_numerics(name, one) for name, one in check.measured.items()],
        "vram": _vram(cell) if cell else None,
        "peak_ram": _ram(cell) if cell else None,
        "profiles": list(_profiles(check)),
        "no_profile": _no_profile(check),
        "batch_sizes": _all(check, "batch_size"),
        "precisions": _all(check, "precision_requested"),
        "harness": part(part(check.source.benchmark or {}, "software"), "harness"),
        "hardware": part(check.source.benchmark or {}, "hardware"),
        "versions": part(part(check.source.benchmark or {}, "software"), "packages"),
    }


def verdict(cell: dict[str, Any]) -> str:
    """Return a cell's verdict with its reasons, as Markdown."""
    found = cell["verdict"]
    reasons = "; ".join(f"{check} {reason}" for check, reason in (found.get("reasons") or {}).items())
    if found["status"] == "stable":
        return "stable"
    return f"**{text(found['status'])}**: {text(reasons)}" if reasons else f"**{text(found['status'])}**"


def _word(cell: dict[str, Any]) -> str:
    status = text(cell["verdict"]["status"])
    return status if status == "stable" else f"**{status}** (the matrix says why)"


def _rows(cell: dict[str, Any]) -> Iterator[dict[str, str]]:
    for stage, label in _STAGES:
        times = cell["stages"][stage]
        noisy = "; **noisy**" if cell["verdict"]["status"] == "noisy" else ""
        notes = f"warm; {number(times['n'])} calls{noisy}"
        if stage == "end_to_end":
            notes = f"preprocess, model and postprocess; warm; {number(times['n'])} calls; {verdict(cell)}"
        elif times["ci95_ms"] is None:
            notes += f"; no interval: {text(_why(times, 'ci95_ms'))}"
        yield _timed(label, times["mean_ms"], times["median_ms"], between(times["ci95_ms"], 3), notes)
    for field, label, notes in _COLD:
        yield _timed(label, None, cell["cold"][field], "–", f"{notes}; median over processes")


def _of_one_pass(check: Check) -> Iterator[dict[str, str]]:
    """The times that the stage infer took while it ran the inputs, where no benchmark has any."""
    timing = part(check.inference, "timing")
    for stage, label in _STAGES:
        times = part(timing, stage)
        known = times.get("median_ms") is not None
        notes = (
            f"{number(times.get('n'))} inputs, once each, in one process; no benchmark"
            if known
            else "not measured"
        )
        yield _timed(label, times.get("mean_ms"), times.get("median_ms"), "–", notes)


def _timed(label: str, mean: float | None, median: float | None, interval: str, notes: str) -> dict[str, str]:
    return {
        "label": label,
        "mean": number(mean, 3),
        "median": number(median, 3),
        "interval": interval,
        "notes": notes,
    }


def _row(name: str, cell: dict[str, Any]) -> dict[str, str]:
    """A line of the matrix; of a cell without numbers it says why."""
    if cell["status"] != "measured":
        dashes = dict.fromkeys(("median", "interval", "p95", "throughput", "first", "ram", "vram"), "–")
        return {"name": code(name), "verdict": f"**{text(cell['status'])}**: {text(cell['reason'])}"} | dashes
    times = cell["stages"]["end_to_end"]
    peaks = [cell["memory"][field] for field, _ in _VRAM if cell["memory"].get(field)]
    return {
        "name": code(name),
        "median": number(times["median_ms"], 3),
        "interval": between(times["ci95_ms"], 3),
        "p95": number(times["p95_ms"], 3),
        "throughput": number(cell["throughput"]["items_per_s"], 3),
        "first": number(cell["cold"]["first_call_ms"], 3),
        "ram": size(cell["memory"]["peak_ram_bytes"]),
        "vram": size(max(peaks)) if peaks else "–",
        "verdict": verdict(cell) + _other_precision(cell["cell"]),
    }


def _other_precision(facts: dict[str, Any]) -> str:
    asked, real = facts["precision_requested"], facts.get("precision_actual")
    return f"; computed in {text(real)}" if real and real != asked else ""


def _numerics(name: str, cell: dict[str, Any]) -> dict[str, str]:
    found = cell.get("numerics") or {}
    return {
        "name": code(name),
        "difference": number(found.get("max_abs_diff_vs_reference"), 3),
        "scale": number(found.get("max_abs_reference"), 3),
        "reference": code(found["reference"]) if found.get("reference") else "–",
        "note": text(found.get("unavailable_reason") or ""),
    }


def _ram(cell: dict[str, Any]) -> str:
    memory = cell["memory"]
    if memory.get("peak_ram_bytes") is None:
        return f"not measured: {text(_why(memory, 'peak_ram_bytes'))}"
    before = memory.get("baseline_ram_bytes")
    added = f", {size(before)} of it before the model was loaded" if before is not None else ""
    method = text(memory.get("ram_method") or "method not recorded")
    return f"{size(memory['peak_ram_bytes'])}{added} (whole process; {method})"


def _vram(cell: dict[str, Any]) -> str:
    memory = cell["memory"]
    found = [f"{size(memory[field])} {label}" for field, label in _VRAM if memory.get(field) is not None]
    return ", ".join(found) or f"not measured: {text(_why(memory, _VRAM[0][0]))}"


def _why(group: dict[str, Any], field: str) -> str:
    return str(part(group, "unavailable_reason").get(field) or "no reason was recorded")


def _profiles(check: Check) -> Iterator[dict[str, Any]]:
    """The operators that took longest, of each cell that was profiled."""
    for name, cell in check.measured.items():
        profile = cell.get("profile") or {}
        operators = part(profile, "operators")
        if operators:
            rows = [
                (code(kind), number(one["calls"]), number(one["total_ms"], 3), f"{one['percent']:.1f}%")
                for kind, one in list(operators.items())[:_MOST_OPERATORS]
            ]
            yield {
                "name": name,
                "method": profile.get("method"),
                "calls": profile.get("calls"),
                "rows": rows,
                "left": max(0, len(operators) - _MOST_OPERATORS),
            }


def _no_profile(check: Check) -> list[str]:
    """Cells that were to be profiled and could not be, with the reason, as plain words."""
    return [
        f"{name}: {cell['profile']['reason']}"
        for name, cell in check.measured.items()
        if cell.get("profile") and not part(cell["profile"], "operators")
    ]


def _all(check: Check, field: str) -> str:
    found = dict.fromkeys(str(cell["cell"][field]) for cell in check.measured.values())
    own = check.inference.get({"batch_size": "batch_size", "precision_requested": "precision"}[field])
    return ", ".join(found) or (str(own) if own is not None else "nothing was run")
