"""From the start of a stage script to its exit code."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from typing import Any

from reproof import dvc, failures, files, invocation, record, redact, screen
from reproof.errors import ReproofError
from reproof.stage import proof
from reproof.stage.execution import Config, Stage


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
    sys.excepthook = redact.excepthook
    proof.begin()
    try:
        stage: Stage[Config] = Stage(name, invocation.read(name))
        if stage.is_main:
            stage._claim()
    except ReproofError as error:
        sys.exit(screen.error(name, error))
    except KeyboardInterrupt:  # while it waited for another run; there is no record of this one yet
        screen.say(name, "interrupted")
        sys.exit(failures.INTERRUPTED)
    try:
        signal.signal(signal.SIGTERM, failures.terminate)
        threads = failures.ThreadErrors()
        stage._begin(model, torch, after_summary)
        try:
            main(stage)
        except SystemExit as error:
            if error.code not in (None, 0):
                raise
        threads.wait()
        if threads.first:
            raise threads.first
        stage._end("partial" if stage._missing else "success", None)
        by_hand = dvc.caller().stage is None and stage.is_main and not after_summary
        if by_hand and not stage.started.is_latest:
            _summarize_by_hand(stage)
        elif by_hand and name != "summarize":
            print(f"{name}: done; `dvc repro` completes the record of the run")
    except ReproofError as error:
        _end_badly(stage, error)
        sys.exit(screen.error(name, error))
    except OSError as error:
        told = failures.mendable(error)
        _end_badly(stage, told or error)
        if told is None:
            raise
        sys.exit(screen.error(name, told))
    except KeyboardInterrupt as error:
        _end_badly(stage, error)
        screen.say(name, "interrupted")
        sys.exit(failures.INTERRUPTED)
    except BaseException as error:
        _end_badly(stage, error)
        if isinstance(error, SystemExit) and error.code == failures.TERMINATED:
            screen.say(name, "terminated")
        raise


def _end_badly(stage: Stage[Any], error: BaseException) -> None:
    """Record the error; where not even that can be written, say so beside the error itself."""
    try:
        stage._end("failed", error)
    except OSError as second:
        screen.say(stage.name, f"the failure cannot be recorded: {second.strerror or second}")
        with contextlib.suppress(OSError):  # these two are smaller
            record.mark(stage.results, "failed", error={"stage": stage.name, "message": str(error)[:500]})


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
