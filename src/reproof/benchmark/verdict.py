"""Whether a cell's numbers can carry a claim; a noisy one blocks any word of regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reproof.benchmark.schema import Verdict

MAX_HALF_WIDTH_PERCENT = 3.0
MAX_PSI_PERCENT = 5.0
MAX_PREEMPTED_PERCENT = 5.0


def judge(
    *,
    half_width_percent: Mapping[str, float | None],
    psi_percent: float | None,
    preempted_percent: float,
    throttle_reasons: Sequence[str] | None,
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
    reasons: list[str] = []
    unchecked: list[str] = []
    for stage, percent in half_width_percent.items():
        if percent is None:
            reasons.append(f"{stage}: no interval")
        elif percent > MAX_HALF_WIDTH_PERCENT:
            reasons.append(f"{stage}: interval ±{percent:.1f}%, over ±{MAX_HALF_WIDTH_PERCENT:g}%")
    if psi_percent is None:
        unchecked.append("CPU pressure")
    elif psi_percent >= MAX_PSI_PERCENT:
        reasons.append(f"CPU pressure {psi_percent:.1f}%, not under {MAX_PSI_PERCENT:g}%")
    if preempted_percent >= MAX_PREEMPTED_PERCENT:
        reasons.append(f"{preempted_percent:.1f}% of calls preempted, not under {MAX_PREEMPTED_PERCENT:g}%")
    if throttle_reasons is None:
        unchecked.append("throttling")
    else:
        reasons += [f"throttled: {reason}" for reason in throttle_reasons]
    if cold := sum(not settled for settled in warmed):
        reasons.append(f"not_warmed: {cold} of {len(warmed)} processes")
    return Verdict(status="noisy" if reasons else "stable", reasons=reasons, unchecked=unchecked)
