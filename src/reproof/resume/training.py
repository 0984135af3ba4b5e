"""A training that can be killed at any step: its state is saved as it goes, and found by the next attempt."""

from __future__ import annotations

import math
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reproof import locks, screen, state
from reproof.errors import ReproofError
from reproof.resume import identity, store
from reproof.resume.together import Together
from reproof.runlog import RunLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "REPROOF_RESUME"
SHARE = 0.01
"""Saving may take this share of the training's time: it decides how many steps lie between two saves."""
_FIRST_CALL = 5
_COSTS_KEPT = 5


class Stateful(Protocol):
    """A model, an optimiser, a scheduler, a gradient scaler."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state_dict: Any, /) -> Any: ...


class Resume:
    """Saves a training's state as it goes, and continues from what an earlier attempt saved.

    Made by `Stage.resume`. In the training script:

        resume = stage.resume(model=model, optimizer=optimizer)
        at = resume.position or {"epoch": 0, "batch": 0}
        for epoch in range(at["epoch"], epochs):
            for batch, … in …:                     # from at["batch"] on, in the first epoch
                resume.here(step, epoch=epoch, batch=batch)
                …

    Attributes:
        position: what the attempt before gave to `here` last; None where there is nothing to go on from.
        continued: facts of that, for the record; None likewise.
        together: the processes of this training.
        saves, save_seconds: how often this process saved, and how long it took in all.
    """

    def __init__(self, stage: str, run_id: str, parts: Mapping[str, Stateful], log: RunLog | None) -> None:
        self.position: dict[str, Any] | None = None
        self.continued: dict[str, Any] | None = None
        self.saves, self.save_seconds = 0, 0.0
        self._stage, self._run_id, self._parts, self._log = stage, run_id, dict(parts), log
        self.together = Together()
        self._folder: Path | None = None
        self._lock: locks.Lock | None = None
        self._random: dict[str, Any] | None = None
        self._log_copied = 0
        self._calls = 0
        self._fixed = _fixed_interval()
        self._next = self._fixed or _FIRST_CALL
        self._attempts = 1
        self._said: set[str] = set()
        self._costs: list[float] = []
        self._since = (0, 0.0)
        self._seconds_before = 0.0
        self._began = time.perf_counter()

    def open(self, private: Path, ident: identity.Identity | None, about: Mapping[str, Any]) -> None:
        """Find what an earlier attempt left, load it, and be ready to save. All processes call it.

        Args:
            private: DVC's private folder of the main repository.
            ident: of this training; None in all processes but the first.
            about: facts that tell people whose state it is.
        """
        if self._fixed == 0:
            return
        if any(map(_is_sharded, self._parts.values())):
            self._say("no state is saved to go on from: the model is shared out over the processes")
            return
        number = -1
        if ident is not None:
            try:
                number = self._claim(private, ident, about)
            except OSError as error:
                self._say(f"no state is saved to go on from after a crash: {error}")
        number = self.together.first(number)
        if number < 0:
            return
        self._folder = store.home(private) / f"{self._stage}-{number:015x}"
        step = self._load_last()
        if step is None:
            if self.together.rank == 0 and self._folder.is_dir():
                store.keep_only(self._folder, -1)
                (self._folder / store.LOG).unlink(missing_ok=True)
        elif self.together.rank == 0:
            self._continue_log(step)

    def here(self, step: int, /, **position: Any) -> None:
        """Say where training stands: call it at the top of each step, before anything that is random.

        Saves the state when it is due. At the first call after a crash it puts the random generators back to
        where they were at this same place.

        Args:
            step: steps done so far.
            position: plain data and tensors: what the script needs to get back to here.
        """
        if self._folder is None:
            return
        if self._random is not None:
            state.restore_random(self._random)
            self._random = None
        self._calls += 1
        if self._calls == 2:
            self._since = (self._calls, time.perf_counter())  # the first step also warms up
        if self._calls >= self._next:
            self._save(step, position)

    def done(self) -> None:
        """Remove the state: training has come to its end."""
        if self._folder is not None and self.together.rank == 0:
            store.remove(self._folder)
        self.close()

    def close(self) -> None:
        """Let go of the state, for another attempt to find."""
        self._folder = None
        if self._lock:
            self._lock.release()
            self._lock = None

    def facts(self) -> dict[str, Any]:
        """Return what the stage's record holds of it."""
        return {"continued": self.continued, "saves": self.saves, "save_seconds": self.save_seconds}

    def _claim(self, private: Path, ident: identity.Identity, about: Mapping[str, Any]) -> int:
        """Lock the state of this training, and say why there is none to go on from when one looks alike."""
        key = identity.key(ident)
        top = store.home(private)
        folder = top / f"{self._stage}-{key}"
        lock = store.take(folder, f"{self._stage} {self._run_id}")
        if isinstance(lock, locks.Holder):
            self._say(
                f"the same training runs already ({lock}); this one starts from the beginning, and saves no "
                "state to go on from"
            )
            return -1
        self._lock = lock
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob(".*.tmp"):
            torn.unlink(missing_ok=True)  # what was being written when the attempt before was killed
        if not store.steps(folder) and (other := _lookalike(top, folder, self._stage, about)):
            differs = identity.differences(other.about["identity"], ident)
            if differs:
                self._say(f"starts from the beginning, not from step {other.step} of before: {differs}")
        if store.steps(folder):
            self._attempts = store.about(folder).get("attempts", 1) + 1
        whose = {"stage": self._stage, "run_id": self._run_id, "attempts": self._attempts, **about}
        store.write_about(folder, {**whose, "identity": ident})
        return int(key, 16)

    def _trim(self) -> None:
        assert self._folder is not None
        for old in store.trim(self._folder.parent, self._folder):
            self._say(f"removed the resume state {old.name}: they were too many, or too large")

    def _load_last(self) -> int | None:
        """Load the last step that every process can read; return it."""
        assert self._folder is not None
        for step in self._agreed_steps(store.steps(self._folder)):
            try:
                whole = state.read(store.step_file(self._folder, step, 0))
                own = (
                    state.read(store.step_file(self._folder, step, self.together.rank))
                    if self.together.rank
                    else whole
                )
                readable = set(whole["parts"]) == set(self._parts) and self._log_holds(whole["log_bytes"])
            except (ReproofError, KeyError) as error:
                self._say(f"the state of step {step} cannot be read: {error}")
                readable = False
            if not self.together.all(readable):
                if readable:
                    self._say(f"another process cannot read the state of step {step}")
                continue
            for name, part in self._parts.items():
                part.load_state_dict(whole["parts"][name])
            self.position, self._random = whole["position"], own["random"]
            self._seconds_before = whole["seconds"]
            self._log_copied = whole["log_bytes"]
            self.continued = {
                "step": step,
                "run_id": whole["run_id"],
                "attempts": self._attempts,
                "seconds_before": whole["seconds"],
            }
            return step
        return None

    def _agreed_steps(self, found: list[int]) -> list[int]:
        # Two saves at most lie in a folder; the processes look at the same ones in the same order.
        steps = [self.together.first(found[i] if i < len(found) else -1) for i in range(2)]
        return [step for step in steps if step >= 0]

    def _log_holds(self, size: int) -> bool:
        assert self._folder is not None
        path = self._folder / store.LOG
        return self.together.rank > 0 or not size or (path.is_file() and path.stat().st_size >= size)

    def _continue_log(self, step: int) -> None:
        assert self._folder is not None
        if self._log and self._log_copied:
            self._log.continue_from(self._folder / store.LOG, self._log_copied)
        self._say(
            f"goes on from step {step}, where an attempt before it was stopped ({VARIABLE}=0 starts over)"
        )

    def _save(self, step: int, position: dict[str, Any]) -> None:
        assert self._folder is not None
        begin = time.perf_counter()
        own = {"random": state.random_state()}
        # The first process writes last: where its file is, all of them are.
        saved = self.together.rank == 0 or self._written(lambda: state.write(self._file(step), own))
        saved = self.together.all(saved)
        if not saved:
            self._say_once("another process cannot save its state; training goes on")
        elif self.together.rank == 0:
            saved = self._written(lambda: self._write_first(step, own, position, begin))
        if self.together.first(int(saved)):
            store.keep_only(self._folder, step)
            if self.together.rank == 0 and self.saves == 0:
                self._trim()
        cost = time.perf_counter() - begin
        self.saves, self.save_seconds = self.saves + 1, self.save_seconds + cost
        self._plan(begin, cost)

    def _file(self, step: int) -> Path:
        assert self._folder is not None
        return store.step_file(self._folder, step, self.together.rank)

    def _written(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:
            self._say_once(f"the state cannot be saved, training goes on: {error}")
            return False
        return True

    def _write_first(
        self, step: int, own: Mapping[str, Any], position: Mapping[str, Any], begin: float
    ) -> None:
        self._copy_log()
        whole = {
            **own,
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
            "position": position,
            "run_id": self._run_id,
            "seconds": self._seconds_before + begin - self._began,
            "log_bytes": self._log_copied,
        }
        state.write(self._file(step), whole)

    def _copy_log(self) -> None:
        """Add to our copy of the metrics what is new: DVC removes the file itself at a new start."""
        if not self._log or self._folder is None:
            return
        with self._log.metrics_path.open("rb") as source, (self._folder / store.LOG).open("ab") as copy:
            copy.truncate(self._log_copied)
            source.seek(self._log_copied)
            copy.write(source.read())
            copy.flush()
            os.fsync(copy.fileno())
            self._log_copied = copy.tell()

    def _plan(self, begin: float, cost: float) -> None:
        """Decide at which call to save next; the same in all processes."""
        calls, since = self._since
        step_seconds = (begin - since) / max(1, self._calls - calls)
        self._costs = [*self._costs, cost][-_COSTS_KEPT:]
        interval = self._fixed or math.ceil(statistics.median(self._costs) / SHARE / max(step_seconds, 1e-9))
        self._next = self._calls + self.together.first(interval)
        self._since = (self._calls, time.perf_counter())

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _say(self, text: str) -> None:
        if self.together.rank == 0:
            screen.say(self._stage, text)


def _is_sharded(part: Stateful) -> bool:
    """Whether each process holds a piece of it: then its state dict is a conversation of all of them."""
    modules: list[Any] = list(getattr(part, "modules", list)())
    pieces: list[Any] = list(getattr(part, "parameters", list)())
    return any("FullySharded" in type(module).__name__ for module in modules) or any(
        hasattr(piece, "to_local") for piece in pieces
    )


def _fixed_interval() -> int | None:
    """REPROOF_RESUME: 0 saves and continues nothing, a number saves each so many steps."""
    text = os.environ.get(VARIABLE, "")
    if text and not text.isdecimal():
        raise ReproofError(
            "not a number of steps",
            where=VARIABLE,
            expected="0 for off, n to save every n steps, or nothing: as often as costs 1% of the time",
            found=text,
        )
    return int(text) if text else None


def _lookalike(top: Path, folder: Path, stage: str, about: Mapping[str, Any]) -> store.State | None:
    """The state that this training may be thought to go on from: of the same workspace or experiment."""
    for other in store.states(top):
        same = [
            key for key in ("workspace", "experiment") if about[key] and other.about.get(key) == about[key]
        ]
        is_ours = (
            other.about.get("stage") == stage and other.about.get("schema_version") == store.SCHEMA_VERSION
        )
        if same and is_ours and other.folder != folder and other.step is not None and other.holder is None:
            return other
    return None
