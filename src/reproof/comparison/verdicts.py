"""What one difference says: better, worse, the same within the margin, inconclusive, or not comparable.

The 95% interval decides. It lies within the declared margin: the same. It leaves out zero, and does so also
after Benjamini and Hochberg's correction for all comparisons of the table: better, or worse. Else nothing is
shown.

Two claims are kept apart: over seeds, "these two methods"; of one run a side, over test examples, "these two
models".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from reproof.comparison.metrics import Metric
from reproof.stats import equivalence, multiple, seeds
from reproof.stats.seeds import ALPHA, Difference

Kind = Literal["better", "worse", "differs", "same", "inconclusive", "not comparable"]
"""`differs`: a difference is shown, and nobody has said which way is better."""

METHODS, MODELS = "these two methods", "these two models"

DECLARE = "nobody has said which way it is better"


@dataclass(frozen=True)
class Verdict:
    """What a difference to the baseline says.

    Attributes:
        kind: in a word.
        difference: this group's mean minus the baseline's; None where either has no number.
        interval: 95%, for the difference; None where there is none.
        p_value: two-sided, not corrected; None where so few runs can reach none that means something.
        reason: why the verdict is what it is, in words.
        test: by which interval and p-value are got; None where there are none.
        claim: METHODS, over seeds, or MODELS, over test examples; None where nothing is compared.
        n: runs on each side; pairs where these are.
        adjusted_p: Benjamini and Hochberg's, over all comparisons of the table; shown where `p_value` is.
        is_firm: whether the verdict stands without supposing that seeds spread as a normal distribution does.
    """

    kind: Kind
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    reason: str = ""
    test: str | None = None
    claim: str | None = None
    n: tuple[int, int] = (0, 0)
    adjusted_p: float | None = None
    is_firm: bool = False


@dataclass(frozen=True)
class ModelDifference:
    """Two models on the test examples that both answered; see `difference.models`.

    Attributes:
        difference: of the second, which is judged, minus the first, the baseline.
        interval: 95%, over examples.
        p_value: of the exact McNemar test, where it is about this metric.
        on: the examples, in words.
        missing: why there is no interval.
    """

    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None = None
    on: str = ""
    missing: str | None = None


def turned(verdict: Verdict) -> Verdict:
    """Return the verdict on the baseline beside the group, where that on the group beside it is known."""
    kinds: dict[Kind, Kind] = {"better": "worse", "worse": "better"}
    low, high = verdict.interval or (0.0, 0.0)
    return replace(
        verdict,
        kind=kinds.get(verdict.kind, verdict.kind),
        difference=None if verdict.difference is None else -verdict.difference,
        interval=(-high, -low) if verdict.interval else None,
        n=verdict.n[::-1],
    )


def not_comparable(reason: str) -> Verdict:
    """Return the verdict on numbers that measure different things: their difference is none of anything."""
    return Verdict("not comparable", reason=reason)


def judge(
    found: Mapping[tuple[int, str], Difference], metrics: Mapping[str, Metric]
) -> dict[tuple[int, str], Verdict]:
    """Return the verdicts on differences over seeds, all of one table.

    Args:
        found: by whatever names the group, and the metric.
        metrics: by name.
    """
    tested = [key for key, one in found.items() if one.p_value is not None]
    corrected = multiple.adjusted([p for key in tested if (p := found[key].p_value) is not None])
    adjusted = dict(zip(tested, corrected, strict=True))
    return {
        key: _over_seeds(one, adjusted.get(key), len(tested), metrics[key[1]]) for key, one in found.items()
    }


def _over_seeds(found: Difference, adjusted: float | None, many: int, metric: Metric) -> Verdict:
    shown = found.p_value if found.can_be_significant else None
    verdict = Verdict(
        "inconclusive",
        found.estimate,
        found.interval,
        shown,
        test=found.test,
        claim=METHODS,
        n=found.n,
        adjusted_p=adjusted if shown is not None and many > 1 else None,
        is_firm=found.can_be_significant,
    )
    if found.p_value is None:
        equal = f"the same value in each of {_runs(found)}"
        return replace(verdict, kind="same", reason=equal, is_firm=True)
    few = "" if found.can_be_significant else found.bound_in_words
    if found.interval is None:
        if found.p_value > ALPHA or adjusted is None or adjusted > ALPHA:
            fixed = "it does not vary over the seeds, so that there is no interval"
            return replace(verdict, reason="; ".join(filter(None, (fixed, few))))
        return _directed(verdict, metric, "it does not vary over the seeds")
    if (margin := metric.rule.margin) is not None and equivalence.is_within(found.interval, margin):
        return replace(verdict, kind="same", reason=f"the interval lies within the margin of {margin:g}")
    if found.p_value > ALPHA:
        return replace(verdict, reason=_joined("the interval holds 0", few))
    if adjusted is None or adjusted > ALPHA:
        words = f"the interval leaves out 0, as some of {many} comparisons do by chance (Benjamini–Hochberg)"
        return replace(verdict, reason=_joined(words, few))
    return _directed(verdict, metric, few)


def _runs(found: Difference) -> str:
    return f"{found.n[0]} pairs" if found.test in (seeds.PAIRED, seeds.SIGN_FLIPS) else f"{sum(found.n)} runs"


def _joined(*words: str) -> str:
    return "; ".join(filter(None, words))


def _directed(verdict: Verdict, metric: Metric, *reasons: str) -> Verdict:
    """Better or worse, as the metric's direction says."""
    assert verdict.difference is not None
    higher = metric.is_higher_better()
    if higher is None:
        return replace(verdict, kind="differs", reason=_joined(DECLARE, *reasons))
    kind: Kind = "better" if (verdict.difference > 0) == higher else "worse"
    margin = metric.rule.margin
    maybe_small = (
        f"perhaps by no more than the margin of {margin:g}"
        if margin and verdict.interval and not equivalence.is_beyond(verdict.interval, margin)
        else ""
    )
    return replace(verdict, kind=kind, reason=_joined(maybe_small, *reasons))


