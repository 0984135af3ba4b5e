"""This workspace against a recorded run: has a call become slower?

The recorded run's model and code are brought back and measured beside the workspace's, interleaved, on this
machine, on the workspace's examples. Where the model cannot be had, the recorded numbers are taken: then the
machine must be the same kind, and the interval is wider, as nothing pairs the two.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reproof import dvc, environment, files, git, params, revisions
from reproof.benchmark import brought, hardware, paired, verdict
from reproof.benchmark.measuring import describe, measure, software
from reproof.benchmark.paired_schema import Comparison, Outcome, PairedCell, Ratio, Side
from reproof.benchmark.progress import Progress
from reproof.benchmark.schema import CellResult, Measured, Provenance
from reproof.benchmark.settings import Settings
from reproof.benchmark.subject import Subject
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.stats import intervals

RECORD = f"{LATEST}/benchmark.json"
MARGIN = 0.05
"""A change of a twentieth is none: code layout and luck alone give so much between two builds."""


def compare(
    root: Path,
    name: str,
    settings: Settings,
    *,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Measure the workspace against the run that a revision holds; `a` is that run, `b` the workspace.

    Args:
        root: the project.
        name: an experiment, branch, tag or commit.
        settings: the cells.
        seed: of the order of blocks and processes.
        on_progress: called after each pair of processes.

    Raises:
        ReproofError: no such revision, no benchmark recorded there or here, or a run on another kind of
            machine whose model cannot be had.
    """
    ours = _subject(root, _read(root), RECORD)
    with git.open_repository(root) as repo:
        revision = revisions.resolve(repo, name)
        held = git.file_at(repo, revision.commit, f"{git.prefix(repo, root)}{RECORD}")
    where = f"{RECORD} at {name} ({revision.commit[:10]})"
    if held is None:
        raise ReproofError("no benchmark is recorded there", where=where, hint="dvc exp show lists runs")
    record = _parse(held, where)
    with tempfile.TemporaryDirectory(prefix="reproof-against-") as name_of_folder:
        folder = Path(name_of_folder)
        told = _subject(folder, record, where) if "subject" in record else None
        try:
            if told is None:
                raise ReproofError("it does not say what was measured: its library was older", where=where)
            theirs = _bring(root, revision.commit, told, ours, folder)
        except ReproofError as error:
            return _with_recorded(root, name, record, ours, settings, seed, on_progress, error)
        ours_made = json.dumps(_read(root)["provenance"], sort_keys=True)
        digests = {"commit": revision.commit, "workspace": ours_made}
        cells = paired.measure(
            theirs, ours, settings, model_digests=digests, seed=seed, on_progress=on_progress
        )
    return _comparison(name, record, _read(root), ours, settings, seed, cells, None)


def settings(root: Path, chosen: Mapping[str, Any]) -> Settings:
    """Return the project's own settings of the benchmark, and over them what was chosen.

    Raises:
        ReproofError: params.yaml cannot be read, or a value is no setting.
    """
    path = root / "params.yaml"
    try:
        block = params.parse(path.read_bytes(), "params.yaml")[0].get("benchmark", {})
    except OSError as error:
        raise ReproofError(f"cannot be read: {error.strerror}", where="params.yaml") from error
    try:
        own = Settings.model_validate({} if block is None else block)
    except ValidationError as error:
        first = error.errors()[0]
        raise ReproofError(
            "not a setting of the benchmark",
            where=f"params.yaml: {'.'.join(['benchmark', *map(str, first['loc'])])}",
            expected=brought.expected(first["msg"]),
            found=str(first["input"]),
        ) from error
    return brought.checked({**own.model_dump(exclude_unset=True), **chosen})


def outcome(cell: PairedCell) -> Outcome | None:
    """Return what a cell says of a change of speed; None where nothing was measured.

    A claim needs quiet on both sides: an interval of the ratio wholly over 1.05 is `slower`, wholly under
    1 / 1.05 `faster`, wholly between them `same`.
    """
    if cell.ratio is None:
        return None
    if cell.noisy:
        return "noisy"
    if cell.ratio.ci95 is None:
        return "inconclusive"
    low, high = cell.ratio.ci95
    if low > 1 + MARGIN:
        return "slower"
    if high < 1 / (1 + MARGIN):
        return "faster"
    return "same" if low >= 1 / (1 + MARGIN) and high <= 1 + MARGIN else "inconclusive"


def _read(root: Path) -> dict[str, Any]:
    path = root / RECORD
    if not path.is_file():
        raise ReproofError(
            "this workspace has no benchmark to say what is measured",
            where=RECORD,
            hint="dvc repro benchmark, or dvc exp run",
        )
    return _parse(path.read_bytes(), RECORD)


def _parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError) as error:
        raise ReproofError("not JSON, or no record", where=where, found=str(error)) from error


def _subject(root: Path, record: Mapping[str, Any], where: str) -> Subject:
    """What a record says was measured. Its paths stay in the project, whoever wrote it."""
    try:
        told = Measured.model_validate(record.get("subject"))
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(map(str, ('subject', *first['loc'])))}: {first['msg']}"
        raise ReproofError("no record of a benchmark", where=where, found=found) from error

    def inside(name: str | None) -> Path | None:
        return None if name is None else files.inside(root, name, where=where, follow_links=False)

    return Subject(
        root=root,
        samples=inside(told.samples),
        samples_array=told.samples_array,
        onnx=inside(told.onnx),
        checkpoint=inside(told.checkpoint),
        loader=told.loader,
        preprocess=told.preprocess,
        postprocess=told.postprocess,
        axes=told.axes,
    )


