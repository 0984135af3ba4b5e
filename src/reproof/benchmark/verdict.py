"""Whether a cell's numbers can carry a claim; a noisy one blocks any word of regression."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reproof.benchmark.schema import CellResult, Verdict

MAX_HALF_WIDTH_PERCENT = 3.0
MAX_PSI_PERCENT = 5.0
MAX_PREEMPTED_PERCENT = 5.0


def judge(
    *,
    half_width_percent: Mapping[str, float | None],
    psi_percent: float | None,
    preempted_percent: float,
    throttle_reasons: Collection[str] | None,
    warmed: Sequence[bool],
) -> Verdict:
    """Return `stable`, or `noisy` with every reason.

    Args:
        half_width_percent: half the 95% interval over the median, for each stage that counts.
        psi_percent: share of time under CPU pressure; None where the system does not tell.
        preempted_percent: share of calls that lost a core.
        throttle_reasons: what held the clocks down; None where the machine does not tell.
        warmed: by process.
    """
    reasons: dict[str, str] = {}
    unchecked: dict[str, str] = {}
    for stage, percent in half_width_percent.items():
        if percent is None:
            reasons[f"interval.{stage}"] = "no interval"
        elif percent > MAX_HALF_WIDTH_PERCENT:
            reasons[f"interval.{stage}"] = f"±{percent:.1f}%, over ±{MAX_HALF_WIDTH_PERCENT:g}%"
    if psi_percent is None:
        unchecked["cpu_pressure"] = "the system does not tell"
    elif psi_percent >= MAX_PSI_PERCENT:
        reasons["cpu_pressure"] = f"{psi_percent:.1f}% of the time, not under {MAX_PSI_PERCENT:g}%"
    if preempted_percent >= MAX_PREEMPTED_PERCENT:
        reasons["preempted"] = f"{preempted_percent:.1f}% of calls, not under {MAX_PREEMPTED_PERCENT:g}%"
    if throttle_reasons is None:
        unchecked["throttled"] = "the machine does not tell"
    elif throttle_reasons:
        reasons["throttled"] = ", ".join(throttle_reasons)
    if cold := sum(not settled for settled in warmed):
        reasons["not_warmed"] = f"{cold} of {len(warmed)} processes"
    return Verdict(status="noisy" if reasons else "stable", reasons=reasons, unchecked=unchecked)


def of_both(a: CellResult, b: CellResult) -> dict[str, str]:
    """Return why either of two measured cells is not stable, as `a.<check>` and `b.<check>`."""
    sides = (("a", a.verdict), ("b", b.verdict))
    return {
        f"{side}.{check}": text
        for side, found in sides
        if found is not None
        for check, text in found.reasons.items()
    }