def of_models(found: ModelDifference, metric: Metric) -> Verdict:
    """Return the verdict on two models over test examples."""
    verdict = Verdict(
        "inconclusive",
        found.difference,
        found.interval,
        found.p_value,
        test="paired BCa bootstrap" + (", exact McNemar" if found.p_value is not None else ""),
        claim=MODELS,
        n=(1, 1),
        is_firm=True,
    )
    on = f"{MODELS}, on {found.on}" if found.on else MODELS
    if found.interval is None:
        words = found.missing or "no interval"
        return replace(
            verdict, test=None, is_firm=False, reason=f"one run a side, without an interval: {words}"
        )
    if (margin := metric.rule.margin) is not None and equivalence.is_within(found.interval, margin):
        return replace(
            verdict, kind="same", reason=f"the interval lies within the margin of {margin:g}; {on}"
        )
    low, high = found.interval
    if low <= 0 <= high:
        return replace(verdict, reason=f"the interval holds 0; {on}")
    if found.p_value is not None and found.p_value > ALPHA:
        return replace(verdict, reason=f"the interval leaves out 0, the exact McNemar test does not; {on}")
    return _directed(verdict, metric, on)


def too_few(difference: float | None, reason: str) -> Verdict:
    """Return the verdict on two single runs whose models were not compared."""
    return Verdict("inconclusive", difference, reason=reason, claim=None, n=(1, 1))


def difference_of(
    first: Mapping[tuple[object, ...], float],
    second: Mapping[tuple[object, ...], float],
    *,
    pairs: bool = True,
) -> Difference | None:
    """Return the difference of two groups: in pairs where seeds and splits are shared, else by Welch.

    Pairs are used where no run of the smaller group is without its partner.

    Args:
        first: values by what makes two runs a pair: seed, data, and params that runs of one group differ in.
        second: likewise.
        pairs: False for timings: a clock knows no seed.

    Returns:
        None where there is one run a side.
    """
    shared = [key for key in first if key[0] is not None and key in second] if pairs else []
    if len(shared) >= 2 and len(shared) == min(len(first), len(second)):
        return seeds.paired([(first[key], second[key]) for key in shared])
    if len(first) + len(second) < 3:
        return None
    return seeds.independent(list(first.values()), list(second.values()))
