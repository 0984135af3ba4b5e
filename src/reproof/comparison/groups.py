"""Which runs belong together: those that differ in their seed alone, or share params that `--by` names."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reproof import siblings
from reproof.comparison.metrics import TIMED, Metric
from reproof.comparison.verdicts import Verdict
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.recorded import Run
from reproof.siblings import COUNTED
from reproof.stats import seeds
from reproof.stats.seeds import Spread

Key = tuple[Any, ...]

_SEED_AT_END = re.compile(r"[-_. ]*(?:seed|s)?[-_. ]*\d*$")
_MIN_STEM = 3


@dataclass(frozen=True)
class Group:
    """Runs that are one method, as far as the comparison goes.

    Attributes:
        name: of its run, or of what the names of its runs share.
        rows: one a seed, by seed; of several runs of one seed the earliest, since the others are repetitions.
        params: those that differ among the groups, with this group's values.
        machine: that its timings were taken on; those of other machines are left out.
        spreads: by metric, over its runs.
        values: by metric, of each run; by what makes two runs of different groups a pair.
        verdicts: by metric, against the baseline; empty for the baseline.
        differs: what else differs from the baseline: data, code, machine, packages, params that are pooled.
        repetitions: runs of the group that do not count, since an earlier one has their seed.
    """

    name: str
    rows: tuple[Row, ...]
    params: Mapping[str, Any]
    machine: str | None = None
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    values: Mapping[str, Mapping[Key, float]] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    repetitions: tuple[Row, ...] = ()

    @property
    def n(self) -> int:
        """How many runs count."""
        return len(self.rows)

    @property
    def members(self) -> tuple[Row, ...]:
        """All runs of it, the repetitions too."""
        return (*self.rows, *self.repetitions)

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Of its runs."""
        return tuple(row.run.seed for row in self.rows)

    def distinct(self, what: str) -> frozenset[Any]:
        """Return the different values of a field of its runs: `data`, `code_tree` or `fingerprint`."""
        return frozenset(getattr(row.run, what) for row in self.rows)


@dataclass(frozen=True)
class Grouped:
    """The groups, in the order of their first runs.

    Attributes:
        groups: without spreads and verdicts.
        varying: params that differ among all runs, the seed left out.
        unnamed: those of them that `by` leaves out, so that runs of one group may differ in them.
        pooled: those of them in which runs of one group do differ.
        left_out: rows that did not end well, and rows without a number.
    """

    groups: tuple[Group, ...]
    varying: tuple[str, ...]
    unnamed: tuple[str, ...]
    pooled: tuple[str, ...]
    left_out: tuple[Row, ...]


def counts(row: Row) -> bool:
    """Whether a run ended so that its numbers count."""
    return row.run.status in COUNTED


def is_same(one: Row, other: Row) -> bool:
    """Whether two rows are one record, under whatever names."""
    return (one.run.run_id, one.run.commit) == (other.run.run_id, other.run.commit)


def group(rows: Sequence[Row], by: Sequence[str] | None = None) -> Grouped:
    """Put runs together.

    Args:
        rows: the runs; one that failed or is in progress is left out.
        by: params, or blocks of them such as `model`; None: every param but the seed. Runs of other code or
            other data are other groups in any case.

    Raises:
        ReproofError: for a param that no run has.
    """
    counted = [row for row in rows if counts(row)]
    varying = varying_params([row.run for row in counted])
    chosen = varying if by is None else _named(by, [row.run for row in counted], varying)
    unnamed = tuple(name for name in varying if name not in chosen)
    members: dict[Key, list[Row]] = {}
    for row in counted:
        members.setdefault(_key(row, chosen), []).append(row)
    groups = [_group(found, chosen, unnamed) for found in members.values()]
    pooled = tuple(name for name in unnamed if any(_is_mixed(one.rows, name) for one in groups))
    left_out = tuple(row for row in rows if not counts(row))
    return Grouped(tuple(_told_apart(groups)), tuple(varying), unnamed, pooled, left_out)


def measured(
    one: Group, metrics: Iterable[Metric], pooled: Sequence[str], machine: str | None
) -> dict[str, Any]:
    """Return a group's `machine`, `spreads` and `values`.

    Args:
        one: the group.
        metrics: to take.
        pooled: params in which its runs may differ; two runs that differ there are no pair.
        machine: whose timings are preferred where the group has several.
    """
    machines = Counter(row.run.fingerprint for row in one.rows if row.run.fingerprint)
    own = machine if machine in machines else next(iter(machines.most_common(1)), (None,))[0]
    keys = [_pair(row.run, pooled) for row in one.rows]
    unique = len(set(keys)) == len(keys)
    values: dict[str, dict[Key, float]] = {}
    for metric in metrics:
        taken: dict[Key, float] = {}
        for index, (row, key) in enumerate(zip(one.rows, keys, strict=True)):
            elsewhere = metric.is_timing and row.run.fingerprint != own
            if not elsewhere and (value := metric.of(row.run)) is not None:
                taken[key if unique else (*key, index)] = value
        if taken:
            values[metric.name] = taken
    spreads = {name: seeds.spread(tuple(found.values())) for name, found in values.items()}
    return {"machine": own, "spreads": spreads, "values": values}


