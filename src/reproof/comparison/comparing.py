"""Runs compared: grouped over seeds, judged against a baseline, ranked by one metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reproof.comparison import caveats, groups, headline, verdicts
from reproof.comparison.caveats import Read
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric, metrics_of
from reproof.comparison.pareto import Pareto, pareto, unstable
from reproof.comparison.rules import Rules
from reproof.comparison.verdicts import ModelDifference, Verdict
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.stats.seeds import Difference

Models = Callable[[Row, Row, Sequence[str]], Mapping[str, ModelDifference]]
"""Two runs' models, the second minus the first, by the metrics' full names."""

MOST_MODELS = 8
"""Pairs of single runs whose models are compared; each takes seconds of resampling."""

_MANY = 5


@dataclass(frozen=True)
class Comparison:
    """Runs compared.

    Attributes:
        groups: the best first, by `sort`; then those without it or not comparable by it.
        baseline: the group that the others are compared with; None where there is none.
        metrics: that are compared.
        sort: the metric by which groups are ranked; None where there is no metric.
        varying: the params that differ among the groups.
        warnings: what else differs, and what else to know, in words.
        headline: which is best, and whether it really is: one sentence, and one on the second best.
        pareto: quality against latency.
        left_out: runs that failed or are in progress.
        comparisons: how many p-values there are, over which Benjamini and Hochberg's correction goes.
    """

    groups: tuple[Group, ...]
    baseline: Group | None
    metrics: tuple[Metric, ...]
    sort: Metric | None
    varying: tuple[str, ...]
    warnings: tuple[str, ...]
    headline: str
    pareto: Pareto
    left_out: tuple[Row, ...] = ()
    comparisons: int = 0


def compare(
    rows: Sequence[Row],
    rules: Rules,
    *,
    baseline: Row | None = None,
    metrics: Sequence[str] | None = None,
    by: Sequence[str] | None = None,
    sort: str | None = None,
    read: Read | None = None,
    models: Models | None = None,
) -> Comparison:
    """Compare runs.

    Args:
        rows: the runs; those that failed or are in progress are told, and not compared.
        rules: which way metrics are better, and what is the same in practice.
        baseline: a run whose group the others are compared with; it need not be among the rows.
        metrics: to compare, by their names; None: the headline ones.
        by: params that make the groups; None: runs that differ in their seed alone are one group.
        sort: the metric to rank by; None: the first one whose direction is known.
        read: gives files of records, for packages and for benchmarks' verdicts; None: these are not looked
            at.
        models: compares two models on test examples, for single runs; None: these are not compared.

    Raises:
        ReproofError: for a metric or a param that no run has, or a baseline that did not end well.
    """
    if baseline is not None and not groups.counts(baseline):
        raise ReproofError(
            f"the baseline did not end well: {baseline.run.status}",
            where=baseline.name,
            hint="name another one: --baseline REV",
        )
    chosen = [
        *rows,
        *([baseline] if baseline and not any(groups.is_same(row, baseline) for row in rows) else []),
    ]
    grouped = groups.group(chosen, by)
    runs = [row.run for one in grouped.groups for row in one.rows]
    found = metrics_of(runs, rules, metrics) if runs else []
    ranked_by = _sort(runs, rules, found, sort)
    taken = list({metric.name: metric for metric in [*([ranked_by] if ranked_by else []), *found]}.values())
    machine = baseline.run.fingerprint if baseline else None
    every = [replace(one, **groups.measured(one, taken, grouped.unnamed, machine)) for one in grouped.groups]
    base = next((one for one in every if baseline and _holds(one, baseline)), None)
    many = 0
    if base is not None:
        every, many = _judged(every, base, taken, grouped.unnamed, models, read)
        base = next(one for one in every if one.name == base.name)
    ranked, rest = _ranked(every, base, ranked_by)
    next_best = None
    if ranked_by and ranked:
        best, after = headline.answer(ranked, ranked_by)
        known = after.verdicts.get(ranked_by.name) if after and base and best.name == base.name else None
        if after:
            next_best = verdicts.turned(known) if known else _pair(best, after, ranked_by)
    packages = caveats.packages(ranked, base, read)
    ranked = [
        replace(one, differs=(*one.differs, "packages")) if one.name in packages else one for one in ranked
    ]
    notes = caveats.warnings([*ranked, *rest], base, taken, grouped.pooled)
    notes += caveats.on_packages(packages, base)
    return Comparison(
        groups=(*ranked, *rest),
        baseline=base,
        metrics=tuple(taken),
        sort=ranked_by,
        varying=tuple(name for name in grouped.varying if name not in grouped.unnamed)
        if by is None
        else _by(every),
        warnings=(*notes, *_on_choosing(ranked, ranked_by)),
        headline=headline.sentence(ranked, base, ranked_by, next_best),
        pareto=pareto(every, taken, base, read),
        left_out=grouped.left_out,
        comparisons=many,
    )


def _by(every: Sequence[Group]) -> tuple[str, ...]:
    return tuple(every[0].params) if every else ()


def _holds(one: Group, row: Row) -> bool:
    """Whether a group is that of a row, also where the row is a repetition that does not count."""
    return any(groups.is_same(member, row) for member in one.members)


def _sort(runs: Sequence[object], rules: Rules, found: Sequence[Metric], sort: str | None) -> Metric | None:
    if sort is not None:
        return metrics_of(runs, rules, [sort])[0] if runs else None  # type: ignore[arg-type]
    return next((one for one in found if one.rule.better), found[0] if found else None)


def _judged(
    every: Sequence[Group],
    base: Group,
    metrics: Sequence[Metric],
    unnamed: Sequence[str],
    models: Models | None,
    read: Read | None,
) -> tuple[list[Group], int]:
    """The groups with their verdicts, and how many p-values went into them."""
    by_name = {metric.name: metric for metric in metrics}
    differences: dict[tuple[int, str], Difference] = {}
    others: dict[tuple[int, str], Verdict] = {}
    single: dict[int, list[Metric]] = {}
    for index, one in enumerate(every):
        if one is base:
            continue
        for metric in metrics:
            found = _difference(one, base, metric)
            if isinstance(found, Difference):
                differences[index, metric.name] = found
            elif isinstance(found, Verdict):
                others[index, metric.name] = found
                if found.kind == "inconclusive":
                    single.setdefault(index, []).append(metric)
    if models is not None and len(single) <= MOST_MODELS:
        for index, asked in single.items():
            others |= _of_models(index, every[index], base, asked, models)
    judged = verdicts.judge(differences, by_name) | others
    found_groups = []
    for index, one in enumerate(every):
        if one is base:
            found_groups.append(one)
            continue
        own = {
            metric.name: _steady(judged[index, metric.name], one, base, metric, read)
            for metric in metrics
            if (index, metric.name) in judged
        }
        found_groups.append(replace(one, verdicts=own, differs=caveats.differing(one, base, unnamed)))
    return found_groups, sum(one.p_value is not None for one in differences.values())


def _steady(verdict: Verdict, one: Group, base: Group, metric: Metric, read: Read | None) -> Verdict:
    """The verdict; of timings that were not stable none that says faster or slower."""
    if read is None or not metric.is_timing or verdict.kind not in ("better", "worse", "differs"):
        return verdict
    found = (unstable(side, metric, base.machine, read) for side in (base, one))
    why = next(filter(None, found), None)
    return replace(verdict, kind="inconclusive", reason=f"{why}: it can carry no claim") if why else verdict


def _difference(one: Group, base: Group, metric: Metric) -> Difference | Verdict | None:
    """One group against another by one metric; None where either has no number."""
    first, second = one.values.get(metric.name), base.values.get(metric.name)
    if not first or not second:
        return None
    difference = one.spreads[metric.name].mean - base.spreads[metric.name].mean
    if reason := _unlike(one, base, metric):
        return verdicts.not_comparable(reason)
    found = verdicts.difference_of(first, second, pairs=not metric.is_timing)
    if found is not None:
        return found
    return verdicts.too_few(difference, "one run a side: nothing tells how far another seed would move it")


def _unlike(one: Group, base: Group, metric: Metric) -> str | None:
    """Why two groups' numbers measure different things."""
    if metric.is_timing:
        if one.machine is None or base.machine is None:
            return "the machine of one is not recorded"
        return None if one.machine == base.machine else "measured on another machine"
    ours, theirs = one.distinct("data"), base.distinct("data")
    if None in ours | theirs:
        return "the data of one is not recorded"
    return None if ours == theirs else "other data"


