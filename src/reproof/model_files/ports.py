"""What goes into a model and comes out of it: names, types and shapes, with the axes that may vary named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Port:
    """One input or output of a model.

    Args:
        name: as the model calls it.
        dtype: numpy's name, such as `float32`; `string` for texts.
        shape: a number for an axis that is fixed, its name for one that may vary.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    @property
    def batch(self) -> int | None:
        """The only batch size that the model takes; None where any will do, or there is no axis at all."""
        return self.shape[0] if self.shape and isinstance(self.shape[0], int) else None

    @property
    def varies(self) -> dict[int, str]:
        """The axes that may vary, by position, with their names."""
        return {axis: size for axis, size in enumerate(self.shape) if isinstance(size, str)}

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {'×'.join(map(str, self.shape)) or 'scalar'}"


def fixed_batch(ports: Sequence[Port]) -> int | None:
    """Return the one batch size that a model with these inputs takes; None where it takes any.

    The first axis counts examples. A model with a fixed first axis takes whole batches of that size only.
    """
    return next((port.batch for port in ports if port.batch is not None), None)


def misfit(ports: Mapping[str, Port], arrays: Mapping[str, npt.NDArray[Any]]) -> str | None:
    """Return in what arrays do not fit the inputs of a model: by name, number of axes, size or type."""
    if missing := sorted(set(ports) - set(arrays)):
        return f"no array for the input {missing[0]}"
    if foreign := sorted(set(arrays) - set(ports)):
        return f"the model has no input {foreign[0]}: it has {', '.join(ports)}"
    for name, port in ports.items():
        array = arrays[name]
        found = "×".join(map(str, array.shape)) or "scalar"
        if array.ndim != len(port.shape) or any(
            isinstance(size, int) and size != array.shape[axis] for axis, size in enumerate(port.shape)
        ):
            return f"{port}: an array of shape {found} does not fit"
        if dtype_name(array.dtype) != port.dtype:
            return f"{port}: an array of {dtype_name(array.dtype)} does not fit"
    return None


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return how ports call a numpy type: its name, and `string` for texts of any length."""
    return "string" if dtype.kind in "USO" else str(dtype.name)


def as_json(ports: Mapping[str, Port]) -> dict[str, Any]:
    """Return ports as examination.json holds them: `{"x": {"dtype", "shape", "dynamic": {"0": "batch"}}}`.

    The shape of a scalar is `{}`: DVC fails on an empty list.
    """
    return {
        name: {
            "dtype": port.dtype,
            "shape": list(port.shape) or {},
            "dynamic": {str(axis): words for axis, words in port.varies.items()},
        }
        for name, port in ports.items()
    }


def from_json(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Port]:
    """Return the ports that `as_json` wrote."""
    return {name: Port(name, entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()}
