"""plan.md: what a run will do, on what and in which order, written before it does anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reproof.examination.words import code, duration, size, text

_STAGES = {
    "examine": "the model file, its contract and its packages: done when this plan is there",
    "infer": "the model on the inputs below: a smoke test, then each of them; the first one twice",
    "benchmark": "the cells below, each repeat in a process of its own, in a random order",
    "summarize": "the record of the run, under results/latest",
    "report": "reports/experiment.md, and tutorial/step-by-step.md",
}


def plan(examination: Mapping[str, Any]) -> str:
    """Return the Markdown of plan.md, made of examination.json alone."""
    parts = (_head, _order, _machine, _inputs, _benchmark, _contract, _packages, _pitfalls)
    return "\n".join("\n".join(part(examination)) for part in parts).rstrip() + "\n"


def _head(found: Mapping[str, Any]) -> Iterator[str]:
    model, graph = found["model"], found["graph"]
    yield f"# Plan: {text(model['name'])}"
    yield ""
    yield "Written by the stage examine, before anything of the model runs."
    yield ""
    yield (
        f"- Model: {code(model['path'])}, {text(model['format'])}, {size(model['bytes'])}, "
        f"SHA-256 {code(model['sha256'][:12])}"
    )
    for name, count in (model["external_data"] or {}).items():
        yield f"- Beside it: {text(name)}, {size(count)}"
    if found["weights"]:
        yield f"- Parameters: {found['weights']['parameters']:,}"
    if graph:
        opsets = ", ".join(f"{name} {version}" for name, version in graph["opset"].items())
        yield f"- Operations: {graph['nodes']:,}" + (f"; operator sets: {text(opsets)}" if opsets else "")
    else:
        yield f"- Graph: none known: {text(found['graph_reason'])}"
    for side in ("inputs", "outputs"):
        if found[side] is None:
            yield f"- {side.capitalize()}: not known: {text(found['ports_reason'])}"
        for name, port in (found[side] or {}).items():
            shape = "×".join(map(str, port["shape"])) or "scalar"
            yield f"- {side[:-1].capitalize()} {text(name)}: {text(port['dtype'])} {text(shape)}"
        for name, kind in (found[f"other_{side}"] or {}).items():
            yield f"- {side[:-1].capitalize()} {text(name)}: {text(kind)}"
    yield ""


def _order(_: Mapping[str, Any]) -> Iterator[str]:
    yield "## In this order"
    yield ""
    yield f"{code('dvc exp run')} runs them all, and skips what has not changed."
    yield ""
    for number, (name, words) in enumerate(_STAGES.items(), start=1):
        yield f"{number}. {code(f'python src/{name}.py')}: {text(words)}"
    yield ""


def _machine(found: Mapping[str, Any]) -> Iterator[str]:
    machine = found["planned"]["machine"]
    yield "## On the machine that wrote this plan"
    yield ""
    yield f"- Processor: {text(machine['cpu'])}, {machine['cores']} usable cores"
    if machine["gpus"]:
        yield f"- GPUs: {text(', '.join(machine['gpus'].values()))}"
    else:
        yield f"- GPU: none ({text(machine['gpus_reason'])})"
    yield f"- Runtime: {text(found['runtime'])} {text(_version(found) or '(not installed)')}"
    yield ""


def _version(found: Mapping[str, Any]) -> str | None:
    version: str | None = found["dependencies"]["installed"].get(found["runtime"])
    return version


def _inputs(found: Mapping[str, Any]) -> Iterator[str]:
    planned = found["planned"]["inputs"]
    yield "## Inputs"
    yield ""
    for name, folder in planned["folders"].items():
        if folder["files"] is None:
            yield f"- {text(name)}: {text(folder['reason'])}"
        else:
            yield f"- {text(name)}: {folder['files']} files, {folder['usable']} that this model takes"
    if planned["synthetic"]:
        yield (
            f"- No input was found ({text(planned['kinds'])}): {planned['run']} are made up to fit the "
            "contract, and said to be so"
        )
    else:
        yield f"- {planned['run']} of them will be run"
    yield ""


def _benchmark(found: Mapping[str, Any]) -> Iterator[str]:
    planned = found["planned"]["benchmark"]
    yield f"## Benchmark, about {duration(planned['seconds'])}"
    yield ""
    yield f"{planned['repeats']} processes a cell. A slow model takes longer than that."
    yield ""
    for name, reason in planned["cells"].items():
        yield f"- {code(name)}" + (f": not here: {text(reason)}" if reason else "")
    if planned["more_cells"]:
        yield f"- and {planned['more_cells']} more"
    yield ""


def _contract(found: Mapping[str, Any]) -> Iterator[str]:
    contract = found["contract"]
    conflicts = {name: one for name, one in contract["checks"].items() if one["status"] == "conflicts"}
    if conflicts:
        yield f"## Conflicts in {text(contract['file'])}"
        yield ""
        for name, one in conflicts.items():
            yield (
                f"- {code(name)}: declared {text(one['declared'])}, found {text(one['found'])}. "
                f"To mend: {text(one['hint'])}"
            )
        yield ""
    yield f"## Open in {text(contract['file'])}"
    yield ""
    for name, why in contract["open"].items():
        yield f"- {code(name)}: {text(why)}"
    if not contract["open"]:
        yield "Nothing: every field that matters for this model is declared."
    yield ""


def _packages(found: Mapping[str, Any]) -> Iterator[str]:
    needs = found["dependencies"]
    yield "## Packages"
    yield ""
    if not needs["missing"]:
        yield "Everything that this model needs is installed."
    for name, why in needs["missing"].items():
        yield f"- Missing: {code(name)}: {text(why)}"
    if needs["choices"]:
        yield f"- Into this environment ({text(needs['manager'])}): {code(needs['choices']['current'])}"
        yield f"- Into a new one: {code(needs['choices']['new'])}"
        yield f"- Versions: {text(needs['strategy'])}"
    for name, note in needs["notes"].items():
        yield f"- {text(name)}: {text(note)}"
    yield ""


def _pitfalls(found: Mapping[str, Any]) -> Iterator[str]:
    yield "## Pitfalls"
    yield ""
    for name, one in found["pitfalls"].items():
        yield f"- {text(name)}: {text(one['symptom'])}. To mend: {text(one['fix'])}"
    if not found["pitfalls"]:
        yield "None known before the run."
    yield ""
