"""What the tutorial is filled with: the way from an empty folder to the same numbers, as this run went it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from reproof import file_names, redact
from reproof.report import addresses
from reproof.report.markdown import between, code, number, size, text
from reproof.report.model_check import commands, pitfalls, verdicts
from reproof.report.model_check.commands import fenced, quoted
from reproof.report.model_check.record import STAGES, Check, part
from reproof.report.model_check.timing import verdict

_PARAMS = ("seed", "threads", "deterministic", "device", "model", "inputs", "infer", "benchmark")
"""The blocks of params.yaml that a stage of this recipe computes with."""


def context(check: Check) -> dict[str, Any]:
    """Return the values by name; those that end in `_block` are fenced Markdown."""
    return {
        "python": check.source.meta["python"]["version"],
        "clone_block": _clone(check),
        "template_block": _from_template(check),
        "template_known": _library(check) is not None,
        "setup_block": fenced(commands.setup(check)),
        "install_block": fenced([str(install)]) if (install := check.dependencies.get("install")) else None,
        "model_block": _model(check),
        "contract_block": _yaml(check.said),
        "params_block": _yaml({k: v for k, v in check.source.blocks.items() if k in _PARAMS}),
        "files_named": _files_named(check),
        "real_inputs_named": {
            str(one["file"]): str(one.get("sha256") or "").removeprefix("sha256:")
            for one in check.inputs.values()
            if one.get("source") == "workspace" and one.get("file")
        },
        "whole_block": fenced(["dvc exp run"]),
        "by_dvc": any((record.get("dvc") or {}).get("stage") for record in check.source.stages.values()),
        "steps": [_step(check, stage) for stage in STAGES if check.argv(stage)],
        "look_block": fenced(["reproof report --check", "dvc metrics show"]),
        "chosen_block": fenced([command]) if (command := commands.cell_command(check)) else None,
        "pitfalls": pitfalls.of(check),
    }


def _clone(check: Check) -> str | None:
    """The way for those who can reach the repository; None where the run knows no address of it."""
    meta = check.source.meta["git"]
    remote, commit = meta.get("remote"), str(meta.get("commit") or "")
    if not addresses.of_remote(remote) or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return None
    folder = _folder(check)
    return fenced(
        [
            f"git clone {shlex.quote(redact.url(str(remote)))} {folder}",
            f"cd {folder}",
            f"git checkout {commit}",
            *commands.setup(check),
            "dvc pull",
        ]
    )


def _from_template(check: Check) -> str:
    folder, library = _folder(check), _library(check)
    source = shlex.quote(library[0]) if library else '"$TEMPLATE"'
    at = f"--vcs-ref {library[1]} " if library and library[1] else ""
    return fenced(
        [
            f"copier copy --defaults {at}--data recipe=inference {source} {folder}",
            f"cd {folder}",
            "git init",
            "git add -A",
            'git commit -m "Start"',
        ]
    )


def _library(check: Check) -> tuple[str, str | None] | None:
    """Where the library, and the template with it, came from: address and commit; None for a folder."""
    found = check.source.meta.get("library") or {}
    address = redact.url(str(found.get("source") or ""))
    if not re.match(r"(https?|ssh)://", address):
        return None
    commit = str(found.get("commit") or "")
    return address, commit if re.fullmatch(r"[0-9a-f]{40,64}", commit) else None


def _folder(check: Check) -> str:
    return shlex.quote(f"check-{file_names.slug(check.name).lower()}")


def _model(check: Check) -> str | None:
    """The commands that look at the model's files and give them to DVC; None where no model was read."""
    if not (path := check.model.get("path")):
        return None
    beside = [str(PurePosixPath(path).parent / name) for name in check.model.get("external_data") or {}]
    own = [*beside, *_files_named(check)]
    return fenced([f"reproof digest {quoted(path)}", *(f"dvc add {quoted(name)}" for name in (path, *own))])


def _files_named(check: Check) -> list[str]:
    """Files that contract.yaml names, which do not come with the model's."""
    fields = (check.declared["output"].get("labels"), check.declared["input"].get("tokenizer"))
    return [found for found in fields if isinstance(found, str)]


def _yaml(value: Mapping[str, Any]) -> str | None:
    if not value:
        return None
    dumped = yaml.safe_dump(
        dict(value), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return fenced([dumped], "yaml")


def _step(check: Check, stage: str) -> dict[str, Any]:
    """One stage: its command as it ran, what came out, and how long it took."""
    record = check.source.stages[stage]
    told = {"examine": _examined, "infer": _inferred, "benchmark": _benchmarked}[stage](check)
    if record["status"] == "failed":
        message = (record.get("error") or {}).get("message") or "no message was recorded"
        told = [f"**It failed here**: {text(message)}", *told]
    return {
        "stage": stage,
        "status": record["status"],
        "seconds": record.get("seconds"),
        "block": fenced([str(check.argv(stage))]),
        "writes": [check.file(path) for path in record.get("writes") or {}],
        "told": told,
    }


def _examined(check: Check) -> list[str]:
    model, graph = check.model, part(check.examination, "graph")
    if not model:
        return []
    told = [f"{code(model.get('path'))} is {text(model.get('format'))}, {size(model.get('bytes'))}"]
    if graph:
        told.append(f"its graph has {number(graph.get('nodes'))} nodes")
    if fields := part(check.contract, "open"):
        told.append(f"contract.yaml does not say {', '.join(code(name) for name in fields)}")
    return told


def _inferred(check: Check) -> list[str]:
    if not check.inputs:
        return []
    told = [text(verdicts.runs(check).why)]
    first = next((one for one in check.inputs.values() if one.get("status") == "success"), None)
    if first and first.get("summary"):
        told.append(
            f"the first answer, to {code(first.get('file') or 'a made-up input')}: {text(first['summary'])}"
        )
    return told


def _benchmarked(check: Check) -> list[str]:
    told = [verdicts.timed(check)] if check.measured else []
    if chosen := verdicts.known_good(check):
        cell = check.measured[chosen]
        times = cell["stages"]["end_to_end"]
        told.append(
            f"{code(chosen)}: {number(times['median_ms'], 3)} ms a call, 95% interval "
            f"{between(times['ci95_ms'], 3)} ms, {verdict(cell)}"
        )
    return told
