"""Many comparisons at once: of a hundred that test nothing, five are below 0.05."""

from __future__ import annotations

from collections.abc import Sequence


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of Benjamini and Hochberg, in the order given.

    Those at most 0.05 are discoveries of which on average at most 5% are false (Y. Benjamini and Y. Hochberg,
    Journal of the Royal Statistical Society B 57, 1995), also where the comparisons depend on each other in
    the way of several methods against one baseline (Y. Benjamini and D. Yekutieli, Annals of Statistics 29,
    2001).
    """
    many = len(p_values)
    found = [1.0] * many
    least = 1.0
    for rank, index in enumerate(sorted(range(many), key=p_values.__getitem__, reverse=True)):
        least = min(least, p_values[index] * many / (many - rank))
        found[index] = least
    return found
