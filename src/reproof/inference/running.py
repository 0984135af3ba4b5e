"""A model run on every input that the project has: what the stage infer does."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from reproof import environment, files
from reproof.contract.labels import labels
from reproof.contract.schema import Contract
from reproof.contract.shapes import only_batch_size
from reproof.contract.steps import ports_of
from reproof.errors import ReproofError
from reproof.inference import decoding, drawing, finding, making, models, passes, pitfalls, reasons, writing
from reproof.inference.passes import Pass, Row
from reproof.inference.settings import Inputs, Settings
from reproof.model_files.ports import Arrays, Port

SCHEMA_VERSION = 1
_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
    "numpy",
    "pillow",
    "scipy",
    "tokenizers",
    "opencv-python",
)


def run(
    root: Path,
    examination: Mapping[str, Any],
    inputs: Inputs,
    settings: Settings,
    *,
    preprocess: Callable[[Any], Any],
    postprocess: Callable[[Any], Any],
    device: str,
    threads: int,
    seed: int,
    outputs: Path,
    samples: Path,
    picture: Path,
    loader: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Run a model on its inputs, write what came out, and return the content of inference.json.

    It returns also where the model cannot be loaded, or answers nothing: write what it returns, and then
    call `verdict`.

    Args:
        root: the project.
        examination: of the stage examine: the model, its inputs and outputs, the contract.
        inputs: where they are, and how many.
        settings: how many at a time.
        preprocess: takes a list of examples, or arrays by the names of the inputs, stacked; returns what the
            model takes, an array or arrays by name.
        postprocess: takes the model's output, a tuple where it has several; returns an answer an example.
        device: auto, cpu, cuda or mps.
        threads: of the CPU.
        seed: of inputs that are made.
        outputs: the folder for results.csv, arrays/ and pictures/.
        samples: the .npz file for the examples of all inputs that were answered.
        picture: the PNG for the contact sheet.
        loader: `src/model.py:load`, for weights without a graph.
        on_progress: called with the numbers of inputs that are done, and of all.

    Raises:
        ReproofError: when a folder of inputs lies outside the project, or there is no input and none can be
            made.
    """
    contract = Contract.model_validate(examination["contract"]["declared"])
    ports = ports_of(examination["inputs"])
    search = finding.search(root, inputs.folders, finding.kinds_for(contract.input, ports))
    rows, why = _rows(search, contract, ports, inputs, seed)
    folder, seen = root / outputs, pitfalls.Seen()
    writing.prepare(folder)
    keep = functools.partial(_keep, root, folder, contract, seen)
    loaded, smoke = _loaded(root, examination, loader, device, threads)
    measured = Pass()
    total = len(rows)
    if loaded is not None:
        steps = passes.Steps(
            preprocess,
            loaded.call,
            postprocess,
            settings.batch_size,
            only_batch_size(ports),
            root,
        )
        measured = passes.run(rows, steps, keep, lambda done: on_progress and on_progress(done, total))
        smoke |= _first_call(measured, rows)
    else:
        for row in rows:
            row.reason = row.reason if row.example is None else "the model was not loaded"
    writing.write_table(folder / writing.TABLE, rows)
    writing.write_samples(root / samples, [row for row in rows if row.status == "success"])
    drawing.sheet(contract.input, rows, root / picture)
    return {
        "schema_version": SCHEMA_VERSION,
        "runtime": examination["runtime"],
        "device": loaded.device if loaded else None,
        "device_details": models.device_details(loaded.device) if loaded else None,
        "precision": loaded.precision if loaded else None,
        "threads": threads,
        "batch_size": only_batch_size(ports) or settings.batch_size,
        "versions": {
            name: environment.packages()[name] for name in _PACKAGES if name in environment.packages()
        },
        "providers": loaded.providers if loaded else None,
        "smoke": smoke,
        "search": search.folders,
        "synthetic": why is not None,
        "synthetic_reason": why,
        "inputs": {row.id: _record(row) for row in rows},
        "outputs": pitfalls.outputs(seen),
        "timing": _timing(measured),
        "succeeded": sum(row.status == "success" for row in rows),
        "failed": sum(row.status != "success" for row in rows),
        "left_out": max(0, len(search.candidates) - inputs.max_inputs),
        "pitfalls": _pitfalls(root, seen, contract, measured, search, inputs),
        "reproducible": {
            "checked": measured.not_compared is None,
            "max_abs_diff": measured.max_abs_diff,
            "reason": measured.not_compared,
        },
    }


def verdict(found: Mapping[str, Any]) -> None:
    """Raise a ReproofError where the model answered nothing, for the stage to fail with.

    Args:
        found: what `run` returned.
    """
    if found["smoke"]["load_ms"] is None:
        raise ReproofError("the model does not run here", found=found["smoke"]["reason"], hint=_MORE)
    if not found["inputs"]:
        raise ReproofError(
            "there is no input to run the model on",
            where="params.yaml: inputs",
            found=f"nothing in {', '.join(found['search'])}, and synthetic: 0",
            hint="put files into a folder of inputs.folders, or let some be made: inputs.synthetic: 8",
        )
    if not found["succeeded"]:
        first = next(iter(found["inputs"].values()))
        raise ReproofError(
            "the model answered no input",
            where=first["file"],
            found=f"{found['failed']} failed; the first: {first['reason']}",
            hint=f"{_MORE}; see contract.yaml and src/steps.py",
        )


