"""The whole sequence: read the record, check it, execute it again elsewhere, compare, say what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reproof import clock, git_objects
from reproof.errors import ReproofError
from reproof.invocation import VERIFIED
from reproof.verify import certificate, record_check, recorded_run, recreate, tolerances
from reproof.verify import options as asked
from reproof.verify.errors import CannotVerify
from reproof.verify.inputs import bring
from reproof.verify.options import Options
from reproof.verify.questions import Bench, by_repeats, by_seeds, timed
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.stages import choose
from reproof.verify.verification import Verification
from reproof.verify.workplace import workplace

__all__ = ["Options", "verify"]

_PLAIN = Options()


def verify(
    root: Path, rev: str, options: Options = _PLAIN, say: Callable[[str], None] = lambda _: None
) -> Verification:
    """Execute a recorded run again, and compare.

    The user's repository, index, refs and DVC cache stay as they are; the certificate is the one new file.

    Args:
        root: the project.
        rev: an experiment's name, a branch, a tag or a commit.
        options: what is asked.
        say: takes a line whenever something long begins.

    Returns:
        what was found, with its certificate written.

    Raises:
        ReproofError: options that do not go together, or an output folder that cannot be written.
        CannotVerify: the run, its data, or what it needs is not here.
        Contradiction: the record contradicts itself.
        RerunFailed: a stage ended with an error.
    """
    asked.check(options)
    folder = options.output or root / VERIFIED
    _check_folder(folder)
    started, seconds = clock.now(), dict[str, float]()
    with timed(seconds, "record"):
        run = _loaded(root, rev)
        checked = record_check.check(run)
        allowed = tolerances.read(run.config)
    say(f"{run.name} @ {run.commit[:10]}: the record agrees with itself")
    with workplace(run, fresh_clone=options.fresh_clone) as place:
        plan = choose(run, place, only=options.only, exclude=options.exclude)
        inputs = bring(run, place, plan)
        say(f"{inputs.files:,} input files are those that were recorded")
        if options.recreate_env:
            say("installs the recorded packages")
        recreated = recreate.environment(run, place) if options.recreate_env else None
        bench = Bench(run, place, plan, options, recreated, say, seconds)
        answer = by_seeds(bench) if options.new_seeds else by_repeats(bench, allowed)
        # What was executed to explain is part of the explanation, not of the execution.
        execution = sum(one.wall_seconds for one in answer.attempts)
        seconds = {"record": seconds.pop("record"), **place.timings, "execution": execution, **seconds}
    found = Verification(
        run=run,
        required=options.required,
        verdict=answer.verdict,
        reasons=answer.reasons,
        checked=tuple(checked),
        tolerances=allowed,
        plan=plan,
        inputs=inputs,
        attempts=answer.attempts,
        made=answer.made,
        factors=answer.factors,
        outcome=answer.outcome,
        control=answer.control,
        replication=answer.replication,
        links=answer.links,
        causes=answer.causes,
        recreated=recreated,
        fresh_clone=options.fresh_clone,
        allowed=tuple(map(str, options.allow_read)),
        started=started,
        ended=clock.now(),
        seconds=seconds,
    )
    return replace(found, certificate=certificate.write(found, folder))


def _check_folder(folder: Path) -> None:
    """Say before an hour of training that its certificate could not be written.

    Raises:
        ReproofError: when something else stands in the way.
    """
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    if not there.is_dir():
        raise ReproofError(
            "no certificate can be written there",
            where=f"--output {folder}",
            expected="a folder",
            found=f"{there} is a file",
        )


def _loaded(root: Path, rev: str) -> RecordedRun:
    try:
        return recorded_run.load(root, rev)
    except git_objects.Refused as error:
        hint = "in a partial clone: `git fetch --refetch --no-filter`, or verify with --fresh-clone"
        raise CannotVerify("Git cannot read the commit", where=rev, found=error.found, hint=hint) from error
