"""The way in and the way out of a model, as contract.yaml says them.

`src/steps.py` of a project calls both, or does its own instead. A field that is null does nothing here: what
then does not fit the model is an error that names the field, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files
from reproof.contract import image_steps, missing_fields, text_steps
from reproof.contract.answers import postprocess as postprocess
from reproof.contract.schema import Contract, Input
from reproof.errors import ReproofError
from reproof.model_files.ports import Arrays, Port, dtype_name, misfit

Array = npt.NDArray[Any]
Examples = Sequence[Array] | Mapping[str, Array]

FILE = "contract.yaml"


def preprocess(
    contract: Contract, examples: Examples, ports: Sequence[Port] | None = None, *, root: Path = Path()
) -> Array | Arrays:
    """Return what the model takes: one array, or arrays by the names of its inputs where it has several.

    Images go through colour, size, values and order of axes; audio is cut or padded to its length; texts
    become strings or tokens; arrays stay as they are. Examples are then stacked, shape (batch, …).

    Args:
        contract: what contract.yaml says.
        examples: decoded ones, each in its own shape: pictures (height, width, 3) `uint8`, waves (samples,)
            float32, texts as scalars; or stacked arrays by the names of the inputs, ready but for their type.
        ports: the model's inputs, as `recorded_ports` reads them. With them values get the model's type,
            where that loses nothing but digits, and what does not fit is an error; without them neither.
        root: the project, for the tokenizer's path.

    Raises:
        ReproofError: when the examples do not fit the model; the hint names the field of the contract.
    """
    if not isinstance(examples, Mapping):
        arrays = _arrays(contract.input, list(examples), ports, root)
    elif ports and whole(ports):
        arrays = {name: _without_batch(array, name, ports) for name, array in examples.items()}
    else:
        arrays = dict(examples)
    if ports:
        arrays = _fitted(contract.input, arrays, ports)
    single = len(arrays) == 1 and (ports is None or len(ports) <= 1)
    return next(iter(arrays.values())) if single else arrays


def recorded_ports(path: Path) -> tuple[list[Port] | None, list[Port] | None]:
    """Return the model's inputs and outputs out of examination.json; None where it has none."""
    found = files.read_json(path)
    return ports_of(found["inputs"]), ports_of(found["outputs"])


def ports_of(recorded: Mapping[str, Mapping[str, Any]] | None) -> list[Port] | None:
    """Return the ports of a side of an examination."""
    if recorded is None:
        return None
    return [Port(name, port["dtype"], tuple(port["shape"] or ())) for name, port in recorded.items()]


def whole(ports: Sequence[Port]) -> bool:
    """Return whether no axis counts examples in all inputs: then one call takes one example, as it is."""
    first = [port.shape[0] if port.shape else None for port in ports]
    fixed = {size for size in first if isinstance(size, int)}
    return None in first or len(fixed) > 1 or (bool(fixed) and any(isinstance(size, str) for size in first))


def _arrays(said: Input, examples: list[Array], ports: Sequence[Port] | None, root: Path) -> Arrays:
    if not examples:
        raise ReproofError("no example to prepare")
    examples = [np.asarray(example) for example in examples]
    if all(example.dtype.kind in "UO" for example in examples):
        return text_steps.prepare(said, [str(example.item()) for example in examples], ports, root)
    port = _main(said, ports)
    if said.modality == "image":
        examples = [image_steps.prepare(said, example) for example in examples]
    elif said.modality == "audio":
        examples = [_wave(said, example, port) for example in examples]
    shapes = sorted({example.shape for example in examples})
    if len(shapes) > 1:
        field = {"image": "input.size", "audio": "input.seconds"}.get(said.modality or "")
        raise ReproofError(
            "examples of different shapes make no batch",
            where=f"{FILE}: {field}" if field else None,
            found=f"{shapes[0]} and {shapes[-1]}",
            hint=(f"write {field}, or " if field else "") + "infer.batch_size: 1 in params.yaml",
        )
    name = port.name if port else said.name or "input"
    stacked = np.stack(examples)
    return {name: stacked if port is None or not whole([port]) else _without_batch(stacked, name, [port])}


def _main(said: Input, ports: Sequence[Port] | None) -> Port | None:
    """The input that the examples are for."""
    if not ports:
        return None
    if said.name is None:
        return ports[0]
    found = next((port for port in ports if port.name == said.name), None)
    if found is None:
        raise ReproofError(
            "the model has no such input",
            where=f"{FILE}: input.name",
            expected=" or ".join(port.name for port in ports),
            found=said.name,
        )
    return found


def _wave(said: Input, example: Array, port: Port | None) -> Array:
    if said.seconds is not None and example.ndim == 1:
        if said.sampling_rate is None:
            raise ReproofError(
                "a length in seconds, and no sampling rate",
                where=f"{FILE}: input.sampling_rate",
                hint="input.sampling_rate: write it in Hz, as the model's authors say",
            )
        samples = round(said.seconds * said.sampling_rate)
        example = np.pad(example[:samples], (0, max(0, samples - len(example))))
    if port is not None and example.ndim == 1 and len(port.shape) == 3 and port.shape[1] == 1:
        return example[None]  # one channel
    return example


def _without_batch(array: Array, name: str, ports: Sequence[Port]) -> Array:
    axes = next((len(port.shape) for port in ports if port.name == name), array.ndim)
    return array[0] if array.ndim == axes + 1 and len(array) == 1 else array


def _fitted(said: Input, arrays: Arrays, ports: Sequence[Port]) -> Arrays:
    """The arrays in the model's types, or the error that says what is missing in the contract."""
    by_name = {port.name: port for port in ports}
    cast = {
        name: _cast(array, by_name[name].dtype) if name in by_name else array
        for name, array in arrays.items()
    }
    problem = misfit(by_name, cast)
    if problem is None:
        return {port.name: cast[port.name] for port in ports}
    raise ReproofError(
        "the examples do not fit the model",
        where=FILE,
        found=problem,
        hint=missing_fields.hint(said, cast, ports),
    )


def _cast(array: Array, dtype: str) -> Array:
    """The array in a type: floats lose digits at most; nothing else changes a value, or the array stays."""
    if dtype == "string" or dtype_name(array.dtype) in (dtype, "string"):
        return array
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(wanted)
    if wanted.kind == "f" and array.dtype.kind in "biuf":
        grown = np.isinf(cast).any() and not np.isinf(array.astype(np.float64)).any()
        return array if grown else cast
    return cast if np.array_equal(cast, array) else array
