"""One execution of the chosen stages in the workplace, and the proof that each of them really ran."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from reproof import clock, redact
from reproof.invocation import LATEST
from reproof.record_values import mapping
from reproof.verify import confined, hooking, inputs, proving, scrubbed
from reproof.verify.errors import CannotVerify
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.stages import Plan
from reproof.verify.workplace import Workplace, within

_RUNNING = re.compile(r"Running stage '(.+)':")
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Changes:
    """What one attempt does otherwise than the record says: an intervention, or a new seed.

    Attributes:
        params: values of params.yaml by their dotted names, such as `{"seed": 7}` or `{"threads": 2}`.
        env: environment variables to set; None takes one away.
        python: interpreter of a recreated environment; None for this one.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str | None] = field(default_factory=dict)
    python: Path | None = None


UNCHANGED = Changes()


@dataclass(frozen=True)
class Attempt:
    """What one execution left.

    Attributes:
        number: 1 for the first in this workplace.
        stages: each executed stage's own record by name.
        project: folder that holds the outputs at their paths from the project, until the workplace ends.
        seconds: that the stages themselves say they took, by name.
        wall_seconds: of the whole execution, DVC's own work included.
        log: everything that was printed.
        nonce: that each stage has given back.
        confinement: such as `landlock (ABI 7) and audit hook`.
        allowed: what the user allowed to read beside.
        refused: paths outside that a stage asked for and did not get, by stage.
        variables: the environment that the stages were started in.
    """

    number: int
    stages: Mapping[str, dict[str, Any]]
    project: Path
    seconds: Mapping[str, float]
    wall_seconds: float
    log: Path
    nonce: str
    confinement: str
    allowed: tuple[str, ...]
    refused: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, str]


def attempt(
    run: RecordedRun,
    place: Workplace,
    plan: Plan,
    *,
    changes: Changes = UNCHANGED,
    allow_read: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Attempt:
    """Execute the chosen stages once, from the same start as every other attempt in this workplace.

    Args:
        run: what is executed again.
        place: with the inputs in it (`inputs.bring`).
        plan: the stages.
        changes: what is otherwise this time.
        allow_read: paths of this machine that stages may read beside.
        say: is told which stage runs.

    Raises:
        CannotVerify: the confinement cannot be had, or a stage did not prove that it ran.
        RerunFailed: a stage ended with an error.
        ReproofError: `allow_read` would let stages read results of the user's.
    """
    number = len(place.attempts) + 1
    if place.attempts:
        inputs.again(place)
    place.attempts.append(number)
    _clear(place, plan)
    if changes.params:
        _set_params(place, changes.params)
    nonce = secrets.token_hex(16)
    guarded = hooking.prepare(place, plan, allow_read, changes.python)
    variables = scrubbed.variables(
        mapping(run.meta, "variables"),
        place,
        guarded.reach,
        nonce,
        changed=changes.env,
        python=changes.python,
    )
    folder = place.folder / "attempts" / str(number)
    folder.mkdir()
    log = folder / "log"
    began, begin = clock.now(), time.perf_counter()
    code = _execute(place, plan, variables, log, say)
    wall = time.perf_counter() - begin
    refused = guarded.refused()
    proving.check_code(place, plan, code, log, refused)
    records = {name: proving.record_of(run, place, name, nonce, began) for name in plan.executed}
    proving.check_external(run, place, plan)
    made = folder / "outputs"
    _take_outputs(place, plan, made)
    place.timings["execution"] = place.timings.get("execution", 0.0) + wall
    return Attempt(
        number=number,
        stages=records,
        project=made,
        seconds={name: float(record["seconds"]) for name, record in records.items()},
        wall_seconds=wall,
        log=log,
        nonce=nonce,
        confinement=guarded.words,
        allowed=guarded.reach.allowed,
        refused=refused,
        variables=variables,
    )


def _clear(place: Workplace, plan: Plan) -> None:
    """No output of an executed stage is there when it starts."""
    for name in plan.executed:
        for out in plan.stages[name].outs:
            path = within(place, out)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _set_params(place: Workplace, values: Mapping[str, Any]) -> None:
    from dvc.utils.serialize import modify_yaml

    path = place.project / "params.yaml"
    if path.is_symlink():
        raise CannotVerify("a link, which is not to be written through", where="params.yaml")
    with modify_yaml(str(path)) as data:
        for name, value in values.items():
            *above, last = name.split(".")
            block = data
            for key in above:
                block = block[key]
            block[last] = value


def _execute(
    place: Workplace, plan: Plan, variables: Mapping[str, str], log: Path, say: Callable[[str], None]
) -> int:
    dvc = [sys.executable, "-P", "-m", "dvc"]
    repro = [*dvc, "repro", "--force", "--no-commit", "--single-item", *plan.executed]
    if os.name != "nt":
        repro = [sys.executable, "-P", "-m", confined.__name__, str(place.hook / "reach.json"), "--", *repro]
    with log.open("wb") as kept:
        process = subprocess.Popen(
            repro,
            cwd=place.project,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        with _ended(process):
            assert process.stdout is not None
            for line in _copied(process.stdout, kept):
                if found := _RUNNING.search(line):
                    say(found[1])
            return process.wait()


def _copied(source: IO[bytes], kept: IO[bytes]) -> Iterator[str]:
    for line in source:
        kept.write(line)
        yield line.decode("utf-8", "replace")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever ends the block, nothing of the execution runs on."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()  # the launcher then kills all that runs below it
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()


def _take_outputs(place: Workplace, plan: Plan, made: Path) -> None:
    """Move the outputs to where no later execution reaches them."""
    made.mkdir()
    for name in plan.executed:
        for out in [*plan.stages[name].outs, f"{LATEST}/stages/{name}.json"]:
            source = within(place, out)
            _refuse_links(place, source)
            inner = Path(os.path.normpath(place.top.name / source.relative_to(place.top)))
            target = made / inner.relative_to(place.top.name) if ".." in Path(out).parts else made / out
            if os.path.lexists(source) and not os.path.lexists(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)


def _refuse_links(place: Workplace, out: Path) -> None:
    """What is compared has to be here itself: a link may lead to old results, once it is out of the cage."""
    for path in [out, *(out.rglob("*") if out.is_dir() and not out.is_symlink() else ())]:
        # Neither a digest nor DVC covers a link to a folder.
        is_within = path != out and not path.is_dir() and path.resolve().is_relative_to(out.resolve())
        if path.is_symlink() and not is_within:
            raise CannotVerify(
                "an output is a link, so what it stands for was not made here",
                where=path.relative_to(place.project).as_posix(),
                found=redact.text(str(path.readlink())),
                hint="let the stage write the file itself",
            )
