"""Model files that cannot be examined, or not loaded: rows of docs/reference/errors.md about models."""

from __future__ import annotations

import gzip
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_inputs import stage_fails
from model_file_makers import (
    OF_OTHERS,
    exported,
    external,
    network,
    onnx_picture,
    port,
    rewritten,
    save,
    scripted,
)
from onnx import helper
from projects import ROOT
from safetensors.torch import save_file
from warm import stage

from reproof import benchmark, examination, files, inference

TEMPLATE = ROOT / "template" / "inference"
LOADER = "from pathlib import Path\n\n\ndef load(path: Path):\n    {}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small network in each format."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(OF_OTHERS / "light" / "light_resnet50.onnx", folder / "net.onnx")
    exported(folder / "net.pt2")
    scripted(folder / "net.torchscript")
    torch.save(network().state_dict(), folder / "net.pt")
    torch.save(network().state_dict(), folder / "net.pth", _use_new_zipfile_serialization=False)
    save_file(network().state_dict(), folder / "net.safetensors")
    return folder


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project of the inference recipe, without a model."""
    shutil.copytree(TEMPLATE / "src", git_project / "src")
    for name in ("contract.yaml", "params.yaml"):
        shutil.copy(TEMPLATE / name, git_project / name)
    for name in ("models", "inputs"):
        (git_project / name).mkdir()
    return git_project


def refused(slug: str, project: Path) -> None:
    """Run the stage examine, which has to say what the row says."""
    stage_fails(slug, project, name="examine", runner=stage)
    assert not (project / "plan.md").exists()
    assert not (project / "results/latest/examination.json").exists()


def write(project: Path, content: bytes, name: str = "net.onnx") -> None:
    (project / "models" / name).write_bytes(content)


def params(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


# Where it is


def test_model_none(project: Path) -> None:
    (project / "models" / "README.md").write_text("No model.\n")
    refused("model-none", project)


def test_model_several(project: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        onnx_picture(project / "models" / name)
    refused("model-several", project)


def test_model_only_a_pointer(project: Path) -> None:
    write(project, b"outs:\n- md5: 0123\n  path: net.onnx\n", "net.onnx.dvc")
    refused("model-only-a-pointer", project)


def test_model_file_missing(project: Path) -> None:
    params(project, "path: models ", "path: models/nett.onnx ")
    onnx_picture(project / "models" / "net.onnx")
    refused("model-file-missing", project)


def test_model_file_not_pulled(project: Path) -> None:
    params(project, "path: models ", "path: models/net.onnx ")
    write(project, b"outs:\n- md5: 0123\n  path: net.onnx\n", "net.onnx.dvc")
    refused("model-file-not-pulled", project)


def test_model_outside_the_project(project: Path, tmp_path: Path) -> None:
    onnx_picture(tmp_path / "net.onnx")
    params(project, "path: models ", "path: ../net.onnx ")
    refused("model-outside-the-project", project)


def test_model_link_out(project: Path, tmp_path: Path) -> None:
    onnx_picture(tmp_path / "net.onnx")
    (project / "models" / "net.onnx").symlink_to(tmp_path / "net.onnx")
    refused("model-link-out", project)


def test_model_link_to_nothing(project: Path) -> None:
    (project / "models" / "net.onnx").symlink_to(project / ".dvc" / "cache" / "net.onnx")
    refused("model-link-to-nothing", project)


# What stands in its place


def test_model_empty(project: Path) -> None:
    write(project, b"")
    refused("model-empty", project)


@pytest.mark.parametrize("name", ["net.onnx", "net.pt", "net.pt2", "net.torchscript", "net.safetensors"])
def test_model_cut_short(project: Path, made: Path, name: str) -> None:
    content = (made / name).read_bytes()
    write(project, content[: len(content) // 2], name)
    refused("model-cut-short", project)


def test_model_git_lfs_pointer(project: Path) -> None:
    write(project, b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 97800000\n")
    refused("model-git-lfs-pointer", project)


def test_model_dvc_pointer(project: Path) -> None:
    write(project, b"outs:\n- md5: 0123\n  path: net.onnx\n")
    refused("model-dvc-pointer", project)


def test_model_web_page(project: Path) -> None:
    write(project, b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n")
    refused("model-web-page", project)


def test_model_error_of_a_server(project: Path) -> None:
    write(project, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')
    refused("model-error-of-a-server", project)


def test_model_packed(project: Path, made: Path) -> None:
    write(project, gzip.compress((made / "net.onnx").read_bytes()[:1000]))
    refused("model-packed", project)


def test_model_zipped(project: Path, made: Path) -> None:
    with zipfile.ZipFile(project / "models" / "net.pt", "w") as archive:
        archive.write(made / "net.onnx", "net.onnx")
    refused("model-zipped", project)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("net.engine", b"ftrt"),
        ("net.onnx", b"GGUF"),
        ("net.tflite", b"\x1c\0\0\0TFL3"),
        ("net.h5", b"\x89HDF\r\n"),
    ],
)
def test_model_of_another_tool(project: Path, name: str, content: bytes) -> None:
    write(project, content + bytes(100), name)
    refused("model-of-another-tool", project)


def test_model_that_is_text(project: Path) -> None:
    write(project, b"The model comes later.\n", "net.pt")
    refused("model-that-is-text", project)


def test_model_of_random_bytes(project: Path) -> None:
    write(project, bytes(range(255, 100, -1)), "net.pt")
    refused("model-of-random-bytes", project)


# ONNX


def test_model_onnx_that_is_none(project: Path) -> None:
    write(project, bytes(range(255, 100, -1)))
    refused("model-onnx-that-is-none", project)


def test_model_onnx_without_a_graph(project: Path) -> None:
    save(project / "models/net.onnx", [], [], [], change=lambda model: model.ClearField("graph"))
    refused("model-onnx-without-a-graph", project)


def test_model_onnx_without_an_output(project: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    save(project / "models/net.onnx", nodes, [port("x", ["n"])], [])
    refused("model-onnx-without-an-output", project)


def test_model_onnx_damaged_inside(project: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    save(project / "models/net.onnx", nodes, [port("x", ["n"])], [port("y", ["n"])])
    content = (project / "models/net.onnx").read_bytes()
    write(project, content.replace(b"\x04Relu", b"\x70Relu"))
    refused("model-onnx-damaged-inside", project)


def test_model_external_data_missing(project: Path) -> None:
    external(project / "models")
    refused("model-external-data-missing", project)


def test_model_external_data_cut_short(project: Path) -> None:
    external(project / "models")
    write(project, bytes(100), "weights.bin")
    refused("model-external-data-cut-short", project)


def test_model_external_data_outside(project: Path) -> None:
    external(project / "models", "../../secret")
    refused("model-external-data-outside", project)


# Torch and safetensors


def test_model_pickle_that_needs_code(project: Path) -> None:
    torch.save(network(), project / "models" / "net.pt")
    refused("model-pickle-that-needs-code", project)


def test_model_pickle_of_something_else(project: Path) -> None:
    write(project, pickle.dumps({"weight": 1.0}), "net.pt")
    refused("model-pickle-of-something-else", project)


def test_model_torch_without_a_tensor(project: Path) -> None:
    torch.save({"epoch": 3}, project / "models" / "net.pt")
    refused("model-torch-without-a-tensor", project)


def test_model_torch_cut_short(project: Path, made: Path) -> None:
    """As torch wrote before 1.6: pickles, and the tensors behind them."""
    content = (made / "net.pth").read_bytes()
    write(project, content[: len(content) // 2], "net.pth")
    refused("model-torch-cut-short", project)


def test_model_torch_damaged(project: Path, made: Path) -> None:
    with (
        zipfile.ZipFile(made / "net.pt") as old,
        zipfile.ZipFile(project / "models" / "net.pt", "w") as new,
    ):
        for entry in old.infolist():
            if not entry.filename.endswith("data/0"):
                new.writestr(entry.filename, old.read(entry))
    refused("model-torch-damaged", project)


def test_model_torchscript_that_writes_files(project: Path, made: Path) -> None:
    changed_program(made, project, b"aten.save(")
    refused("model-torchscript-that-writes-files", project)


def test_model_torchscript_with_foreign_operators(project: Path, made: Path) -> None:
    changed_program(made, project, b"ops.detectors.nms(")
    refused("model-torchscript-with-foreign-operators", project)


def test_model_torchscript_that_torch_refuses(project: Path, made: Path) -> None:
    changed_program(made, project, b"torch.no_such_operator(")
    refused("model-torchscript-that-torch-refuses", project)


def changed_program(made: Path, project: Path, call: bytes) -> None:
    """The TorchScript archive with another call in the place of its convolution."""
    with (
        zipfile.ZipFile(made / "net.torchscript") as old,
        zipfile.ZipFile(project / "models" / "net.torchscript", "w") as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry).replace(b"torch._convolution(", call))


def test_model_export_with_more_in_it(project: Path, made: Path) -> None:
    def change(program: Any) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.mkdir"

    rewritten(made / "net.pt2", project / "models" / "net.pt2", "models/model.json", change)
    refused("model-export-with-more-in-it", project)


def test_model_export_unreadable(project: Path, made: Path) -> None:
    def change(program: Any) -> None:
        del program["graph_module"]

    rewritten(made / "net.pt2", project / "models" / "net.pt2", "models/model.json", change)
    refused("model-export-unreadable", project)


def test_model_safetensors_header(project: Path) -> None:
    write(project, b"\x02\0\0\0\0\0\0\0[]" + bytes(8), "net.safetensors")
    refused("model-safetensors-header", project)


def test_model_safetensors_without_a_tensor(project: Path) -> None:
    save_file({}, project / "models" / "net.safetensors")
    refused("model-safetensors-without-a-tensor", project)


# What can be read, and does not run: the stage infer


def runs_not(slug: str, project: Path) -> None:
    """Run the stage infer after what examine found; it has to say what the row says, and record it."""
    found = examination.examine(
        project, examination.Settings(), benchmark=benchmark.Settings(), inputs=inference.Inputs()
    )
    files.write_json(project / "results/latest/examination.json", found)
    stage_fails(slug, project, name="infer", runner=stage)
    recorded = files.read_json(project / "results/latest/inference.json")
    assert recorded["smoke"]["status"] == "failed"
    assert str(project) not in recorded["smoke"]["reason"]


def weights_alone(project: Path) -> Path:
    """Weights in models/, and an input: of weights nobody knows what they take."""
    save_file(network().state_dict(), project / "models" / "net.safetensors")
    np.save(project / "inputs" / "x.npy", np.zeros((3, 8, 8), np.float32))
    return project


def with_loader(project: Path, body: str) -> Path:
    (project / "src" / "model.py").write_text(LOADER.format(body))
    return weights_alone(project)


def test_model_with_an_unknown_operator(project: Path) -> None:
    nodes = [helper.make_node("Raytrace", ["x"], ["y"], domain="somebody.elses")]
    save(
        project / "models/net.onnx",
        nodes,
        [port("x", ["n", 3])],
        [port("y", ["n", 3])],
        change=lambda model: model.opset_import.append(helper.make_opsetid("somebody.elses", 1)),
    )
    runs_not("model-with-an-unknown-operator", project)


def test_model_onnx_without_the_device(project: Path) -> None:
    onnx_picture(project / "models" / "net.onnx")
    params(project, "device: auto", "device: mps")
    runs_not("model-onnx-without-the-device", project)


def test_model_weights_without_code(project: Path) -> None:
    runs_not("model-weights-without-code", weights_alone(project))


def test_model_loader_without_the_function(project: Path) -> None:
    params(project, "loader: src/model.py:load", "loader: src/model.py:laod")
    runs_not("model-loader-without-the-function", with_loader(project, "return None"))


def test_model_loader_that_is_no_reference(project: Path) -> None:
    params(project, "loader: src/model.py:load", "loader: model.load")
    runs_not("model-loader-that-is-no-reference", with_loader(project, "return None"))


def test_model_loader_that_returns_weights(project: Path) -> None:
    body = "from safetensors.torch import load_file; return load_file(path)"
    runs_not("model-loader-that-returns-weights", with_loader(project, body))


def test_model_loader_that_fails(project: Path) -> None:
    runs_not("model-loader-that-fails", with_loader(project, "return {}[path.stem]"))
