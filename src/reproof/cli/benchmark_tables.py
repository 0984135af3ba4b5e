"""A benchmark's result as the table that people read on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reproof import redact

if TYPE_CHECKING:
    from reproof.benchmark import Result
    from reproof.benchmark.paired_schema import Comparison, PairedCell
    from reproof.benchmark.schema import CellResult, Hardware

_MIB = 1 << 20


def result(found: Result) -> str:
    """Return the table of a result: a row a cell, then the machine, then why cells are noisy or lost."""
    head = ("cell", "median", "95% interval", "p95", "first call", "items/s", "peak RAM", "verdict")
    rows = [_row(name, cell) for name, cell in found.cells.items() if cell.status == "measured"]
    lines = [_table(head, rows)] if rows else []
    lines.append(_machine(found.hardware, f"{found.label}, end to end"))
    if found.subject.samples is None:
        lines.append("inputs: made up, of random numbers that fit the model")
    for name, cell in found.cells.items():
        if cell.status != "measured":
            lines.append(f"{name}: {cell.status}: {cell.reason}")
            continue
        if cell.verdict is not None and cell.verdict.reasons:
            lines.append(f"{name}: noisy: {_listed(cell.verdict.reasons)}")
        lines.extend(_profile(name, cell))
    return redact.text("\n".join(lines))


def comparison(found: Comparison) -> str:
    """Return the table of a comparison: a row a cell, with the ratio and its interval."""
    against = any(cell.outcome for cell in found.cells.values())
    head = ("cell", "A", "B", "B / A", "95% interval", "so")
    rows = [_pair(name, cell) for name, cell in found.cells.items() if cell.status == "measured"]
    lines = [_table(head, rows)] if rows else []
    lines.append(f"A: {found.a.name}   B: {found.b.name}   ({found.basis})")
    lines.append(_machine(found.hardware, "time of a call, end to end"))
    for name, cell in found.cells.items():
        if cell.status != "measured":
            lines.append(f"{name}: {cell.status}: {cell.reason}")
        elif cell.noisy:
            told = "no claim of a regression is made" if against else "take the ratio with care"
            lines.append(f"{name}: noisy, {told}: {_listed(cell.noisy)}")
    return redact.text("\n".join(lines))


def _row(name: str, cell: CellResult) -> tuple[str, ...]:
    assert cell.stages is not None
    assert cell.cold is not None
    assert cell.throughput is not None
    assert cell.memory is not None
    assert cell.verdict is not None
    whole = cell.stages.end_to_end
    ram = cell.memory.peak_ram_bytes
    return (
        name,
        _ms(whole.median_ms),
        "none" if whole.ci95_ms is None else f"{_number(whole.ci95_ms[0])} to {_ms(whole.ci95_ms[1])}",
        "too few calls" if whole.p95_ms is None else _ms(whole.p95_ms),
        _ms(cell.cold.first_call_ms),
        f"{cell.throughput.items_per_s:,.0f}",
        "not known" if ram is None else f"{ram / _MIB:,.0f} MiB",
        cell.verdict.status,
    )


def _pair(name: str, cell: PairedCell) -> tuple[str, ...]:
    assert cell.a is not None
    assert cell.b is not None
    assert cell.ratio is not None
    ci95 = cell.ratio.ci95
    sides = [one.stages.end_to_end.median_ms for one in (cell.a, cell.b) if one.stages is not None]
    return (
        name,
        *map(_ms, sides),
        f"{cell.ratio.b_over_a:.3f}",
        "none" if ci95 is None else f"{ci95[0]:.3f} to {ci95[1]:.3f}",
        cell.outcome or cell.decision or "",
    )


def _profile(name: str, cell: CellResult) -> list[str]:
    if cell.profile is None:
        return []
    if cell.profile.reason is not None:
        return [f"{name}: no profile: {cell.profile.reason}"]
    head = f"{name}: where the time goes, over {cell.profile.calls} calls ({cell.profile.method})"
    rows = [
        (f"  {operator}", f"{spent.percent:.1f}%", f"{spent.total_ms:.2f} ms", f"{spent.calls} calls")
        for operator, spent in list(cell.profile.operators.items())[:8]
    ]
    return [head, _aligned(rows)]


def _machine(hardware: Hardware, what: str) -> str:
    cores = f"{hardware.usable_cores} usable cores"
    return f"{what}, on {hardware.cpu}, {cores} (fingerprint {hardware.fingerprint})"


def _listed(reasons: dict[str, str]) -> str:
    return "; ".join(f"{check}: {text}" for check, text in reasons.items())


def _ms(value: float) -> str:
    return f"{_number(value)} ms"


def _number(value: float) -> str:
    """Three digits that count, whatever the size."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return _aligned([head, *rows])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
