"""Checkpoints go on bit by bit, hold no code, and say what is wrong with them."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import commit_all, run
from hypothesis import given, settings
from hypothesis import strategies as st

from reproof import checkpoint, digest
from reproof.errors import ReproofError

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "AdamW": lambda p: torch.optim.AdamW(p, 0.01),
    "Adam with AMSGrad": lambda p: torch.optim.Adam(p, 0.01, amsgrad=True),
    "SGD with momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "two groups": lambda p: torch.optim.Adagrad(
        [{"params": [q], "lr": 0.01 * (i + 1)} for i, q in enumerate(p)]
    ),
}


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def build() -> Any:
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


def train(model: Any, optimizer: Any, steps: int) -> None:
    """Steps that draw from every generator: dropout, the batch, the noise, the target."""
    model.train()
    for _ in range(steps):
        x = torch.randn(8, 6) + float(np.random.normal()) + random.random()
        loss = nn.functional.cross_entropy(model(x), torch.randint(3, (8,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def content(model: Any) -> str:
    return digest.arrays({name: value.numpy() for name, value in model.state_dict().items()})


# Going on.


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_and_five_more_are_ten_steps_bit_by_bit(tmp_path: Path, name: str) -> None:
    seed(3)
    whole = build()
    train(whole, OPTIMIZERS[name](whole.parameters()), 10)

    seed(3)
    first = build()
    optimizer = OPTIMIZERS[name](first.parameters())
    train(first, optimizer, 5)
    checkpoint.save_weights(tmp_path / checkpoint.LAST, first.state_dict(), {"step": 5})
    checkpoint.save_state(tmp_path / checkpoint.STATE, optimizer.state_dict(), {"step": 5})

    def go_on(restore_random: bool) -> Any:
        seed(99)  # another process would begin anywhere
        second = build()
        checkpoint.load_into(second, tmp_path / checkpoint.LAST)
        optimizer = OPTIMIZERS[name](second.parameters())
        state, position = checkpoint.load_state(tmp_path / checkpoint.STATE)
        assert position == {"step": 5}
        optimizer.load_state_dict(state)
        if not restore_random:
            seed(99)
        train(second, optimizer, 5)
        return second

    assert content(go_on(restore_random=True)) == content(whole)
    assert content(go_on(restore_random=False)) != content(whole)


def test_saving_does_not_change_the_training(tmp_path: Path) -> None:
    def weights(save: bool) -> str:
        seed(4)
        model = build()
        optimizer = OPTIMIZERS["AdamW"](model.parameters())
        for _ in range(3):
            train(model, optimizer, 2)
            if save:
                checkpoint.save_weights(tmp_path / "w.safetensors", model.state_dict(), {})
                checkpoint.save_state(tmp_path / "s.safetensors", optimizer.state_dict(), {})
        return content(model)

    assert weights(save=True) == weights(save=False)


def test_every_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [random.gauss(0, 1), float(np.random.normal()), float(torch.randn(1)), random.random()]

    seed(5)
    draw()  # an odd number of normals: both generators hold one back
    checkpoint.save_state(tmp_path / "state.safetensors", {}, {})
    expected = draw()
    seed(6)
    checkpoint.load_state(tmp_path / "state.safetensors")
    assert draw() == expected


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=8), _plain, max_size=4))
def test_the_position_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, position: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "position.safetensors"
    checkpoint.save_state(path, {}, position)
    assert repr(checkpoint.load_state(path)[1]) == repr(position)


def test_a_score_that_was_never_reached_is_infinite_afterwards_too(tmp_path: Path) -> None:
    checkpoint.save_state(tmp_path / "s.safetensors", {}, {"best": {"loss": math.inf}})
    assert checkpoint.load_state(tmp_path / "s.safetensors")[1]["best"]["loss"] == math.inf


def test_what_a_state_cannot_hold_is_refused_and_leaves_the_last_state(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    checkpoint.save_state(path, {}, {"step": 1})
    with pytest.raises(TypeError, match="cannot hold a set"):
        checkpoint.save_state(path, {}, {"step": {2}})
    assert checkpoint.load_state(path)[1] == {"step": 1}


# Weights.


class Tied(nn.Module):
    """An output layer that shares its weights with the embedding, as language models have it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.output = nn.Linear(4, 10, bias=False)
        self.output.weight = self.embedding.weight


