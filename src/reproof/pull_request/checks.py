"""What a reviewer would check by hand: the lock, how the run ended, and whether anybody ran it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reproof.history import Row
from reproof.invocation import VERIFIED
from reproof.pull_request import lock_check
from reproof.pull_request.lock_check import Checked


@dataclass(frozen=True)
class Check:
    """One check; `more` are its findings, one a line."""

    name: str
    state: Literal["ok", "wrong", "unknown"]
    words: str
    more: tuple[str, ...] = ()


def of(root: Path, head: Row | None) -> list[Check]:
    """Return the checks on a project and the run that it proposes."""
    return [_run(head), _lock(lock_check.check(root)), _verified(root, head)]


def _run(head: Row | None) -> Check:
    if head is None:
        return Check("the run", "wrong", "none is recorded")
    run = head.run
    if run.status == "success":
        return Check("the run", "ok", "ended well", head.warnings)
    if run.status == "partial":
        return Check(
            "the run", "unknown", "is partial: a part that was declared optional is missing", head.warnings
        )
    error = run.error or {}
    where = f" in the stage {error['stage']}" if error.get("stage") else ""
    words = f"{run.status.replace('_', ' ')}{where}"
    return Check("the run", "wrong", words, tuple(filter(None, (error.get("message"), *head.warnings))))


def _lock(found: Checked) -> Check:
    stale = tuple(_line(one.stage, one.what) for one in found.stale)
    unknown = tuple(_line(one.stage, one.what) for one in found.findings if one.kind == "unknown")
    held = f"; {found.held_by_dvc} outputs that DVC holds were not pulled for it" if found.held_by_dvc else ""
    if stale:
        names = dict.fromkeys(one.stage for one in found.stale if one.stage)
        words = f"does not agree with what lies beside it: {', '.join(names)}" if names else stale[0]
        return Check("dvc.lock", "wrong", words, (*stale, *unknown))
    words = (
        f"agrees with params.yaml, code and results: {found.compared} of them, in {found.stages} stages{held}"
    )
    if unknown:
        return Check("dvc.lock", "unknown", f"{words}; {len(unknown)} could not be judged", unknown)
    return Check("dvc.lock", "ok", words)


def _line(stage: str, what: str) -> str:
    return f"{stage}: {what}" if stage else what


def _verified(root: Path, head: Row | None) -> Check:
    from reproof.verify import certificates
    from reproof.verify.levels import Verdict

    found = certificates.best(root / VERIFIED).get(head.run.run_id) if head else None
    if found is None:
        return Check("verified", "unknown", "nobody has run it again and recorded what came of it")
    told = f"{found.verdict.value}, {found.relation} on {found.when[:10]} ({found.file.name})"
    if found.verdict is Verdict.UNVERIFIABLE:
        return Check("verified", "unknown", told)
    return Check("verified", "wrong" if found.level is None else "ok", told)
