"""What the screen says of a verification: one line a step, the verdict last; and the same as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reproof import clock, redact
from reproof.invocation import LATEST
from reproof.record_values import mapping
from reproof.verify.artefacts import ArtefactLine
from reproof.verify.errors import CannotVerify, Contradiction, RerunFailed
from reproof.verify.factors import Factor
from reproof.verify.kinds.found import Standing
from reproof.verify.levels import Verdict
from reproof.verify.outcome import MetricLine, Outcome
from reproof.verify.verification import Verification

WIDTH = 110
_LABEL = 13
_BETWEEN = "   "
_MAX_NAMED = 6
_WORDS_FOR_A_MODEL = "model.onnx"


def as_text(found: Verification, here: Path) -> str:
    """Return the lines of the screen.

    Args:
        found: the verification.
        here: the folder that paths are shown from.
    """
    lines = [redact.text(line) for label, items in _rows(found) for line in _row(label, items)]
    certificate = os.path.relpath(found.certificate, here) if found.certificate else "none"
    short = "" if found.exit_code == 0 else f"   ({found.required.word} was required)"
    # Its name as it is, so that people can open it: that of an experiment can look like a token.
    verdict = _row("VERDICT", [f"{found.verdict.value}{short}", f"certificate {certificate}"])
    return "\n".join([*lines, *verdict])


def as_json(found: Verification) -> str:
    """Return what scripts read: the verdict, why, and every number behind it."""
    outcome = found.outcome
    told: dict[str, Any] = {
        "verdict": found.verdict.value,
        "level": found.level.word if found.level else None,
        "required": found.required.word,
        "exit_code": int(found.exit_code),
        "reasons": list(found.reasons),
        "run": {"name": found.run.name, "run_id": found.run.run.run_id, "commit": found.run.commit},
        "record": {
            "agreed": sum(one.ok is True for one in found.checked),
            "not_looked_at": {one.what: one.reason for one in found.checked if one.ok is None},
        },
        "inputs": found.inputs.files,
        "executed": list(found.plan.executed),
        "left_out": dict(found.plan.left_out),
        "confinement": found.attempts[0].confinement,
        "control": asdict(found.control) if found.control else None,
        "environment": [{**asdict(one), "same": one.same} for one in found.factors],
        "tolerances": {"declared": found.tolerances.declared},
        "metrics": [_metric_data(line) for line in outcome.metrics] if outcome else [],
        "artefacts": [_artefact_data(line) for line in outcome.artefacts] if outcome else [],
        "not_compared": dict(outcome.left_out) if outcome else {},
        "splits_identical": outcome.splits_identical if outcome else None,
        "answers_changed": outcome.answers_changed if outcome else None,
        "divergence": asdict(outcome.divergence) if outcome and outcome.divergence else None,
        "chain": [{**asdict(link), "verdict": link.verdict.value} for link in found.links],
        "replication": asdict(found.replication) if found.replication else None,
        "causes": None if found.causes is None else [asdict(cause) for cause in found.causes],
        "seconds": dict(found.seconds),
    }
    certificate = str(found.certificate) if found.certificate else None
    return json.dumps({**redact.data(_finite(told)), "certificate": certificate}, indent=2)


def failure_as_text(error: CannotVerify | RerunFailed | Contradiction) -> str:
    """Return the last line of a verification that came to no comparison; the error itself is told apart."""
    why = {
        CannotVerify: "it cannot be verified here",
        RerunFailed: "the re-run failed",
        Contradiction: "the record contradicts itself",
    }
    return "\n".join(_row("VERDICT", [f"{Verdict.UNVERIFIABLE.value}{_BETWEEN}{why[type(error)]}"]))


def failure_as_json(error: CannotVerify | RerunFailed | Contradiction) -> str:
    """Return the same for scripts."""
    told = {"what": error.what, "where": error.where, "expected": error.expected, "found": error.found}
    verdict = Verdict.UNVERIFIABLE.value
    whole = {"verdict": verdict, "level": None, "exit_code": int(error.code), "error": told}
    return json.dumps(whole, indent=2)


def _rows(found: Verification) -> Iterator[tuple[str, list[str]]]:
    run, outcome = found.run, found.outcome
    not_looked = sum(one.ok is None for one in found.checked)
    agreed = f"{sum(one.ok is True for one in found.checked)} checks agree"
    unseen = f", {not_looked} not possible here" if not_looked else ""
    yield "record", [f"{run.name} @ {run.commit[:7]}", "clean, files intact", f"({agreed}{unseen})"]
    source = ["from the remotes alone"] if found.fresh_clone else []
    yield "inputs", [f"{found.inputs.files:,}/{found.inputs.files:,} SHA-256 match", *source]
    yield "executed", [" ".join(found.plan.executed), f"({_proof(found)})"]
    by_request = [
        name for name, why in found.plan.left_out.items() if why.startswith(("not asked", "excluded"))
    ]
    if by_request:
        yield "not executed", [" ".join(by_request)]
    if found.control is not None:
        yield "control", [str(found.control)]
    yield "environment", _environment(found)
    if outcome is not None:
        yield "metrics", _metrics(found, outcome)
        yield "artefacts", _artefacts(outcome)
        if outcome.divergence is not None:
            yield "diverges", [str(outcome.divergence)]
    for link in found.links:
        said = (
            "does not give its recorded results" if link.reason else f"gives a {link.verdict.value.lower()}"
        )
        yield "chain", [f"{link.stage} from the recorded {', '.join(map(_short, link.files))} {said}"]
    if found.replication is not None:
        yield from _replication(found)
    for cause in found.causes or ():
        yield "cause", [str(cause)]
    if found.causes == ():
        yield "cause", ["nothing differs, so there is nothing to explain"]
    if found.verdict is not Verdict.BIT:
        for reason in found.reasons[:_MAX_NAMED]:
            yield "because", [reason]
    yield "took", [f"{name} {_duration(took)}" for name, took in found.seconds.items()]


def _row(label: str, items: Iterable[str]) -> list[str]:
    """One label and what stands beside it, broken between items where a line is full."""
    lines, line = [], label.ljust(_LABEL)
    empty = True
    for item in items:
        if not empty and len(line) + len(_BETWEEN) + len(item) > WIDTH:
            lines.append(line)
            line, empty = " " * _LABEL, True
        line += item if empty else f"{_BETWEEN}{item}"
        empty = False
    return [*lines, line]


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else clock.duration(seconds)


def _proof(found: Verification) -> str:
    confined = found.attempts[0].confinement
    return f"proof of execution in each, imports confined: {confined}"


def _environment(found: Verification) -> list[str]:
    differing = [one for one in found.factors if one.same is False and one.matters]
    far = [one for one in differing if one.kind == "package" and one.name not in _SHOWN_ALSO_WHERE_SAME]
    items = [_factor(one) for one in differing if one not in far]
    if far:
        items.append(f"{len(far)} other package{'s' if len(far) > 1 else ''} ≠, such as {_factor(far[0])}")
    items += [_factor(one) for one in found.factors if one.same and one.name in _SHOWN_ALSO_WHERE_SAME]
    items = items[:12] or ["nothing is known of it"]
    if found.recreated is not None:
        items.append(f"packages made anew from {found.recreated.source}; {found.recreated.library}")
    return items


_SHOWN_ALSO_WHERE_SAME = ("torch", "numpy", "onnxruntime", "Python", "CPU", "threads", "ISA")


def _factor(one: Factor) -> str:
    if one.same:
        return f"{one.name} {one.recorded} ="
    return f"{one.name} {one.recorded or 'none'} ≠ {one.here or 'none'}"


def _metrics(found: Verification, outcome: Outcome) -> list[str]:
    if not outcome.metrics:
        return ["the executed stages record none"]
    names = {metric: short for short, metric in mapping(found.run.params, "summary").items()}
    shown = [line for line in outcome.metrics if line.name in names]
    others = [line for line in outcome.metrics if line.name not in names]
    differing = (line for line in others if line.standing is not Standing.IDENTICAL)
    odd = sorted(differing, key=lambda one: -one.standing)
    items = [_metric(line, names.get(line.name, line.name)) for line in [*shown, *odd[:_MAX_NAMED]]]
    same = sum(line.standing is Standing.IDENTICAL for line in others)
    if same:
        items.append(f"{'and ' if items else ''}{same} {'more ' if items else ''}identical")
    if len(odd) > _MAX_NAMED:
        items.append(f"and {len(odd) - _MAX_NAMED} more that differ")
    if not found.tolerances.declared and any(line.standing != Standing.IDENTICAL for line in outcome.metrics):
        items.append(f"(tolerances {found.tolerances.source})")
    return items


def _metric(line: MetricLine, name: str) -> str:
    one, other = line.recorded, line.found
    if line.standing is Standing.IDENTICAL:
        value = "not measured" if one is None else f"{one:.6g}"
        return f"{name} {value} = {'not measured' if other is None else f'{other:.6g}'}"
    if one is None or other is None:
        return f"{name} {line.words}"
    bound = max(line.tolerance.absolute, line.tolerance.relative * abs(one))
    gap = f"{other - one:+.2g}"
    if line.standing is Standing.CLOSE:
        return f"{name} {gap} (tolerance {bound:.2g})"
    return f"{name} {one:.6g} ≠ {other:.6g} ({gap}, tolerance {bound:.2g})"


def _artefacts(outcome: Outcome) -> list[str]:
    same = [line for line in outcome.artefacts if line.standing is Standing.IDENTICAL]
    odd = sorted((line for line in outcome.artefacts if line not in same), key=lambda line: -line.standing)
    items = [_artefact(line) for line in odd[:_MAX_NAMED]]
    if len(odd) > _MAX_NAMED:
        items.append(f"and {len(odd) - _MAX_NAMED} more that differ")
    if outcome.splits_identical is not None:
        items.append(f"splits {'identical' if outcome.splits_identical else 'differ'}")
    items += ["onnx identical" for line in same if line.path.endswith(".onnx")][:1]
    items.append(f"{len(same)}/{len(outcome.artefacts)} identical")
    if outcome.answers_changed:
        items.append(f"{outcome.answers_changed} of {outcome.answers} answers changed")
    return items


def _artefact(line: ArtefactLine) -> str:
    return f"{_short(line.path)}: {line.told.words or 'differs'}"


def _short(path: str) -> str:
    return path.removeprefix(f"{LATEST}/")


def _replication(found: Verification) -> Iterator[tuple[str, list[str]]]:
    told = found.replication
    assert told is not None
    reach = f"{told.confidence:.1%} interval of one more run: ± {told.half_width:.1f} standard deviations"
    yield "seeds", [f"{len(told.seeds)} fresh ones", reach]
    for one in told.metrics:
        low, high = one.interval
        where = f"{'inside' if one.inside else 'OUTSIDE'} {low:.6g} to {high:.6g}"
        if one.inside is None:
            where = f"not judged: {one.values[0]:.6g} with each seed"
        yield one.name, [f"recorded {one.recorded:.6g}", where]
    for name, why in told.missing.items():
        yield name, [f"not judged: {why}"]


def _metric_data(line: MetricLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "recorded": line.recorded,
        "found": line.found,
        "tolerance": line.tolerance.model_dump(),
        "standing": line.standing.word,
        "words": line.words,
    }


def _artefact_data(line: ArtefactLine) -> dict[str, Any]:
    return {
        "path": line.path,
        "stage": line.stage,
        "recorded": line.recorded,
        "found": line.found,
        "standing": line.standing.word,
        "words": line.told.words,
        "largest": line.told.largest,
    }


def _finite(value: Any) -> Any:
    """As JSON takes it: a number that is not finite becomes a word."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and value - value != 0 else value