def _of_models(
    index: int, one: Group, base: Group, asked: Sequence[Metric], models: Models
) -> dict[tuple[int, str], Verdict]:
    names = {metric.full or metric.name: metric for metric in asked if not metric.is_timing}
    if not names:
        return {}
    found = models(base.rows[0], one.rows[0], list(names))
    return {
        (index, metric.name): verdicts.of_models(found[full], metric)
        for full, metric in names.items()
        if full in found
    }


def _pair(one: Group, other: Group, metric: Metric) -> Verdict | None:
    found = _difference(one, other, metric)
    if isinstance(found, Difference):
        return verdicts.judge({(0, metric.name): found}, {metric.name: metric})[0, metric.name]
    return found


def _ranked(
    every: Sequence[Group], base: Group | None, metric: Metric | None
) -> tuple[list[Group], list[Group]]:
    """The groups that the metric ranks, the best first, and the others."""
    if metric is None:
        return [], list(every)

    def is_ranked(one: Group) -> bool:
        verdict = one.verdicts.get(metric.name)
        return metric.name in one.spreads and (verdict is None or verdict.kind != "not comparable")

    sign = -1 if metric.is_higher_better() else 1
    own = [one for one in every if is_ranked(one)]
    own.sort(key=lambda one: (sign * one.spreads[metric.name].mean, one is not base))
    rest = [one for one in every if not is_ranked(one)]
    rest.sort(
        key=lambda one: sign * one.spreads[metric.name].mean if metric.name in one.spreads else float("inf")
    )
    return own, rest


def _on_choosing(ranked: Sequence[Group], metric: Metric | None) -> list[str]:
    if metric is None or len(ranked) < _MANY:
        return []
    found = [f"the best of {len(ranked)} looks better than it is: chance helped to make it the best"]
    if metric.is_of_test:
        found[0] += "; and the test split judges no more what was chosen by it: choose by validation"
    return found
