"""The command that measures how fast a model answers: alone, beside another one, or beside a recorded run."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reproof.cli.app import Json, app
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from reproof.benchmark import Progress, Result, Settings, Subject
    from reproof.benchmark.paired_schema import Comparison

REGRESSION = 4
"""Exit code of `--fail-on-regression` where a call has become slower."""
NOISY = 5
"""Exit code of `--fail-on-regression` where the machine was too noisy to say."""


@app.command()
def benchmark(
    model: Annotated[
        Path | None,
        typer.Argument(help="An ONNX model, a TorchScript file, or a program of torch.export (.pt2)."),
    ] = None,
    versus: Annotated[
        Path | None, typer.Option("--vs", help="Another model: measured interleaved, with the ratio.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REV", help="In a project: this workspace beside a recorded run."),
    ] = None,
    fail_on_regression: Annotated[
        bool,
        typer.Option(
            "--fail-on-regression", help="With --against: end with 4 where slower, with 5 where too noisy."
        ),
    ] = False,
    batch_sizes: Annotated[str | None, typer.Option(help="Such as 1,8,32. [default: 1]")] = None,
    threads: Annotated[str | None, typer.Option(help="Such as 1,2. [default: 1]")] = None,
    runtimes: Annotated[
        str | None,
        typer.Option(
            help="Of onnxruntime, torch, torch_compile, torch_export. [default: what reads the file]"
        ),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(help="Of cpu, cuda, mps, rocm, tensorrt, openvino. [default: cpu]")
    ] = None,
    precisions: Annotated[str | None, typer.Option(help="Of fp32, fp16, bf16, int8. [default: fp32]")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Fresh processes a cell. [default: 5]")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first look: 3 short processes a cell.")] = False,
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", metavar="NAME=SIZE", help="Size of made-up inputs along an axis that varies."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="An .npz file with inputs: entries 0, 1, … or 0/INPUT, 1/INPUT, …, without batch."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also tell which operators the time goes to.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the whole result as JSON.")
    ] = None,
    export_pyperf: Annotated[
        Path | None,
        typer.Option("--export-pyperf", help="Also write what pyperf's compare_to, hist and check read."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one process may take.")] = 300.0,
    seed: Annotated[int, typer.Option(min=0, help="Of made-up inputs and of the processes' order.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure how fast a model answers on this machine, with an interval and a verdict.

    Every cell (runtime, device, precision, batch, threads) runs in fresh processes, in interleaved order, and
    one benchmark at a time on a machine. Inputs are made up to fit the model unless --samples names some.
    Ctrl-C keeps what has measured: the same command goes on from there. For example:

        reproof benchmark model.onnx --batch-sizes 1,8,32 --threads 1,2

        reproof benchmark model.onnx --vs other.onnx

        reproof benchmark --against main --fail-on-regression
    """
    from reproof import files
    from reproof.benchmark import pyperf_export
    from reproof.cli import benchmark_tables as tables

    chosen = {
        "runtimes": _words(runtimes),
        "devices": _words(devices),
        "precisions": _words(precisions),
        "batch_sizes": _numbers("--batch-sizes", batch_sizes),
        "threads": _numbers("--threads", threads),
        "repeats": repeats,
        "quick": quick or None,
        "profile": profile or None,
        "timeout_s": timeout,
    }
    chosen = {key: value for key, value in chosen.items() if value is not None}
    _check_combination(model, versus, against, fail_on_regression, export_pyperf)
    _check_writable("--output", output)
    _check_writable("--export-pyperf", export_pyperf)
    compared: Comparison | None = None
    if against is not None:
        compared = _against(against, chosen, seed)
    elif versus is not None:
        assert model is not None
        compared = _versus(model, versus, chosen, samples, axis or [], seed)
    if compared is not None:
        print(compared.model_dump_json(indent=2) if as_json else tables.comparison(compared))
        _write(compared, output)
        if fail_on_regression and (code := _exit_code(compared)):
            raise typer.Exit(code)
        _require_measured(compared.cells)
        return
    assert model is not None
    result, calls = _alone(model, chosen, samples, axis or [], seed)
    print(result.model_dump_json(indent=2) if as_json else tables.result(result))
    _write(result, output)
    _require_measured(result.cells)
    if export_pyperf is not None:
        files.write_json(export_pyperf, pyperf_export.document(result, *calls))


