"""Why a run came out otherwise: one factor at a time is set as it was, and the run repeated.

A cause is *confirmed* where setting it turns the result into the record, bit by bit. It is a *candidate*
where it differs and cannot be set here, or where setting it changes bits without reproducing the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from reproof.verify import interventions, snapshot
from reproof.verify.control import Control
from reproof.verify.errors import RerunFailed
from reproof.verify.execution import Changes
from reproof.verify.factors import Factor
from reproof.verify.interventions import Intervention
from reproof.verify.snapshot import Snapshot

Status = Literal["confirmed", "candidate", "ruled out"]
Execute = Callable[[Changes], Snapshot]
"""Runs everything again with one change, and says what came out."""


@dataclass(frozen=True)
class Cause:
    """One factor.

    Attributes:
        factor: such as `ISA`, `threads`, `packages`.
        status: what is known of it.
        words: what was done, and what it did; or why nothing could be done.
    """

    factor: str
    status: Status
    words: str

    def __str__(self) -> str:
        return f"{self.factor}  [{self.status}: {self.words}]"


def explain(
    recorded: Snapshot,
    made: Snapshot,
    control: Control | None,
    factors: Sequence[Factor],
    execute: Execute,
) -> tuple[Cause, ...]:
    """Look for what makes an attempt differ from the record, or from itself.

    Args:
        recorded: what the record says.
        made: what the attempt left.
        control: of repetitions, where there were any.
        factors: the environments beside each other.
        execute: runs everything once more.

    Returns:
        the causes, what is confirmed first; none where nothing differs.
    """
    if control is not None and not control.identical:
        return _of_races(execute)
    differing = snapshot.differing(recorded, made)
    if not differing:
        return ()
    possible, others = interventions.possible(factors)
    causes = [_tried(one, recorded, made, differing, execute) for one in possible]
    causes += [Cause(name, "candidate", words) for name, words in others.items()]
    if not causes:
        words = "the environment is the recorded one, as far as it is recorded: look at the record itself"
        causes = [Cause("unknown", "candidate", words)]
    return _in_order(causes)


def of_packages(
    recorded: Snapshot, recreated: Snapshot, here: Snapshot, packages: Sequence[Factor]
) -> Cause | None:
    """Say what other versions of packages do; None where there are none, or they do nothing that shows.

    Args:
        recorded: what the record says.
        recreated: what came out with the recorded packages.
        here: what comes out with those that are installed here.
        packages: those that differ between record and here.
    """
    if not packages:
        return None
    names = interventions.names(packages)
    with_recorded, with_own = (snapshot.differing(recorded, one) for one in (recreated, here))
    if not with_recorded and with_own:
        words = f"with the recorded versions of {names} the record comes out, with those here it does not"
        return Cause("packages", "confirmed", words)
    if not snapshot.differing(recreated, here):
        return Cause("packages", "ruled out", f"other versions of {names} change nothing")
    if len(with_recorded) < len(with_own) and set(with_recorded) < set(with_own):
        words = f"the recorded versions of {names} bring back a part of the record"
        return Cause("packages", "confirmed", f"{words}, so they are not the only cause")
    words = f"other versions of {names} change bits, and the recorded ones do not reproduce the record"
    return Cause("packages", "candidate", words)


def _in_order(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    order: tuple[Status, ...] = ("confirmed", "candidate", "ruled out")
    return tuple(sorted(causes, key=lambda cause: order.index(cause.status)))


def _tried(
    one: Intervention, recorded: Snapshot, made: Snapshot, differing: Sequence[str], execute: Execute
) -> Cause:
    try:
        after = execute(one.changes)
    except RerunFailed as error:
        return Cause(one.factor, "candidate", f"{one.words}: the run fails so ({error.what})")
    left = snapshot.differing(recorded, after)
    if not left:
        return Cause(one.factor, "confirmed", f"{one.words} reproduces the record")
    # A metric that comes back may be chance, such as an accuracy over few examples; a digest is none.
    back = [name for name in differing if name not in left and name in recorded.artefacts]
    if back and set(left) < set(differing):
        words = f"{one.words} reproduces {len(back)} of {_count(differing, recorded)} artefacts that differ"
        return Cause(one.factor, "confirmed", f"{words}, so it is not the only cause")
    if not snapshot.differing(made, after):
        return Cause(one.factor, "ruled out", f"{one.words} changes nothing")
    return Cause(one.factor, "candidate", f"{one.words} changes bits, and does not reproduce the record")


def _count(names: Sequence[str], recorded: Snapshot) -> int:
    return sum(name in recorded.artefacts for name in names)


def _of_races(execute: Execute) -> tuple[Cause, ...]:
    """What makes code that differs from run to run the same every time; each is run three times.

    Two runs that agree can be luck where only a few results are possible.
    """
    found = []
    for one in interventions.steadying():
        try:
            runs = [execute(one.changes) for _ in range(3)]
        except RerunFailed as error:
            found.append(Cause(one.factor, "candidate", f"with {one.words} the run fails ({error.what})"))
            continue
        if any(snapshot.differing(runs[0], other) for other in runs[1:]):
            found.append(Cause(one.factor, "ruled out", f"with {one.words} it is racy, too"))
        else:
            found.append(Cause(one.factor, "confirmed", f"with {one.words} three runs are identical"))
    if not any(cause.status == "confirmed" for cause in found):
        words = "neither threads nor kernels make it steady: a clock, a random seed of the system's, a race"
        found.append(Cause("the code itself", "candidate", words))
    return _in_order(found)
