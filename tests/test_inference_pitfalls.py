"""What often goes wrong with somebody else's model: each fault is made and found; else nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from inference_projects import colour_model, run, save
from onnx import TensorProto, helper
from PIL import Image

from reproof import inference, npz
from reproof.contract.schema import Contract, Input, Output
from reproof.errors import ReproofError
from reproof.inference import models
from reproof.model_files.ports import Port

IMAGE = Input(modality="image", size=[8, 8], resize="stretch", scale=255.0, layout="CHW")
VECTOR = [Port("x", "float32", ("n", 2)), Port("y", "float32", ("n", 2))]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inputs").mkdir()
    for index in range(3):
        np.save(tmp_path / f"inputs/{index}.npy", np.array([index, 2.0], np.float32))
    return tmp_path


def pictures(project: Path, *sizes: tuple[int, int]) -> None:
    for path in (project / "inputs").iterdir():
        path.unlink()
    for index, (height, width) in enumerate(sizes):
        levels = np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(levels).save(project / f"inputs/{index}.png")


def model(project: Path, *nodes: object, **weights: object) -> None:
    save(project / "models/model.onnx", nodes, VECTOR[:1], VECTOR[1:], **weights)


def test_an_answer_with_nan_is_no_answer(project: Path) -> None:
    model(project, helper.make_node("Log", ["x"], ["y"]))
    np.save(project / "inputs/3.npy", np.array([-1.0, 1.0], np.float32))
    found = run(project, Contract(), VECTOR[:1], VECTOR[1:])
    row = found["inputs"]["3"]
    assert (row["status"], row["reason"]) == ("failed", "1 of 2 output values are NaN")
    assert np.isnan(npz.read(project / row["outputs"])["y"][0, 0])
    assert (found["succeeded"], found["outputs"]["y"]["nan"]) == (3, 1)
    assert found["outputs"]["y"]["infinite"] == 1  # the logarithm of 0, which may be meant
    assert set(found["pitfalls"]) == {"nan_y", "infinite_y"}
    assert found["outputs"]["y"]["max"] == pytest.approx(np.log(2))


def test_nan_on_every_input_is_the_verdict(project: Path) -> None:
    model(project, helper.make_node("Mul", ["x", "bad"], ["y"]), bad=np.float32(np.nan))
    found = run(project, Contract(), VECTOR[:1], VECTOR[1:])
    assert (found["smoke"]["status"], found["succeeded"]) == ("success", 0)
    with pytest.raises(ReproofError, match="2 of 2 output values are NaN"):
        inference.verdict(found)


def test_a_constant_answer_is_found(project: Path) -> None:
    model(project, helper.make_node("Mul", ["x", "nothing"], ["y"]), nothing=np.float32(0))
    found = run(project, Contract(), VECTOR[:1], VECTOR[1:])
    assert found["pitfalls"]["constant_output"]["symptom"].startswith("3 different inputs")


def test_equal_answers_to_different_inputs_are_found_and_to_equal_ones_are_not(project: Path) -> None:
    model(project, helper.make_node("Min", ["x", "one"], ["y"]), one=np.float32(1))
    assert "equal_outputs" in run(project, Contract(), VECTOR[:1], VECTOR[1:])["pitfalls"]
    np.save(project / "inputs/2.npy", np.array([0.0, 2.0], np.float32))
    assert run(project, Contract(), VECTOR[:1], VECTOR[1:])["pitfalls"] == {}


@pytest.mark.parametrize(
    ("has_softmax", "declared", "pitfall"),
    [
        (True, True, "softmax_twice"),
        (True, False, None),
        (False, True, None),
        (False, False, "logits"),
        (False, None, "logits"),
    ],
)
def test_a_softmax_too_many_or_too_few_is_found(
    project: Path, has_softmax: bool, declared: bool | None, pitfall: str | None
) -> None:
    pictures(project, (8, 8), (8, 8))
    ports = colour_model(project / "models/model.onnx", softmax=has_softmax)
    said = Contract(input=IMAGE, output=Output(kind="classes", softmax=declared))
    assert list(run(project, said, ports[:1], ports[1:])["pitfalls"]) == ([pitfall] if pitfall else [])


def test_labels_of_another_number_are_found(project: Path) -> None:
    pictures(project, (8, 8))
    ports = colour_model(project / "models/model.onnx")
    said = Contract(input=IMAGE, output=Output(kind="classes", softmax=True, labels=["a", "b"]))
    found = run(project, said, ports[:1], ports[1:])
    assert found["pitfalls"]["labels"]["symptom"] == "2 labels for 3 classes"
    assert found["succeeded"] == 1


def test_a_strong_stretch_is_found(project: Path) -> None:
    pictures(project, (10, 14), (10, 30))
    ports = colour_model(project / "models/model.onnx")
    found = run(project, Contract(input=IMAGE), ports[:1], ports[1:])
    assert found["pitfalls"]["stretched"]["symptom"] == "1 of 2 are stretched; inputs/1.png by 3"


def test_a_model_that_answers_otherwise_each_time_is_found(project: Path) -> None:
    noise = helper.make_node("RandomNormalLike", ["x"], ["noise"], dtype=TensorProto.FLOAT)
    model(project, noise, helper.make_node("Add", ["x", "noise"], ["y"]))
    found = run(project, Contract(), VECTOR[:1], VECTOR[1:])
    assert found["reproducible"]["max_abs_diff"] > 0
    assert "not_reproducible" in found["pitfalls"]


# Other runtimes, other kinds of inputs


@pytest.mark.torch
def test_a_torchscript_file_runs_in_torch(project: Path) -> None:
    import torch

    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return 2 * x, x.sum(dim=1)

    (project / "models").mkdir()
    torch.jit.trace(Twice(), torch.ones(1, 2)).save(project / "models/model.pt")
    found = run(project, Contract(), None, runtime="torch", model={"path": "models/model.pt"}, batch_size=2)
    assert found["succeeded"] == 3, found["inputs"]
    arrays = npz.read(project / "outputs/arrays/1.npz")
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "output_0": [[2, 4]],
        "output_1": [3],
    }
    assert (found["providers"], found["precision"]) == (None, None)


@pytest.mark.torch
def test_weights_run_through_the_users_loader(project: Path) -> None:
    import torch
    from safetensors.torch import save_file

    (project / "models").mkdir()
    (project / "src").mkdir()
    save_file({"weight": torch.tensor([[1.0, 1.0]])}, project / "models/model.safetensors")
    (project / "src/net_of_this_test.py").write_text(
        "import torch\nfrom safetensors.torch import load_file\n\n\ndef load(path):\n"
        "    model = torch.nn.Linear(2, 1, bias=False)\n    model.load_state_dict(load_file(path))\n"
        "    return model\n"
    )
    where = {"path": "models/model.safetensors"}
    found = run(
        project, Contract(), None, runtime="torch", model=where, loader="src/net_of_this_test.py:load"
    )
    assert found["succeeded"] == 3, found
    assert npz.read(project / "outputs/arrays/2.npz")["output"].tolist() == [[4.0]]
    assert found["precision"] == "fp32"


def test_a_device_that_the_runtime_lacks_is_refused(project: Path) -> None:
    import onnxruntime

    model(project, helper.make_node("Abs", ["x"], ["y"]))
    missing = next(
        name
        for name, provider in models.PROVIDERS.items()
        if provider not in onnxruntime.get_available_providers()
    )
    path = project / "models/model.onnx"
    with pytest.raises(ReproofError, match="cannot use the device"):
        models.load(path, "onnxruntime", root=project, loader=None, device=missing, threads=1)


def test_a_package_that_is_missing_is_named(project: Path) -> None:
    with pytest.raises(ReproofError, match="no_such_runtime is not installed"):
        models.load(project / "x", "no_such_runtime", root=project, loader=None, device="cpu", threads=1)


@pytest.mark.parametrize("kind", ["array", "audio", "text"])
def test_the_contact_sheet_shows_every_kind_of_input(project: Path, kind: str) -> None:
    ports = {
        "array": [Port("x", "float32", ("n", 4, 6))],
        "audio": [Port("x", "float32", ("n", "samples"))],
        "text": [Port("x", "string", ("n",))],
    }[kind]
    outputs = [Port("y", ports[0].dtype, ports[0].shape)]
    for path in (project / "inputs").iterdir():
        path.unlink()
    save(project / "models/model.onnx", [helper.make_node("Identity", ["x"], ["y"])], ports, outputs)
    said = Contract() if kind == "array" else Contract(input=Input(modality=kind))  # type: ignore[arg-type]
    found = run(project, said, ports, outputs, settings={"synthetic": 10})
    assert found["succeeded"] == 10, found["inputs"]
    assert {row["kind"] for row in found["inputs"].values()} == {kind}
    sheet = np.asarray(Image.open(project / "results/latest/inputs.png").convert("RGB"))
    assert sheet.shape[0] > 300  # three rows of tiles
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 5
    assert not list((project / "outputs/pictures").iterdir())
