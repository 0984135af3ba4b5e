"""An exported model depends on the model alone, and answers as torch does."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from reproof import digest, onnx_export
from reproof.errors import ReproofError

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch

SOURCE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.body(x))
"""
INPUTS = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)


def net(folder: Path, source: str = SOURCE) -> Any:
    """The model of `source`, as a user's own file defines it; always with the same weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(source)
    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return module.Net()


def export(model: Any, path: Path, **options: Any) -> Path:
    onnx_export.export(model, torch.from_numpy(INPUTS[:2]), path, **options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return net(folder / "a user's project")


@pytest.fixture(scope="module")
def exported(folder: Path, model: Any) -> Path:
    return export(model, folder / "model.onnx")


def altered(exported: Path, path: Path, change: float) -> Path:
    """A copy of an exported model with one weight changed."""
    proto = onnx.load_model(exported)
    weight = next(tensor for tensor in proto.graph.initializer if len(tensor.dims) == 2)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += change
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    path.write_bytes(proto.SerializeToString())
    return path


def test_the_same_model_gives_the_same_bytes(folder: Path, model: Any, exported: Path) -> None:
    again = export(model, folder / "again.onnx")
    assert again.read_bytes() == exported.read_bytes()


def test_a_comment_and_another_folder_change_no_byte(folder: Path, exported: Path) -> None:
    moved = net(folder / "elsewhere" / "deep", "# A comment more.\n\n" + SOURCE)
    assert export(moved, folder / "moved.onnx").read_bytes() == exported.read_bytes()


def test_no_path_of_the_user_leaves_with_the_model(folder: Path, exported: Path) -> None:
    data = exported.read_bytes()
    for private in (
        str(folder),
        "a user's project",
        "site-packages",
        "net.py",
        ".py",
        os.environ["HOME"],
        "/home",
    ):
        assert private.encode() not in data, private


def test_exporting_says_nothing(folder: Path, model: Any, capfd: pytest.CaptureFixture[str]) -> None:
    export(model, folder / "silent.onnx")
    assert capfd.readouterr() == ("", "")


def test_the_graph_has_the_names_and_the_opset_that_were_asked_for(folder: Path, model: Any) -> None:
    path = export(model, folder / "named.onnx", input_name="pixels", output_name="logits", opset=20)
    proto = onnx.load_model(path)
    assert [value.name for value in proto.graph.input] == ["pixels"]
    assert [value.name for value in proto.graph.output] == ["logits"]
    assert {entry.domain: entry.version for entry in proto.opset_import}[""] == 20


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_the_exported_model_takes_any_batch(exported: Path, model: Any, batch: int) -> None:
    session = onnx_export.open_session(exported, threads=1)
    (answers,) = session.run(None, {"input": INPUTS[:batch]})
    assert answers.shape == (batch, 3)


def test_a_faithful_export_answers_as_torch_does(exported: Path, model: Any) -> None:
    model.train()  # dropout would differ from call to call
    parity = onnx_export.parity(model, exported, [INPUTS[:10], INPUTS[10:]], threads=1)
    assert parity.examples == 16
    assert 0 <= parity.mean_abs_diff <= parity.max_abs_diff < 1e-5
    assert parity.max_abs_output > 0.1


def test_parity_tells_how_far_an_altered_model_is_off(folder: Path, exported: Path, model: Any) -> None:
    honest = onnx_export.parity(model, exported, [INPUTS], threads=1)
    off = onnx_export.parity(model, altered(exported, folder / "altered.onnx", 1.0), [INPUTS], threads=1)
    assert off.max_abs_diff > 0.05
    assert off.max_abs_diff > 1000 * honest.max_abs_diff


def test_one_changed_weight_changes_the_digest_of_an_export(folder: Path, exported: Path) -> None:
    same = altered(exported, folder / "same.onnx", 0.0)
    other = altered(exported, folder / "other.onnx", 1e-6)
    assert digest.digest(same) == digest.digest(exported)
    assert digest.digest(other) != digest.digest(exported)


def test_an_answer_of_another_shape_is_refused(exported: Path) -> None:
    with pytest.raises(ReproofError, match=r"model\.onnx: the exported model answers in another shape"):
        onnx_export.parity(nn.Linear(4, 2), exported, [INPUTS], threads=1)


def test_answers_that_are_not_finite_are_refused(exported: Path, model: Any) -> None:
    with pytest.raises(ReproofError, match="not all finite"):
        onnx_export.parity(model, exported, [np.full((2, 4), np.nan, np.float32)], threads=1)


def test_nothing_to_compare_on_is_an_error(exported: Path, model: Any) -> None:
    with pytest.raises(ReproofError, match="no input to compare"):
        onnx_export.parity(model, exported, [], threads=1)


class Branching(nn.Module):
    """A model whose path depends on its values, which a graph cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.layer(x) if x.sum().item() > 0 else -self.layer(x)


def test_a_model_that_cannot_be_exported_is_an_error_and_leaves_the_old_file(folder: Path) -> None:
    path = folder / "kept.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ReproofError, match=r"Branching: torch cannot export[\s\S]*control flow"):
        export(Branching(), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x08"])
def test_a_file_that_is_no_model_says_what_to_do(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(
        ReproofError, match=r"model\.onnx: ONNX Runtime cannot load the model[\s\S]*dvc checkout"
    ):
        onnx_export.open_session(path, threads=1)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"ONNX Runtime cannot load the model[\s\S]*dvc repro"):
        onnx_export.open_session(tmp_path / "absent.onnx", threads=1)
