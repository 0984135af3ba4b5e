"""What a stage script opens: checked params, pinned bits, its record, its place in the registry.

    from config import Config
    from reproof.stage import Stage, run_stage

    def main(stage: Stage[Config]) -> None:
        import torch  # inside, so that threads and seeds are pinned before it loads
        data = stage.input("prepared/train.npz")
        ...
        save(stage.output("results/latest/checkpoint"))
        stage.metric("loss", loss)

    if __name__ == "__main__":
        run_stage("train", main, Config, torch=True)

Paths in a script are those of dvc.yaml. Under DVC they mean what they say; by hand with `--config` of
another run, or with `--results FOLDER`, `results/latest` stands for a folder of that run's own.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

from reproof import clock, digest, dvc, environment, files, git, invocation, links, pin, record, redact
from reproof.errors import EXIT_CODE, ReproofError
from reproof.invocation import LATEST, Invocation
from reproof.params import RunParams, load
from reproof.plain import plain
from reproof.registry import Heartbeat
from reproof.runlog import RunLog

Config = TypeVar("Config", bound=RunParams)

_INTERRUPTED = 130
_TERMINATED = 128 + signal.SIGTERM
_MAX_TRACEBACK_LINES = 40


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
        if self.is_main:
            target.parent.mkdir(parents=True, exist_ok=True)
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
        self._facts[name] = json.loads(json.dumps(plain(value)))

    def missing(self, part: str, reason: str) -> None:
        """Record that an optional part is missing, and why: the run's status becomes `partial`."""
        self._missing[part] = redact.text(reason)

    def log(self, dataset: str) -> RunLog:
        """Open params.ndjson and metrics.ndjson of this run, and log the params; closed by the stage."""
        if self._log is None:
            folder = self.output(f"{LATEST}/metrics.ndjson").parent
            self.output(f"{LATEST}/params.ndjson")
            self._log = RunLog(folder, self.run_id, dataset, enabled=self.is_main)
            self._log.params("config", redact.data(self.params.model_dump(mode="json")))
        return self._log

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

    def _begin(self, model: type[Config], torch: bool, after_summary: bool) -> None:
        if self.is_main and not after_summary:
            record.mark(self.results, "in_progress", run_id=self.run_id)
        loaded = load(self.started.config, model, shown=self.started.shown(self.started.config))
        pin.restart_pinned(loaded.model)
        self.params, self.config_text = loaded.model, loaded.text
        self.overrides = record.overrides(self.root, loaded.raw)
        if self.is_main:
            files.write_json(self._record_path, self._record("in_progress", None))
        pin.seed_python(self.params)
        if torch:
            pin.pin_torch(self.params)
        if self.is_main:
            caller = dvc.caller()
            facts = {
                "run_id": self.run_id,
                "stage": self.name,
                "experiment": caller.experiment,
                "workspace": str(self.root),
                "start_time": self._began[0],
            }
            self._heartbeat = Heartbeat(dvc.private_folder(self.root), facts)

    def _end(self, status: str, error: BaseException | None) -> None:
        if self._log:
            self._log.close()
        if not self.is_main:
            return
        told = self._error(error)
        files.write_json(self._record_path, self._record(status, told))
        if told:
            record.mark(self.results, "failed", error={"stage": self.name, "message": told["message"]})
        if self._heartbeat:
            self._heartbeat.end(status, told["message"] if told else None)

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
            "pull_request": git.pull_request(),
            "environment": environment.capture(),
            "error": error,
        }

    def _written(self, *, whole: bool) -> dict[str, str]:
        """Digests of the outputs; after a failure an output may be torn, and is left out."""
        digests = {}
        for path in self._writes:
            target = self._locate(path, write=True)
            try:
                if target.exists():
                    digests[path] = digest.digest(target)
            except ReproofError:
                if whole:
                    raise
        return digests

    def _error(self, error: BaseException | None) -> dict[str, Any] | None:
        if error is None:
            return None
        lines = [] if isinstance(error, ReproofError) else traceback.format_exception(error)
        text = "".join(lines).replace(f"{self.root}{os.sep}", "").splitlines()[-_MAX_TRACEBACK_LINES:]
        message = str(error).replace(f"{self.root}{os.sep}", "") or type(error).__name__
        if isinstance(error, SystemExit):
            message = (
                "stopped by SIGTERM" if error.code == _TERMINATED else f"ended with exit code {error.code}"
            )
        return {
            "type": type(error).__name__,
            "message": redact.text(message),
            "traceback": redact.text("\n".join(text)) or None,
        }


def run_stage(
    name: str,
    main: Callable[[Stage[Config]], None],
    model: type[Config],
    *,
    torch: bool = False,
    after_summary: bool = False,
) -> None:
    """Run `main` as the stage `name`, keep its record, and end the process when it fails.

    Command line: `--config FILE` (default params.yaml), `--results FOLDER` (default results/latest; with
    another config, results/<run id>).

    Args:
        name: the stage's name in dvc.yaml.
        main: does the work; everything that uses threads is imported inside it.
        model: the user's params model.
        torch: import torch before `main`, with its seed, threads and deterministic kernels set.
        after_summary: the stage reads the finished record, such as a report: its start does not put the
            run back in progress.

    Raises:
        SystemExit: 2 for what the user can mend (`ReproofError`), 130 after Ctrl-C, 143 after SIGTERM.
        Exception: whatever else `main` raises, after it is recorded.
    """
    try:
        stage: Stage[Config] = Stage(name, invocation.read(name))
    except ReproofError as error:
        sys.exit(_say(name, error))
    try:
        signal.signal(signal.SIGTERM, _terminate)
        stage._begin(model, torch, after_summary)
        try:
            main(stage)
        except SystemExit as error:
            if error.code not in (None, 0):
                raise
        stage._end("partial" if stage._missing else "success", None)
        by_hand = dvc.caller().stage is None and stage.is_main and not after_summary
        if by_hand and not stage.started.is_latest:
            _summarize_by_hand(stage)
        elif by_hand and name != "summarize":
            print(f"{name}: done; `dvc repro` completes the record of the run")
    except ReproofError as error:
        stage._end("failed", error)
        sys.exit(_say(name, error))
    except KeyboardInterrupt as error:
        stage._end("failed", error)
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except BaseException as error:
        stage._end("failed", error)
        raise


def _summarize_by_hand(stage: Stage[Any]) -> None:
    """Outside DVC no later stage writes the run's summary, so each one does."""
    order = sorted(
        (stage.results / "stages").glob("*.json"), key=lambda path: files.read_json(path)["start_time"]
    )
    names = [path.stem for path in order if path.stem != "summarize"]
    wanted = [path.partition(".")[0] for path in stage.params.summary.values()]
    names += [name for name in dict.fromkeys(wanted) if name not in names]
    record.summarize(stage.results, names, stage.config_text, stage.params, stage.overrides)
    folder, config = (stage.started.shown(path) for path in (stage.results, stage.results / "config.yaml"))
    print(f"{stage.name}: recorded in {folder}; go on with: --config {config} --results {folder}")


def _say(name: str, error: ReproofError) -> int:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    prefix = f"\033[31m{name}: error:\033[0m" if colour else f"{name}: error:"
    print(f"{prefix} {redact.text(str(error))}", file=sys.stderr)
    return EXIT_CODE


def _terminate(_number: int, _frame: FrameType | None) -> None:
    # As an exception, so that the record is kept; DVC and schedulers stop a stage by this signal.
    sys.exit(_TERMINATED)
