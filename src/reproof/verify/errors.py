"""Why a verification ended without a verdict on the run: each kind has an exit code of its own."""

from __future__ import annotations

from reproof.errors import ReproofError
from reproof.verify.levels import Exit


class CannotVerify(ReproofError):
    """What is needed is not here: a commit, data, a whole record, committed code, or hardware."""

    code = Exit.CANNOT_VERIFY


class RerunFailed(ReproofError):
    """The run was executed again, and a stage of it ended with an error."""

    code = Exit.RERUN_FAILED


class Contradiction(ReproofError):
    """Two parts of one record cannot both be true: somebody or something changed it after the run."""

    code = Exit.CONTRADICTION
