"""The check of a record before anything is run: does it agree with itself, and is all of it committed?

Everything is read from the commit's Git objects. A record that was edited after the run in one place says
another thing in the others; one that was edited everywhere, consistently, is met only by the re-run.
"""

from __future__ import annotations

from collections.abc import Sequence

from reproof.verify.checks import code, declared, digests, locks, parts
from reproof.verify.checks.checked import Checked, Findings
from reproof.verify.checks.held import held
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.recorded_run import RecordedRun

__all__ = ["Checked", "check", "look"]

_MAX_NAMED = 20


def check(run: RecordedRun) -> list[Checked]:
    """Check a record; return all that was looked at, what could not be looked at among it.

    Raises:
        Contradiction: two parts of it cannot both be true; all such places are named.
        CannotVerify: it was made from code or files that the commit does not hold.
    """
    found = look(run)
    _raise(run, [one for one in found if one.ok is False and one.weight == "contradiction"], Contradiction)
    _raise(run, [one for one in found if one.ok is False], CannotVerify)
    return found


def look(run: RecordedRun) -> list[Checked]:
    """Check a record as `check` does, and raise for nothing."""
    found = Findings()
    parts.check(run, found)
    other_code = code.others(run)
    with held(run) as files:
        code.check(run, files, other_code, found)
        locks.check(run, files, other_code, found)
        digests.check(run, files, found)
    declared.check(run, found)
    return list(found)


def _raise(
    run: RecordedRun, wrong: Sequence[Checked], kind: type[Contradiction] | type[CannotVerify]
) -> None:
    if not wrong:
        return
    lines = list(dict.fromkeys(map(str, wrong)))
    more = [f"and {len(lines) - _MAX_NAMED} more"] if len(lines) > _MAX_NAMED else []
    what = "the commit does not hold what the run was made from"
    hint = "commit the code and the data first, then `dvc repro`, then commit what that wrote"
    if kind is Contradiction:
        what = "the record contradicts itself: it was changed after the run"
        hint = "look at who changed it (git log -p -- results dvc.lock); `dvc repro` makes the record anew"
    elif all(code.NOT_HERE in line for line in lines):
        hint = "git fetch --unshallow"
    where = f"{run.name} ({run.commit[:10]})"
    raise kind(what, where=where, found="\n    ".join([*lines[:_MAX_NAMED], *more]), hint=hint)