def test_tied_weights_are_saved_and_stay_tied(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = Tied()
    checkpoint.save_weights(path, model.state_dict(), {})
    again = Tied()
    checkpoint.load_into(again, path)
    assert content(again) == content(model)
    assert again.output.weight is again.embedding.weight


def test_weights_of_every_kind_are_read_back_bit_by_bit(tmp_path: Path) -> None:
    weights = {
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(3).bfloat16(),
        "transposed": torch.randn(3, 4).T,
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "flags": torch.tensor([True, False]),
        "part": torch.arange(10)[::3],
        "learned": torch.randn(2, requires_grad=True),
    }
    checkpoint.save_weights(tmp_path / "w.safetensors", weights, {})
    again = checkpoint.load_weights(tmp_path / "w.safetensors")
    assert again.keys() == weights.keys()
    for name, value in weights.items():
        assert again[name].dtype == value.dtype
        assert torch.equal(again[name], value)


def test_weights_have_the_digest_of_their_arrays_whatever_their_facts(tmp_path: Path) -> None:
    model = build()
    for name, facts in {"one": {"step": 1}, "other": {"loss": 0.5, "step": 2}}.items():
        checkpoint.save_weights(tmp_path / f"{name}.safetensors", model.state_dict(), facts)
        assert digest.digest(tmp_path / f"{name}.safetensors") == content(model)


def test_the_same_weights_and_facts_give_the_same_bytes(tmp_path: Path) -> None:
    weights = build().state_dict()
    checkpoint.save_weights(tmp_path / "a", weights, {"step": 1, "loss": 0.5})
    checkpoint.save_weights(tmp_path / "b", dict(reversed(weights.items())), {"loss": 0.5, "step": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (lambda: nn.Sequential(nn.Linear(6, 32)), "0.weight"),
        (lambda: nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 16)), "1."),
        (lambda: nn.Linear(6, 16), "weight"),
    ],
    ids=["another shape", "a layer more", "other names"],
)
def test_weights_of_another_architecture_are_refused(
    tmp_path: Path, other: Callable[[], Any], named: str
) -> None:
    path = tmp_path / "model.safetensors"
    checkpoint.save_weights(path, nn.Sequential(nn.Linear(6, 16)).state_dict(), {})
    with pytest.raises(
        ReproofError, match=r"model\.safetensors: the weights are of another architecture"
    ) as caught:
        checkpoint.load_into(other(), path)
    assert named in str(caught.value.found)


# Files that are no checkpoint.


