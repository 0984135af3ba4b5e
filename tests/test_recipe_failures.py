"""The recipe inference where something is wrong: what is told, what is recorded, and the report of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import run
from projects import ENV, dvc, executed, read
from recipe_projects import onnx_model, project_with, replace

CONV = "pytorch-converted/test_Conv2d_padding/model.onnx"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project without a model; for copies."""
    return project_with(tmp_path_factory.mktemp("empty") / "p", None)


@pytest.fixture
def project(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty, tmp_path / "p"))


def report(project: Path) -> str:
    """Render the report of whatever the last run left."""
    run("reproof", "report", cwd=project, env=ENV)
    return (project / "reports" / "experiment.md").read_text()


def failed(project: Path, *arguments: str) -> str:
    """Run the pipeline, which has to fail; return what it printed, and look at what it recorded."""
    told = dvc(project, "exp", "run", *arguments, check=False)
    assert "ERROR: failed to reproduce" in told, told
    assert "Traceback" not in told
    assert read(project, "summary.json")["status"] == read(project, "meta.json")["status"] == "failed"
    return told


def test_without_a_model_the_first_stage_says_what_to_type(project: Path) -> None:
    told = failed(project)
    assert "models: a folder without a model" in told
    assert "cp ~/model.onnx models/ && dvc add models/model.onnx" in told
    assert "Status: **failed**" in report(project)


def test_a_truncated_model_is_a_failed_run_with_a_report_and_no_number_of_the_run_before(
    project: Path,
) -> None:
    model = project / "models" / "conv.onnx"
    shutil.copyfile(onnx_model(CONV), model)
    dvc(project, "exp", "run")
    assert read(project, "summary.json")["metrics"]["latency_ms"] > 0
    model.write_bytes(model.read_bytes()[:300])
    assert "models/conv.onnx: cut short" in failed(project)
    assert read(project, "summary.json")["metrics"] == {}
    text = report(project)
    assert "Status: **failed**" in text
    assert "cut short" in text
    assert "ms a call" not in text


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/hostname", "models/link.onnx"])
def test_a_model_outside_the_project_is_refused(project: Path, path: str) -> None:
    shutil.copyfile(onnx_model(CONV), project.parent / "outside.onnx")
    (project / "models" / "link.onnx").symlink_to(project.parent / "outside.onnx")
    assert "leads out of the project" in failed(project, "-S", f"model.path={path}")
    assert not (project / "results" / "latest" / "examination.json").exists()


def test_of_two_models_the_one_that_is_meant_has_to_be_named(project: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        shutil.copyfile(onnx_model(CONV), project / "models" / name)
    assert "a folder with 2 models" in failed(project)
    dvc(project, "exp", "run", "-S", "model.path=models/two.onnx", "examine")
    assert read(project, "examination.json")["model"]["name"] == "two"


def test_a_hostile_name_is_a_name(project: Path) -> None:
    name = "-S a;$(touch pwned)<b>&\"'größe 模型.onnx"
    shutil.copyfile(onnx_model(CONV), project / "models" / name)
    dvc(project, "add", "--quiet", f"models/{name}")
    dvc(project, "exp", "run")
    assert read(project, "summary.json")["status"] == "success"
    assert read(project, "examination.json")["model"]["path"] == f"models/{name}"
    assert list(read(project, "benchmark.json")["provenance"]["model_digests"]) == [f"models/{name}"]
    assert list(project.rglob("pwned")) == []
    text = (project / "reports" / "experiment.md").read_text()
    outside = re.sub(r"\A---\n.*?\n---\n|```.*?```|`[^`\n]*`|\]\(<[^>]*>\)", "", text, flags=re.DOTALL)
    assert "größe" in outside
    assert "<b>" not in outside


def test_a_contract_with_a_field_that_there_is_none_of_names_its_line(project: Path) -> None:
    shutil.copyfile(onnx_model(CONV), project / "models" / "conv.onnx")
    replace(project / "contract.yaml", "  modality: null", "  modalty: image")
    line = next(
        n for n, row in enumerate((project / "contract.yaml").read_text().splitlines(), 1) if "modalty" in row
    )
    assert f"contract.yaml:{line}" in failed(project)


def test_what_is_not_installed_stops_the_first_stage_with_the_command_and_is_in_the_report(
    project: Path,
) -> None:
    import onnx
    from onnx import TensorProto, helper

    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("StringUpper", ["x"], ["y"], domain="ai.onnx.contrib")],
        "g",
        [port("x", TensorProto.STRING, ["n"])],
        [port("y", TensorProto.STRING, ["n"])],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.contrib", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), project / "models" / "own.onnx")
    told = failed(project)
    assert "something that this model needs is not installed" in told
    assert "install 'onnxruntime-extensions" in told
    assert "onnxruntime-extensions" in (project / "plan.md").read_text()
    assert "Missing: onnxruntime-extensions" in report(project)


def test_a_step_that_fails_on_every_input_fails_the_run_and_one_that_fails_on_some_does_not(
    project: Path,
) -> None:
    shutil.copyfile(onnx_model(CONV), project / "models" / "conv.onnx")
    np.save(project / "inputs" / "wrong.npy", np.zeros((1, 2, 3), np.float32))
    told = failed(project)
    assert "inputs/wrong.npy" in json.dumps(read(project, "inference.json")["inputs"])
    assert "infer: error:" in told
    assert "wrong.npy" in report(project)

    shape = read(project, "examination.json")["inputs"]["0"]["shape"]
    np.save(project / "inputs" / "right.npy", np.zeros(shape[1:], np.float32))
    dvc(project, "exp", "run")
    assert read(project, "summary.json")["status"] == "partial"
    assert read(project, "summary.json")["metrics"]["succeeded"] == 1
    assert "infer.inputs.inputs/wrong.npy" in read(project, "meta.json")["missing"]


@pytest.mark.torch
def test_weights_need_a_loader_and_run_with_one(project: Path) -> None:
    import torch
    from safetensors.torch import save_file

    np.save(project / "inputs" / "x.npy", np.ones(4, np.float32))
    save_file(torch.nn.Linear(4, 3).state_dict(), project / "models" / "w.safetensors")
    replace(project / "contract.yaml", "modality: null", "modality: tensor")
    told = failed(project)
    assert "write `load` in src/model.py" in told
    assert read(project, "inference.json")["smoke"]["status"] == "failed"
    (project / "src" / "model.py").write_text(
        "from safetensors.torch import load_file\nfrom torch import nn\n\n\n"
        "def load(path):\n    model = nn.Linear(4, 3)\n"
        "    model.load_state_dict(load_file(path))\n    return model\n"
    )
    assert executed(dvc(project, "exp", "run"))[0] == "examine"
    assert read(project, "summary.json")["status"] == "success"
    assert list(read(project, "benchmark.json")["cells"]) == ["torch-cpu-fp32-b1-t1", "torch-cpu-fp32-b8-t1"]


@pytest.mark.torch
def test_a_program_of_torch_export_needs_no_code_and_a_pickle_of_a_module_is_refused(project: Path) -> None:
    import torch

    module = torch.nn.Linear(4, 3).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 4),)), project / "models" / "m.pt2")
    dvc(project, "exp", "run")
    assert list(read(project, "benchmark.json")["cells"]) == ["torch-cpu-fp32-b2-t1"]
    assert read(project, "summary.json")["metrics"]["latency_ms"] > 0

    (project / "models" / "m.pt2").unlink()
    torch.save(module, project / "models" / "m.pt")
    told = failed(project)
    assert "a pickle that runs code" in told
    assert "state_dict" in told
