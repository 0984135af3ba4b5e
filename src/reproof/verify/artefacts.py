"""Every artefact that an attempt made, beside the recorded one: by content, else by its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reproof import digest
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.record_values import json_of, mapping
from reproof.verify import divergence, kinds, snapshot
from reproof.verify.divergence import Divergence
from reproof.verify.errors import Contradiction
from reproof.verify.execution import Attempt
from reproof.verify.kinds import following, logged_params
from reproof.verify.kinds.found import Found, Standing
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.snapshot import Held, Snapshot
from reproof.verify.tolerances import Tolerances

Fetch = Callable[[str], Path | None]
"""A copy of what the run recorded at a path, checked by its hash; None where nobody has it."""

_SPLITS = (f"{LATEST}/split_checksums.json", f"{LATEST}/split_manifest.json")
_LOG, _CURVES = f"{LATEST}/metrics.ndjson", f"{LATEST}/curves.csv"
_PARAMS = f"{LATEST}/params.ndjson"
_ANSWERS = f"{LATEST}/predictions.parquet"
_FROM_ANSWERS: dict[str, Callable[[Path, Path, Tolerances, int], bool]] = {
    f"{LATEST}/evaluation.json": following.scores,
    f"{LATEST}/confusion.csv": following.confusion,
    f"{LATEST}/calibration.csv": following.calibration,
}
"""What the library counts from the predictions, and whether two of them may stand beside two of those."""
_WITH_TIMES = ".ndjson"
"""Files of which no two runs write the same bytes: each line has its time."""


@dataclass(frozen=True)
class ArtefactLine:
    """One artefact; a digest is None where none is known."""

    path: str
    stage: str
    recorded: str | None
    found: str | None
    told: Found

    @property
    def standing(self) -> Standing:
        """How both stand to each other."""
        return self.told.standing


def compare(
    run: RecordedRun,
    attempt: Attempt,
    recorded: Snapshot,
    made: Snapshot,
    tolerances: Tolerances,
    fetch: Fetch,
) -> tuple[ArtefactLine, ...]:
    """Compare every artefact of the executed stages.

    Raises:
        Contradiction: DVC holds something else under an artefact's hash than the run recorded.
    """
    lines: dict[str, ArtefactLine] = {}
    for path in dict.fromkeys((*recorded.artefacts, *made.artefacts)):
        one, other = recorded.artefacts.get(path), made.artefacts.get(path)
        if one is None or other is None:
            side = "recorded" if other is None else "made here"
            told = Found(Standing.DIFFERENT, f"is only {side}")
        else:
            told = _artefact(run, attempt, path, one, other, tolerances, fetch)
        held = one or other
        assert held is not None
        lines[path] = ArtefactLine(
            path, held.stage, one.digest if one else None, other.digest if other else None, told
        )
    answers = lines.get(_ANSWERS)
    if answers is not None and answers.standing is Standing.CLOSE:
        # With the very same answers these would have to be the same; so they follow only where those differ.
        for path, follows in _FROM_ANSWERS.items():
            line, changed = lines.get(path), answers.told.answers_changed or 0
            if line is None or line.standing is not Standing.DIFFERENT or line.stage != answers.stage:
                continue
            kept = fetch(path)
            if kept is not None and follows(kept, attempt.project / path, tolerances, changed):
                words = f"follows the predictions ({line.told.words})"
                lines[path] = replace(line, told=Found(Standing.FOLLOWS, words, line.told.largest))
    return tuple(lines.values())


def _artefact(
    run: RecordedRun,
    attempt: Attempt,
    path: str,
    one: Held,
    other: Held,
    told_of: Tolerances,
    fetch: Fetch,
) -> Found:
    if other.digest == snapshot.MISSING:
        return Found(Standing.DIFFERENT, "was not made here")
    same = one.same_as(other)
    if same and (one.md5 is None or one.md5 == other.md5):
        return kinds.Found(Standing.IDENTICAL)
    # From here on the recorded file itself is asked: how far it is apart, or, where the digests are the same
    # and DVC's hashes are not, whether DVC really holds under its hash what the run recorded.
    held = fetch(path)
    if held is None:
        if same:
            if path.endswith(_WITH_TIMES):
                return Found(Standing.IDENTICAL)
            words = "dvc.lock names other bytes than were made here, and they are not at hand"
        else:
            words = "differs, and the recorded file is not at hand: dvc push, where the run was made"
        return Found(Standing.UNKNOWN, words)
    try:
        truth = digest.digest(held)
    except ReproofError as error:
        truth = error.what
    if one.digest is not None and truth != one.digest:
        raise Contradiction(
            "what the commit names for an artefact is not what the run recorded: it was exchanged",
            where=path,
            expected=f"{one.digest}, by the record of the stage {one.stage!r}",
            found=f"{truth}, under the hash in dvc.lock",
        )
    if truth == other.digest:
        return Found(Standing.IDENTICAL)
    declared = run.pipeline.get(one.stage)
    if path == _PARAMS:
        same_params = logged_params.same(held, attempt.project / path, declared.params if declared else None)
        return Found(Standing.IDENTICAL) if same_params else kinds.different("other params")
    found = kinds.compare(held, attempt.project / path, told_of)
    if found.standing is Standing.IDENTICAL:  # such as 1 and 1.0: not the same content, and no distance
        return Found(Standing.CLOSE, found.words or "written otherwise", found.largest)
    return found


def splits(run: RecordedRun, attempt: Attempt, lines: tuple[ArtefactLine, ...]) -> bool | None:
    """Whether the splits are the recorded ones; None where no executed stage makes any.

    The stage that writes the splits' checksums writes the splits: all its data must be the same. What a
    picture of it looks like is no split.
    """
    own = [line for line in lines if line.path in _SPLITS]
    if not own:
        return None
    stages = {line.stage for line in own}
    data = [line for line in lines if line.stage in stages and not line.path.endswith(kinds.DRAWN)]
    checksums = (
        mapping(json_of(run.get(_SPLITS[0])), "splits"),
        mapping(json_of(_bytes(attempt.project / _SPLITS[0])), "splits"),
    )
    return checksums[0] == checksums[1] and all(line.standing is Standing.IDENTICAL for line in data)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def first_divergence(lines: tuple[ArtefactLine, ...], attempt: Attempt, fetch: Fetch) -> Divergence | None:
    """Return where the training went another way, by its log or its curves; None where neither tells."""
    named = {line.path: line for line in lines}
    for path, read in ((_LOG, divergence.of_logs), (_CURVES, divergence.of_curves)):
        line = named.get(path)
        if line is None or line.standing is Standing.IDENTICAL:
            continue
        held, here = fetch(path), attempt.project / path
        if held is None or not here.is_file():
            continue
        try:
            return read(held, here)
        except ReproofError:
            continue
    return None
