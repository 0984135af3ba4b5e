"""Artifacts, environment, dependencies and the model's contract, as values of the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproof.report.markdown import code, number, text, value
from reproof.report.model_check.record import Check, part

KEY_LIBRARIES = ("onnxruntime", "torch", "tensorrt", "opencv-python", "numpy", "pillow")
"""Those that a reader of such a report looks for first; what the model was run with is added."""
_SAID = {"fits": "✅ fits", "conflicts": "❌ conflicts", "unchecked": "– unchecked"}


def context(check: Check) -> dict[str, Any]:
    """Return the values by name."""
    return {
        "model": check.model,
        "upstream": check.declared["source"],
        "graph": part(check.examination, "graph"),
        "graph_reason": check.examination.get("graph_reason"),
        "weights": part(check.examination, "weights"),
        "weights_reason": check.examination.get("weights_reason"),
        "ports_reason": check.examination.get("ports_reason"),
        "operators": _operators(part(check.examination, "graph")),
        "manager": check.dependencies.get("manager") or _manager(check),
        "device": _device(check),
        "device_details": _details(check),
        "libraries": _libraries(check),
        "dependencies": check.dependencies,
        "choices": part(check.dependencies, "choices"),
        "groups": _groups(check),
        "missing_libraries": part(check.dependencies, "missing"),
        "lock": check.source.meta.get("requirements_lock"),
        "ports": {kind: _ports(check, kind) for kind in ("inputs", "outputs")},
        "input_contract": check.declared["input"],
        "output_contract": check.declared["output"],
        "declared_rows": _declared_rows(check),
        "open_fields": part(check.contract, "open"),
        "found_fields": part(check.contract, "found"),
        "checks": [
            {"field": field, "said": _SAID.get(str(one.get("status")), str(one.get("status")))}
            | {key: one.get(key) for key in ("declared", "found", "hint")}
            for field, one in part(check.contract, "checks").items()
        ],
        "modality": check.declared["input"].get("modality") or _kinds(check),
        "raw_outputs": part(check.inference, "outputs"),
    }


def _operators(graph: Mapping[str, Any]) -> str:
    counts = part(graph, "operators")
    most = sorted(counts.items(), key=lambda item: (-int(item[1]), item[0]))
    shown = ", ".join(f"{number(count)} {text(name)}" for name, count in most[:12])
    return f"{shown} and {len(most) - 12} more kinds" if len(most) > 12 else shown


def _manager(check: Check) -> str:
    inside = check.source.meta["python"].get("virtual_environment")
    return "venv" if inside else "system" if inside is False else "not recorded"


def _device(check: Check) -> str:
    own = check.inference.get("device")
    timed = sorted({str(cell["cell"]["device"]) for cell in check.measured.values()} - {str(own)})
    found = [*([str(own)] if own else []), *timed]
    return ", ".join(found) or str(check.source.meta.get("device") or "none: nothing was run")


def _details(check: Check) -> str:
    """The model of the processor that ran it, and the graphics processors beside it."""
    meta = check.source.meta
    own = check.inference.get("device_details") or meta["cpu"]["model"]
    gpus = [str(gpu.get("name")) for gpu in (meta.get("gpus") or {}).values()]
    others = [name for name in gpus if name != own]
    cores = meta["cpu"].get("usable_cores")
    return ", ".join([str(own), *([f"{cores} usable cores"] if cores else []), *others])


def _libraries(check: Check) -> dict[str, str | None]:
    installed = check.source.meta.get("packages") or {}
    used = part(check.inference, "versions")
    names = dict.fromkeys((*KEY_LIBRARIES, *used))
    return {name: used.get(name) or installed.get(name) for name in names}


def _groups(check: Check) -> dict[str, str]:
    """Required packages by group, each with what is asked for and what is installed."""
    required = part(check.dependencies, "required")
    installed = part(check.dependencies, "installed")
    labels = {
        "framework": "Runtime/framework",
        "model": "Model-specific libs",
        "utilities": "Utilities",
        "optional": "Optional acceleration",
    }
    found = {}
    for group, label in labels.items():
        packages = [
            f"{text(name)} {text(wanted or '')}".rstrip()
            + f" ({text(installed[name]) if installed.get(name) else 'not installed'})"
            for name, wanted in part(required, group).items()
        ]
        found[label] = ", ".join(packages) or ("none" if required else "not derived: the model was not read")
    return found


def _ports(check: Check, kind: str) -> list[dict[str, str]]:
    """What goes in, or comes out, as the file says."""
    return [
        {
            "name": code(name),
            "dtype": text(port.get("dtype")),
            "shape": text("×".join(map(str, port.get("shape") or [])) or "scalar"),
            "varies": ", ".join(
                f"axis {text(axis)} ({text(called)})" for axis, called in part(port, "dynamic").items()
            )
            or "no axis",
        }
        for name, port in part(check.examination, kind).items()
    ] + [
        {"name": code(name), "dtype": text(what), "shape": "–", "varies": "–"}
        for name, what in part(check.examination, f"other_{kind}").items()
    ]


def _declared_rows(check: Check) -> list[tuple[str, str]]:
    """The lines of contract.yaml that say something, as `block.field` and Markdown."""
    rows = []
    for block, fields in check.said.items():
        for field, found in fields.items():
            if isinstance(found, dict):
                found = ", ".join(f"{key} {item}" for key, item in found.items())
            rows.append((f"{block}.{field}", value(found)))
    return rows


def _kinds(check: Check) -> str | None:
    """What the inputs that were run are, where contract.yaml does not say what the model takes."""
    kinds = sorted({str(one.get("kind")) for one in check.inputs.values()})
    return f"not declared; the inputs that were run are of the kind {', '.join(kinds)}" if kinds else None
