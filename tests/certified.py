"""Verifications without an execution, and what a certificate of them must be."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reproof import clock
from reproof.verify import (
    certificate_check,
    control,
    factors,
    outcome,
    record_check,
    recorded_run,
    snapshot,
    tolerances,
)
from reproof.verify.execution import Attempt
from reproof.verify.inputs import Inputs
from reproof.verify.levels import Level
from reproof.verify.stages import Plan
from reproof.verify.verification import Verification

HEX = {"type": "string", "pattern": "^[0-9a-f]+$"}
IN_TOTO = {
    # By the specification, version 1.1: Statement, ResourceDescriptor and DigestSet.
    "type": "object",
    "required": ["_type", "subject", "predicateType"],
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["digest"],
                "properties": {
                    "name": {"type": "string"},
                    "uri": {"type": "string"},
                    "digest": {
                        "type": "object",
                        "minProperties": 1,
                        "properties": {
                            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                            "gitCommit": {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
                            "gitBlob": {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"},
                        },
                        "additionalProperties": HEX,
                    },
                },
                "additionalProperties": False,
            },
        },
        "predicateType": {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*:[^\\s]+$"},
        "predicate": {"type": "object"},
    },
    "additionalProperties": False,
}


def verification(project: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Verification:
    """What `reproof verify` would find, where the re-run left the very files of the workspace.

    Args:
        project: the small project with its run; the outputs in it stand for those of the attempt.
        change: what the attempt's stages say otherwise.
    """
    run_ = recorded_run.load(project, "HEAD")
    started = clock.now()
    stages = copy.deepcopy({name: run_.stages[name] for name in run_.measured})
    for record in stages.values():
        record |= {"start_time": clock.now(), "end_time": clock.now()}
        record["verification"] = {"nonce": "0" * 32, "modules": [], "confined": "audit hook"}
    if change:
        change(stages)
    attempt = Attempt(
        number=1,
        stages=stages,
        project=project,
        seconds=dict.fromkeys(stages, 1.0),
        wall_seconds=4.0,
        log=project / "log",
        nonce="0" * 32,
        confinement="audit hook",
        allowed=(),
        refused={"train": (f"{Path.home()}/secret.csv",)},
        variables={},
    )
    allowed = tolerances.read(run_.config)
    found = outcome.compare(run_, attempt, allowed, lambda _: None)
    return Verification(
        run=run_,
        required=Level.BIT,
        verdict=found.verdict,
        reasons=found.reasons,
        checked=tuple(record_check.check(run_)),
        tolerances=allowed,
        plan=Plan(tuple(stages), {"summarize": "the record is not executed"}, ("data",), {}, {}),
        inputs=Inputs(1, 8, {"data/README.md": "sha256:" + "0" * 64}, {}, {"data": "git"}, {}),
        attempts=(attempt,),
        made=snapshot.of_attempt(run_, attempt),
        factors=factors.between(run_.stages, stages),
        outcome=found,
        control=control.of([snapshot.of_attempt(run_, attempt)] * 2),
        started=started,
        ended=clock.now(),
        seconds={"execution": 4.0},
    )


def a_little_more_loss(stages: dict[str, Any]) -> None:
    stages["evaluate"]["metrics"]["test.loss"] += 1e-4


def much_more_loss(stages: dict[str, Any]) -> None:
    stages["evaluate"]["metrics"]["test.loss"] += 1.0


def changed(written: Path, folder: Path, *keys: str | int, to: Any) -> Path:
    """A copy of a certificate with one value changed, as by hand."""
    value = json.loads(written.read_text())
    inner = value
    for key in keys[:-1]:
        inner = inner[key]
    assert inner.get(keys[-1]) != to if isinstance(inner, dict) else inner[keys[-1]] != to
    inner[keys[-1]] = to
    path = folder / "changed.json"
    path.write_text(json.dumps(value))
    return path


def wrong(project: Path, path: Path) -> str:
    return "\n".join(map(str, certificate_check.check(project, path).wrong))
