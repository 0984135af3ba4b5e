"""The first sentence: which is best, and is it really?"""

from __future__ import annotations

from collections.abc import Sequence

from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric
from reproof.comparison.rules import HOW_TO_DECLARE
from reproof.comparison.verdicts import MODELS, Verdict
from reproof.report.markdown import score, signed
from reproof.stats.seeds import ONE_RUN, PAIRED, runs_for_significance


def sentence(
    groups: Sequence[Group], baseline: Group | None, metric: Metric | None, next_best: Verdict | None
) -> str:
    """Return the sentence; a second one tells of what comes next.

    A single run that leads is named, and the question whether it really is better goes to the best of those
    with several seeds, where there is one: luck looks like that.

    Args:
        groups: that can be ranked by the metric, the best first; the baseline is among them or not.
        baseline: that they are compared with.
        metric: by which.
        next_best: the answer's group against the one after it; None where there is none.
    """
    if metric is None:
        return "No run here has a metric to compare."
    if not groups:
        return f"No run that ended well has {metric.name}."
    if metric.rule.better is None:
        said = HOW_TO_DECLARE.format(name=metric.name)
        return (
            f"Which is best cannot be said: nobody has declared which way {metric.name} is better ({said})."
        )
    best, after = answer(groups, metric)
    first = f"{best.name} has the best {metric.name}: {_value(best, metric)}"
    if best is not groups[0]:
        lucky = groups[0]
        value = score(lucky.spreads[metric.name].mean)
        led = f"{lucky.name} has the best {metric.name}, {value}, but of one run"
        first = f"{led}; of those with several seeds it is {best.name}: {_value(best, metric)}"
    if len(groups) == 1 and (baseline is None or baseline.name == best.name):
        return f"{first}; there is nothing to compare it with."
    following = _against_next(after, metric, next_best, is_too=_is_better(best, metric))
    if baseline is None:
        return f"{first}. {following}".strip()
    if best.name == baseline.name:
        return f"{first}: it is the baseline, and nothing is shown to be better. {following}".strip()
    verdict = best.verdicts.get(metric.name)
    if verdict is None:
        return f"{first}; the baseline {baseline.name} has none."
    if after is not None and after.name == baseline.name:
        following = ""
    return f"{first}, {_really(verdict, baseline.name)}. {following}".strip()


def answer(groups: Sequence[Group], metric: Metric) -> tuple[Group, Group | None]:
    """Return the group that the sentence is about, and the one after it; of single runs alone the first."""
    several = [one for one in groups if one.spreads[metric.name].n > 1]
    best = several[0] if several else groups[0]
    others = [one for one in (several or groups) if one is not best]
    return best, others[0] if others else None


def _value(one: Group, metric: Metric) -> str:
    spread = one.spreads[metric.name]
    if spread.sd is None:
        return f"{score(spread.mean)} (one run)"
    return f"{score(spread.mean)} ± {score(spread.sd)} (n = {spread.n})"


def _really(verdict: Verdict, baseline: str) -> str:
    """Whether the best is really better than the baseline, and how anybody knows."""
    difference = "" if verdict.difference is None else f"{signed(verdict.difference)}{_interval(verdict)}"
    because = f"{'; ' if difference else ''}{verdict.reason}" if verdict.reason else ""
    if verdict.kind == "same":
        return f"in practice the same as {baseline}: {difference}{because}"
    if verdict.kind == "inconclusive":
        return f"but that it is better than {baseline} is not shown: {difference}{because}"
    if verdict.claim == MODELS:
        return f"and as a model it is really {verdict.kind} than {baseline}'s: {difference}{because}"
    if verdict.is_firm:
        return f"really {verdict.kind} than {baseline}: {difference}{because}"
    more = ""
    if verdict.test != ONE_RUN:
        more = f", {runs_for_significance(in_pairs=verdict.test == PAIRED)} seeds can"
    return f"probably {verdict.kind} than {baseline}: {difference}{because}{more}"


def _interval(verdict: Verdict) -> str:
    if verdict.interval is None:
        return ""
    low, high = verdict.interval
    how = {PAIRED: f", {verdict.n[0]} pairs", ONE_RUN: f", {verdict.test}"}.get(verdict.test or "", "")
    return f" (95% interval {signed(low)} to {signed(high)}{how})"


def _is_better(best: Group, metric: Metric) -> bool:
    verdict = best.verdicts.get(metric.name)
    return verdict is not None and verdict.kind == "better"


def _against_next(after: Group | None, metric: Metric, verdict: Verdict | None, *, is_too: bool) -> str:
    if verdict is None or after is None:
        return ""
    second = f"{after.name} ({score(after.spreads[metric.name].mean)})"
    if verdict.kind == "better" and verdict.claim == MODELS:
        return f"As a model it is better than {second}, the next{', too' if is_too else ''}."
    if verdict.kind == "better":
        how = "" if verdict.is_firm else "probably "
        return f"It is {how}better than {second}, the next{', too' if is_too else ''}."
    if verdict.kind == "same":
        return f"Next comes {second}, in practice the same: {verdict.reason}."
    return f"Next comes {second}: which of the two is better is not shown."
