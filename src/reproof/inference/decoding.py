"""A file as the example that it holds, before any preprocessing; or the reason why it holds none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files, npz
from reproof.contract.schema import Input
from reproof.contract.steps import whole
from reproof.errors import ReproofError
from reproof.inference import audio, images
from reproof.model_files.ports import Arrays, Port

Array = npt.NDArray[Any]
Example = Array | Arrays
"""One array; or for a model with several inputs one for each, by its name, without an axis for the batch."""

_MOST_TEXT = 1_000_000
"""Bytes of a text file: more is no single input."""


@dataclass(frozen=True)
class Decoded:
    """An example, and in words what is to be known of its file."""

    example: Example
    notes: str


def decode(path: Path, kind: str, said: Input, ports: Sequence[Port] | None) -> Decoded:
    """Read a file.

    Raises:
        ReproofError: when it cannot be read, or holds nothing that the model takes; it names no path.
    """
    try:
        if kind == "image":
            return Decoded(*images.read(path))
        if kind == "audio":
            return Decoded(*audio.read(path, said.sampling_rate))
        if kind == "text":
            return _text(path)
        if kind == "json":
            return _json(path, ports)
        return _arrays(path, said, ports)
    except PermissionError as error:
        raise ReproofError("no permission to read it") from error
    except OSError as error:
        raise ReproofError("cannot be read", found=error.strerror or type(error).__name__) from error
    except MemoryError as error:
        raise ReproofError("too large for the memory of this machine") from error


def _text(path: Path) -> Decoded:
    if path.stat().st_size > _MOST_TEXT:
        raise ReproofError("too long for one text", expected=f"at most {_MOST_TEXT} bytes, an input a file")
    data = path.read_bytes()
    text = data.decode("utf-8-sig", "replace").replace("\0", "\ufffd")
    if not text.strip():
        raise ReproofError("no text in it")
    odd = text.count("\ufffd") - data.count("\ufffd".encode())
    notes = f"{len(text)} characters" + (f", {odd} of them not UTF-8 and replaced" if odd > 0 else "")
    return Decoded(np.array(text), notes)


def _json(path: Path, ports: Sequence[Port] | None) -> Decoded:
    try:
        found = files.read_json(path)
    except ReproofError as error:
        raise ReproofError(error.what, found=error.found) from error
    if isinstance(found, Mapping) and set(found) == {"text"} and isinstance(found["text"], str):
        return Decoded(np.array(found["text"]), f"{len(found['text'])} characters")
    if isinstance(found, Mapping):
        return _named({str(name): _numbers(name, value) for name, value in found.items()}, ports)
    return _single(_numbers(None, found), ports)


def _numbers(name: str | None, value: Any) -> Array:
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise ReproofError("lists of different lengths make no array", found=name) from error
    if array.dtype.kind not in "biufU" or not array.size:
        raise ReproofError("no numbers or texts in it", expected="lists of one shape, or a mapping of them")
    return array


def _arrays(path: Path, said: Input, ports: Sequence[Port] | None) -> Decoded:
    if path.suffix.lower() == ".npz":
        try:
            archive = npz.read(path)
        except ReproofError as error:
            raise ReproofError(error.what, expected=error.expected, found=error.found) from error
        for name, array in archive.items():
            _check(array, name)
        return _named(archive, ports)
    try:
        array = np.load(path, allow_pickle=False)
    except npz.UNREADABLE as error:
        raise ReproofError(
            "not a readable .npy file", expected="one plain array", found=npz.told(error)
        ) from error
    if not isinstance(array, np.ndarray):
        raise ReproofError("an archive, not one array", hint="call it .npz")
    _check(array, None)
    if said.modality == "image" and array.dtype == np.uint8:
        return Decoded(array, _told(array))  # pixels, which preprocessing brings to the model's shape
    return _single(array, ports)


def _check(array: Array, name: str | None) -> None:
    if array.dtype.kind not in "biufcU":
        raise ReproofError(
            "an array of another type than numbers or texts", found=f"{name or ''} {array.dtype}".strip()
        )


def _named(arrays: Mapping[str, Array], ports: Sequence[Port] | None) -> Decoded:
    """One array for each input; of a model with one input the only array, whatever it is called."""
    if ports is None or len(ports) == 1:
        array = arrays.get(ports[0].name) if ports else None
        if array is None and len(arrays) == 1:
            array = next(iter(arrays.values()))
        if array is not None:
            return _single(array, ports)
        if ports is None and arrays:
            return Decoded(dict(arrays), _told_all(arrays))
    names = [port.name for port in ports or ()]
    if not arrays or set(arrays) != set(names):
        raise ReproofError(
            "other arrays than the model has inputs",
            expected=", ".join(names) or "an array",
            found=", ".join(arrays)[:200] or "nothing",
        )
    fitted = {port.name: _fitted(arrays[port.name], port, whole(ports or ())) for port in ports or ()}
    return Decoded(fitted, _told_all(fitted))


def _single(array: Array, ports: Sequence[Port] | None) -> Decoded:
    if ports is not None and len(ports) > 1:
        raise ReproofError(
            "one array for a model with several inputs",
            expected=f"an .npz file with {', '.join(port.name for port in ports)}",
            found="one array without a name",
        )
    fitted = array if ports is None else _fitted(array, ports[0], whole(ports))
    return Decoded(fitted, _told(fitted))


def _fitted(array: Array, port: Port, is_whole: bool) -> Array:
    """The array of one example: a first axis of 1 is dropped where it stands for the batch."""
    if is_whole or array.ndim != len(port.shape) or not array.ndim:
        return array
    if len(array) == 1:
        return np.asarray(array[0])
    raise ReproofError(
        "an array of several examples",
        expected=f"one a file, shape {'×'.join(map(str, port.shape[1:])) or 'scalar'}",
        found="×".join(map(str, array.shape)),
    )


def _told_all(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {_told(array)}" for name, array in arrays.items())


def _told(array: Array) -> str:
    dtype = "string" if array.dtype.kind == "U" else str(array.dtype)
    odd = int((~np.isfinite(array)).sum()) if array.dtype.kind in "fc" else 0
    return f"{'×'.join(map(str, array.shape)) or 'scalar'} {dtype}" + (
        f", {odd} NaN or infinite" if odd else ""
    )
