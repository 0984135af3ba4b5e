"""The inputs that were looked for, those that were run, and what the model said to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproof.report.markdown import code, number, text
from reproof.report.model_check.record import Check, part

_MOST_INVENTORY = 24
_MOST_EXAMPLES = 9


def context(check: Check) -> dict[str, Any]:
    """Return the values by name."""
    inventory = list(_inventory(check))
    return {
        "formats": _formats(check),
        "infer_writes": [
            check.file(path) for path in check.source.stages.get("infer", {}).get("writes") or {}
        ],
        "searched": [_searched(folder, found) for folder, found in part(check.inference, "search").items()],
        "real_inputs": sum(_is_real(one) for one in check.inputs.values()),
        "input_count": len(check.inputs),
        "succeeded": check.succeeded,
        "left_out": check.inference.get("left_out"),
        "synthetic": check.inference.get("synthetic"),
        "synthetic_reason": check.inference.get("synthetic_reason"),
        "inventory": inventory[:_MOST_INVENTORY],
        "inventory_left": max(0, len(inventory) - _MOST_INVENTORY),
        "mapping": list(_mapping(check)),
        "reproducible": part(check.inference, "reproducible"),
        "infer_timing": part(check.inference, "timing"),
    }


def shown_name(number: str, one: dict[str, Any]) -> str:
    """Return what an input is called: its file, or its number where it has none."""
    return str(one.get("file") or f"made-up input {number}")


def _formats(check: Check) -> str:
    """The kinds of files that the model takes, with their suffixes, as Markdown."""
    from reproof.inference.finding import SUFFIXES

    planned = part(part(check.examination, "planned"), "inputs")
    kinds = [kind for kind in str(planned.get("kinds") or "").split(", ") if kind in SUFFIXES]
    shown = [f"{kind} ({', '.join(code(suffix) for suffix in SUFFIXES[kind])})" for kind in kinds]
    return "; ".join(shown) or "not derived: the model was not examined"


def _is_real(one: dict[str, Any]) -> bool:
    return one.get("source") == "workspace"


def _searched(folder: str, found: Any) -> str:
    """A folder that was looked into, as Markdown."""
    one = found if isinstance(found, dict) else {}
    if one.get("files") is None:
        return f"{code(folder)}: {text(one.get('reason') or 'not recorded')}"
    passed = ", ".join(f"{number(count)} {text(kind)}" for kind, count in part(one, "passed_over").items())
    left = f" (passed over: {passed})" if passed else ""
    return f"{code(folder)}: {number(one['files'])} files, {number(one.get('usable'))} of them usable{left}"


def _inventory(check: Check) -> Iterator[dict[str, str]]:
    for key, one in check.inputs.items():
        notes = [text(one[name]) for name in ("kind", "notes") if one.get(name)]
        if digest := str(one.get("sha256") or ""):
            notes.append(f"SHA-256 {code(digest.removeprefix('sha256:')[:16])}")
        source = "workspace" if _is_real(one) else str(one.get("source") or "not recorded")
        yield {
            "input": _input(check, key, one),
            "source": text(source),
            "notes": ", ".join(notes) or "–",
        }


def _input(check: Check, key: str, one: dict[str, Any]) -> str:
    if not _is_real(one) or not one.get("file"):
        return code(shown_name(key, one))
    return check.file(one["file"])


def _mapping(check: Check) -> Iterator[dict[str, str]]:
    """Some inputs with what came out: those that failed first, since these ask for something."""
    order = sorted(check.inputs.items(), key=lambda item: item[1].get("status") == "success")
    failed = [item for item in order if item[1].get("status") != "success"][:3]
    answered = [item for item in order if item[1].get("status") == "success"]
    for key, one in [*failed, *answered][:_MOST_EXAMPLES]:
        files = [check.file(one[name]) for name in ("outputs", "picture") if one.get(name)]
        if one.get("status") == "success":
            notes = text(one.get("summary") or "no summary was recorded")
        else:
            notes = f"**failed**: {text(one.get('reason') or 'no reason was recorded')}"
        yield {"input": _input(check, key, one), "outputs": ", ".join(files) or "none", "notes": notes}
