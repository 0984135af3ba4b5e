"""Runs that tell something about another one, out of a history: its other seeds, its ablations, its sweep.

Only runs of the same code tree and the same data are compared. A partial run counts too, for the metrics that
it has; one that failed or is in progress does not. Over seeds the interval is Student's t: of 3 seeds a
bootstrap covers 75% where it says 95. Timings are compared only where they were taken on the machine of the
run that is asked about.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reproof.recorded import Run
from reproof.stats.intervals import t_interval

_SHOWN_OR_JUDGED = frozenset(("report", "links", "summary", "comparison", "verify"))
_TIMED = "benchmark."
COUNTED = ("success", "partial")
"""Statuses of runs that are compared."""


@dataclass(frozen=True)
class Spread:
    """A metric over runs: `values`, one a seed."""

    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Of the values."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation (n - 1); None for fewer than two."""
        return statistics.stdev(self.values) if self.n > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% t interval of the mean; None for fewer than two."""
        return t_interval(self.values)


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone, one a seed, by seed; and what was measured over them.

    `metrics` are by their full names (`evaluate.test.accuracy`), `headline` by their short ones.
    """

    runs: tuple[Run, ...]
    metrics: Mapping[str, Spread]
    headline: Mapping[str, Spread]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds, in their order."""
        return tuple(run.seed for run in self.runs)


@dataclass(frozen=True)
class Variant:
    """The runs with another value of one param, beside this run's own.

    Attributes:
        value: of the param; None also where they do not have it.
        group: those runs.
        own: the runs with this run's value that they are compared with: of the same seeds.
        differences: their metrics minus `own`'s, paired by seed, by full names. The metrics of both groups
            are those of these pairs, so that their means differ by the mean difference.
    """

    value: Any
    group: Group
    own: Group
    differences: Mapping[str, Spread]


@dataclass(frozen=True)
class Ablation:
    """One param that other runs have set otherwise, all else being equal; `value` is this run's own."""

    param: str
    value: Any
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Sweep:
    """All runs of the same code and data, by start time, and the params in which they differ."""

    params: tuple[str, ...]
    runs: tuple[Run, ...]


def seeds(run: Run, runs: Iterable[Run]) -> Group:
    """Return the runs that differ from `run` in their seed alone, with it; it alone where there are none.

    Of several runs with one seed the run itself counts, else the earliest: the others are repetitions, and
    would make a spread look smaller than it is.
    """
    return _group(run, _by_seed(run, [one for one in _alike(run, runs) if not _differing(run, one)]))


def ablations(run: Run, runs: Iterable[Run]) -> list[Ablation]:
    """Return what other runs tell about one param at a time, by the params' names.

    A variant is compared over the seeds that it shares with this run's own group where these are two or
    more, else by the run of the same seed; one that shares none is left out.
    """
    others = _alike(run, runs)
    own = {one.seed: one for one in _by_seed(run, [one for one in others if not _differing(run, one)])}
    found: dict[str, dict[str, list[Run]]] = {}
    for one in others:
        differing = _differing(run, one)
        if len(differing) == 1:
            (param,) = differing
            found.setdefault(param, {}).setdefault(key(one.params.get(param)), []).append(one)
    ablated = []
    for param, by_value in sorted(found.items()):
        variants = [
            variant
            for members in by_value.values()
            if (variant := _variant(run, param, own, _by_seed(run, members)))
        ]
        if variants:
            variants.sort(key=lambda variant: _order(variant.value))
            ablated.append(Ablation(param, run.params.get(param), tuple(variants)))
    return ablated


def sweep(run: Run, runs: Iterable[Run]) -> Sweep:
    """Return all runs of this run's code and data, and the params that vary among them, the seed included."""
    chosen = sorted([*_alike(run, runs)], key=lambda one: (one.start_time or "", one.run_id))
    return Sweep(tuple(varying(chosen)), tuple(chosen))


