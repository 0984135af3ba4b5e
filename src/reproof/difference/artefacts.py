"""What two runs made, by content digest: which of it is the same, whatever wrote it and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reproof.difference.sides import Side
from reproof.invocation import LATEST
from reproof.record_values import mapping

MODELS = (f"{LATEST}/checkpoint", f"{LATEST}/model.onnx")
ANSWERS = f"{LATEST}/predictions.parquet"

State = Literal["same", "differs", "only a", "only b"]
_ORDER: tuple[State, ...] = ("differs", "only a", "only b", "same")


@dataclass(frozen=True)
class Artefact:
    """A file or folder, and its digests."""

    path: str
    state: State
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Artefacts:
    """What both recorded, models first; `missing_reason` where a record has no digests."""

    every: tuple[Artefact, ...]
    missing_reason: str | None

    def state(self, *paths: str) -> State | None:
        """Return whether one of `paths`, the first that both have, is the same; None where none is there."""
        found = {one.path: one.state for one in self.every}
        return next((found[path] for path in paths if found.get(path) in ("same", "differs")), None)

    @property
    def same_model(self) -> bool | None:
        """Whether the weights are the same, bit for bit; None where no record tells."""
        state = self.state(*MODELS)
        return None if state is None else state == "same"


def compare(a: Side, b: Side) -> Artefacts:
    """Return the artefacts of both, those that differ first."""
    first, second = (mapping(one.digests, "artefacts") for one in (a, b))
    lacking = [one.row.name for one, found in ((a, first), (b, second)) if not found]
    if lacking:
        return Artefacts((), f"the record of {' and of '.join(lacking)} has no digests")
    found = [
        Artefact(path, _state(first.get(path), second.get(path)), first.get(path), second.get(path))
        for path in {*first, *second}
    ]
    found.sort(key=lambda one: (_ORDER.index(one.state), one.path not in MODELS, one.path))
    return Artefacts(tuple(found), None)


def _state(a: str | None, b: str | None) -> State:
    if a is None or b is None:
        return "only b" if a is None else "only a"
    return "same" if a == b else "differs"
