"""What the shape of a model's inputs and outputs tells of a contract's fields, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reproof.contract.missing_fields import CHANNELS
from reproof.contract.schema import Contract
from reproof.contract.steps import whole
from reproof.model_files.facts import Facts
from reproof.model_files.ports import Port, fixed_batch

Size = int | str | None


@dataclass(frozen=True)
class Picture:
    """An input of a model as a picture.

    Args:
        layout: CHW or HWC; None where the shape allows both or neither.
        channels: None where they vary, or the layout is not known.
        height: a number, the name of an axis that varies, or None where the layout is not known.
        width: likewise.
    """

    layout: str | None
    channels: int | None
    height: Size
    width: Size


def main_input(contract: Contract, facts: Facts) -> Port | None:
    """Return the input that examples are for: the one that the contract names, else the first."""
    return _named(contract.input.name, facts.inputs)


def main_output(contract: Contract, facts: Facts) -> Port | None:
    """Return the output that answers are read from: the one that the contract names, else the first."""
    return _named(contract.output.name, facts.outputs)


def _named(name: str | None, ports: dict[str, Port] | None) -> Port | None:
    if not ports:
        return None
    return next(iter(ports.values())) if name is None else ports.get(name)


def only_batch_size(ports: Sequence[Port] | None) -> int | None:
    """Return the one batch size that a model with these inputs takes; None for any, or an unknown one."""
    if not ports:
        return None
    return 1 if whole(ports) else fixed_batch(ports)


def picture(port: Port | None, declared: str | None = None) -> Picture | None:
    """Return an input as a picture; None for what is none by its axes or its type.

    Four axes, the first for the batch; channels are an axis of 1, 3 or 4. `declared` is the contract's
    layout, for shapes that allow both.
    """
    if port is None or len(port.shape) != 4 or not is_numeric(port):
        return None
    _, second, third, fourth = port.shape
    first, last = second in CHANNELS, fourth in CHANNELS
    layout = "CHW" if first and not last else "HWC" if last and not first else None
    used = layout or declared
    if used is None:
        return Picture(None, None, None, None)
    channels, height, width = (second, third, fourth) if used == "CHW" else (fourth, second, third)
    return Picture(layout, channels if isinstance(channels, int) else None, height, width)


def is_numeric(port: Port) -> bool:
    """Return whether a port holds floats, or bytes such as pixels are."""
    return port.dtype.startswith(("float", "bfloat")) or port.dtype == "uint8"


def is_integer(port: Port) -> bool:
    """Return whether a port holds numbers such as those of tokens."""
    return port.dtype in ("int32", "int64", "uint32", "uint64")


def classes(port: Port | None) -> int | None:
    """Return the size of an output's last axis; None where it varies, or there is none."""
    last = port.shape[-1] if port and port.shape else None
    return last if isinstance(last, int) else None


def words(sizes: Iterable[Size]) -> str:
    """Return sizes as people write them: `224×224`."""
    return "×".join(str(size) for size in sizes)
