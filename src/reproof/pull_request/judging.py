"""What a pull request does to each metric, and to the whole: better, worse, the same, or not to be said.

Where either side has several seeds, methods are compared over them (`comparison`); of one run a side the
models are, over the test examples that both answered (`difference`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reproof import comparison, history
from reproof.comparison import Comparison, Rules, Verdict, groups
from reproof.comparison.groups import Group
from reproof.comparison.verdicts import METHODS, MODELS
from reproof.difference import whole
from reproof.difference.whole import Difference
from reproof.history import Row, Rows
from reproof.pull_request.sides import Sides
from reproof.siblings import COUNTED

Overall = Literal["better", "worse", "mixed", "differs", "same", "inconclusive", "not comparable"]

_WORDS: dict[str, str] = {
    "better": "Better",
    "worse": "Worse",
    "mixed": "Better and worse",
    "differs": "A difference of which nobody has said whether it is good",
    "same": "The same",
    "inconclusive": "No difference is shown",
    "not comparable": "Not comparable",
}


@dataclass(frozen=True)
class Measured:
    """What a side measured: the mean over `n` seeds, and their standard deviation where there are several."""

    mean: float
    sd: float | None = None
    n: int = 1


@dataclass(frozen=True)
class Line:
    """One headline metric on both sides.

    Attributes:
        name: as `summary` has it.
        better: the direction, where somebody has declared one.
        margin: what makes no difference in practice.
        base: what the base measured; None where it did not.
        head: what the request did.
        verdict: of the request beside the base.
    """

    name: str
    better: Literal["higher", "lower"] | None
    margin: float | None
    base: Measured | None
    head: Measured | None
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """All of it.

    Attributes:
        overall: in a word.
        words: that word as people read it.
        reason: why, where it is not in the lines.
        lines: the headline metrics.
        difference: what else differs between the two runs; None where there are not two.
        seeds: how many runs count on each side, base first.
        caveats: what else to know.
        is_one_run: both sides hold the same run.
    """

    overall: Overall
    words: str
    reason: str | None
    lines: tuple[Line, ...]
    difference: Difference | None
    seeds: tuple[int, int]
    caveats: tuple[str, ...]
    is_one_run: bool = False

    @property
    def regressions(self) -> tuple[Line, ...]:
        """Headline metrics that got worse."""
        return tuple(line for line in self.lines if line.verdict.kind == "worse")

    @property
    def claims(self) -> tuple[str, ...]:
        """What the verdicts are about: methods, models, or both."""
        said = [line.verdict.claim for line in self.lines if line.verdict.claim]
        return tuple(claim for claim in (METHODS, MODELS) if claim in said)


def judge(root: Path, rows: Rows, sides: Sides, rules: Rules) -> Judgement:
    """Compare both sides of a request.

    Args:
        root: the project.
        rows: all runs, for other seeds of both sides.
        sides: as `sides.choose` returns them.
        rules: how metrics are judged: those of the request's own params.

    Raises:
        ReproofError: when Git refuses.
    """
    base, head = sides.base, sides.head
    if base is None or head is None:
        return _not_comparable(sides.why or "a side holds no run", _alone(head, rules))
    difference = whole.between(root, base, head, rules)
    if difference.is_one_run:
        told = f"both hold the run {head.run.run_id}: nothing that is measured has changed"
        found = _not_comparable(told, _lines(difference, rules), difference)
        return replace(found, overall="same", words="The same run", is_one_run=True)
    for side, row in (("this branch", head), (sides.base_name, base)):
        if row.run.status not in COUNTED:
            return _not_comparable(f"the run of {side} {_ended(row)}", _lines(difference, rules), difference)
    lines, seeds = _lines(difference, rules), (1, 1)
    caveats: tuple[str, ...] = ()
    chosen = _alike(rows.rows, base, head)
    if len(chosen) > 2:
        compared = comparison.compare(
            chosen, rules, baseline=base, read=lambda row, name: history.blob(root, row, name)
        )
        if (own := _group_of(compared, head)) and (other := compared.baseline) and own is not other:
            lines = _over_seeds(lines, own, other)
            seeds, caveats = (other.n, own.n), compared.warnings
    overall = _overall(lines)
    reason = None
    if overall == "not comparable":
        reasons = dict.fromkeys(line.verdict.reason for line in lines if line.verdict.reason)
        reason = "; ".join(reasons) or "no headline metric on both sides"
    decided = [line.verdict for line in lines if line.verdict.kind in ("better", "worse")]
    words = _WORDS[overall]
    if decided and not any(verdict.is_firm for verdict in decided):
        words = f"Probably {words.lower()}"
    if overall != "not comparable" and any(line.verdict.kind == "not comparable" for line in lines):
        words += ", as far as they can be compared"
    return Judgement(overall, words, reason, lines, difference, seeds, tuple(caveats))


def _ended(row: Row) -> str:
    stage = (row.run.error or {}).get("stage")
    status = row.run.status
    known = {"failed": "has failed", "in_progress": "is in progress", "unknown": "cannot be read"}
    told = known.get(status, f"is {status.replace('_', ' ')}")
    return f"{told} in the stage {stage}" if stage else told


def _not_comparable(
    reason: str, lines: Sequence[Line] = (), difference: Difference | None = None
) -> Judgement:
    return Judgement("not comparable", _WORDS["not comparable"], reason, tuple(lines), difference, (1, 1), ())


def _alone(head: Row | None, rules: Rules) -> tuple[Line, ...]:
    if head is None:
        return ()
    nothing = Verdict("not comparable", reason="there is nothing to compare it with")
    return tuple(
        Line(name, rules.of(name).better, rules.of(name).margin, None, Measured(value), nothing)
        for name, value in head.run.headline.items()
        if value is not None
    )


def _lines(difference: Difference, rules: Rules) -> tuple[Line, ...]:
    found = []
    for one in difference.metrics.headline:
        rule = rules.of(one.name, one.full)
        base, head = (None if value is None else Measured(value) for value in (one.a, one.b))
        found.append(Line(one.name, rule.better, rule.margin, base, head, one.verdict))
    return tuple(found)


def _over_seeds(lines: Sequence[Line], own: Group, base: Group) -> tuple[Line, ...]:
    """The lines over several seeds; one that these tell nothing of stays as the two runs have it."""
    found = []
    for line in lines:
        verdict = own.verdicts.get(line.name)
        there, here = base.spreads.get(line.name), own.spreads.get(line.name)
        if verdict is None or there is None or here is None or max(there.n, here.n) < 2:
            found.append(line)
            continue
        sides = [Measured(one.mean, one.sd, one.n) for one in (there, here)]
        found.append(replace(line, base=sides[0], head=sides[1], verdict=verdict))
    return tuple(found)


def _alike(rows: Sequence[Row], base: Row, head: Row) -> list[Row]:
    """Both runs, and those that differ from one of them in their seed alone."""
    wanted = {(row.run.code_tree, row.run.data) for row in (base, head)}
    near = [row for row in rows if (row.run.code_tree, row.run.data) in wanted and groups.counts(row)]
    chosen = [*near, *(row for row in (base, head) if all(row is not one for one in near))]
    grouped = groups.group(chosen).groups
    kept = [one for one in grouped if any(row is base or row is head for row in one.members)]
    return [row for one in kept for row in one.members]


def _group_of(compared: Comparison, row: Row) -> Group | None:
    return next((one for one in compared.groups if any(found is row for found in one.members)), None)


def _overall(lines: Sequence[Line]) -> Overall:
    kinds = {line.verdict.kind for line in lines} - {"not comparable"}
    if not kinds:
        return "not comparable"
    if "worse" in kinds:
        return "mixed" if "better" in kinds else "worse"
    if "better" in kinds:
        return "better"
    if "differs" in kinds:
        return "differs"
    return "inconclusive" if "inconclusive" in kinds else "same"