def varying(runs: Sequence[Run]) -> list[str]:
    """Return the params that are not the same in all runs, the seed first; not those of documents."""
    first, *rest = runs or [Run("")]
    names = {name for one in rest for name in _differing(first, one)}
    same_seed = len({one.seed for one in runs}) <= 1
    return ([] if same_seed else ["seed"]) + sorted(names)


def _variant(run: Run, param: str, own: Mapping[Any, Run], members: list[Run]) -> Variant | None:
    theirs = {one.seed: one for one in members}
    shared = [seed for seed in theirs if seed in own]
    if len(shared) < 2:
        shared = [run.seed] if run.seed in theirs else []
    if not shared:
        return None
    group = _group(run, [theirs[seed] for seed in shared])
    beside = _group(run, [own[seed] for seed in shared])
    pairs = {
        name: [
            (theirs[seed].metrics[name], own[seed].metrics[name])
            for seed in shared
            if all(_has(run, one, name) for one in (theirs[seed], own[seed]))
        ]
        for name in run.metrics
    }
    pairs = {name: found for name, found in pairs.items() if found}
    return Variant(
        members[0].params.get(param),
        replace(group, metrics={name: Spread(tuple(a for a, _ in pairs[name])) for name in pairs}),
        replace(beside, metrics={name: Spread(tuple(b for _, b in pairs[name])) for name in pairs}),
        {name: Spread(tuple(a - b for a, b in pairs[name])) for name in pairs},
    )


def _has(run: Run, one: Run, name: str) -> bool:
    """Whether `one` has a metric that may be compared with `run`'s."""
    on_its_machine = one.fingerprint == run.fingerprint or not name.startswith(_TIMED)
    return on_its_machine and one.metrics.get(name) is not None


def _group(run: Run, members: list[Run]) -> Group:
    members = sorted(members, key=lambda one: -1 if one.seed is None else one.seed)
    same_machine = [one for one in members if one.fingerprint == run.fingerprint]
    timed = {
        short for short in run.headline if str(run.params.get(f"summary.{short}", "")).startswith(_TIMED)
    }
    return Group(
        tuple(members),
        {
            name: Spread(tuple(values))
            for name in run.metrics
            if (values := _values(same_machine if name.startswith(_TIMED) else members, "metrics", name))
        },
        {
            name: Spread(tuple(values))
            for name in run.headline
            if (values := _values(same_machine if name in timed else members, "headline", name))
        },
    )


def _values(members: Iterable[Run], kind: str, name: str) -> list[float]:
    found = (getattr(one, kind).get(name) for one in members)
    return [value for value in found if value is not None]


def _alike(run: Run, runs: Iterable[Run]) -> list[Run]:
    """`run` first, then the others of its code and data that count."""
    if run.code_tree is None or run.data is None:
        return [run]  # nobody knows what they would share
    return [run] + [
        one
        for one in runs
        if one.run_id != run.run_id
        and one.status in COUNTED
        and (one.code_tree, one.data) == (run.code_tree, run.data)
    ]


def _by_seed(run: Run, members: list[Run]) -> list[Run]:
    found: dict[int | None, Run] = {}
    for one in sorted(members, key=lambda one: (one.run_id != run.run_id, one.start_time or "", one.run_id)):
        found.setdefault(one.seed, one)
    return list(found.values())


def _differing(one: Run, other: Run) -> list[str]:
    """The params that differ, but for the seed and for what only documents show."""
    return [
        name
        for name in one.params.keys() | other.params.keys()
        if name != "seed" and is_compared(name) and key(one.params.get(name)) != key(other.params.get(name))
    ]


def is_compared(name: str) -> bool:
    """Whether a param is part of what a run is; others say how it is shown, judged or checked."""
    return name != "environment" and name.partition(".")[0] not in _SHOWN_OR_JUDGED


def key(value: Any) -> str:
    """Equal for equal values: 1 and 1.0 are, 1 and true are not."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return json.dumps(int(value) if whole else value, sort_keys=True)


def _order(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return not is_number, value if is_number else 0.0, key(value)
