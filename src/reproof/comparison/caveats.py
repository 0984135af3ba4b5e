"""What the table does not show and might be the reason: data, code, machine, packages, pooled params.

A difference between two groups is one of methods only where all else is equal. E. H. Simpson (Journal of the
Royal Statistical Society B 13, 1951): what holds in each part can be turned round in the sum of unlike parts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproof import clean_words, record_values
from reproof.comparison.groups import Group, Key
from reproof.comparison.metrics import Metric, other_meanings
from reproof.comparison.rules import HOW_TO_DECLARE
from reproof.history import Row

Read = Callable[[Row, str], bytes | None]
"""A file of a row's record, such as meta.json; None where it has none."""

_FIELDS = {"data": "data", "code": "code_tree", "machine": "fingerprint"}
_MOST_RECORDS = 60
_SHOWN = 3


def differing(one: Group, baseline: Group, pooled: Sequence[str]) -> tuple[str, ...]:
    """Return what differs between a group and the baseline beside the params of the groups."""
    found = [word for word, field in _FIELDS.items() if one.distinct(field) != baseline.distinct(field)]
    mixed = [name for name in pooled if _values(one, name) != _values(baseline, name)]
    return (*found, *mixed)


def warnings(
    groups: Sequence[Group],
    baseline: Group | None,
    metrics: Sequence[Metric],
    pooled: Sequence[str],
) -> list[str]:
    """Return what a reader of the table should know beside it, the gravest first."""
    found: list[str] = []
    rows = [row for one in groups for row in one.rows]
    for word, field in _FIELDS.items():
        values = {getattr(row.run, field) for row in rows}
        if len(values) > 1:
            found.append(_differs(word, groups, baseline, values, field))
    if pooled:
        found.append(
            f"lines pool runs that also differ in {_some(pooled)}: what the table compares may be that, and "
            "intervals take these for independent runs"
        )
    if baseline is not None:
        for metric in metrics:
            found += [
                f"{metric.name}: {one.name} and {baseline.name} change places when only like runs are "
                "compared (Simpson's paradox): look at the runs that agree in all else"
                for one in groups
                if one is not baseline
                and is_reversed(one.values.get(metric.name, {}), baseline.values.get(metric.name, {}))
            ]
    for metric in metrics:
        if others := other_meanings([row.run for row in rows], metric):
            found.append(
                f"{metric.name} stands for {metric.full}; runs whose params.yaml means "
                f"{', '.join(sorted(others))} by it are left out of it"
            )
    undeclared = [metric.name for metric in metrics if metric.rule.better is None]
    if undeclared:
        found.append(
            f"nobody has said which way {', '.join(undeclared)} "
            f"{'is' if len(undeclared) == 1 else 'are'} better; " + HOW_TO_DECLARE.format(name=undeclared[0])
        )
    return found


def is_reversed(first: Mapping[Key, float], second: Mapping[Key, float]) -> bool:
    """Whether all like parts of two groups say the opposite of their means.

    Args:
        first: by seed, data and pooled params.
        second: likewise.
    """
    parts: dict[Key, tuple[list[float], list[float]]] = {}
    for side, values in enumerate((first, second)):
        for key, value in values.items():
            parts.setdefault(key[1:], ([], []))[side].append(value)
    both = [part for part in parts.values() if part[0] and part[1]]
    if len(parts) < 2 or len(both) < 2:
        return False
    whole = statistics.fmean(first.values()) - statistics.fmean(second.values())
    return all((statistics.fmean(a) - statistics.fmean(b)) * whole < 0 for a, b in both)


def _values(one: Group, name: str) -> set[str]:
    return {repr(row.run.params.get(name)) for row in one.rows}


def _differs(word: str, groups: Sequence[Group], baseline: Group | None, values: set[Any], field: str) -> str:
    kinds = {"data": "versions of the data", "code": "states of the code", "machine": "machines"}
    known = values - {None}
    told = f"the runs come from {len(known)} {kinds[word]}" if len(known) > 1 else ""
    if None in values:
        told += f"{'; ' if told else ''}some runs do not record their {word}"
    if baseline is None:
        return told
    own = baseline.distinct(field)
    others = [one.name for one in groups if one.distinct(field) != own]
    if not others:
        return f"{told}, in each line alike"
    shown = _some(others)
    what = {
        "data": f"{shown} on other data than {baseline.name}: not comparable",
        "code": f"{shown} of other code than {baseline.name}: a difference may come of it, and not of the "
        "params shown",
        "machine": f"{shown} on another machine than {baseline.name}: timings are not comparable, and scores "
        "may differ in their last digits",
    }
    return f"{told}; {what[word]}"


def packages(groups: Sequence[Group], baseline: Group | None, read: Read | None) -> dict[str, list[str]]:
    """Return by a group's name which packages it had in other versions than the baseline had.

    Of more than 60 runs none are read: it would take longer than the comparison.
    """
    rows = [row for one in groups for row in one.rows]
    if baseline is None or read is None or len(rows) > _MOST_RECORDS:
        return {}
    own = _versions(baseline, read)
    found = {}
    for one in groups:
        theirs = _versions(one, read) if own and one.name != baseline.name else {}
        changed = [
            f"{name} {_listed(theirs.get(name))} instead of {_listed(own.get(name))}"
            for name in sorted(own.keys() | theirs.keys())
            if theirs and theirs.get(name) != own.get(name)
        ]
        if changed:
            found[one.name] = changed
    return found


def on_packages(found: Mapping[str, Sequence[str]], baseline: Group | None) -> list[str]:
    """Return what `packages` found, in words: groups that differ alike in one line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, changed in found.items():
        alike.setdefault(tuple(changed), []).append(name)
    return [
        f"{_some(names)} had other packages than {baseline.name if baseline else ''}: {_some(changed, '; ')}"
        for changed, names in alike.items()
    ]


def _versions(one: Group, read: Read) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in one.rows:
        packages = record_values.mapping(record_values.json_of(read(row, "meta.json")), "packages")
        for name, version in packages.items():
            found.setdefault(name, set()).add(clean_words.clean(str(version)))
    return found


def _listed(versions: set[str] | None) -> str:
    return " and ".join(sorted(versions)) if versions else "none"


def _some(words: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return separator.join(words[:_SHOWN]) + more
