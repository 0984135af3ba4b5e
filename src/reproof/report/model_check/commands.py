"""The commands of a run: those that ran, from the stages' own records, and those that follow from it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from reproof import redact
from reproof.report.model_check.record import STAGES, Check, part
from reproof.report.model_check.verdicts import known_good

SETUP = {"uv": ["uv sync", "source .venv/bin/activate"]}
_VENV = ["make setup", "source .venv/bin/activate"]


def context(check: Check) -> dict[str, Any]:
    """Return the values by name."""
    infer = check.argv("infer")
    return {
        "setup": " && ".join(setup(check)),
        "smoke": part(check.inference, "smoke"),
        "smoke_command": part(check.inference, "smoke").get("command") or infer,
        "infer_command": infer,
        "recommended": infer if check.succeeded else None,
        "cell_command": cell_command(check),
        "runs": list(_runs(check)),
    }


def setup(check: Check) -> list[str]:
    """Return the commands that make the environment, by the manager of the one that it ran in."""
    return list(SETUP.get(str(check.dependencies.get("manager")), _VENV))


def cell_command(check: Check) -> str | None:
    """Return the command that times the recommended cell alone, from its params."""
    chosen = known_good(check)
    if chosen is None:
        return None
    facts = check.measured[chosen]["cell"]
    block = {
        "runtimes": facts["runtime"],
        "devices": facts["device"],
        "precisions": facts["precision_requested"],
        "batch_sizes": facts["batch_size"],
        "threads": facts["threads_requested"],
    }
    inner = ", ".join(f"{key}: [{value}]" for key, value in block.items())
    # ++ (Hydra): also where the block is one word, or lacks one of these.
    return f"dvc exp run -S {shlex.quote(f'++benchmark={{{inner}}}')}"


def fenced(lines: Iterable[str], kind: str = "bash") -> str:
    """Return a fenced block that none of its lines can end, without secrets."""
    body = redact.text("\n".join(lines).rstrip("\n"))
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{body}\n{fence}"


def quoted(path: object) -> str:
    """Return a path of the project as one word of a command, whatever it is called."""
    name = str(path)
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def _runs(check: Check) -> Iterable[dict[str, str]]:
    """The run matrix: the stages, then each cell of the benchmark; inputs and outputs are as recorded."""
    for stage in STAGES[:2]:
        record = check.source.stages.get(stage)
        if record:
            yield _line(check, stage, str(record.get("run_id")), _device(check, stage), _params(check, stage))
    record = check.source.stages.get("benchmark") or {}
    for name, cell in check.cells.items():
        what = cell["cell"]
        params = (
            f"{what['runtime']}, {what['precision_requested']}, batch {what['batch_size']}, "
            f"{what['threads_requested']} thread{'s' if what['threads_requested'] != 1 else ''}"
        )
        row = _line(
            check, "benchmark", f"{record.get('run_id') or ''} {name}".strip(), what["device"], params
        )
        yield row if cell["status"] == "measured" else row | {"outputs": f"none: {cell['status']}"}


def _line(check: Check, stage: str, run: str, device: str, params: str) -> dict[str, str]:
    record = check.source.stages.get(stage) or {}
    failed = {"failed": "none: it failed", "in_progress": "none yet"}.get(str(record.get("status")))
    return {
        "id": run,
        "script": check.argv(stage) or "not recorded",
        "device": device,
        "params": params,
        "inputs": ", ".join(record.get("reads") or {}) or "none recorded",
        "outputs": ", ".join(record.get("writes") or {}) or failed or "none recorded",
    }


def _device(check: Check, stage: str) -> str:
    return "cpu" if stage == "examine" else str(check.inference.get("device") or "none: it did not run")


def _params(check: Check, stage: str) -> str:
    if stage == "examine":
        return f"format {check.model.get('format') or 'not recognised'}"
    found = check.inference
    known = {
        "runtime": found.get("runtime"),
        "batch": found.get("batch_size"),
        "precision": found.get("precision"),
        "threads": found.get("threads"),
    }
    return (
        ", ".join(f"{name} {value}" for name, value in known.items() if value is not None) or "none recorded"
    )