def _check_combination(
    model: Path | None, versus: Path | None, against: str | None, fail: bool, pyperf: Path | None
) -> None:
    if against is not None and (model is not None or versus is not None):
        raise ReproofError(
            "--against measures this project's own model", expected="no MODEL and no --vs beside it"
        )
    if against is None and model is None:
        raise ReproofError(
            "which model?",
            hint="reproof benchmark MODEL, or in a project: reproof benchmark --against REV",
        )
    if fail and against is None:
        raise ReproofError("--fail-on-regression needs a recorded run", hint="--against REV")
    if pyperf is not None and (versus is not None or against is not None):
        raise ReproofError(
            "--export-pyperf writes the measurements of one model",
            hint="measure each alone, and let `pyperf compare_to` compare",
        )


def _check_writable(option: str, path: Path | None) -> None:
    """Now, and not when everything has been measured."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        found = "a folder" if path.is_dir() else f"no folder {path.parent}"
        raise ReproofError(
            "nothing can be written there",
            where=f"{option} {path}",
            expected="the path of a file",
            found=found,
        )


def _alone(
    model: Path, chosen: dict[str, Any], samples: Path | None, axis: list[str], seed: int
) -> tuple[Result, tuple[Any, Any]]:
    """The result; and every call's time, of the timed part and of the warm-up."""
    from reproof import benchmark
    from reproof.benchmark import brought
    from reproof.benchmark.measuring import read_samples

    subject = _subject(model, samples, axis)
    settings = brought.settings(subject, chosen)
    with tempfile.TemporaryDirectory(prefix="reproof-samples-") as folder, _progress() as show:
        calls = Path(folder, "samples.npz")
        result = benchmark.measure(
            subject,
            settings,
            provenance=brought.provenance(subject),
            samples_file=calls,
            seed=seed,
            on_progress=show,
        )
        return result, read_samples(calls)


def _versus(
    model: Path, versus: Path, chosen: dict[str, Any], samples: Path | None, axis: list[str], seed: int
) -> Comparison:
    from reproof.benchmark import brought

    with _progress() as show:
        return brought.compare(
            _subject(model, samples, axis),
            _subject(versus, samples, axis),
            chosen,
            seed=seed,
            on_progress=show,
        )


def _against(rev: str, chosen: dict[str, Any], seed: int) -> Comparison:
    from reproof import dvc
    from reproof.benchmark import against

    root = dvc.project_root(Path.cwd())
    settings: Settings = against.settings(root, chosen)
    with _progress() as show:
        return against.compare(root, rev, settings, seed=seed, on_progress=show)


def _subject(model: Path, samples: Path | None, axis: list[str]) -> Subject:
    from reproof.benchmark import brought

    sizes = {}
    for given in axis:
        name, _, size = given.rpartition("=")
        if not name or not size.isdecimal():
            raise ReproofError("not the size of an axis", where="--axis", expected="NAME=SIZE", found=given)
        sizes[name] = int(size)
    here = Path.cwd()
    return brought.subject(here / model, None if samples is None else here / samples, sizes)


def _exit_code(compared: Comparison) -> int:
    """A call that has become slower says so, whatever else was noisy; no claim is made of noise."""
    outcomes = {cell.outcome for cell in compared.cells.values()}
    if "slower" in outcomes:
        return REGRESSION
    return NOISY if "noisy" in outcomes else 0


def _require_measured(cells: Any) -> None:
    if not any(cell.status == "measured" for cell in cells.values()):
        raise ReproofError(
            "no cell could be measured",
            found="; ".join(sorted({str(cell.reason) for cell in cells.values()})),
        )


def _write(found: Result | Comparison, output: Path | None) -> None:
    from reproof import files

    if output is not None:
        files.write_json(output, found.model_dump(mode="json"))


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str | None) -> list[int] | None:
    words = _words(text)
    if words is None:
        return None
    if not words or not all(word.isdecimal() for word in words):
        raise ReproofError(
            "not a list of whole numbers", where=option, expected="such as 1,8,32", found=json.dumps(text)
        )
    return [int(word) for word in words]


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Say on standard error how far it is: one line that changes on a terminal, some lines elsewhere."""
    terminal = sys.stderr.isatty()
    told = 0

    def show(progress: Progress) -> None:
        nonlocal told
        share = 10 * progress.processes_done // max(1, progress.processes)
        text = f"{progress.processes_done}/{progress.processes} processes"
        if progress.remaining_s:
            text += f", about {progress.remaining_s:.0f} s left"
        if terminal:
            sys.stderr.write(f"\r\033[K{text}")
        elif share > told:
            sys.stderr.write(f"{text}\n")
        told = share
        sys.stderr.flush()

    try:
        yield show
    finally:
        if terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