class Bomb:
    """A pickle that leaves a mark when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("mark",)


@pytest.mark.parametrize("kind", ["plain pickle", "torch.save"])
def test_a_pickle_is_refused_and_its_code_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    if kind == "torch.save":
        torch.save({"weight": torch.zeros(2), "bomb": Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb()))
    for load in (checkpoint.load_weights, checkpoint.load_state):
        with pytest.raises(ReproofError, match=r"cannot be read as safetensors[\s\S]*never loaded"):
            load(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("part", [0.0, 0.05, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_short_is_an_error(tmp_path: Path, part: float) -> None:
    model = build()
    for path, load in (
        (tmp_path / "model.safetensors", checkpoint.load_weights),
        (tmp_path / "state.safetensors", checkpoint.load_state),
    ):
        checkpoint.save_weights(path, model.state_dict(), {})
        if load is checkpoint.load_state:
            checkpoint.save_state(path, OPTIMIZERS["AdamW"](model.parameters()).state_dict(), {})
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        with pytest.raises(ReproofError, match=rf"{path.name}: cannot be read as safetensors"):
            load(path)


@pytest.mark.parametrize("name", ["absent.safetensors", "."])
def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReproofError):
        checkpoint.load_weights(tmp_path / name)


@pytest.mark.parametrize("facts", [{}, {"step": 5}, {"step": 5, "loss": 0.1}, {"dict": 1}, {"list": None}])
def test_weights_are_no_training_state(tmp_path: Path, facts: dict[str, Any]) -> None:
    checkpoint.save_weights(tmp_path / "w.safetensors", {"w": torch.zeros(2)}, facts)
    with pytest.raises(ReproofError, match="not a training state"):
        checkpoint.load_state(tmp_path / "w.safetensors")


def test_a_file_of_another_program_is_no_training_state(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(ReproofError, match="not a training state"):
        checkpoint.load_state(tmp_path / "w.safetensors")


# What `train.resume_from` means.


def save_checkpoint(folder: Path) -> None:
    model = build()
    for name in (checkpoint.BEST, checkpoint.LAST):
        checkpoint.save_weights(folder / name, model.state_dict(), {})
    checkpoint.save_state(folder / checkpoint.STATE, {}, {"step": 5})
    (folder / checkpoint.CONFIG).write_text(json.dumps({"model": {}}))


def test_a_checkpoint_is_found_by_its_folder(git_project: Path) -> None:
    save_checkpoint(git_project / "results/old/checkpoint")
    found = checkpoint.find(git_project, "results/old/checkpoint")
    assert found == (git_project / "results/old/checkpoint").resolve()


def test_a_folder_without_a_training_state_is_refused(git_project: Path) -> None:
    (git_project / "models").mkdir()
    with pytest.raises(ReproofError, match=r"train\.resume_from: models: no training state"):
        checkpoint.find(git_project, "models")


def test_a_folder_outside_the_project_is_refused(git_project: Path) -> None:
    save_checkpoint(git_project.parent / "other")
    with pytest.raises(ReproofError, match=r"train\.resume_from: a path leads out"):
        checkpoint.find(git_project, "../other")


def test_a_name_that_is_neither_folder_nor_revision_is_an_error(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="no such revision: 'gamic-pika'"):
        checkpoint.find(git_project, "gamic-pika")


@pytest.fixture
def tracked(git_project: Path) -> tuple[Path, str]:
    """A project whose first commit tracks a checkpoint by DVC, gone from the workspace; and that commit."""
    dvc = [sys.executable, "-m", "dvc"]
    run(*dvc, "init", "--quiet", cwd=git_project)
    save_checkpoint(git_project / checkpoint.TRACKED)
    run(*dvc, "add", "--quiet", checkpoint.TRACKED, cwd=git_project)
    commit = commit_all(git_project, "Trained")
    shutil.rmtree(git_project / checkpoint.TRACKED)
    (git_project / f"{checkpoint.TRACKED}.dvc").unlink()
    commit_all(git_project, "Gone")
    return git_project, commit


def test_a_checkpoint_is_found_by_a_revision_in_dvcs_cache(tracked: tuple[Path, str]) -> None:
    project, commit = tracked
    run("git", "tag", "baseline", commit, cwd=project)
    found = checkpoint.find(project, "baseline")
    assert checkpoint.load_state(found / checkpoint.STATE)[1] == {"step": 5}
    assert sorted(path.name for path in found.iterdir()) == sorted(
        [checkpoint.BEST, checkpoint.LAST, checkpoint.STATE, checkpoint.CONFIG]
    )
    assert not run("git", "status", "--porcelain", cwd=project).stdout
    for moving in ("HEAD", "main"):
        with pytest.raises(ReproofError, match="a branch moves"):
            checkpoint.find(project, moving)
    gone = run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()
    with pytest.raises(ReproofError, match="does not track it"):
        checkpoint.find(project, gone)


def test_a_checkpoint_of_which_a_file_is_lost_is_never_used_in_part(tracked: tuple[Path, str]) -> None:
    project, commit = tracked
    held = {path: path.read_bytes() for path in (project / ".dvc/cache/files").rglob("*") if path.is_file()}
    lost = next(path for path, data in held.items() if data == (b'{"model": {}}'))
    lost.unlink()
    for _ in ("once", "again"):
        with pytest.raises(ReproofError, match="neither DVC's cache nor its remote has it"):
            checkpoint.find(project, commit)
    lost.write_bytes(held[lost])
    assert (checkpoint.find(project, commit) / checkpoint.CONFIG).is_file()
