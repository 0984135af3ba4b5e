"""A certificate: what came out when a run was executed again, as an unsigned in-toto Statement (JSON).

The Statement's subjects are the commit, the files of the run's record, and the artefacts of the stages that
were executed. Format: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. Who signs it,
such as a CI job by its forge's attestation, signs these bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import environment, file_names, files, git, links, redact
from reproof.record_values import mapping
from reproof.verify.evidence import UNKNOWN, related
from reproof.verify.execution import Attempt
from reproof.verify.outcome import Outcome
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.statement import PREDICATE_TYPE, SCHEMA_VERSION, STATEMENT_TYPE
from reproof.verify.subjects import subjects
from reproof.verify.tolerances import Tolerances, allowed
from reproof.verify.verification import Verification

if TYPE_CHECKING:
    import git as gitpython


def statement(found: Verification) -> dict[str, Any]:
    """Return the in-toto Statement on a verification, as plain JSON data."""
    run, outcome, level = found.run, found.outcome, found.level
    first = found.attempts[0] if found.attempts else None
    stages = list(first.stages) if first else []
    machine = {"recorded": machines(run, stages), "here": environment.fingerprint()}
    operator = _operator(run)
    relation, why = related(operator["is_author"], machine)
    predicate = {
        "schema_version": SCHEMA_VERSION,
        "verdict": found.verdict.value,
        "level": level.word if level else None,
        "required": found.required.word,
        "met": level is not None and level >= found.required,
        "reasons": list(found.reasons),
        "relation": relation,
        "relation_reason": why,
        "run": _run(run),
        "record": {
            "agreed": sum(one.ok is True for one in found.checked),
            "not_looked_at": {one.what: one.reason for one in found.checked if one.ok is None},
        },
        "inputs": _inputs(found),
        "executed": {name: _executed(first, name) for name in stages} if first else {},
        "left_out": dict(found.plan.left_out),
        "confinement": first.confinement if first else None,
        "refused": _refused(first) if first else {},
        "allow_read": [_shown(path) for path in found.allowed],
        "executions": len(found.attempts),
        "tolerances": _tolerances(found.tolerances),
        "metrics": _metrics(outcome) if outcome else {},
        "artefacts": _artefacts(outcome) if outcome else {},
        "not_compared": dict(outcome.left_out) if outcome else {},
        "splits_identical": outcome.splits_identical if outcome else None,
        "answers": outcome.answers if outcome else None,
        "answers_changed": outcome.answers_changed if outcome else None,
        "divergence": asdict(outcome.divergence) if outcome and outcome.divergence else None,
        "control": asdict(found.control) if found.control else None,
        "replication": asdict(found.replication) if found.replication else None,
        "chain": [asdict(link) | {"verdict": link.verdict.value} for link in found.links],
        "causes": None if found.causes is None else [asdict(cause) for cause in found.causes],
        "environment": {
            "recreated": asdict(found.recreated) if found.recreated else None,
            "factors": {one.name: asdict(one) | {"same": one.same} for one in found.factors},
        },
        "machine": machine,
        "operator": operator,
        "library": environment.library(),
        "started": found.started,
        "ended": found.ended,
        "seconds": dict(found.seconds),
    }
    made = {
        "_type": STATEMENT_TYPE,
        "subject": subjects(run, stages),
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    return dict(redact.data(_plain(made)))


def write(found: Verification, folder: Path) -> Path:
    """Write a certificate into a folder, under a name of its own; return the file.

    Raises:
        OSError: when the folder cannot be written to.
    """
    made = statement(found)
    verdict = found.verdict.value.lower().replace(" ", "-")
    moment = re.sub(r"\.\d+|[:-]", "", found.ended)
    stem = f"{file_names.of_run(found.run.name)}-{verdict}-{moment}"
    path, number = folder / f"{stem}.json", 1
    while path.exists():  # two within one second
        number += 1
        path = folder / f"{stem}-{number}.json"
    files.write_text(path, files.json_text(made) + "\n")
    return path


def author_sha256(repo: gitpython.Repo, commit: str) -> str | None:
    """Return the SHA-256 of the address of a commit's author, in lower case; None where it has none."""
    author = str(repo.git.show("--no-patch", "--format=%ae", commit)).strip().lower()
    return hashlib.sha256(author.encode()).hexdigest() if author else None