def varying_params(runs: Sequence[Run]) -> list[str]:
    """Return the params that are not the same in all runs; without the seed and what only documents show."""
    if not runs:
        return []
    first = runs[0].params
    names: dict[str, None] = {}
    for run in runs[1:]:
        if run.params is first:
            continue
        for name, value in run.params.items():
            other = first.get(name)
            # Most are alike, and there are a hundred thousand of them: no call for those.
            if other is value or (type(other) is type(value) and other == value) or name in names:
                continue
            if not _equal(other, value):
                names[name] = None
        if run.params.keys() != first.keys():
            missing = first.keys() - run.params.keys()
            names |= dict.fromkeys(name for name in missing if first[name] is not None)
    return sorted(name for name in names if name != "seed" and siblings.is_compared(name))


def _equal(one: Any, other: Any) -> bool:
    return (
        one is other
        or (type(one) is type(other) and one == other)
        or siblings.key(one) == siblings.key(other)
    )


def _named(by: Sequence[str], runs: Sequence[Run], varying: Sequence[str]) -> list[str]:
    known = {name for run in runs for name in run.params}
    found: dict[str, None] = {}
    for name in (one.removeprefix("params.") for one in by):
        inside = [one for one in varying if one == name or one.startswith(f"{name}.")]
        if (
            not inside
            and name != "seed"
            and not any(one == name or one.startswith(f"{name}.") for one in known)
        ):
            near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
            raise ReproofError(
                f"no run here has the param {name!r}",
                expected="a param, or a block of params such as `model`",
                hint=f"near ones: {', '.join(near)}" if near else None,
            )
        found |= dict.fromkeys(["seed"] if name == "seed" else inside)
    return list(found)


def _key(row: Row, chosen: Sequence[str]) -> Key:
    """Code and data are part of it whatever params are named: scores on other data have no common mean."""
    run = row.run
    own = tuple(_hashable(run.params.get(name)) for name in chosen)
    if run.code_tree is None or run.data is None:
        return (*own, run.run_id, run.commit)  # nobody knows what it would share with another
    return (*own, run.code_tree, run.data)


def _hashable(value: Any) -> Any:
    """Equal, and of one hash, for equal values: 1 and 1.0 are, 1 and true are not."""
    return siblings.key(value) if isinstance(value, list | dict | bool) else value


def _pair(run: Run, pooled: Sequence[str]) -> Key:
    return (run.seed, run.data, *(_hashable(run.params.get(name)) for name in pooled))


def _is_mixed(rows: Sequence[Row], name: str) -> bool:
    return any(not _equal(rows[0].run.params.get(name), row.run.params.get(name)) for row in rows[1:])


def _group(members: list[Row], chosen: Sequence[str], unnamed: Sequence[str]) -> Group:
    members = sorted(members, key=lambda row: (row.run.start_time or "", row.run.run_id))
    kept: dict[Key, Row] = {}
    for row in members:
        # Runs without a seed are no repetitions of each other as far as anybody knows.
        unknown = () if row.run.seed is not None else (row.run.run_id,)
        kept.setdefault((*_pair(row.run, unnamed), row.run.code_tree, *unknown), row)
    if unnamed:  # a param that changes nothing, such as threads, makes no second run of a seed
        by_numbers: dict[Key, Row] = {}
        for key, row in kept.items():
            by_numbers.setdefault((row.run.seed, _numbers(row.run) or key), row)
        kept = by_numbers
    rows = sorted(kept.values(), key=lambda row: -1 if row.run.seed is None else row.run.seed)
    params = {name: rows[0].run.params.get(name) for name in chosen}
    counted = {id(row) for row in rows}
    repetitions = tuple(row for row in members if id(row) not in counted)
    return Group(_name(members), tuple(rows), params, repetitions=repetitions)


def _numbers(run: Run) -> frozenset[tuple[str, float]]:
    """All that was computed, without what a clock measured."""
    return frozenset((name, value) for name, value in run.metrics.items() if not name.startswith(TIMED))


def _name(members: Sequence[Row]) -> str:
    """Of several runs: what their names share, else the name of one and how many more there are."""
    names = [row.name for row in members]
    if len(names) == 1:
        return names[0]
    stems = {_SEED_AT_END.sub("", name) for name in names}
    if len(stems) == 1 and len(stem := stems.pop()) >= _MIN_STEM:
        return stem
    committed = [row for row in members if row.kind == "commit" and row.names]
    return f"{(committed or members)[0].name} +{len(names) - 1}"


def _told_apart(groups: list[Group]) -> list[Group]:
    """Groups that would share a name bear that of their first run, and the beginning of its commit."""
    for rename in (_first_name, _with_commit):
        many = Counter(one.name for one in groups)
        groups = [one if many[one.name] == 1 else replace(one, name=rename(one)) for one in groups]
    return groups


def _first_name(one: Group) -> str:
    return one.rows[0].name + (f" +{one.n - 1}" if one.n > 1 else "")


def _with_commit(one: Group) -> str:
    run = one.rows[0].run
    return f"{one.name} ({(run.commit or run.run_id)[:7]})"
