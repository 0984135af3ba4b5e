"""Each field that contract.yaml declares, held against what the model's file tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reproof import files
from reproof.contract import labels, shapes
from reproof.contract.schema import Contract
from reproof.errors import ReproofError
from reproof.model_files.facts import Facts
from reproof.model_files.ports import Port

Status = Literal["fits", "conflicts", "unchecked"]
_SILENT = "the file does not tell"


@dataclass(frozen=True)
class Check:
    """One field: whether it fits, what is declared, what the file tells, and what to do."""

    status: Status
    found: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class _Seen:
    contract: Contract
    facts: Facts
    root: Path
    input: Port | None
    output: Port | None

    @property
    def picture(self) -> shapes.Picture | None:
        return shapes.picture(self.input, self.contract.input.layout)


def check(contract: Contract, facts: Facts, root: Path) -> dict[str, dict[str, str | None]]:
    """Return a row for each declared field, by `block.field`: status, declared, found, hint.

    `fits` and `conflicts` say that the file tells; `unchecked` that it does not. Fields that are null have no
    row: `open_fields` speaks of them.

    Args:
        contract: what contract.yaml says.
        facts: what the model's file says.
        root: the project's folder, for the files that the contract names.
    """
    seen = _Seen(
        contract, facts, root, shapes.main_input(contract, facts), shapes.main_output(contract, facts)
    )
    rows: dict[str, dict[str, str | None]] = {}
    for block in ("input", "output"):
        part = getattr(contract, block)
        for field in type(part).model_fields:
            value = getattr(part, field)
            if value is None or value == type(part).model_fields[field].default:
                continue
            name = f"{block}.{field}"
            done = _CHECKS.get(name, _unchecked)(seen, value)
            rows[name] = {
                "status": done.status,
                "declared": _words(value),
                "found": done.found,
                "hint": done.hint,
            }
    return rows


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if len(value) > 10:
            return f"{len(value)} names"
        return shapes.words(value) if all(isinstance(v, int) for v in value) else ", ".join(map(str, value))
    return (
        str(value)
        if not hasattr(value, "model_dump")
        else ", ".join(f"{key} {item}" for key, item in value.model_dump().items())
    )


def _unchecked(_: _Seen, __: Any) -> Check:
    return Check("unchecked", None, _SILENT)


def _settled(fits: bool, found: str, hint: str) -> Check:
    return Check("fits", found) if fits else Check("conflicts", found, hint)


def _name(ports: dict[str, Port] | None, others: dict[str, str], name: str) -> Check:
    if ports is None:
        return Check("unchecked", None, _SILENT)
    if name in others:
        return Check(
            "conflicts", f"{name}: {others[name]}", "name a tensor: nothing else is fed or read here"
        )
    return _settled(name in ports, ", ".join(ports) or "none", "write one of the names that the model has")


def _modality(seen: _Seen, modality: str) -> Check:
    port = seen.input
    if port is None:
        return Check("unchecked", None, _SILENT)
    ports = list((seen.facts.inputs or {}).values())
    takes = {
        "image": (shapes.is_numeric(port) and len(port.shape) in (3, 4), "a tensor of three or four axes"),
        "audio": (port.dtype.startswith("float"), "floats"),
        "text": (
            any(shapes.is_integer(one) or one.dtype == "string" for one in ports),
            "numbers of tokens, or strings",
        ),
        "tensor": (True, ""),
    }
    fits, wanted = takes[modality]
    return _settled(fits, str(port), f"{modality} needs {wanted}; write what the model takes, or `tensor`")


def _layout(seen: _Seen, layout: str) -> Check:
    found = seen.picture
    if found is None or found.layout is None or seen.input is None:
        return Check(
            "unchecked", str(seen.input) if seen.input else None, "no one axis of 1, 3 or 4 channels"
        )
    return _settled(layout == found.layout, f"{found.layout}, by {seen.input}", f"write {found.layout}")


def _colour(seen: _Seen, colour: str) -> Check:
    channels = seen.picture.channels if seen.picture else None
    if channels is None:
        return Check("unchecked", None, _SILENT)
    wanted = 1 if colour == "grey" else 3
    hint = {1: "write grey", 3: "write RGB or BGR, as the model's authors say"}.get(
        channels, "no colour of these: make the array in src/steps.py"
    )
    order = "; the order of three channels is not in the file" if channels == wanted == 3 else ""
    return _settled(channels == wanted, f"{channels} channel{'s' * (channels != 1)}{order}", hint)


def _size(seen: _Seen, size: list[int]) -> Check:
    found = seen.picture
    if found is None or found.height is None:
        return Check("unchecked", None, _SILENT)
    sides = (found.height, found.width)
    fits = all(not isinstance(side, int) or side == said for side, said in zip(sides, size, strict=True))
    varies = " (varies)" if any(isinstance(side, str) for side in sides) else ""
    return _settled(fits, shapes.words(sides) + varies, f"write [{found.height}, {found.width}]")


def _resize(seen: _Seen, _: str) -> Check:
    if seen.contract.input.size is None:
        return Check("conflicts", "no input.size", "write input.size, to which pictures are resized")
    return Check("unchecked", None, _SILENT)


def _values(seen: _Seen, values: list[float]) -> Check:
    """mean and std: one for each channel, or one for all; and not for a model that takes bytes."""
    if (byte := _of_bytes(seen)) is not None:
        return byte
    channels = seen.picture.channels if seen.picture else None
    if channels is None:
        return Check("unchecked", None, _SILENT)
    fits = len(values) in (1, channels)
    return _settled(fits, f"{channels} channel{'s' * (channels != 1)}", f"write {channels} values, or one")


def _scale(seen: _Seen, _: float) -> Check:
    return _of_bytes(seen) or Check("unchecked", None, _SILENT)


def _of_bytes(seen: _Seen) -> Check | None:
    if seen.input is None or seen.input.dtype != "uint8":
        return None
    hint = "take it out: the model takes the bytes themselves, and scales them inside"
    return Check("conflicts", str(seen.input), hint)


def _seconds(seen: _Seen, seconds: float) -> Check:
    rate, samples = seen.contract.input.sampling_rate, shapes.classes(seen.input)
    if rate is None:
        return Check("conflicts", "no input.sampling_rate", "write input.sampling_rate, in Hz")
    if samples is None:
        return Check("unchecked", None, _SILENT)
    hint = f"write {samples / rate:.10g}"
    return _settled(round(seconds * rate) == samples, f"{samples} samples: {samples / rate:.4g} s", hint)


def _tokenizer(seen: _Seen, name: str) -> Check:
    return _file(seen.root, name, "input.tokenizer", "copy the model's tokenizer.json into the project")


def _max_tokens(seen: _Seen, most: int) -> Check:
    port = seen.input
    length = port.shape[1] if port and len(port.shape) > 1 and shapes.is_integer(port) else None
    if not isinstance(length, int):
        return Check("unchecked", None, _SILENT)
    return _settled(most == length, f"{length} tokens", f"write {length}")


def _kind(seen: _Seen, kind: str) -> Check:
    port = seen.output
    if port is None:
        return Check("unchecked", None, _SILENT)
    last = shapes.classes(port)
    fits = {
        "classes": len(port.shape) >= 1 and port.dtype != "string",
        "boxes": len(port.shape) in (2, 3) and (last is None or last >= 4 or port.shape[-2] not in (1, 2, 3)),
        "mask": len(port.shape) >= 3,
        "embedding": len(port.shape) >= 1,
        "array": True,
    }[kind]
    return _settled(fits, str(port), "write what the model gives, or `array`")


def _softmax(seen: _Seen, wanted: bool) -> Check:
    """Softmax over a softmax flattens every answer, and is easily overlooked."""
    maker = seen.facts.made_by.get(seen.output.name) if seen.output else None
    if maker in ("Softmax", "LogSoftmax", "Sigmoid"):
        return _settled(not wanted, f"the graph ends in {maker}", "write false: the model applies its own")
    return Check("unchecked", f"the graph ends in {maker}" if maker else None, "it may be logits or scores")


def _labels(seen: _Seen, given: str | list[str]) -> Check:
    if isinstance(given, str):
        there = _file(seen.root, given, "output.labels", "put the names, one a line, into the project")
        if there.status == "conflicts":
            return there
    try:
        names = labels.labels(seen.contract.output, seen.root) or []
    except ReproofError as error:
        return Check("conflicts", error.found or error.what, error.hint)
    count = shapes.classes(seen.output) if seen.contract.output.kind in (None, "classes") else None
    if count is None:
        return Check("unchecked", f"{len(names)} names", _SILENT)
    hint = f"{count} names are needed, in the model's order"
    return _settled(len(names) == count, f"{len(names)} names, {count} classes", hint)


def _file(root: Path, name: str, field: str, hint: str) -> Check:
    try:
        path = files.inside(root, name, where=field)
    except ReproofError as error:
        return Check("conflicts", error.what, error.hint)
    if not path.is_file():
        return Check("conflicts", "no such file", hint)
    if not path.stat().st_size:
        return Check("conflicts", "an empty file", hint)
    return Check("fits", f"a file of {path.stat().st_size:,} bytes")


_CHECKS: dict[str, Callable[[_Seen, Any], Check]] = {
    "input.modality": _modality,
    "input.name": lambda seen, name: _name(seen.facts.inputs, seen.facts.other_inputs, name),
    "input.layout": _layout,
    "input.colour": _colour,
    "input.size": _size,
    "input.resize": _resize,
    "input.scale": _scale,
    "input.mean": _values,
    "input.std": _values,
    "input.seconds": _seconds,
    "input.tokenizer": _tokenizer,
    "input.max_tokens": _max_tokens,
    "output.kind": _kind,
    "output.name": lambda seen, name: _name(seen.facts.outputs, seen.facts.other_outputs, name),
    "output.softmax": _softmax,
    "output.labels": _labels,
}
