"""Values of a comparison in the words that all its documents share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from reproof.comparison.comparing import Comparison
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric
from reproof.comparison.verdicts import METHODS, MODELS, Verdict
from reproof.recorded import Run
from reproof.report import markdown
from reproof.report.markdown import signed
from reproof.stats.seeds import ALPHA

MISSING = "–"
_NAMES = 5
_OF_ANOTHER_TYPE = re.compile(r"|~|null|true|false|[-+]?[.\d][\d_.]*(?:e[-+]?\d+)?", re.IGNORECASE)
"""Texts that would be read as something else where they stand without quotes."""


def value(item: Any) -> str:
    """Return a param's value as YAML has it, in one line and without control characters."""
    if item is None:
        return "null"
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, float):
        short = f"{item:.6g}"
        return short if float(short) == item else repr(item)
    is_plain = isinstance(item, str) and not _OF_ANOTHER_TYPE.fullmatch(item)
    words = item if is_plain else json.dumps(item, ensure_ascii=False)
    return "".join(char if char.isprintable() else " " for char in words)


def mean(one: Group, metric: Metric) -> str:
    """Return a mean with its standard deviation; of one run the value."""
    spread = one.spreads.get(metric.name)
    if spread is None:
        return MISSING
    few = f" (n={spread.n})" if spread.n != one.n else ""
    return markdown.mean(spread.mean, spread.sd) + few


def difference(verdict: Verdict | None) -> str:
    """Return a difference with its interval."""
    if verdict is None or verdict.difference is None:
        return MISSING
    interval = verdict.interval
    return signed(verdict.difference) + (
        f" ({signed(interval[0])}, {signed(interval[1])})" if interval else ""
    )


def kind(verdict: Verdict | None) -> str:
    """Return a verdict in a word or two."""
    if verdict is None:
        return MISSING
    if verdict.kind == "same" and verdict.claim == METHODS and not verdict.is_firm:
        return "probably same"
    if verdict.kind not in ("better", "worse"):
        return verdict.kind
    if verdict.claim == MODELS:
        return f"{verdict.kind} (models)"
    return verdict.kind if verdict.is_firm else f"probably {verdict.kind}"


def counts(verdict: Verdict) -> str:
    """Return how many runs were compared, of this group and of the baseline."""
    first, second = verdict.n
    if not first:
        return MISSING
    return str(first) if first == second else f"{first} and {second}"


def p_value(verdict: Verdict | None) -> str:
    """Return the p-value, corrected where there are many; a dash where so few runs allow none."""
    if verdict is None or verdict.p_value is None:
        return MISSING
    shown = verdict.p_value if verdict.adjusted_p is None else verdict.adjusted_p
    return "<0.0001" if shown < 1e-4 else f"{shown:.2g}"


def why(verdict: Verdict, one: Group) -> str:
    """Return why a verdict is what it is, and what else sets its group apart from the baseline's."""
    told = [verdict.reason] if verdict.reason else []
    told += [f"also differs: {', '.join(one.differs)}"] if one.differs else []
    return "; ".join(told) or MISSING


def params(one: Group, names: Iterable[str], mixed: str = "mixed") -> list[str]:
    """Return a group's params; those in which its runs differ are said to."""
    found = []
    for name in names:
        held = {value(row.run.params.get(name)) for row in one.rows}
        found.append(held.pop() if len(held) == 1 else mixed)
    return found


def reasons(comparison: Comparison, metric: Metric | None) -> list[str]:
    """Return why the verdicts on a metric are what they are: each reason once, with its groups."""
    if metric is None:
        return []
    by_reason: dict[str, list[str]] = {}
    for one in comparison.groups:
        verdict = one.verdicts.get(metric.name)
        for reason in verdict.reason.split("; ") if verdict is not None and verdict.reason else ():
            by_reason.setdefault(reason, []).append(one.name)
    return [f"{reason}: {listed(names)}" for reason, names in by_reason.items()]


def listed(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def method(comparison: Comparison) -> str:
    """Return how the numbers were got."""
    words = "Means ± SD over n seeds."
    if comparison.baseline is not None:
        words += (
            f" Differences to {comparison.baseline.name} with their 95% interval: paired t where seeds and "
            "splits are shared, else Welch's; of pairs the means are those of the shared seeds alone."
        )
    if comparison.comparisons > 1:
        words += (
            f" Better and worse hold after Benjamini–Hochberg over {comparison.comparisons} comparisons "
            f"({ALPHA:.0%} false ones on average), if seeds spread normally."
        )
    if any(v.claim == MODELS for one in comparison.groups for v in one.verdicts.values()):
        words += " Of one run a side these two models are compared, over test examples; not two methods."
    return words


def pareto(comparison: Comparison) -> str:
    """Return the Pareto front as a sentence; '' where there is no timing or no quality to speak of."""
    front = comparison.pareto
    if front.quality is None or front.speed is None:
        return ""
    both = f"{front.quality.name} against {front.speed.name}"
    if front.missing:
        told = [f"No front of {both}: {front.missing}"]
    else:
        told = [
            f"On the front of {both} by their means (machine {front.machine}): {listed(list(front.front))}"
        ]
        if front.beaten:
            told.append(f"no better in either: {listed(list(front.beaten))}")
    if front.left_out:
        by_reason: dict[str, list[str]] = {}
        for name, reason in front.left_out.items():
            by_reason.setdefault(reason, []).append(name)
        told.append("left out: " + "; ".join(f"{listed(names)} ({why})" for why, names in by_reason.items()))
    return "; ".join(told) + "."


def left_out(comparison: Comparison) -> str:
    """Return which runs are not compared, by how they ended; '' for none."""
    by_status: dict[str, list[str]] = {}
    for row in comparison.left_out:
        by_status.setdefault(row.run.status.replace("_", " "), []).append(row.name)
    told = [f"{len(names)} {status} ({listed(names)})" for status, names in by_status.items()]
    repeated = sum(len(one.repetitions) for one in comparison.groups)
    if repeated:
        told.append(f"{repeated} that repeat{'s' if repeated == 1 else ''} the seed of an earlier run")
    return f"Not counted: {'; '.join(told)}." if told else ""


def verified(comparison: Comparison) -> str:
    """Return which runs were run again, by what came out; '' where none was."""
    by_verdict: dict[str, list[str]] = {}
    for one in comparison.groups:
        for row in one.rows:
            if row.run.certificate:
                by_verdict.setdefault(certificate(row.run), []).append(row.name)
    told = [f"{verdict}: {listed(names)}" for verdict, names in by_verdict.items()]
    return f"Run again (reproof verify): {'; '.join(told)}." if told else ""


def certificate(run: Run) -> str:
    """Return what the best certificate of a run says; a dash where it has none."""
    found = run.certificate
    return f"{found['verdict']} ({found['relation']})" if found else MISSING
