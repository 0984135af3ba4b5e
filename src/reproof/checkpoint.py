"""Checkpoints without pickle: weights and training state in safetensors, enough to go on bit by bit.

A checkpoint folder holds `model.safetensors` (the weights to use: best on validation), `last.safetensors`
(the weights where training ended), `state.safetensors` (optimiser, random generators, position) and
`config.json` (what `load` in the user's model.py needs to build the model).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import dvc, files, git
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import torch

BEST, LAST, STATE, CONFIG = "model.safetensors", "last.safetensors", "state.safetensors", "config.json"
TRACKED = "results/latest/checkpoint"
"""Where every run keeps its checkpoint."""

_KEY = "reproof"
"""safetensors writes metadata in no fixed order, so a byte-stable file has one key: JSON under it."""


def save_weights(path: Path, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write a state dict, with plain facts such as step and score, in one step."""
    from safetensors.torch import save

    # Cloned, because safetensors refuses tensors that share memory (tied weights).
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    files.write_bytes(path, save(tensors, metadata={_KEY: json.dumps(dict(facts), sort_keys=True)}))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict on the CPU.

    Raises:
        ReproofError: missing, cut short, or no safetensors file.
    """
    return _read(path)[0]


def load_into(model: torch.nn.Module, path: Path) -> None:
    """Read weights into `model`.

    Raises:
        ReproofError: as `load_weights`, or when names or shapes are not those of the model.
    """
    try:
        model.load_state_dict(load_weights(path))
    except RuntimeError as error:
        raise ReproofError(
            "the weights are of another architecture",
            where=path,
            found="; ".join(line.strip() for line in str(error).splitlines()[1:4]),
            hint="build the model with the params that the checkpoint was trained with",
        ) from error


def save_state(path: Path, optimizer: Mapping[str, Any], position: Mapping[str, Any]) -> None:
    """Write what training needs to go on as if it had never stopped.

    Args:
        path: the file.
        optimizer: its state dict.
        position: plain data: step, epoch, best score so far.
    """
    from safetensors.torch import save

    tensors: dict[str, torch.Tensor] = {}
    tree = _pack(
        {"optimizer": dict(optimizer), "random": _random_state(), "position": dict(position)}, tensors
    )
    files.write_bytes(path, save(tensors, metadata={_KEY: json.dumps(tree)}))


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the optimiser's state dict and the position; set every random generator to where it was.

    Raises:
        ReproofError: missing, cut short, or no state that `save_state` wrote.
    """
    tensors, metadata = _read(path)
    try:
        state = _unpack(json.loads(metadata[_KEY]), tensors)
        _restore_random(state["random"])
        return state["optimizer"], state["position"]
    except (KeyError, TypeError, ValueError) as error:
        raise ReproofError("not a training state", where=path, found=repr(error)) from error


def find(root: Path, reference: str) -> Path:
    """Return the checkpoint folder that `train.resume_from` means.

    Args:
        root: the project's folder.
        reference: a folder in the project, or an experiment, branch, tag or commit whose checkpoint is
            fetched from DVC's cache or remote into `.dvc/tmp`.

    Raises:
        ReproofError: when it is neither, or holds no training state.
    """
    folder = files.inside(root, reference, where="train.resume_from")
    if not folder.is_dir():
        # DVC's temporary workspaces are repositories of their own, which know no other experiments.
        main_root = dvc.caller().main_root or root
        with git.open_repository(main_root) as repo:
            commit = git.resolve(repo, reference).commit
            if reference in [branch.name for branch in repo.heads] or reference == "HEAD":
                raise ReproofError(
                    "a branch moves, and DVC would not see that it did",
                    where=f"train.resume_from: {reference}",
                    expected="an experiment, a tag or a commit",
                    hint=f"train.resume_from={commit[:10]}",
                )
        folder = dvc.private_folder(root) / "checkpoints" / commit
        if not folder.is_dir():
            dvc.fetch(main_root, commit, TRACKED, folder)
    if not (folder / STATE).is_file():
        raise ReproofError(
            "no training state to go on from",
            where=f"train.resume_from: {reference}",
            expected=f"a folder with {STATE}, or a revision that tracks {TRACKED}",
        )
    return folder


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
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


def _random_state() -> dict[str, Any]:
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
    return state


def _restore_random(state: Mapping[str, Any]) -> None:
    import numpy as np
    import torch

    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy(), *rest))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


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
        return tensors[body]
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in body}
    items = [_unpack(item, tensors) for item in body]
    return tuple(items) if kind == "tuple" else items
