"""The fields of contract.yaml that matter for a model and that nobody declared; and what its file tells."""

from __future__ import annotations

from collections.abc import Iterator

from reproof.contract import shapes
from reproof.contract.schema import Contract
from reproof.model_files.facts import Facts

_MODALITIES = "image, audio, text or tensor"


def open_fields(contract: Contract, facts: Facts) -> dict[str, str]:
    """Return, by `block.field`, why a field that is null matters for this model, and what to write.

    What the file tells is named in it, and nothing is taken from there: the user writes it.
    """
    return {name: why for name, why in _all(contract, facts) if _is_null(contract, name)}


def found(contract: Contract, facts: Facts) -> dict[str, str]:
    """Return, by `block.field`, what the model's file tells, whether the contract says it or not."""
    told: dict[str, str] = {}
    port, out = shapes.main_input(contract, facts), shapes.main_output(contract, facts)
    if len(facts.inputs or {}) == 1 and port:
        told["input.name"] = port.name
    if len(facts.outputs or {}) == 1 and out:
        told["output.name"] = out.name
    seen = shapes.picture(port, contract.input.layout)
    if seen and seen.layout:
        told["input.layout"] = seen.layout
    if seen and isinstance(seen.height, int) and isinstance(seen.width, int):
        told["input.size"] = f"[{seen.height}, {seen.width}]"
    if seen and seen.channels == 1:
        told["input.colour"] = "grey"
    if port and shapes.is_integer(port) and len(port.shape) > 1 and isinstance(port.shape[1], int):
        told["input.max_tokens"] = str(port.shape[1])
    maker = facts.made_by.get(out.name) if out else None
    if maker in ("Softmax", "LogSoftmax", "Sigmoid"):
        told["output.softmax"] = f"false: the graph ends in {maker}"
    return told


def _is_null(contract: Contract, name: str) -> bool:
    block, _, field = name.partition(".")
    return getattr(getattr(contract, block), field) is None


def _all(contract: Contract, facts: Facts) -> Iterator[tuple[str, str]]:
    yield "source.repo", "where the model comes from; write an address, or the words that find it again"
    yield "source.version", "which of its versions this is; write a tag, a commit or a release"
    yield "source.license", "whether it may be used; write the license's name, such as Apache-2.0"
    told = found(contract, facts)
    yield "input.modality", f"what the inputs are decides how they are read; write {_guess(contract, facts)}"
    if len(facts.inputs or {}) > 1:
        names = ", ".join(facts.inputs or {})
        yield "input.name", f"the model has several inputs; write the one that the files are for: {names}"
    fields = {"image": _image, "audio": _audio, "text": _text}.get(contract.input.modality or "")
    if fields:
        yield from fields(contract, facts, told)
    if len(facts.outputs or {}) > 1:
        names = ", ".join(facts.outputs or {})
        yield "output.name", f"the model has several outputs; write the one that answers: {names}"
    yield from _output(contract, facts, told)


def _guess(contract: Contract, facts: Facts) -> str:
    """The modalities, and which of them the first input looks like, said as a guess."""
    port = shapes.main_input(contract, facts)
    seen = shapes.picture(port)
    if seen and seen.layout:
        return f"{_MODALITIES} ({port} looks like a picture)"
    if port and (port.dtype == "string" or (shapes.is_integer(port) and len(port.shape) == 2)):
        return f"{_MODALITIES} ({port} looks like text)"
    return _MODALITIES


def _image(contract: Contract, facts: Facts, told: dict[str, str]) -> Iterator[tuple[str, str]]:
    port = shapes.main_input(contract, facts)
    layout = (
        f"the file tells {told['input.layout']}, so write that" if "input.layout" in told else "CHW or HWC"
    )
    yield "input.layout", f"whether the channels come first or last: {layout}"
    colour = "the file tells one channel: write grey" if "input.colour" in told else "write RGB or BGR"
    yield "input.colour", f"swapped colours give wrong answers and no error; {colour}"
    size = (
        f"the file tells {told['input.size']}, so write that" if "input.size" in told else "[height, width]"
    )
    yield "input.size", f"what pictures are resized to: {size}"
    yield "input.resize", "write stretch, crop or letterbox, as the model was trained"
    if port is None or port.dtype != "uint8":
        yield "input.scale", "pixels go from 0 to 255; write 255 for 0 to 1, or 1 to leave them so"
        yield "input.mean", "what is subtracted by channel, after scale; write [0.0] for nothing"
        yield "input.std", "what values are divided by, after mean; write [1.0] for nothing"


def _audio(contract: Contract, facts: Facts, _: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield "input.sampling_rate", "files of another rate are resampled to it; write it in Hz, such as 16000"
    samples = shapes.classes(shapes.main_input(contract, facts))
    if samples is not None:
        yield "input.seconds", f"the model takes {samples} samples at a time; write how long that is"


def _text(_: Contract, facts: Facts, told: dict[str, str]) -> Iterator[tuple[str, str]]:
    ports = (facts.inputs or {}).values()
    if not any(port.dtype == "string" for port in ports):
        yield "input.tokenizer", "the model takes numbers of tokens; write the path of its tokenizer.json"
        most = (
            f"the file tells {told['input.max_tokens']}" if "input.max_tokens" in told else "write a number"
        )
        yield "input.max_tokens", f"longer texts are cut there; {most}"


def _output(contract: Contract, facts: Facts, told: dict[str, str]) -> Iterator[tuple[str, str]]:
    port = shapes.main_output(contract, facts)
    seen = f" ({port})" if port else ""
    yield "output.kind", f"how answers are read{seen}; write classes, boxes, embedding, mask or array"
    if contract.output.kind == "classes":
        hint = (
            f"write {told['output.softmax']}" if "output.softmax" in told else "true for logits, else false"
        )
        yield "output.softmax", f"whether the scores still have to be made of the output: {hint}"
    if contract.output.kind in ("classes", "boxes", "mask"):
        count = shapes.classes(port) if contract.output.kind == "classes" else None
        many = f"{count} names" if count else "the names"
        yield (
            "output.labels",
            f"without names answers are numbers; write {many}, or a text file with one a line",
        )