_MORE = "results/latest/inference.json says more"


def _keep(
    root: Path, folder: Path, contract: Contract, seen: pitfalls.Seen, row: Row, arrays: Arrays
) -> None:
    """Write an answer when it comes, so that memory holds one batch of them, and take note of it."""
    path = folder / writing.ARRAYS / f"{row.id}.npz"
    writing.write_archive(path, arrays)
    row.outputs = writing.name_in(root, path)
    pitfalls.look(seen, contract, row, arrays)
    if problem := pitfalls.not_numbers(arrays):
        row.status, row.reason = "failed", problem
    elif row.kind == "image":
        path = folder / writing.PICTURES / f"{row.id}.png"
        drawing.picture(contract.input, row, path)
        row.picture = writing.name_in(root, path)


def _rows(
    search: finding.Search, contract: Contract, ports: Sequence[Port] | None, inputs: Inputs, seed: int
) -> tuple[list[Row], str | None]:
    """The inputs, decoded; and where they were made, why."""
    if search.candidates:
        chosen = search.candidates[: inputs.max_inputs]
        return [_read(str(index), one, contract, ports) for index, one in enumerate(chosen)], None
    if not inputs.synthetic:
        return [], None
    why = f"no input was found in {', '.join(search.folders)}"
    made = making.make(contract.input, ports, inputs.synthetic, seed)
    return [
        Row(str(index), f"made-up-{index}", "synthesized", kind, one.notes, example=one.example)
        for index, (kind, one) in enumerate(made)
    ], why


def _read(number: str, candidate: finding.Candidate, contract: Contract, ports: Sequence[Port] | None) -> Row:
    row = Row(number, candidate.name, "workspace", candidate.kind, reason=candidate.problem)
    if candidate.problem is not None:
        return row
    try:
        found = decoding.decode(candidate.path, candidate.kind, contract.input, ports)
        row.sha256 = files.sha256(candidate.path)
    except (ReproofError, OSError) as error:
        row.reason = reasons.told(error, candidate.path.parent)
        return row
    row.example, row.notes = found.example, found.notes
    return row


def _loaded(
    root: Path, examination: Mapping[str, Any], loader: str | None, device: str, threads: int
) -> tuple[models.Loaded | None, dict[str, Any]]:
    """The model, and the smoke test so far: whether package and model load, how long, or why not."""
    smoke: dict[str, Any] = {"status": "success", "import_ms": None, "load_ms": None, "first_call_ms": None}
    try:
        path = files.inside(root, examination["model"]["path"])
        runtime = examination["runtime"]
        found = models.load(path, runtime, root=root, loader=loader, device=device, threads=threads)
    except Exception as error:  # noqa: BLE001 (the user's loader may raise anything: it is the smoke test's result)
        return None, smoke | {"status": "failed", "reason": reasons.told(error, root)}
    return found, smoke | {"import_ms": found.import_ms, "load_ms": found.load_ms, "reason": None}


def _first_call(measured: Pass, rows: Sequence[Row]) -> dict[str, Any]:
    if measured.first_call_ms is not None:
        return {"first_call_ms": measured.first_call_ms}
    tried = [row for row in rows if row.example is not None]
    if not tried:
        return {"reason": "loaded, and not called: no input could be read"}
    return {"status": "failed", "reason": f"the model was loaded, and answered nothing; {tried[0].reason}"}


def _record(row: Row) -> dict[str, Any]:
    summary = writing.told(row.answer) if row.status == "success" else None
    names = ("file", "source", "kind", "notes", "sha256", "status", "reason", "outputs", "picture")
    return {name: getattr(row, name) for name in names} | {"summary": summary}


def _timing(measured: Pass) -> dict[str, Any]:
    """Of a batch, by stage; the benchmark measures properly."""
    return {
        stage: {
            "mean_ms": fmean(times) if times else None,
            "median_ms": median(times) if times else None,
            "n": len(times),
        }
        for stage, times in measured.times.items()
    }


def _pitfalls(
    root: Path,
    seen: pitfalls.Seen,
    contract: Contract,
    measured: Pass,
    search: finding.Search,
    inputs: Inputs,
) -> pitfalls.Pitfalls:
    names = None
    with contextlib.suppress(ReproofError):  # postprocess has told, if it needs them
        names = labels(contract.output, root)
    found = pitfalls.found(seen, contract, names, measured)
    count = len(search.candidates)
    if count > inputs.max_inputs:
        found["inputs_left_out"] = {
            "symptom": f"{count - inputs.max_inputs} of {count} inputs were not run",
            "fix": f"raise inputs.max_inputs in params.yaml, which is {inputs.max_inputs}",
        }
    return found
