"""Training state in safetensors, without pickle: nested containers as JSON, tensors as tensors.

And the state of every random generator that training draws from.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import files, npz
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import torch

KEY = "reproof"
"""safetensors writes metadata in no fixed order, so a byte-stable file has one key: JSON under it."""


def write(path: Path, tree: Mapping[str, Any]) -> None:
    """Write nested dicts, lists and tuples of tensors, numbers, words and None, in one step.

    Raises:
        TypeError: for anything else in it.
    """
    from safetensors.torch import save

    tensors: dict[str, torch.Tensor] = {}
    packed = _pack(tree, tensors)
    files.write_bytes(path, save(tensors, metadata={KEY: json.dumps(packed)}))


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote, its tensors on the CPU.

    Raises:
        ReproofError: missing, cut short, or no state that `write` wrote.
    """
    tensors, metadata = read_tensors(path)
    try:
        return dict(_unpack(json.loads(metadata[KEY]), tensors))
    except npz.UNREADABLE as error:
        raise ReproofError("not a training state", where=path, found=repr(error)) from error


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a safetensors file on the CPU: its tensors by name, and its metadata.

    Raises:
        ReproofError: missing, cut short, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, stream.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ReproofError(
            "cannot be read as safetensors",
            where=path,
            found=str(error)[:200],
            hint="`dvc checkout` restores the file; a pickle (.pt) is never loaded",
        ) from error


def random_state() -> dict[str, Any]:
    """Return the state of every random generator: Python's, NumPy's, and torch's on each device."""
    import numpy as np
    import torch

    name, keys, *rest = np.random.get_state(legacy=True)
    state = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys)), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random(state: Mapping[str, Any]) -> None:
    """Set every random generator to where `random_state` found it."""
    import numpy as np
    import torch

    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy(), *rest))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Nested containers as JSON that keeps tuples and integer keys; tensors move into `tensors`."""
    import torch

    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors):06d}"
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[_pack(key, tensors), _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_pack(item, tensors) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a training state cannot hold a {type(value).__name__}")


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, body),) = value.items()
    if kind == "tensor":
        return tensors[body].clone()  # of its own and aligned: the file's are views, at any address
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in body}
    items = [_unpack(item, tensors) for item in body]
    return tuple(items) if kind == "tuple" else items
