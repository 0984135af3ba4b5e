"""One attempt beside the record: how alike they are, in what, and why not more.

BIT takes every artefact and every metric; NUMERIC takes the same splits, every metric within its declared
tolerance, and every artefact that differs close to the recorded one by its kind. What cannot be compared is
never taken for close: then the run is unverifiable, or different.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reproof.params.models import Tolerance
from reproof.record_values import mapping
from reproof.verify import artefacts, snapshot
from reproof.verify.artefacts import ArtefactLine, Fetch
from reproof.verify.divergence import Divergence
from reproof.verify.execution import Attempt
from reproof.verify.kinds.found import Standing
from reproof.verify.levels import Level, Verdict
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.snapshot import Snapshot
from reproof.verify.tolerances import Tolerances, is_within

_DRAW = ("altair", "bokeh", "matplotlib", "pillow", "plotly", "reportlab", "seaborn", "vl-convert-python")
"""Packages that draw."""


@dataclass(frozen=True)
class MetricLine:
    """One metric; a value is None where it was not measured, or is in one of the two alone."""

    name: str
    recorded: float | None
    found: float | None
    tolerance: Tolerance
    standing: Standing
    words: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an attempt comes to beside the record.

    Attributes:
        level: the highest that it reaches; None for none.
        unknown: it reaches none only because something of the record is not at hand.
        metrics: every one, those of timings left out.
        artefacts: every one.
        divergence: the first step that differs; None where none does, or no log can tell.
        splits_identical: None where the executed stages make no splits.
        answers_changed: examples with another answer; None where no predictions were compared.
        answers: examples whose predictions were compared; None likewise.
        reasons: why it is not `BIT`, and not more than it is, the gravest first.
        left_out: what was not compared, with the reason.
    """

    level: Level | None
    unknown: bool
    metrics: tuple[MetricLine, ...]
    artefacts: tuple[ArtefactLine, ...]
    divergence: Divergence | None
    splits_identical: bool | None
    answers_changed: int | None
    answers: int | None
    reasons: tuple[str, ...]
    left_out: dict[str, str]

    @property
    def verdict(self) -> Verdict:
        """In a word."""
        return Verdict.UNVERIFIABLE if self.unknown else Verdict.of(self.level)


def compare(
    run: RecordedRun, attempt: Attempt, tolerances: Tolerances, fetch: Fetch, made: Snapshot | None = None
) -> Outcome:
    """Compare what an attempt left with the record of the run.

    Args:
        run: the record.
        attempt: whose outputs are still there.
        tolerances: that the run declared.
        fetch: gives recorded artefacts, for how far they are apart.
        made: the attempt's snapshot, where it has been taken already.

    Raises:
        Contradiction: DVC holds something else under an artefact's hash than the run recorded.
    """
    recorded, made = snapshot.of_record(run, attempt.stages), made or snapshot.of_attempt(run, attempt)
    metrics = _metrics(recorded, made, tolerances)
    lines = artefacts.compare(run, attempt, recorded, made, tolerances, fetch)
    lines = tuple(_judged(line, attempt) for line in lines)
    lines = tuple(_drawn(run, line, attempt, metrics, lines) for line in lines)
    splits = artefacts.splits(run, attempt, lines)
    standings = [*(line.standing for line in metrics), *(line.standing for line in lines)]
    worst = max(standings, default=Standing.UNKNOWN)
    others = _other_inputs(run, attempt, made)
    if splits is False or others:
        worst = Standing.DIFFERENT
    level: Level | None = None
    if worst < Standing.UNKNOWN:
        level = Level.BIT if worst is Standing.IDENTICAL else Level.NUMERIC
    answers = next((line.told for line in lines if line.told.answers is not None), None)
    return Outcome(
        level,
        worst is Standing.UNKNOWN,
        metrics,
        lines,
        artefacts.first_divergence(lines, attempt, fetch),
        splits,
        answers.answers_changed if answers else None,
        answers.answers if answers else None,
        (*others, *_reasons(metrics, lines, splits)),
        {**recorded.left_out, **made.left_out},
    )