def _bring(root: Path, commit: str, theirs: Subject, ours: Subject, folder: Path) -> Subject:
    """Fetch a run's model and scripts into `folder`; the examples are the workspace's, for both."""
    for path in (theirs.onnx, theirs.checkpoint):
        if path is not None:
            inner = path.relative_to(theirs.root).as_posix()
            dvc.fetch(root, commit, inner, folder / inner)
    for scripts in sorted({name.rpartition("/")[0] for name in theirs.references()} - {""}):
        dvc.fetch(root, commit, scripts, folder / scripts)
    return Subject(
        root=folder,
        samples=None if ours.samples is None else ours.root / ours.samples,
        samples_array=ours.samples_array,
        onnx=theirs.onnx,
        checkpoint=theirs.checkpoint,
        loader=theirs.loader,
        preprocess=theirs.preprocess,
        postprocess=theirs.postprocess,
        axes=ours.axes,
    )


def _with_recorded(
    root: Path,
    name: str,
    record: Mapping[str, Any],
    ours: Subject,
    settings: Settings,
    seed: int,
    on_progress: Callable[[Progress], None] | None,
    why: ReproofError,
) -> Comparison:
    """The workspace measured now, beside the numbers that a run recorded on the same kind of machine."""
    machine, here = record.get("hardware", {}).get("fingerprint"), environment.fingerprint()
    if machine != here:
        raise ReproofError(
            "that run was measured on another kind of machine, and its model cannot be had",
            where=name,
            expected=f"the fingerprint {here}",
            found=f"{machine}; {why.what} ({why.where})",
            hint="dvc pull what that run made, or measure on its machine",
        ) from why
    provenance = Provenance.model_validate(_read(root)["provenance"])
    result = measure(
        ours, settings, provenance=provenance, samples_file=None, seed=seed, on_progress=on_progress
    )
    cells = {key: _unpaired(record.get("cells", {}).get(key), row) for key, row in result.cells.items()}
    told = f"the recorded numbers, as its model cannot be had: {why.what} ({why.where})"
    return _comparison(name, record, result.model_dump(mode="json"), ours, settings, seed, cells, told)


def _unpaired(recorded: Mapping[str, Any] | None, now: CellResult) -> PairedCell:
    if recorded is None or recorded.get("status") != "measured":
        return PairedCell(status="unavailable", reason="A: that run has no numbers of this cell")
    if now.stages is None:
        reason = f"B: {now.reason}"
        return PairedCell(status="failed" if now.status == "failed" else "unavailable", reason=reason)
    then = CellResult.model_validate(recorded)
    assert then.stages is not None
    ratio = welch(then.stages.end_to_end.process_medians_ms, now.stages.end_to_end.process_medians_ms)
    return PairedCell(
        status="measured",
        reason=None,
        a=then,
        b=now,
        ratio=ratio,
        decision=paired.decide(ratio),
        noisy=verdict.of_both(then, now),
    )


def welch(then: Sequence[float], now: Sequence[float]) -> Ratio:
    """Return the ratio of process medians, `now` over `then`, with Welch's t interval of the logarithms.

    Source: B. L. Welch, The generalization of 'Student's' problem, Biometrika 34 (1947); the degrees of
    freedom are rounded down.
    """
    logs = [[math.log(value) for value in medians] for medians in (then, now)]
    centre = statistics.fmean(logs[1]) - statistics.fmean(logs[0])
    if min(map(len, logs)) < 2:
        reason = "one process on a side; an interval takes two"
        return Ratio(b_over_a=math.exp(centre), ci95=None, pairs=None, unavailable_reason=reason)
    parts = [statistics.variance(values) / len(values) for values in logs]
    half = 0.0
    if sum(parts) > 0:
        freedom = sum(parts) ** 2 / sum(
            part**2 / (len(values) - 1) for part, values in zip(parts, logs, strict=True)
        )
        half = intervals.t_quantile(0.975, max(1, math.floor(freedom))) * math.sqrt(sum(parts))
    return Ratio(
        b_over_a=math.exp(centre),
        ci95=[math.exp(centre - half), math.exp(centre + half)],
        pairs=None,
        unavailable_reason=None,
    )


def _comparison(
    name: str,
    record: Mapping[str, Any],
    workspace: Mapping[str, Any],
    ours: Subject,
    settings: Settings,
    seed: int,
    cells: Mapping[str, PairedCell],
    basis: str | None,
) -> Comparison:
    theirs = Measured.model_validate(record["subject"]) if record.get("subject") else None
    return Comparison(
        a=Side(name=name, subject=theirs, model_digests=record["provenance"]["model_digests"]),
        b=Side(
            name="the workspace",
            subject=describe(ours),
            model_digests=workspace["provenance"]["model_digests"],
        ),
        basis=basis or paired.BASIS,
        hardware=hardware.describe(),
        software=software({}, settings, seed, 1),
        cells={key: cell.model_copy(update={"outcome": outcome(cell)}) for key, cell in cells.items()},
    )
