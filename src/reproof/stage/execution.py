"""One execution of one stage, as its script sees it; and its record, lock and heartbeat."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shlex
import signal
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reproof import (
    clock,
    digest,
    dvc,
    environment,
    failures,
    files,
    git,
    links,
    lock,
    locks,
    pin,
    record,
    redact,
    registry,
    resources,
)
from reproof.errors import ReproofError
from reproof.invocation import LATEST, Invocation
from reproof.params import RunParams, load
from reproof.plain import plain
from reproof.registry import Heartbeat
from reproof.runlog import RunLog
from reproof.stage import proof

if TYPE_CHECKING:
    from reproof.resume import Resume, Stateful

Config = TypeVar("Config", bound=RunParams)

_WAIT_FOR_ANOTHER_SECONDS = 10.0


class Stage(Generic[Config]):
    """One execution of one stage; made by `run_stage`.

    Attributes:
        name: of the stage, as in dvc.yaml.
        started: how the script was started.
        params: the checked params.
        root: the project's folder.
        results: the folder that `results/latest` stands for.
        run_id: of this execution.
        is_main: False in all processes but the first of a distributed run: those write no file.
        config_text: the params file, byte for byte.
        overrides: the params that differ from HEAD's, with both values; None where there is no HEAD.
    """

    def __init__(self, name: str, started: Invocation) -> None:
        self.name, self.started = name, started
        self.root, self.results = started.root, started.results
        self.run_id, self.is_main = started.run_id, started.is_main
        self.params: Config
        self.config_text = b""
        self.overrides: dict[str, dict[str, Any]] | None = None
        self._reads: dict[str, str] = {}
        self._writes: list[str] = []
        self._metrics: dict[str, float | None] = {}
        self._facts: dict[str, Any] = {}
        self._missing: dict[str, str] = {}
        self._began = (clock.now(), time.perf_counter())
        self._heartbeat: Heartbeat | None = None
        self._log: RunLog | None = None
        self._resume: Resume | None = None
        self._lock: locks.Lock | None = None
        self._lock_name = ""
        self._requirements: dict[str, Any] = {}

    def input(self, path: str) -> Path:
        """Return the path of a file or folder that this stage reads, and record its content digest.

        Raises:
            ReproofError: when it is missing, unreadable or outside the project.
        """
        target = self._locate(path)
        if not target.exists():
            raise ReproofError(
                f"the stage {self.name!r} needs a file that is not there",
                where=path,
                hint="`dvc repro` makes it; `dvc pull` fetches it where a remote holds it",
            )
        if self.is_main:
            self._reads[path] = digest.digest(target)
        return target

    def output(self, path: str) -> Path:
        """Return the path of a file or folder that this stage writes; its digest is recorded at the end.

        Raises:
            ReproofError: when it lies outside the project.
        """
        target = self._locate(path, write=True)
        files.inside(self.root, target.parent, where=path)  # DVC links files, never the folders above them
        if self.is_main:
            files.make_folder(target.parent)
        if path not in self._writes:
            self._writes.append(path)
        return target

    def write_json(self, path: str, value: Any) -> None:
        """Write `value` as JSON to an output, in one step."""
        target = self.output(path)
        if self.is_main:
            files.write_json(target, value)

    def metric(self, name: str, value: float | None, *, reason: str | None = None) -> None:
        """Record one of the stage's final numbers; `params.summary` can name it as `<stage>.<name>`.

        Args:
            name: such as `test.accuracy`.
            value: NaN and infinity are recorded as null with that reason.
            reason: why it is null, when it is.
        """
        number = None if value is None else float(value)
        if number is not None and number - number != 0:
            number, reason = None, f"the value is {value}"
        self._metrics[name] = number
        if number is None:
            self.missing(name, reason or "not measured")

    def fact(self, name: str, value: Any) -> None:
        """Record a fact that is no metric, such as the device or the model's layers.

        Raises:
            TypeError: for what is no plain JSON data.
        """
        self._facts[name] = redact.data(json.loads(json.dumps(plain(value))))

    def missing(self, part: str, reason: str) -> None:
        """Record that an optional part is missing, and why: the run's status becomes `partial`."""
        self._missing[part] = redact.text(reason)

    def log(self, dataset: str) -> RunLog:
        """Open params.ndjson and metrics.ndjson of this run, and log the params; closed by the stage."""
        if self._log is None:
            if self._resume:
                raise RuntimeError("open the log before `resume`, which continues it")
            folder = self.output(f"{LATEST}/metrics.ndjson").parent
            self.output(f"{LATEST}/params.ndjson")
            self._log = RunLog(folder, self.run_id, dataset, enabled=self.is_main)
            self._log.params("config", self.params.model_dump(mode="json"))
            if self._heartbeat:
                self._heartbeat.know(dataset=redact.text(dataset))
        return self._log

    def resume(self, **parts: Stateful | None) -> Resume:
        """Make the training of this stage one that goes on after a crash: see `reproof.resume.Resume`.

        Call it once, when all of `parts` are built, the log is open and all inputs are read. What an earlier
        attempt with equal code, params, data and environment left is loaded into `parts` at once.

        Args:
            parts: model, optimizer and what else has `state_dict` and `load_state_dict`; None is left out.
        """
        from reproof.resume import Resume, identity

        kept = {name: part for name, part in parts.items() if part is not None}
        self._resume = resume = Resume(self.name, self.run_id, kept, self._log)
        caller = dvc.caller()
        ident = None
        if self.is_main:
            values = self.params.model_dump(mode="json")
            # What train.resume_from stood for: the same name may mean another checkpoint by now.
            begun = self._facts.get("resumed_from", {})
            reads = self._reads | ({"train.resume_from": begun["digest"]} if "digest" in begun else {})
            ident = identity.of(self.root, self.name, values, reads, resume.together.size)
        about = {"workspace": str(self.root), "experiment": caller.experiment, "start_time": self._began[0]}
        resume.open(dvc.private_folder(self.root), ident, about)
        if self._heartbeat and resume.continued:
            self._heartbeat.know(continues=resume.continued["run_id"])
        return resume

    def device(self) -> str:
        """Return the device to use: `params.device`, with `auto` decided by what this machine has.

        Raises:
            ReproofError: when the device that params.yaml asks for is not here.
        """
        import torch

        here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        wanted = self.params.device
        if wanted == "auto":
            return next(name for name, usable in here.items() if usable)
        if not here[wanted]:
            raise ReproofError(
                f"torch finds no {wanted} device on this machine",
                where=f"{self.started.shown(self.started.config)}: device",
                expected="auto, or one of: " + ", ".join(name for name, usable in here.items() if usable),
                found=wanted,
            )
        return wanted

    def provenance(self, *models: str) -> dict[str, Any]:
        """Return what a measurement made by this stage is of: commit, digests of `models`, params, library.

        Args:
            models: paths that were given to `input` before.
        """
        return {
            "git_commit": self._code.commit,
            "git_dirty": self._code.dirty,
            "model_digests": {path: self._reads[path] for path in models},
            "params_digest": digest.text_of(plain(self.params.model_dump(mode="json"))),
            "harness_version": "+".join(filter(None, map(environment.library().get, ("version", "commit")))),
        }

    def progress(self, step: int, total: int | None = None) -> None:
        """Note how far the stage is, for those who look at runs in progress."""
        if self._heartbeat:
            self._heartbeat.step(step, total)

    def _locate(self, path: str, *, write: bool = False) -> Path:
        # Links are not followed: DVC may link what it holds into its cache, wherever that lies.
        target = files.inside(self.root, path, where=f"stage {self.name}", follow_links=False)
        latest = self.root / LATEST
        if target == latest or latest in target.parents:
            return self.results / target.relative_to(latest)
        own = self.results / target.relative_to(self.root)
        if not self.started.is_latest and (write or own.exists()):
            return own  # a run by hand leaves what DVC keeps as it is: prepared/, reports/
        return target

    def _claim(self) -> None:
        """Keep other executions of this stage from writing into the same folder, until this one ends.

        Raises:
            ReproofError: when one runs there, such as a trainer that outlived its dvc.
        """
        place = hashlib.sha256(str(self.results).encode()).hexdigest()[:12]
        self._lock_name = f"{self.name}-{place}.lock"
        path = registry.lock_path(dvc.private_folder(self.root), self._lock_name)
        try:
            taken = locks.take(path, self.run_id, wait_seconds=_WAIT_FOR_ANOTHER_SECONDS)
        except OSError as error:
            warnings.warn(f"no lock against a second run in this workspace: {error}", stacklevel=2)
            return
        if isinstance(taken, locks.Holder):
            raise ReproofError(
                f"another run of the stage {self.name!r} writes here",
                where=self.started.shown(self.results),
                found=str(taken),
                hint=f"wait for it (`reproof status` shows how far it is), or stop it: kill {taken.pid}",
            )
        self._lock = taken

    def _begin(self, model: type[Config], torch: bool, after_summary: bool) -> None:
        if self.is_main and not after_summary:
            record.mark(self.results, "in_progress", run_id=self.run_id)
        if self.is_main:
            caller = dvc.caller()
            facts = {
                "run_id": self.run_id,
                "stage": self.name,
                "experiment": caller.experiment,
                "workspace": str(self.root),
                "start_time": self._began[0],
                "lock": self._lock_name if self._lock else None,
            }
            self._heartbeat = Heartbeat(dvc.private_folder(self.root), facts)
        loaded = load(self.started.config, model, shown=self.started.shown(self.started.config))
        pin.restart_pinned(loaded.model)
        self.params, self.config_text = loaded.model, loaded.text
        self.overrides = record.overrides(self.root, loaded.raw)
        if self._heartbeat:
            self._heartbeat.know(**registry.of_run(loaded.raw, self._code, dvc.caller()))
        if self.is_main:
            self._requirements = lock.check(self.root, self.name, strict=self.params.environment == "strict")
            files.write_json(self._record_path, self._record("in_progress", None))
        pin.seed_python(self.params)
        if torch:
            pin.pin_torch(self.params)

    def _end(self, status: str, error: BaseException | None) -> None:
        if self._log:
            with contextlib.suppress(*[OSError] if error else []):  # a full disk, and the error is told
                self._log.close()
        if not self.is_main:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not tear what the first one ends
        told = failures.facts(error, self.root) if error else None
        files.write_json(self._record_path, self._record(status, told))
        if told:
            record.mark(self.results, "failed", error={"stage": self.name, "message": told["message"]})
        if self._heartbeat:
            self._heartbeat.end(status, told["message"] if told else None)
        if self._resume and told:
            self._resume.close()
        elif self._resume:
            self._resume.done()
        if self._lock:
            self._lock.release()

    @property
    def _record_path(self) -> Path:
        return self.results / "stages" / f"{self.name}.json"

    @functools.cached_property
    def _code(self) -> git.CodeState:
        return git.code_state(self.root, dvc.caller().main_root)

    def _record(self, status: str, error: dict[str, Any] | None) -> dict[str, Any]:
        caller = dvc.caller()
        pinned = pin.facts(self.params) if hasattr(self, "params") else None
        written = {} if status == "in_progress" else self._written(whole=error is None)
        return {
            "schema_version": record.SCHEMA_VERSION,
            "stage": self.name,
            "run_id": self.run_id,
            "status": status,
            "start_time": self._began[0],
            "end_time": None if status == "in_progress" else clock.now(),
            "seconds": None if status == "in_progress" else time.perf_counter() - self._began[1],
            "argv": shlex.join(redact.argv(self.started.argv)),
            "config": self.started.shown(self.started.config),
            "pinned": pinned,
            "overrides": redact.data(plain(self.overrides)),
            "reads": self._reads,
            "writes": written,
            "metrics": self._metrics,
            "facts": self._facts,
            "missing": self._missing,
            "code": self._code.as_json(),
            "dvc": {"stage": caller.stage, "experiment": caller.experiment, "baseline": caller.baseline},
            "job": links.job(),
            "links": links.known(),
            "pull_request": git.pull_request(),
            "environment": environment.capture() | {"requirements_lock": self._requirements},
            "resources": None if status == "in_progress" else resources.used(),
            "resume": self._resume.facts() if self._resume else None,
            "error": error,
        } | proof.of_stage(ended=status != "in_progress")

    def _written(self, *, whole: bool) -> dict[str, str]:
        """Digests of the outputs; after a failure an output may be torn, and is left out."""
        digests = {}
        for path in self._writes:
            target = self._locate(path, write=True)
            try:
                if target.exists():
                    digests[path] = digest.digest(target)
                elif whole:
                    raise ReproofError(
                        "the stage ended, and this output of it is not there",
                        where=path,
                        hint=f"write it to the path that stage.output({path!r}) returns",
                    )
            except ReproofError:
                if whole:
                    raise
        return digests