def _judged(line: ArtefactLine, attempt: Attempt) -> ArtefactLine:
    """Weights that differ are only as close as what reads them finds: without that, nobody can tell."""
    reads = [path for record in attempt.stages.values() for path in mapping(record, "reads")]
    if not line.told.of_weights or line.standing > Standing.FOLLOWS:
        return line
    if any(_within(path, line.path) or _within(line.path, path) for path in reads):
        return line
    words = f"{line.told.words}, and no executed stage that reads them tells what that does"
    return replace(line, told=replace(line.told, standing=Standing.UNKNOWN, words=words))


def _drawn(
    run: RecordedRun,
    line: ArtefactLine,
    attempt: Attempt,
    metrics: tuple[MetricLine, ...],
    lines: tuple[ArtefactLine, ...],
) -> ArtefactLine:
    """A picture may only differ where what it is drawn from differs, or what it is drawn by.

    A picture can be the result itself, and the same numbers draw the same one.
    """
    if not line.told.drawn or line.standing is not Standing.FOLLOWS:
        return line
    reads = mapping(attempt.stages.get(line.stage), "reads")
    from_others = any(
        # What follows, such as a logged speed, is no number that a picture may hide behind.
        other.standing not in (Standing.IDENTICAL, Standing.FOLLOWS)
        and (
            (other.stage == line.stage and not other.told.drawn)
            or (
                other.stage != line.stage
                and any(_within(path, other.path) or _within(other.path, path) for path in reads)
            )
        )
        for other in lines
    )
    measured = any(
        one.standing is not Standing.IDENTICAL and one.name.startswith(f"{line.stage}.") for one in metrics
    )
    sides = (run.stages.get(line.stage), attempt.stages.get(line.stage))
    first, second = (mapping(side, "environment", "packages") for side in sides)
    by_others = any(first.get(name) != second.get(name) for name in _DRAW)
    if from_others or measured or by_others:
        return line
    words = "another picture, from the same numbers and by the same packages"
    return replace(line, told=replace(line.told, standing=Standing.DIFFERENT, words=words))


def _other_inputs(run: RecordedRun, attempt: Attempt, made: Snapshot) -> tuple[str, ...]:
    """What a stage read of files that no executed stage makes, where it is not what was recorded."""
    own = (*made.artefacts, *made.left_out)
    told = []
    for stage, record in attempt.stages.items():
        before, now = mapping(run.stages.get(stage), "reads"), mapping(record, "reads")
        for path in sorted(before.keys() | now.keys()):
            made_here = any(_within(path, one) or _within(one, path) for one in own)
            if not made_here and before.get(path) != now.get(path):
                told.append(f"{stage} read {path}, which is not what was recorded")
    return tuple(told)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _metrics(recorded: Snapshot, made: Snapshot, tolerances: Tolerances) -> tuple[MetricLine, ...]:
    lines = []
    for name in dict.fromkeys((*recorded.metrics, *made.metrics)):
        one, other, tolerance = recorded.metrics.get(name), made.metrics.get(name), tolerances.of(name)
        standing, words = Standing.DIFFERENT, ""
        if name not in made.metrics:
            words = "was recorded, and is not measured here"
        elif name not in recorded.metrics:
            words = "is measured here, and was not recorded"
        elif snapshot.same_number(recorded, made, name):
            standing = Standing.IDENTICAL
        elif one is None or other is None:
            words = "could be measured in one of the two alone"
        elif is_within(one, other, tolerance):
            standing = Standing.CLOSE
        lines.append(MetricLine(name, one, other, tolerance, standing, words))
    return tuple(lines)


def _reasons(
    metrics: tuple[MetricLine, ...], lines: tuple[ArtefactLine, ...], splits: bool | None
) -> tuple[str, ...]:
    if not metrics and not lines:
        return ("the executed stages record neither a metric nor an artefact: there is nothing to compare",)
    told: list[tuple[int, str]] = [(-Standing.DIFFERENT, "the splits are others")] if splits is False else []
    for metric in metrics:
        if metric.standing is not Standing.IDENTICAL:
            words = metric.words or "differs"
            told.append((-metric.standing, f"{metric.name} {words}"))
    for line in lines:
        if line.standing is not Standing.IDENTICAL:
            told.append((-line.standing, f"{line.path}: {line.told.words or 'differs'}"))
    return tuple(words for _, words in sorted(told, key=lambda one: one[0]))
