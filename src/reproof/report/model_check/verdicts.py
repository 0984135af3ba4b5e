"""What the record allows to say in a line: the status, what worked, what did not, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reproof.report import objectives
from reproof.report.markdown import number
from reproof.report.model_check.record import STAGES, Check, part

ANSWERS = {"success": "yes", "partial": "partially", "failed": "no"}
AGAIN = "dvc repro --force --single-item benchmark"


@dataclass(frozen=True)
class Answer:
    """Whether the model runs end to end here, and by what that was decided."""

    word: str
    why: str


@dataclass(frozen=True)
class Step:
    """Something to do: what for, and the command or the place, where there is one."""

    words: str
    command: str = ""


def status(check: Check) -> str:
    """Return `success`, `partial` or `failed`.

    Failed: no input went through the model. Success: every input did with finite outputs, and every cell
    of the benchmark was measured. Partial: everything between.
    """
    answer = runs(check).word
    if answer == "no":
        return "failed"
    benchmarked = check.cells and not check.unmeasured and check.stage_status("benchmark") != "failed"
    return "success" if answer == "yes" and benchmarked else "partial"


def runs(check: Check) -> Answer:
    """Return whether inputs come out of the model as answers on this machine."""
    failed = _failed_stage(check)
    total, good = len(check.inputs), check.succeeded
    if not good:
        smoke = part(check.inference, "smoke")
        why = failed or smoke.get("reason") or (f"none of {total} inputs did" if total else "nothing was run")
        return Answer("no", str(why))
    kinds = "made-up inputs" if check.inference.get("synthetic") else "inputs"
    said = f"{good} of {total} {kinds} went through preprocess, model and postprocess"
    broken = [name for name, one in part(check.inference, "outputs").items() if _not_finite(one)]
    if broken:
        said += f"; values that are no finite numbers came out of {', '.join(broken)}"
    if check.stage_status("infer") == "failed":
        said += "; then the stage infer failed"
    whole = good == total and not broken and check.stage_status("infer") != "failed"
    return Answer("yes" if whole else "partially", said)


def _not_finite(output: dict[str, Any]) -> bool:
    return bool(output.get("nan") or output.get("infinite"))


def _failed_stage(check: Check) -> str | None:
    for name in STAGES[:2]:
        record = check.source.stages.get(name)
        if record is None:
            return f"the stage {name} has left no record"
        if record["status"] in ("failed", "in_progress"):
            error = (record.get("error") or {}).get("message")
            return f"the stage {name} failed: {error}" if error else f"the stage {name} has not ended"
    return None


def worked(check: Check) -> list[str]:
    """Return what worked, as phrases."""
    said = []
    if check.model:
        counts = [str(check.model.get("format"))]
        if nodes := part(check.examination, "graph").get("nodes"):
            counts.append(f"{number(nodes)} nodes")
        if parameters := part(check.examination, "weights").get("parameters"):
            counts.append(f"{number(parameters)} parameters")
        said.append(f"the file was read ({', '.join(counts)})")
    if part(check.inference, "smoke").get("status") == "success":
        said.append(f"{check.inference.get('runtime')} loaded it")
    if check.succeeded:
        said.append(runs(check).why)
    if check.measured:
        said.append(timed(check))
    return said


def timed(check: Check) -> str:
    """Return how many cells of the benchmark have numbers."""
    total = len(check.cells)
    if total == 1:
        return "the one cell of the benchmark was timed"
    return f"{len(check.measured)} of {total} cells of the benchmark were timed"


def lacking(check: Check) -> list[str]:
    """Return what failed or is missing, as phrases, the gravest first."""
    said = []
    for name in STAGES:
        record = check.source.stages.get(name)
        if record is None:
            said.append(f"the stage {name} has left no record")
        elif record["status"] in ("failed", "in_progress"):
            error = (record.get("error") or {}).get("message")
            said.append(f"the stage {name} failed: {error}" if error else f"the stage {name} has not ended")
    said += [
        f"{one.get('file') or f'input {number}'}: {one.get('reason') or 'no reason was recorded'}"
        for number, one in check.inputs.items()
        if one.get("status") != "success"
    ]
    if check.inference.get("synthetic"):
        reason = check.inference.get("synthetic_reason") or "no reason was recorded"
        said.append(f"no real input was run ({reason})")
    said += [f"{name} is not installed ({why})" for name, why in part(check.dependencies, "missing").items()]
    said += [
        f"contract.yaml and the file disagree on {field} ({one.get('declared')} and {one.get('found')})"
        for field, one in conflicts(check).items()
    ]
    if open_fields := part(check.contract, "open"):
        said.append(f"contract.yaml does not say: {', '.join(open_fields)}")
    said += [f"{name}: {cell['status']}, {cell['reason']}" for name, cell in check.unmeasured.items()]
    if noisy := noisy_cells(check):
        said.append(f"the times of {', '.join(noisy)} are noisy")
    return said


def conflicts(check: Check) -> dict[str, dict[str, Any]]:
    """Return the fields on which contract.yaml and the model file disagree."""
    checks = part(check.contract, "checks")
    return {field: one for field, one in checks.items() if one.get("status") == "conflicts"}


def noisy_cells(check: Check) -> list[str]:
    """Return the names of measured cells whose numbers carry no claim."""
    return [name for name, cell in check.measured.items() if cell["verdict"]["status"] == "noisy"]


def known_good(check: Check) -> str | None:
    """Return the cell to begin with: the fastest stable one in fp32 at the smallest batch that was timed.

    Other precisions answer differently, which is for people to accept; where no such cell is stable, the
    first that was measured.
    """
    stable = {
        name: cell
        for name, cell in check.measured.items()
        if cell["verdict"]["status"] == "stable" and cell["cell"]["precision_requested"] == "fp32"
    }
    if not stable:
        return next(iter(check.measured), None)
    smallest = min(cell["cell"]["batch_size"] for cell in stable.values())
    alike = {name: cell for name, cell in stable.items() if cell["cell"]["batch_size"] == smallest}
    return min(alike, key=lambda name: float(alike[name]["stages"]["end_to_end"]["median_ms"]))


def next_steps(check: Check) -> Iterator[Step]:
    """Yield what is open, each with how to close it."""
    for name in STAGES:
        if check.stage_status(name) in ("failed", "in_progress"):
            yield Step(f"mend what stopped the stage {name}, then run the rest", "dvc exp run")
    if part(check.dependencies, "missing") and (install := check.dependencies.get("install")):
        yield Step("install what is missing", str(install))
    for field, one in conflicts(check).items():
        yield Step(f"mend {field} in contract.yaml: {one.get('hint') or one.get('found')}")
    for field, why in part(check.contract, "open").items():
        yield Step(f"write {field} into contract.yaml: {why}")
    if check.inference.get("synthetic"):
        yield Step("put real inputs into the folders of params.yaml, inputs.folders", "dvc exp run")
    failed = [one for one in check.inputs.values() if one.get("status") != "success"]
    if failed:
        yield Step(f"look at what {_these(len(failed), 'input')} failed on: the table of inputs says it")
    if noisy_cells(check):
        yield Step("measure again while the machine does nothing else", AGAIN)
    harness = part(part(check.source.benchmark or {}, "software"), "harness")
    if check.measured and harness.get("quick"):
        yield Step("measure all combinations with full settings", "dvc exp run -S benchmark=full")
    yield from _of_targets(check)
    if check.succeeded:
        yield Step("find out how often the answers are right, on labelled inputs: nothing here measures that")


def _of_targets(check: Check) -> Iterator[Step]:
    declared = check.source.declared
    judged = objectives.judge(check.source, {**declared.inference_targets, **declared.criteria})
    if not judged and check.measured:
        yield Step("say what is fast enough, as report.inference_targets in params.yaml")
    for one in judged:
        if one.status in ("not met", "partial"):
            yield Step(f"decide about the target {one.name}: {one.status}")


def _these(count: int, noun: str) -> str:
    return f"the one {noun}" if count == 1 else f"the {count} {noun}s"
