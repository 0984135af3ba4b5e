"""Trainings and models that cannot be: rows `train-…`, `checkpoint-…`, `model-…` of docs/reference/errors.md.

With the template's own scripts, on a project of it that was trained for one short epoch.
"""

from __future__ import annotations

import functools
import pickle
import shutil
from pathlib import Path

import bad_inputs
import numpy as np
import pytest
from conftest import commit_all, run
from projects import render
from warm import stage

pytestmark = pytest.mark.torch

CHECKPOINT = "results/latest/checkpoint"
QUICK = {"epochs: 15": "epochs: 1", "channels: 16": "channels: 4", "batch_size: 32": "batch_size: 8"}
TABLE = "x,y,label\n" + "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(60))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the template on a small table: prepared, trained and exported."""
    project = render(tmp_path_factory.mktemp("bad-training") / "project")
    (project / "data/raw").mkdir()
    (project / "data/raw/table.csv").write_text(TABLE)
    change(project, QUICK)
    for name in ("prepare", "train", "export"):
        stage(project, name=name, check=True)
    run("git", "add", "--all", "--force", cwd=project)
    commit_all(project, "Trained")
    return project


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to break."""
    return Path(shutil.copytree(trained, tmp_path / "project"))


def change(project: Path, values: dict[str, str]) -> None:
    """Replace lines of params.yaml."""
    path = project / "params.yaml"
    text = path.read_text()
    for old, new in values.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


fails = functools.partial(bad_inputs.stage_fails, runner=stage)


TOO_FAST = {"lr: 0.002": "lr: 1.0e+30", "warmup_steps: 20": "warmup_steps: 0"}
KEPT = "results/kept/checkpoint"


def train_fails(slug: str, project: Path, values: dict[str, str]) -> None:
    change(project, values)
    fails(slug, project)


# Training.


def test_train_loss_not_finite(project: Path) -> None:
    for name in ("metrics.ndjson", "params.ndjson"):
        (project / "results/latest" / name).unlink()  # the stage's own, which it begins anew
    train_fails("train-loss-not-finite", project, TOO_FAST)


def test_train_validation_loss_never_finite(project: Path) -> None:
    """One step, whose loss is finite; the weights after it are not."""
    for name in ("metrics.ndjson", "params.ndjson"):
        (project / "results/latest" / name).unlink()
    train_fails(
        "train-validation-loss-never-finite", project, {**TOO_FAST, "batch_size: 8": "batch_size: 42"}
    )


def test_train_batch_larger_than_the_split(project: Path) -> None:
    train_fails("train-batch-larger-than-the-split", project, {"batch_size: 8": "batch_size: 64"})


def test_train_cuda_without_a_gpu(project: Path) -> None:
    change(project, {"device: auto": "device: cuda"})
    fails("train-cuda-without-a-gpu", project, env={"CUDA_VISIBLE_DEVICES": ""})


def test_train_fp16_without_a_gpu(project: Path) -> None:
    change(project, {'mixed_precision: "no"': "mixed_precision: fp16"})
    fails("train-fp16-without-a-gpu", project, env={"CUDA_VISIBLE_DEVICES": ""})


def test_train_splits_of_other_params(project: Path) -> None:
    train_fails("train-splits-of-other-params", project, {"split_seed: 0": "split_seed: 1"})


def test_train_split_cut_short(project: Path) -> None:
    path = project / "prepared/train.npz"
    path.write_bytes(path.read_bytes()[:200])
    fails("train-split-cut-short", project)


# Going on from a checkpoint.


def resume(slug: str, project: Path, reference: str, epochs: int = 2) -> None:
    values = {"epochs: 1": f"epochs: {epochs}", "resume_from: null": f"resume_from: {reference}"}
    train_fails(slug, project, values)


def kept_checkpoint(project: Path) -> Path:
    return Path(shutil.copytree(project / CHECKPOINT, project / KEPT))


def test_checkpoint_of_a_branch(project: Path) -> None:
    resume("checkpoint-of-a-branch", project, "main")


def test_checkpoint_of_an_unknown_name(project: Path) -> None:
    resume("checkpoint-of-an-unknown-name", project, "gamic-pika")


def test_checkpoint_outside_the_project(project: Path) -> None:
    resume("checkpoint-outside-the-project", project, "../other/results/latest/checkpoint")


def test_checkpoint_of_weights_alone(project: Path) -> None:
    (kept_checkpoint(project) / "state.safetensors").unlink()
    resume("checkpoint-of-weights-alone", project, KEPT)


def test_checkpoint_with_no_epochs_left(project: Path) -> None:
    kept_checkpoint(project)
    train_fails(
        "checkpoint-with-no-epochs-left",
        project,
        {"resume_from: null": f"resume_from: {KEPT}"},
    )


def test_checkpoint_of_another_split(project: Path) -> None:
    kept_checkpoint(project)
    change(project, {"split_seed: 0": "split_seed: 1"})
    stage(project, name="prepare", check=True)
    resume("checkpoint-of-another-split", project, KEPT)


def test_checkpoint_of_another_architecture(project: Path) -> None:
    kept_checkpoint(project)
    change(project, {"channels: 4": "channels: 8"})
    resume("checkpoint-of-another-architecture", project, KEPT)


def test_checkpoint_cut_short(project: Path) -> None:
    path = kept_checkpoint(project) / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    resume("checkpoint-cut-short", project, KEPT)


def test_checkpoint_that_is_a_pickle(project: Path) -> None:
    """A pickle that would write a file, were it ever loaded."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, ("loaded", "w")

    (project / CHECKPOINT / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    fails("checkpoint-that-is-a-pickle", project, name="export")
    assert not (project / "loaded").exists()


# Models.


def test_model_that_torch_cannot_export(project: Path) -> None:
    model = project / "src/model.py"
    branch = "class M(nn.Module):\n    def forward(self, x):\n        return x if x.sum() > 0 else -x\n\n\n"
    text = model.read_text().replace("def build(", f"{branch}def build(")
    model.write_text(text.replace("nn.BatchNorm1d(shape[0]),", "nn.BatchNorm1d(shape[0]), M(),", 1))
    weights = project / CHECKPOINT / "model.safetensors"
    from safetensors.torch import load_file, save_file

    shifted = {f"{int(k[0]) + (k[0] > '0')}{k[1:]}": value for k, value in load_file(weights).items()}
    save_file(shifted, weights)
    fails("model-that-torch-cannot-export", project, name="export")


def test_model_beyond_the_tolerance(project: Path) -> None:
    change(project, {"tolerance: 0.0001": "tolerance: 1.0e-30"})
    fails("model-beyond-the-tolerance", project, name="export")


def test_model_of_an_unknown_opset(project: Path) -> None:
    change(project, {"opset: 18": "opset: 99"})
    fails("model-of-an-unknown-opset", project, name="export")


def test_model_file_corrupt(project: Path) -> None:
    (project / "results/latest/model.onnx").write_bytes(b"<html>404 Not Found</html>")
    fails("model-file-corrupt", project, name="evaluate_model")


def test_model_file_of_another_shape(project: Path) -> None:
    """A model.onnx that was trained on other data, of three features."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.zeros((3, 2), np.float32), "w")
    sides = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", w])
        for n, w in (("input", 3), ("output", 2))
    ]
    node = helper.make_node("MatMul", ["input", "w"], ["output"])
    graph = helper.make_graph([node], "other", sides[:1], sides[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, project / "results/latest/model.onnx")
    fails("model-file-of-another-shape", project, name="evaluate_model")


def test_model_answers_not_finite(project: Path) -> None:
    (project / "results/latest/model.onnx").unlink()  # the stage's own, as DVC removes it
    from safetensors.torch import load_file, save_file

    path = project / CHECKPOINT / "model.safetensors"
    save_file({name: value * float("nan") for name, value in load_file(path).items()}, path)
    fails("model-answers-not-finite", project, name="export")
