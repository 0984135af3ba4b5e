"""Which params get a column or an axis: those that tell many groups apart, before those that tell one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reproof.comparison.comparing import Comparison
from reproof.comparison.documents import words
from reproof.comparison.groups import Group

_MANY = 6


def by_weight(comparison: Comparison, shown: Sequence[Group]) -> list[str]:
    """Return the params in which most groups differ first; of many, those of one group alone are left out."""
    alike = {name: _alike(name, shown) for name in comparison.varying}
    names = sorted(alike, key=lambda name: (alike[name], name))
    if len(names) <= _MANY or len(shown) < 3:
        return names
    return [name for name in names if alike[name] < len(shown) - 1]


def left_out(comparison: Comparison, shown: Sequence[Group]) -> list[str]:
    """Return which group alone differs in the params that `by_weight` leaves out, a sentence each."""
    by_group: dict[str, list[str]] = {}
    for name in sorted(set(comparison.varying) - set(by_weight(comparison, shown))):
        values = [words.params(one, [name])[0] for one in shown]
        counted = Counter(values)
        odd = next((i for i, value in enumerate(values) if counted[value] == 1), None)
        if odd is not None:
            by_group.setdefault(shown[odd].name, []).append(name)
    return [f"only {group} differs in {words.listed(names)}" for group, names in by_group.items()]


def _alike(name: str, shown: Sequence[Group]) -> int:
    """In how many groups a param has its most frequent value."""
    return max(Counter(words.params(one, [name])[0] for one in shown).values(), default=0)
