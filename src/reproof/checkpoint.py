"""Checkpoints without pickle: weights and training state in safetensors, enough to go on bit by bit.

A checkpoint folder holds `model.safetensors` (the weights to use: best on validation), `last.safetensors`
(the weights where training ended), `state.safetensors` (optimiser, random generators, position) and
`config.json` (what `load` in the user's model.py needs to build the model).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import dvc, files, git, npz, revisions, state
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import torch

BEST, LAST, STATE, CONFIG = "model.safetensors", "last.safetensors", "state.safetensors", "config.json"
TRACKED = "results/latest/checkpoint"
"""Where every run keeps its checkpoint."""


def save_weights(path: Path, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write a state dict, with plain facts such as step and score, in one step."""
    from safetensors.torch import save

    # Cloned, because safetensors refuses tensors that share memory (tied weights).
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    files.write_bytes(path, save(tensors, metadata={state.KEY: json.dumps(dict(facts), sort_keys=True)}))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict on the CPU.

    Raises:
        ReproofError: missing, cut short, or no safetensors file.
    """
    return state.read_tensors(path)[0]


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
    whole = {"optimizer": dict(optimizer), "random": state.random_state(), "position": dict(position)}
    state.write(path, whole)


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the optimiser's state dict and the position; set every random generator to where it was.

    Raises:
        ReproofError: missing, cut short, or no state that `save_state` wrote.
    """
    whole = state.read(path)
    try:
        state.restore_random(whole["random"])
        return whole["optimizer"], whole["position"]
    except npz.UNREADABLE as error:
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
            commit = revisions.resolve(repo, reference).commit
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
