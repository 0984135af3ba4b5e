"""Model files of every format: what they are told to be, what they say of themselves, how they are loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from model_file_makers import (
    OF_OTHERS,
    PARAMETERS,
    every_format,
    external,
    network,
    onnx_picture,
    port,
    save,
)
from onnx import TensorProto, helper, numpy_helper

from reproof import digest, model_files
from reproof.errors import ReproofError
from reproof.model_files import Port, ports


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_format(tmp_path_factory.mktemp("models"))


FORMATS = ("onnx", "safetensors", "torchscript", "torch-export", "torch-weights")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_told_by_content_under_any_name(kind: str, made: dict[str, Path], tmp_path: Path) -> None:
    for name in ("model.bin", "model.onnx", "model.pt", "model"):
        copy = Path(shutil.copy(made[kind], tmp_path / name))
        assert model_files.detect(copy) == kind


def test_checkpoints_around_a_state_dict_and_files_of_old_torch_are_weights(tmp_path: Path) -> None:
    whole = tmp_path / "last.ckpt"
    torch.save({"state_dict": network().state_dict(), "epoch": 3, "names": ["a", "b"]}, whole)
    old = tmp_path / "old.pth"
    torch.save(network().state_dict(), old, _use_new_zipfile_serialization=False)
    for path in (whole, old):
        assert model_files.detect(path) == "torch-weights"
        found = model_files.read(path, tmp_path)
        assert found.weights
        assert found.weights.parameters == PARAMETERS


@pytest.mark.parametrize("kind", ["safetensors", "torchscript", "torch-export", "torch-weights"])
def test_weights_are_counted_in_every_format(kind: str, made: dict[str, Path]) -> None:
    weights = model_files.read(made[kind], made[kind].parent).weights
    assert weights is not None
    assert (weights.tensors, weights.parameters) == (4, PARAMETERS)
    assert weights.parameter_bytes == 4 * PARAMETERS
    assert weights.dtypes == {"float32": PARAMETERS}


def test_what_a_format_does_not_tell_has_a_reason(made: dict[str, Path]) -> None:
    for kind in ("safetensors", "torch-weights"):
        found = model_files.read(made[kind], made[kind].parent)
        assert (found.graph, found.inputs, found.outputs) == (None, None, None)
        assert found.graph_reason
        assert found.ports_reason
    script = model_files.read(made["torchscript"], made["torchscript"].parent)
    assert script.inputs is None
    assert "input" in (script.ports_reason or "")
    assert script.graph
    assert script.graph.operators["relu"] == 1


def test_an_exported_program_tells_ports_and_operators(made: dict[str, Path]) -> None:
    found = model_files.read(made["torch-export"], made["torch-export"].parent)
    (given,) = (found.inputs or {}).values()
    (answer,) = (found.outputs or {}).values()
    assert given.shape[1:] == (3, 8, 8)
    assert isinstance(given.shape[0], str)
    assert answer.shape == (given.shape[0], 5)
    assert found.graph
    assert found.graph.operators["aten.conv2d"] == 1
    assert found.graph.producer == f"torch {torch.__version__}"


def test_an_onnx_model_tells_its_graph(made: dict[str, Path]) -> None:
    found = model_files.read(made["onnx"], made["onnx"].parent)
    assert found.inputs == {"pixels": Port("pixels", "float32", ("batch", 3, 8, 8))}
    assert found.outputs == {"scores": Port("scores", "float32", ("batch", 5))}
    assert found.graph
    assert (found.graph.opset, found.graph.ir_version) == ({"ai.onnx": 17}, 8)
    assert found.graph.operators == {"Flatten": 1, "MatMul": 1, "Softmax": 1}
    assert found.made_by == {"scores": "Softmax"}
    assert found.weights
    assert (found.weights.parameters, found.weights.parameter_bytes) == (960, 3840)


def test_initializers_that_old_models_list_among_their_inputs_are_none(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    path = tmp_path / "old.onnx"
    save(path, nodes, [port("x", [3]), port("w", [3])], [port("y", [3])], initializer=[weight])
    assert list(model_files.read(path, tmp_path).inputs or {}) == ["x"]


def test_axes_without_a_name_get_one_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save(path, [helper.make_node("Relu", ["x"], ["y"])], [port("x", [None, -1, "t", 4])], [port("y", [])])
    found = model_files.read(path, tmp_path)
    assert found.inputs == {"x": Port("x", "float32", ("axis0", "axis1", "t", 4))}
    assert found.outputs == {"y": Port("y", "float32", ())}


def test_inputs_that_are_no_tensors_are_named_and_not_hidden(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    sequence = helper.make_tensor_sequence_value_info("many", TensorProto.INT64, None)
    nodes = [helper.make_node("SequenceLength", ["many"], ["count"])]
    save(path, nodes, [sequence, port("odd", None)], [port("count", [], TensorProto.INT64)])
    found = model_files.read(path, tmp_path)
    assert found.inputs == {}
    assert found.other_inputs["many"] == "a sequence of int64 tensors"
    assert "does not tell its shape" in found.other_inputs["odd"]


def test_large_constants_are_weights_and_small_ones_are_not(tmp_path: Path) -> None:
    large, small = (numpy_helper.from_array(np.ones(size, np.float32)) for size in (100, 99))
    nodes = [
        helper.make_node("Constant", [], ["a"], value=large),
        helper.make_node("Constant", [], ["b"], value=small),
        helper.make_node("Identity", ["x"], ["y"]),
    ]
    save(tmp_path / "m.onnx", nodes, [port("x", [1])], [port("y", [1])])
    weights = model_files.read(tmp_path / "m.onnx", tmp_path).weights
    assert weights
    assert (weights.tensors, weights.parameters) == (1, 100)


def test_nodes_and_weights_of_branches_count(tmp_path: Path) -> None:
    inner = numpy_helper.from_array(np.ones(7, np.float32), "inner")
    branch = helper.make_graph(
        [helper.make_node("Relu", ["inner"], ["out"])], "b", [], [port("out", [7])], initializer=[inner]
    )
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]
    save(tmp_path / "m.onnx", nodes, [port("c", [], TensorProto.BOOL)], [port("y", [7])])
    found = model_files.read(tmp_path / "m.onnx", tmp_path)
    assert found.graph
    assert found.graph.operators == {"Relu": 2, "If": 1}
    assert found.weights
    assert found.weights.parameters == 14


@pytest.mark.parametrize("kind", ["torchscript", "torch-export"])
def test_graphs_of_torch_load_without_a_loader_and_answer_as_the_network(
    kind: str, made: dict[str, Path]
) -> None:
    module = model_files.load_module(made[kind], made[kind].parent, None)
    batch = torch.randn(3, 3, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(module(batch), network()(batch), atol=1e-6)


def test_weights_load_through_the_users_function(made: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "own_model.py").write_text(
        "import torch\n"
        "def load(path):\n"
        "    nn = torch.nn\n"
        "    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))\n"
        "    model.load_state_dict(torch.load(path, weights_only=True))\n"
        "    return model\n"
        "def wrong(path):\n    return path\n"
    )
    module = model_files.load_module(made["torch-weights"], tmp_path, "src/own_model.py:load")
    assert not module.training
    batch = torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(module(batch), network()(batch))
    with pytest.raises(ReproofError, match=r"no torch\.nn\.Module"):
        model_files.load_module(made["torch-weights"], tmp_path, "src/own_model.py:wrong")
    with pytest.raises(ReproofError, match="no loader"):
        model_files.load_module(made["safetensors"], tmp_path, None)
    with pytest.raises(ReproofError, match="torch cannot load an ONNX model"):
        model_files.load_module(made["onnx"], tmp_path, None)


def test_the_digest_is_of_the_model_and_not_of_its_bytes(made: dict[str, Path], tmp_path: Path) -> None:
    assert model_files.digest(made["onnx"]) == digest.digest(made["onnx"])
    assert model_files.digest(made["safetensors"]) == digest.digest(made["safetensors"])
    renamed = Path(shutil.copy(made["onnx"], tmp_path / "other.bin"))
    model = onnx.load_model(renamed, format="protobuf")
    model.producer_name, model.doc_string = "somebody", "words"
    renamed.write_bytes(model.SerializeToString())
    assert model_files.digest(renamed) == model_files.digest(made["onnx"])
    onnx_picture(tmp_path / "second.onnx", last="Sigmoid")
    assert model_files.digest(tmp_path / "second.onnx") != model_files.digest(made["onnx"])


def test_external_data_belongs_to_the_model_and_to_its_digest(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(np.ones(100, np.float32).tobytes())
    found = model_files.read(path, tmp_path)
    assert found.external == {"weights.bin": 400}
    assert found.weights
    assert found.weights.parameters == 100
    before = model_files.digest(path)
    (tmp_path / "weights.bin").write_bytes(np.zeros(100, np.float32).tobytes())
    assert model_files.digest(path) != before


def test_a_folder_stands_for_the_one_model_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = external(folder)
    (folder / "weights.bin").write_bytes(bytes(400))
    for name, content in {
        "README.md": "# words",
        "model.onnx.dvc": "outs:\n- md5: x\n",
        ".gitignore": "/model.onnx\n",
        "labels.txt": "cat\ndog\n",
        "tokenizer.json": "{}",
        ".hidden.onnx": "",
    }.items():
        (folder / name).write_text(content)
    assert model_files.find(tmp_path, "models") == path
    assert model_files.find(tmp_path, "models/model.onnx") == path


def test_a_model_without_a_telling_name_is_found_by_content(made: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "models" / "deep").mkdir(parents=True)
    copy = Path(shutil.copy(made["torch-weights"], tmp_path / "models/deep/pytorch_model.bin"))
    assert model_files.find(tmp_path, "models") == copy


def test_links_within_the_project_are_followed_and_keep_their_name(
    made: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "models").mkdir()
    kept = Path(shutil.copy(made["onnx"], tmp_path / "cache" / "0123456789abcdef"))
    link = tmp_path / "models" / "net.onnx"
    link.symlink_to(kept)
    assert model_files.find(tmp_path, "models") == link
    assert model_files.detect(link) == "onnx"


def test_ports_come_back_from_their_json() -> None:
    both = {"x": Port("x", "float32", ("batch", 3)), "s": Port("s", "int64", ())}
    assert ports.from_json(ports.as_json(both)) == both
    assert ports.as_json(both)["x"]["dynamic"] == {"0": "batch"}


@pytest.mark.parametrize("folder", ["simple", "pytorch-converted", "pytorch-operator", "light"])
def test_every_model_of_onnx_own_tests_is_read(folder: str) -> None:
    paths = sorted((OF_OTHERS / folder).rglob("*.onnx"))
    assert paths
    for path in paths:
        found = model_files.read(path, OF_OTHERS)
        model = onnx.load_model(path)
        assert found.graph
        assert found.graph.nodes >= len(model.graph.node)
        initial = {tensor.name for tensor in model.graph.initializer}
        wanted = [value.name for value in model.graph.input if value.name not in initial]
        assert [*(found.inputs or {}), *found.other_inputs] == wanted