def machines(run: RecordedRun, stages: Iterable[str]) -> list[str]:
    """Return the fingerprints of the machines on which a run's stages ran, in their order."""
    every = (mapping(run.stages.get(name, {}), "environment").get("fingerprint") for name in stages)
    return sorted({one if isinstance(one, str) else UNKNOWN for one in every})


def _operator(run: RecordedRun) -> dict[str, Any]:
    """Who executed it: by Git's configuration, beside the author of the run's commit."""
    from git import GitCommandError

    with git.open_repository(run.root) as repo:
        author = author_sha256(repo, run.commit)
        try:
            email = str(repo.git.config("--get", "user.email")).strip().lower()
        except GitCommandError:
            email = ""
        try:
            name = str(repo.git.config("--get", "user.name")).strip()
        except GitCommandError:
            name = ""
    job = links.job()
    own = hashlib.sha256(email.encode()).hexdigest() if email else None
    return {
        "name": name or None,
        # Not the address itself: certificates are published.
        "email_sha256": own,
        "author_email_sha256": author,
        "is_author": own == author if own and author else None,
        "job": {"kind": job["kind"], "url": job["url"]},
    }


def _run(run: RecordedRun) -> dict[str, Any]:
    row = run.run
    return {
        "run_id": row.run_id,
        "name": run.name,
        "experiment": row.experiment,
        "commit": run.commit,
        "prefix": run.prefix,
        "code_tree": row.code_tree,
        "status": row.status,
        "start_time": row.start_time,
        "end_time": row.end_time,
    }


def _inputs(found: Verification) -> dict[str, Any]:
    inputs = found.inputs
    listed = "".join(f"{path}\0{one}\n" for path, one in sorted(inputs.digests.items()))
    return {
        "files": inputs.files,
        "bytes": inputs.bytes,
        "contents": dict(inputs.contents),
        "from": dict(inputs.from_),
        # One digest over the list: an input may be hundreds of thousands of files.
        "files_sha256": hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest(),
        "fresh_clone": found.fresh_clone,
    }


def _executed(first: Attempt, name: str) -> dict[str, Any]:
    record = first.stages[name]
    nonce = mapping(record, "verification").get("nonce")
    return {key: record.get(key) for key in ("run_id", "status", "start_time", "end_time", "seconds")} | {
        # Handed to this execution alone: its digest shows that all stages gave back the same one.
        "nonce_sha256": hashlib.sha256(nonce.encode()).hexdigest() if isinstance(nonce, str) else None
    }


def _refused(first: Attempt) -> dict[str, list[str]]:
    return {name: [_shown(path) for path in paths] for name, paths in first.refused.items()}


def _tolerances(tolerances: Tolerances) -> dict[str, Any]:
    return {
        "declared": tolerances.declared,
        "metrics": tolerances.metrics.model_dump(),
        "by_metric": {name: one.model_dump() for name, one in tolerances.by_metric.items()},
        "predictions": tolerances.predictions.model_dump(),
    }


def _metrics(outcome: Outcome) -> dict[str, Any]:
    return {
        line.name: {
            "recorded": line.recorded,
            "found": line.found,
            "allowed": None if line.recorded is None else allowed(line.recorded, line.tolerance),
            "standing": line.standing.word,
            "words": line.words,
        }
        for line in outcome.metrics
    }


def _artefacts(outcome: Outcome) -> dict[str, Any]:
    return {
        line.path: {
            "stage": line.stage,
            "recorded": line.recorded,
            "found": line.found,
            "standing": line.standing.word,
            "words": line.told.words,
            "largest": line.told.largest,
        }
        for line in outcome.artefacts
    }


def _shown(path: str | Path) -> str:
    """A path without the home that it may lie in: certificates are published."""
    home, text = str(Path.home()), str(path)
    return f"~{text[len(home) :]}" if text == home or text.startswith(home + os.sep) else text


def _plain(value: Any) -> Any:
    """As JSON takes it: no tuples, and words for what is no number of JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return _shown(value) if isinstance(value, Path) else value
