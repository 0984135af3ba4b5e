"""Inputs that nobody has: made to fit what a model takes, the same ones for the same seed.

They show that a model runs and how fast, never that its answers are right.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.errors import ReproofError
from reproof.model_files.ports import Arrays, Port

Array = npt.NDArray[Any]

SIZES = ((r"past", 0), (r"seq|len|token|word|frame|time|step|total", 16), (r"height|width|^[hw]$", 224))
"""Of axes that may vary, by a word in their names, the first that is found; nothing is in a cache yet."""

WAVE_SIZE = 16_000
"""Of an axis of audio samples: a second at 16 kHz."""

TOKENS = 10
"""Token numbers are below it: every vocabulary has them."""

_WORDS = ("a", "model", "answers", "what", "it", "is", "given", "nobody", "knows", "this", "means")
_WAVE_AXIS = re.compile(r"sample|wave|audio", re.IGNORECASE)
_CHANNELS = (1, 3, 4)


def batch(ports: Sequence[Port], size: int, seed: int, sizes: Mapping[str, int] | None = None) -> Arrays:
    """Return arrays that a model takes as they are, by the names of its inputs.

    Floats are normally distributed; `uint8` are 0 to 255; other integers are tokens below `TOKENS`, but ones
    for a mask, zeros for segments and types, positions, lengths and sampling rates where the name says so.

    Args:
        ports: the model's inputs.
        size: of the first axis, where it may vary; a fixed first axis keeps its size.
        seed: the same one gives the same arrays.
        sizes: of other axes that may vary, by name; what is missing comes from `sizes_of`.

    Raises:
        ReproofError: for an input of a type that NumPy does not have.
    """
    named = {**sizes_of(ports, sizes), **dict.fromkeys(batch_axes(ports), size)}
    made = {}
    for index, port in enumerate(ports):
        shape = tuple(extent if isinstance(extent, int) else named[extent] for extent in port.shape)
        made[port.name] = _values(port, shape, np.random.default_rng([seed, index]))
    return made


def sizes_of(ports: Sequence[Port], sizes: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the size of every axis that may vary, by name, but for the first ones, which count examples.

    By a word of the name (`SIZES`, `WAVE_SIZE` for audio samples); else by the place: 224 for height and
    width of a picture (4 axes, one of them 1, 3 or 4 channels), 16 for the second axis of tokens, 1 for all
    others. `a + b` is the sum of two axes. Chosen ones come first.
    """
    chosen = dict(sizes or {})
    first = batch_axes(ports)
    found: dict[str, int] = {}
    sums = []
    for port in ports:
        for axis, name in port.varies.items():
            if name in first or name in found:
                continue
            if name in chosen:
                found[name] = chosen[name]
            elif "+" in name:
                sums.append(name)
            else:
                found[name] = _size(port, axis, name)
    for name in sums:
        parts = [part.strip() for part in name.split("+")]
        found[name] = sum(int(part) if part.isdigit() else _by_name(part, found) for part in parts)
    return found


def batch_axes(ports: Sequence[Port]) -> set[str]:
    """Return the names of the axes that count examples: the first ones that may vary."""
    return {port.shape[0] for port in ports if port.shape and isinstance(port.shape[0], str)}


def image(height: int, width: int, seed: int) -> Array:
    """Return a picture of shape (height, width, 3), uint8: a gradient of colours with noise on it."""
    rng = np.random.default_rng(seed)
    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    corners = rng.uniform(0, 255, (2, 2, 3))
    top = (1 - across)[..., None] * corners[0, 0] + across[..., None] * corners[0, 1]
    bottom = (1 - across)[..., None] * corners[1, 0] + across[..., None] * corners[1, 1]
    smooth = (1 - down)[..., None] * top + down[..., None] * bottom
    noisy = smooth + rng.normal(0, 12, smooth.shape)
    return np.asarray(np.clip(np.round(noisy), 0, 255), dtype=np.uint8)


def tone(samples: int, rate: int, seed: int) -> Array:
    """Return a tone of 200 to 800 Hz at half the full scale, with some noise: shape (samples,), float32."""
    rng = np.random.default_rng(seed)
    wave = 0.5 * np.sin(2 * np.pi * rng.uniform(200, 800) * np.arange(samples) / rate)
    return np.asarray(np.clip(wave + rng.normal(0, 0.01, samples), -1, 1), dtype=np.float32)


def text(seed: int) -> str:
    """Return a sentence of eight words."""
    return " ".join(np.random.default_rng(seed).choice(_WORDS, 8))


def _size(port: Port, axis: int, name: str) -> int:
    by_word = _word_size(name)
    if by_word is not None:
        return by_word
    if len(port.shape) == 4 and (
        (axis > 1 and port.shape[1] in _CHANNELS) or (axis in (1, 2) and port.shape[3] in _CHANNELS)
    ):
        return 224
    return 16 if axis == 1 and port.dtype in ("int32", "int64") else 1


def _word_size(name: str) -> int | None:
    if _WAVE_AXIS.search(name):
        return WAVE_SIZE
    return next((size for word, size in SIZES if re.search(word, name, re.IGNORECASE)), None)


def _by_name(name: str, found: Mapping[str, int]) -> int:
    by_word = _word_size(name)
    return found.get(name, 1 if by_word is None else by_word)


def _values(port: Port, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if port.dtype == "string":
        return np.array([text(int(n)) for n in rng.integers(2**31, size=int(np.prod(shape)))]).reshape(shape)
    try:
        dtype = np.dtype(port.dtype)
    except TypeError as error:
        raise ReproofError(
            "no input can be made for the model",
            where=port.name,
            expected="a type that NumPy has",
            found=port.dtype,
            hint="give the model inputs of another type, such as by a cast as its first node",
        ) from error
    name = port.name.lower()
    if "mask" in name:
        return np.ones(shape, dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    return _integers(name, shape, dtype, rng)


def _integers(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
    if "type" in name or "segment" in name:
        return np.zeros(shape, dtype)
    if "position" in name and shape:
        return np.broadcast_to(np.arange(shape[-1], dtype=dtype), shape).copy()
    if name in ("sr", "rate") or "sampl" in name:
        return np.full(shape, WAVE_SIZE, dtype)
    if "len" in name:
        return np.full(shape, 16, dtype)
    return rng.integers(0, 256 if dtype == np.uint8 else TOKENS, shape).astype(dtype)


def seed_of(seed: int, name: str) -> int:
    """Return a seed for one thing among several, from that of the run and the thing's name."""
    return zlib.crc32(f"{seed}:{name}".encode())
