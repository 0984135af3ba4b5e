"""The stage infer on real models and real files: what it writes, and what it says of what went wrong."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference_projects import SIMPLE, colour_model, run, save
from onnx import helper
from PIL import Image

from reproof import files, inference, npz
from reproof.contract.schema import Boxes, Contract, Input, Output
from reproof.errors import ReproofError
from reproof.inference import writing
from reproof.inference.passes import Row
from reproof.model_files.ports import Port

COLOURS = ((200, 10, 20), (20, 190, 30), (10, 20, 180))
NAMES = ["red", "green", "blue"]
PICTURES = Contract(
    input=Input(modality="image", colour="RGB", size=[8, 8], resize="crop", scale=255.0, layout="CHW"),
    output=Output(kind="classes", labels=NAMES, softmax=True, top_k=2),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose model names the strongest colour, with a picture of each."""
    root = tmp_path / "project"
    (root / "inputs").mkdir(parents=True)
    for name, colour in zip(NAMES, COLOURS, strict=True):
        Image.new("RGB", (30, 20), colour).save(root / "inputs" / f"{name}.png")
    return root


@pytest.fixture
def ports(project: Path) -> list[Port]:
    return colour_model(project / "models/model.onnx")


def table(project: Path) -> list[dict[str, str]]:
    with (project / "outputs/results.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_each_picture_gets_its_answer_a_row_and_files(project: Path, ports: list[Port]) -> None:
    seen: list[tuple[int, int]] = []
    found = run(project, PICTURES, ports[:1], ports[1:], on_progress=lambda *at: seen.append(at))
    rows = table(project)
    assert [(row["file"], row["top1"]) for row in rows] == [
        ("inputs/blue.png", "blue"),
        ("inputs/green.png", "green"),
        ("inputs/red.png", "red"),
    ]
    means = np.array(COLOURS[2]) / 255
    expected = np.exp(means) / np.exp(means).sum()
    assert float(rows[0]["top1_score"]) == pytest.approx(expected.max(), rel=1e-5)
    assert found["inputs"]["0"]["outputs"] == "outputs/arrays/0.npz"
    scores = npz.read(project / "outputs/arrays/0.npz")["scores"]
    np.testing.assert_allclose(scores, means[None], rtol=1e-5)
    assert found["inputs"]["0"]["sha256"] == files.sha256(project / "inputs/blue.png")
    assert Image.open(project / found["inputs"]["0"]["picture"]).size[0] > 400
    samples = npz.read(project / "samples.npz")
    assert (samples["2"].shape, samples["2"][0, 0].tolist()) == ((20, 30, 3), list(COLOURS[0]))
    assert (found["succeeded"], found["failed"], found["synthetic"]) == (3, 0, False)
    assert seen[-1] == (3, 3)
    assert found["pitfalls"] == {}
    inference.verdict(found)


def test_the_record_is_json_that_dvc_takes_and_holds_no_path_of_this_machine(
    project: Path, ports: list[Port]
) -> None:
    (project / "inputs/broken.png").write_bytes(b"")
    found = run(project, PICTURES, ports[:1], ports[1:])
    files.write_json(project / "inference.json", found)
    text = (project / "inference.json").read_text()
    assert str(project.parent) not in text

    def lists(value: Any) -> list[list[Any]]:
        if isinstance(value, dict):
            return [inner for item in value.values() for inner in lists(item)]
        return [value] if isinstance(value, list) else []

    assert lists(found)
    assert all(items and not isinstance(items[0], dict) for items in lists(found))
    assert found["timing"]["model"]["n"] == 3
    assert found["timing"]["end_to_end"]["mean_ms"] > found["timing"]["model"]["mean_ms"] > 0
    assert min(found["smoke"][name] for name in ("import_ms", "load_ms", "first_call_ms")) > 0
    assert found["providers"] == "CPUExecutionProvider"
    assert (found["precision"], found["device"]) == ("fp32", "cpu")
    assert found["reproducible"] == {"checked": True, "max_abs_diff": 0.0, "reason": None}
    assert found["outputs"]["scores"]["shape"] == [1, 3]


def test_one_bad_file_spoils_no_other(project: Path, ports: list[Port], tmp_path: Path) -> None:
    (project / "inputs/aaa.png").write_bytes((project / "inputs/red.png").read_bytes()[:40])
    (project / "inputs/zero.png").write_bytes(b"")
    Image.new("RGB", (5, 5)).save(tmp_path / "secret.png")
    (project / "inputs/link.png").symlink_to(tmp_path / "secret.png")
    np.save(project / "inputs/odd.npy", np.zeros((3, 9, 9), np.float32))
    found = run(project, PICTURES, ports[:1], ports[1:], batch_size=4)
    by_file = {row["file"]: row for row in found["inputs"].values()}
    assert {name for name, row in by_file.items() if row["status"] == "failed"} == {
        "inputs/aaa.png",
        "inputs/zero.png",
        "inputs/link.png",
        "inputs/odd.npy",
    }
    assert "leads out of the project" in by_file["inputs/link.png"]["reason"]
    assert by_file["inputs/odd.npy"]["reason"].startswith("contract.yaml: ")
    assert (found["succeeded"], found["failed"]) == (3, 4)
    assert set(npz.read(project / "samples.npz")) == {
        key for key, row in found["inputs"].items() if row["status"] == "success"
    }
    inference.verdict(found)


@pytest.mark.parametrize("batch", [2, 4])
def test_a_fixed_batch_is_filled_and_the_surplus_dropped(project: Path, batch: int) -> None:
    ports = colour_model(project / "models/model.onnx", batch=batch)
    found = run(project, PICTURES, ports[:1], ports[1:])
    assert [row["top1"] for row in table(project)] == ["blue", "green", "red"]
    assert (found["batch_size"], found["succeeded"]) == (batch, 3)
    assert sorted(path.name for path in (project / "outputs/arrays").iterdir()) == ["0.npz", "1.npz", "2.npz"]


def test_batches_give_the_same_answers_as_single_inputs(project: Path, ports: list[Port]) -> None:
    single = run(project, PICTURES, ports[:1], ports[1:])
    batched = run(project, PICTURES, ports[:1], ports[1:], batch_size=2)
    assert [row["summary"] for row in single["inputs"].values()] == [
        row["summary"] for row in batched["inputs"].values()
    ]
    assert batched["timing"]["model"]["n"] == 2


def test_inputs_are_made_where_there_are_none_and_it_says_so(project: Path, ports: list[Port]) -> None:
    shutil.rmtree(project / "inputs")
    found = run(project, PICTURES, ports[:1], ports[1:], settings={"synthetic": 3})
    assert (found["synthetic"], found["synthetic_reason"]) == (True, "no input was found in inputs")
    assert found["search"]["inputs"]["reason"] == "there is no such folder"
    assert {row["source"] for row in found["inputs"].values()} == {"synthesized"}
    assert found["succeeded"] == 3
    again = run(project, PICTURES, ports[:1], ports[1:], settings={"synthetic": 3})
    assert again["inputs"] == found["inputs"]


def test_no_input_at_all_is_the_verdict(project: Path, ports: list[Port]) -> None:
    shutil.rmtree(project / "inputs")
    found = run(project, PICTURES, ports[:1], ports[1:], settings={"synthetic": 0})
    assert found["inputs"] == {}
    with pytest.raises(ReproofError, match="there is no input to run the model on"):
        inference.verdict(found)
    assert Image.open(project / "results/latest/inputs.png").size[0] > 50


def test_no_more_inputs_than_asked_for_and_it_says_so(project: Path, ports: list[Port]) -> None:
    found = run(project, PICTURES, ports[:1], ports[1:], settings={"max_inputs": 2})
    assert [row["file"] for row in found["inputs"].values()] == ["inputs/blue.png", "inputs/green.png"]
    assert found["left_out"] == 1
    assert found["pitfalls"]["inputs_left_out"]["symptom"] == "1 of 3 inputs were not run"


def test_arrays_and_pictures_of_a_former_pass_do_not_stay(project: Path, ports: list[Port]) -> None:
    run(project, PICTURES, ports[:1], ports[1:])
    run(project, PICTURES, ports[:1], ports[1:], settings={"max_inputs": 1})
    for folder in ("arrays", "pictures"):
        assert [path.stem for path in (project / "outputs" / folder).iterdir()] == ["0"]


def test_a_model_that_does_not_load_is_a_failed_smoke_test(project: Path, ports: list[Port]) -> None:
    model = project / "models/model.onnx"
    for data in (b"", model.read_bytes()[:60]):
        model.write_bytes(data)
        found = run(project, PICTURES, ports[:1], ports[1:])
        assert found["smoke"]["status"] == "failed"
        assert "cannot load the model" in found["smoke"]["reason"]
        assert {row["reason"] for row in found["inputs"].values()} == {"the model was not loaded"}
        assert str(project) not in json.dumps(found)
        with pytest.raises(ReproofError, match="the model does not run here"):
            inference.verdict(found)


def test_a_contract_that_does_not_fit_fails_with_the_field(project: Path, ports: list[Port]) -> None:
    wrong = Contract(input=PICTURES.input.model_copy(update={"layout": None}), output=PICTURES.output)
    found = run(project, wrong, ports[:1], ports[1:])
    with pytest.raises(ReproofError, match=r"input\.layout: write CHW"):
        inference.verdict(found)


def test_a_mistake_in_the_users_steps_names_its_line(project: Path, ports: list[Port]) -> None:
    (project / "src").mkdir()
    script = project / "src/steps.py"
    script.write_text("def preprocess(examples):\n    return examples[0].no_such()\n")
    own: dict[str, Any] = {}
    exec(compile(script.read_text(), str(script), "exec"), own)
    found = run(project, PICTURES, ports[:1], steps=(own["preprocess"], lambda outputs: {}))
    assert found["inputs"]["0"]["reason"].endswith("(src/steps.py:2)")
    assert found["inputs"]["0"]["reason"].startswith("AttributeError: ")


def test_the_users_own_answer_is_shown_by_its_fields(project: Path, ports: list[Port]) -> None:
    def before(examples: list[np.ndarray]) -> np.ndarray:
        return np.stack([one[:8, :8].transpose(2, 0, 1).astype(np.float32) for one in examples])

    def after(scores: np.ndarray) -> dict[str, np.ndarray]:
        return {"winner": scores.argmax(axis=1), "scores": scores}

    found = run(project, Contract(), ports[:1], steps=(before, after), batch_size=3)
    assert [row["winner"] for row in table(project)] == ["2", "1", "0"]
    assert found["inputs"]["0"]["summary"] == "winner 2, scores float32 of shape 3"


# Other models


def test_a_model_with_several_inputs_takes_archives(project: Path) -> None:
    ports = [Port("a", "float32", ("n", 2)), Port("b", "float32", ("n", 2)), Port("sum", "float32", ("n", 2))]
    save(project / "models/model.onnx", [helper.make_node("Add", ["a", "b"], ["sum"])], ports[:2], ports[2:])
    for index in range(3):
        np.savez(project / f"inputs/{index}.npz", a=np.array([index, 1.0]), b=np.array([[10.0, 20.0]]))
    found = run(project, Contract(), ports[:2], ports[2:], batch_size=2)
    assert found["succeeded"] == 3
    np.testing.assert_array_equal(npz.read(project / "outputs/arrays/2.npz")["sum"], [[12, 21]])
    assert npz.read(project / "samples.npz")["2/b"].tolist() == [10, 20]


def test_a_model_of_strings_from_the_onnx_package_reads_texts(project: Path) -> None:
    source = SIMPLE / "test_strnorm_model_nostopwords_nochangecase/model.onnx"
    shutil.copy(source, project / "models.onnx")
    (project / "models").mkdir()
    (project / "models.onnx").rename(project / "models/model.onnx")
    (project / "inputs/a.txt").write_text("monday")
    (project / "inputs/b.txt").write_text("tuesday")
    contract = Contract(input=Input(modality="text"))
    found = run(project, contract, [Port("x", "string", (2,))], [Port("y", "string", (2,))])
    assert found["succeeded"] == 2, found
    assert [npz.read(project / f"outputs/arrays/{i}.npz")["y"].tolist() for i in range(2)] == [
        ["monday"],
        ["tuesday"],
    ]
    assert found["outputs"]["y"]["dtype"] == "string"


@pytest.mark.parametrize("name", ["test_single_relu_model", "test_sign_model"])
def test_simple_models_of_the_onnx_package_run_on_made_up_inputs(project: Path, name: str) -> None:
    shutil.rmtree(project / "inputs")
    ports = bring(project, name)
    found = run(project, Contract(), ports, settings={"synthetic": 2})
    assert found["succeeded"] == 2
    (given,) = (array for key, array in npz.read(project / "samples.npz").items() if key == "1")
    (answer,) = npz.read(project / "outputs/arrays/1.npz").values()
    expected = np.maximum(given, 0) if "relu" in name else np.sign(given)
    np.testing.assert_array_equal(answer[0], expected)


def test_a_model_whose_inputs_share_no_batch_axis_takes_them_whole(project: Path) -> None:
    ports = bring(project, "test_expand_shape_model2")
    values = np.arange(3, dtype=np.float32).reshape(1, 3, 1)
    np.savez(project / "inputs/a.npz", X=values, shape=np.array([3, 3]))
    found = run(project, Contract(), ports, batch_size=4)
    assert found["inputs"]["0"]["status"] == "success", found["inputs"]
    (answer,) = npz.read(project / "outputs/arrays/0.npz").values()
    np.testing.assert_array_equal(answer, np.broadcast_to(values, (1, 3, 3)))
    assert found["batch_size"] == 1


def test_a_fixed_batch_without_outputs_by_example_says_so(project: Path) -> None:
    ports = bring(project, "test_sequence_model6")
    found = run(project, Contract(), ports, settings={"synthetic": 1})
    assert "no axis that counts the examples" in found["inputs"]["0"]["reason"]


def bring(project: Path, name: str) -> list[Port]:
    """Put a simple model of the onnx package into the project; return its inputs."""
    import onnxruntime

    (project / "models").mkdir()
    shutil.copy(SIMPLE / name / "model.onnx", project / "models/model.onnx")
    session = onnxruntime.InferenceSession(project / "models/model.onnx", providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    return [Port(node.name, kinds[node.type], tuple(node.shape)) for node in session.get_inputs()]


def test_a_detector_gets_its_boxes_drawn(project: Path) -> None:
    ports = [Port("data", "float32", ("n", 3, 8, 8)), Port("boxes", "float32", (1, 2, 6))]
    rows = np.array([[[1, 1, 5, 5, 0.9, 1], [1, 1, 5, 5.2, 0.8, 1]]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["rows", "nothing"], ["boxes"]),
    ]
    save(project / "models/model.onnx", nodes, ports[:1], ports[1:], rows=rows, zero=np.float32(0))
    said = Contract(
        input=PICTURES.input, output=Output(kind="boxes", labels=["cat", "dog"], boxes=Boxes(format="xyxy"))
    )
    found = run(project, said, ports[:1], ports[1:])
    assert found["inputs"]["0"]["summary"] == "1 box: dog 0.90"
    picture = np.asarray(Image.open(project / "outputs/pictures/0.png").convert("RGB")).astype(int)
    red = (picture[..., 0] > 180) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    assert red.sum() > 100
    assert "constant_output" in found["pitfalls"]


# Hostile names


def test_names_that_are_formulas_lines_or_markup_stay_names(project: Path, ports: list[Port]) -> None:
    names = ["=cmd|' '!A0.png", "a\nb|c.png", "<img src=x>.png", "@x,y.png"]
    shutil.rmtree(project / "inputs")
    (project / "inputs").mkdir()
    for name in names:
        Image.new("RGB", (8, 8), COLOURS[0]).save(project / "inputs" / name)
    found = run(project, PICTURES, ports[:1], ports[1:])
    assert {row["file"] for row in found["inputs"].values()} == {f"inputs/{name}" for name in names}
    assert {row["file"] for row in table(project)} == {f"inputs/{name}" for name in names}
    assert found["succeeded"] == 4


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_a_cell_that_would_be_a_formula_gets_an_apostrophe(tmp_path: Path, text: str) -> None:
    answer = {"kind": "classes", "top": {"1": {"label": text, "score": -0.5}}, "summary": f"{text} -0.50"}
    writing.write_table(
        tmp_path / "t.csv", [Row("0", text, "workspace", "image", status="success", answer=answer)]
    )
    with (tmp_path / "t.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["file"] == row["top1"] == f"'{text}"
    assert row["top1_score"] == "-0.5"
