"""Examples made where nobody brought any: raw ones, as if decoded, for the declared modality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reproof.contract.schema import Input
from reproof.contract.steps import whole
from reproof.errors import ReproofError
from reproof.inference import synthetic
from reproof.inference.decoding import Decoded, Example
from reproof.model_files.ports import Port

RATE = 16_000
"""Hz, of tones for a contract without a sampling rate."""

_CHANNELS = (1, 3, 4)


def make(said: Input, ports: Sequence[Port] | None, count: int, seed: int) -> list[tuple[str, Decoded]]:
    """Return `count` examples, each with its kind: image, audio, text or array.

    Pictures have the contract's size, else the model's, else 224×224; tones the contract's length, else the
    model's, else a second; texts are eight words. For any other modality arrays are made that the model takes
    as they are.

    Raises:
        ReproofError: when nobody says what the model takes.
    """
    return [_one(said, ports, synthetic.seed_of(seed, str(index))) for index in range(count)]


def _one(said: Input, ports: Sequence[Port] | None, seed: int) -> tuple[str, Decoded]:
    port = next((port for port in ports or () if port.name == said.name), ports[0] if ports else None)
    if said.modality == "image":
        height, width = said.size or _size(port)
        return "image", Decoded(
            synthetic.image(height, width, seed), f"{width}×{height} RGB, a gradient with noise"
        )
    if said.modality == "audio":
        rate = said.sampling_rate or RATE
        samples = _samples(said, port, rate)
        return "audio", Decoded(
            synthetic.tone(samples, rate, seed), f"{samples / rate:.3g} s at {rate} Hz, a tone"
        )
    if said.modality == "text":
        return "text", Decoded(np.array(synthetic.text(seed)), "a sentence of eight words")
    if not ports:
        raise ReproofError(
            "no input can be made: neither the model nor the contract says what it takes",
            where="contract.yaml: input",
            hint="put inputs into a folder of inputs.folders, or write input.modality",
        )
    arrays = synthetic.batch(ports, 1, seed)
    example: Example = (
        arrays if whole(ports) else {name: np.asarray(array[0]) for name, array in arrays.items()}
    )
    if len(ports) == 1:
        example = example[ports[0].name]
    return "array", Decoded(example, f"for {'; '.join(map(str, ports))}")


def _size(port: Port | None) -> tuple[int, int]:
    """Height and width of the pictures that an input takes."""
    if port is None or len(port.shape) != 4:
        return 224, 224
    sides = (
        port.shape[1:3] if port.shape[3] in _CHANNELS and port.shape[1] not in _CHANNELS else port.shape[2:]
    )
    height, width = (side if isinstance(side, int) else 224 for side in sides)
    return height, width


def _samples(said: Input, port: Port | None, rate: int) -> int:
    if said.seconds is not None:
        return max(1, round(said.seconds * rate))
    last = port.shape[-1] if port and port.shape else None
    return last if isinstance(last, int) and last > 1 else rate
