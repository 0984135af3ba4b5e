"""What a certificate says, for people: a dozen lines, aligned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof import clock
from reproof.record_values import mapping
from reproof.verify.evidence import contradictions
from reproof.verify.statement import Predicate, Statement

_WIDTH = 13
_MOST = 8


def lines(statement: Statement) -> list[str]:
    """Return the lines that `reproof certificate show` prints."""
    return [f"{name:<{_WIDTH}}{text}".rstrip() for name, text in _rows(statement)]


def _rows(statement: Statement) -> Iterator[tuple[str, str]]:
    said = statement.predicate
    run, inputs = said.run, said.inputs
    yield "run", f"{run.name} @ {run.commit[:10]}"
    yield "verdict", f"{said.verdict}; {said.required} was required{'' if said.met else ', and is not met'}"
    yield "relation", f"{said.relation}: {said.relation_reason}"
    yield "operator", said.operator.name or "not known"
    yield "when", f"{said.started} to {said.ended}"
    if inputs.get("files") is not None:
        clone = ", from remotes alone" if inputs.get("fresh_clone") else ""
        yield "inputs", f"{inputs['files']} files, digests as recorded{clone}"
    if said.executed:
        yield "executed", " ".join(said.executed)
    for name, why in said.left_out.items():
        yield "left out", f"{name}: {why}"
    if said.confinement:
        yield "confinement", said.confinement
    yield from _environment(said)
    if said.control:
        differing = said.control.get("differing") or []
        yield "control", f"A ≠ A: {', '.join(map(str, differing[:3]))}" if differing else "A = A  identical"
    yield from _metrics(said)
    counts = _counts(one.standing for one in said.artefacts.values())
    if counts:
        splits = {True: "; splits identical", False: "; splits differ", None: ""}[said.splits_identical]
        yield "artefacts", f"{counts}{splits}"
    for path, one in said.artefacts.items():
        if one.standing not in ("identical", "follows"):
            yield "", f"{path}: {one.words or one.standing}"
    if said.divergence:
        yield "diverges", f"step {said.divergence.get('step')} ({said.divergence.get('metric')})"
    for reason in said.reasons:
        yield "reason", reason
    for cause in said.causes or []:
        yield "cause", f"{cause.get('factor')} [{cause.get('status')}: {cause.get('words')}]"
    if said.seconds:
        yield "took", clock.duration(sum(said.seconds.values()))
    for words in contradictions(statement):
        yield "CONTRADICTS", words


def _metrics(said: Predicate) -> Iterator[tuple[str, str]]:
    counts = _counts(one.standing for one in said.metrics.values())
    if counts:
        declared = "" if said.tolerances.get("declared") else " (library's tolerances)"
        yield "metrics", f"{counts}{declared}"
    differing = {name: one for name, one in said.metrics.items() if one.standing != "identical"}
    for name, one in list(differing.items())[:_MOST]:
        allowed = "" if one.allowed is None else f", ±{one.allowed:.2g} allowed"
        yield "", f"{name}: {_number(one.recorded)} recorded, {_number(one.found)} here{allowed}"
    if len(differing) > _MOST:
        yield "", f"and {len(differing) - _MOST} more"


def _environment(said: Predicate) -> Iterator[tuple[str, str]]:
    factors = mapping(said.environment, "factors")
    differing = {
        name: one for name, one in factors.items() if isinstance(one, dict) and one.get("same") is False
    }
    if factors:
        yield (
            "environment",
            f"{len(differing)} of {len(factors)} facts differ" if differing else "as recorded",
        )
    for name, one in list(differing.items())[:_MOST]:
        yield "", f"{name}: {_text(one.get('recorded'))} recorded, {_text(one.get('here'))} here"


def _counts(standings: Any) -> str:
    every = list(standings)
    return ", ".join(f"{every.count(one)} {one}" for one in dict.fromkeys(sorted(every)))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.8g}"


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
