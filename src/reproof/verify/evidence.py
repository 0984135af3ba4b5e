"""Whether a certificate's own evidence bears what it claims: no repository is needed for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproof.verify.levels import Level, Verdict
from reproof.verify.statement import Metric, Predicate, Statement
from reproof.verify.statistics import MIN_SEEDS, replicate

UNKNOWN = "unknown"
"""In place of the fingerprint of a machine that a record does not name."""

_RANK: dict[str, int] = {"identical": 0, "close": 1, "follows": 2, "unknown": 3, "different": 4}


def contradictions(statement: Statement) -> list[str]:
    """Return what a certificate says that its own evidence does not bear, in words; none for a sound one."""
    said, wrong = statement.predicate, []
    level = Level.of(said.level) if said.level else None
    try:
        verdict = Verdict(said.verdict)
    except ValueError:
        return [f"verdict: {said.verdict!r} is none"]
    if verdict.level != level:
        wrong.append(f"verdict {said.verdict} does not go with the level {said.level}")
    if said.met != (level is not None and level >= Level.of(said.required)):
        wrong.append(f"met is {said.met}, at the level {said.level} where {said.required} was required")
    who = said.operator
    known = who.email_sha256 is not None and who.author_email_sha256 is not None
    if who.is_author is not (who.email_sha256 == who.author_email_sha256 if known else None):
        wrong.append(f"is_author is {who.is_author}, which the addresses' digests do not bear")
    relation, why = related(who.is_author, said.machine.model_dump())
    if relation != said.relation:
        wrong.append(f"{said.relation}, and yet {why}")
    if level is not None:
        wrong += _unproven(said)
    if level in (Level.BIT, Level.NUMERIC):
        wrong += _not_so_good(said, level)
    if level is Level.STATISTICAL:
        wrong += _not_replicated(said)
    return wrong


def _unproven(said: Predicate) -> list[str]:
    """A match without an execution, or without proof that one took place."""
    wrong = [] if said.executed else ["a match, and no stage was executed"]
    nonces = {one.nonce_sha256 for one in said.executed.values()}
    if said.executed and (None in nonces or len(nonces) != 1):
        wrong.append("the stages do not prove that one execution ran them all")
    wrong += [
        f"the stage {name} ended with {one.status}"
        for name, one in said.executed.items()
        if one.status not in ("success", "partial")
    ]
    early = [name for name, one in said.executed.items() if (one.start_time or "") < said.started]
    wrong += [f"the stage {name} began before the verification" for name in early]
    return wrong


def _not_so_good(said: Predicate, level: Level) -> list[str]:
    """Metrics and artefacts that do not bear the level that the certificate claims."""
    wrong = []
    if not said.metrics and not said.artefacts:
        wrong.append("a match, and nothing was compared")
    if said.splits_identical is False:
        wrong.append("a match, and the splits are others")
    worst = 0 if level is Level.BIT else 2
    for name, metric in said.metrics.items():
        rank = _RANK[metric.standing]
        if rank > worst or rank < _standing(metric):
            sides = f"{metric.recorded} and {metric.found}"
            wrong.append(f"{name}: {sides} are called {metric.standing}, for a {level.word} match")
    for path, one in said.artefacts.items():
        same = one.recorded is not None and one.recorded == one.found
        if _RANK[one.standing] > worst:
            wrong.append(f"{path} is {one.standing}, for a {level.word} match")
        elif one.standing == "identical" and not same and one.recorded is not None:
            wrong.append(f"{path} is called identical, with other digests")
    wrong += [
        f"{one.get('stage')}: {one['reason']}, and yet a match" for one in said.chain if one.get("reason")
    ]
    if said.control and said.control.get("differing") and level is Level.BIT:
        wrong.append("a bit match, and the control differs from run to run")
    return wrong


def _not_replicated(said: Predicate) -> list[str]:
    """A statistical match takes fresh seeds, and each headline metric inside what they predict."""
    seeds, metrics = ((said.replication or {}).get(key) for key in ("seeds", "metrics"))
    if not isinstance(seeds, list) or len(set(map(str, seeds))) < MIN_SEEDS or not metrics:
        return [f"a statistical match without {MIN_SEEDS} fresh seeds and a metric that they judge"]
    try:
        headline = {str(one["name"]): str(one["metric"]) for one in metrics}
        recorded = {str(one["metric"]): float(one["recorded"]) for one in metrics}
        runs = [
            {str(one["metric"]): float(one["values"][index]) for one in metrics}
            for index in range(len(seeds))
        ]
    except (KeyError, TypeError, ValueError, IndexError):
        return ["what the fresh seeds gave cannot be read"]
    again = replicate(headline, recorded, list(range(len(seeds))), runs, {})
    return [f"{one.metric} is not what the seeds predict" for one in again.metrics if not one.inside]


def _standing(metric: Metric) -> int:
    """How good two numbers really are."""
    if metric.recorded is None or metric.found is None:
        return 0 if metric.recorded is metric.found else 4
    if metric.recorded.hex() == metric.found.hex():
        return 0
    close = metric.allowed is not None and abs(metric.found - metric.recorded) <= metric.allowed
    return 1 if close else 4


def related(is_author: bool | None, machine: Mapping[str, Any]) -> tuple[str, str]:
    """Return `repeated` or `reproduced`, with the reason.

    A run is reproduced only where somebody else than its author executed it again on another machine; where
    one of the two is not known, it is repeated.
    """
    recorded, here = machine.get("recorded") or [UNKNOWN], machine.get("here") or UNKNOWN
    known = UNKNOWN not in (*recorded, here)
    if is_author is False and known and here not in recorded:
        return "reproduced", "another operator than the run's author, on another machine"
    reasons = []
    if is_author is not False:
        reasons.append("the operator is the run's author" if is_author else "the operator is not known")
    if not known:
        reasons.append("the run's machine is not known")
    elif here in recorded:
        reasons.append("the machine is the run's")
    return "repeated", "; ".join(reasons)
