"""contract.yaml: read with errors by line, and held field by field against what a model's file tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from model_file_makers import onnx_picture, port, save
from onnx import TensorProto, helper
from projects import ROOT

from reproof import contract, model_files
from reproof.contract import Contract
from reproof.contract.shapes import picture
from reproof.errors import ReproofError
from reproof.model_files import Facts, Port


def said(**blocks: dict[str, Any]) -> Contract:
    return Contract.model_validate(blocks)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A classifier of 3 × 8 × 8 into five classes that ends in Softmax."""
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx_picture(path)
    return model_files.read(path, path.parent)


def tensors(inputs: list[Port], outputs: list[Port] | None = None) -> Facts:
    return Facts(
        "onnx",
        inputs={one.name: one for one in inputs},
        outputs={one.name: one for one in outputs or [Port("y", "float32", ("n", 5))]},
    )


def row(field: str, found: Contract, facts: Facts, root: Path = Path()) -> tuple[str | None, str | None]:
    """Status and hint of one field."""
    checked = contract.check(found, facts, root)[field]
    assert (checked["status"] == "conflicts") <= bool(checked["hint"])
    return checked["status"], checked["hint"]


IMAGE = {"modality": "image"}


@pytest.mark.parametrize(
    ("field", "value", "status", "hint"),
    [
        ("layout", "CHW", "fits", None),
        ("layout", "HWC", "conflicts", "write CHW"),
        ("colour", "BGR", "fits", None),
        ("colour", "grey", "conflicts", "write RGB or BGR"),
        ("size", [8, 8], "fits", None),
        ("size", [8, 9], "conflicts", "write [8, 8]"),
        ("mean", [0.5], "fits", None),
        ("mean", [0.5, 0.5, 0.5], "fits", None),
        ("mean", [0.5, 0.5], "conflicts", "write 3 values"),
        ("std", [0.5, 0.5, 0.5, 0.5], "conflicts", "write 3 values"),
        ("scale", 255.0, "unchecked", "does not tell"),
        ("resize", "crop", "conflicts", "write input.size"),
        ("name", "pixels", "fits", None),
        ("name", "image", "conflicts", "names that the model has"),
        ("seconds", 1.0, "conflicts", "input.sampling_rate"),
        ("tokenizer", "models/none.json", "conflicts", "tokenizer.json"),
        ("tokenizer", "../secret.json", "conflicts", "without '..'"),
    ],
)
def test_each_field_of_the_input_is_held_against_the_file(
    field: str, value: Any, status: str, hint: str | None, pictures: Facts, tmp_path: Path
) -> None:
    found, words = row(f"input.{field}", said(input=IMAGE | {field: value}), pictures, tmp_path)
    assert found == status
    assert hint is None or hint in str(words)


@pytest.mark.parametrize(
    ("fields", "field", "status", "hint"),
    [
        ({"kind": "classes"}, "kind", "fits", None),
        ({"kind": "mask"}, "kind", "conflicts", "write what the model gives"),
        ({"softmax": True}, "softmax", "conflicts", "the model applies its own"),
        ({"softmax": False}, "softmax", "fits", None),
        ({"labels": ["a", "b", "c", "d", "e"]}, "labels", "fits", None),
        ({"labels": ["a", "b"]}, "labels", "conflicts", "5 names are needed"),
        ({"labels": "labels.txt"}, "labels", "fits", None),
        ({"labels": "empty.txt"}, "labels", "conflicts", "one a line"),
        ({"labels": "latin.txt"}, "labels", "conflicts", "one class a line"),
        ({"labels": "none.txt"}, "labels", "conflicts", "one a line"),
        ({"labels": "/etc/passwd"}, "labels", "conflicts", "relative to the project"),
        ({"kind": "boxes", "labels": ["a"]}, "labels", "unchecked", "does not tell"),
        ({"name": "scores"}, "name", "fits", None),
        ({"name": "logits"}, "name", "conflicts", "names that the model has"),
    ],
)
def test_each_field_of_the_output_is_held_against_the_file(
    fields: dict[str, Any], field: str, status: str, hint: str | None, pictures: Facts, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("Größe\n".encode("latin-1"))
    found, words = row(f"output.{field}", said(output=fields), pictures, tmp_path)
    assert found == status
    assert hint is None or hint in str(words)


def test_a_model_of_bytes_takes_no_scale_and_no_mean() -> None:
    facts = tensors([Port("x", "uint8", ("n", 32, 32, 3))])
    for field, value in {"scale": 255.0, "mean": [0.5], "std": [0.5]}.items():
        status, hint = row(f"input.{field}", said(input={field: value}), facts)
        assert (status, "bytes themselves" in str(hint)) == ("conflicts", True)


@pytest.mark.parametrize(
    ("modality", "port", "status"),
    [
        ("image", Port("x", "float32", ("n", 10)), "conflicts"),
        ("image", Port("x", "int64", ("n", 3, 8, 8)), "conflicts"),
        ("audio", Port("x", "float32", ("n", 16000)), "fits"),
        ("audio", Port("x", "int64", ("n", 8)), "conflicts"),
        ("text", Port("x", "int64", ("n", 128)), "fits"),
        ("text", Port("x", "string", ("n",)), "fits"),
        ("text", Port("x", "float32", ("n", 3, 8, 8)), "conflicts"),
        ("tensor", Port("x", "bool", ()), "fits"),
    ],
)
def test_the_modality_must_be_one_that_the_input_can_hold(modality: str, port: Port, status: str) -> None:
    assert row("input.modality", said(input={"modality": modality}), tensors([port]))[0] == status


def test_seconds_and_tokens_are_held_against_fixed_lengths() -> None:
    audio = tensors([Port("wave", "float32", ("n", 16000))])
    for seconds, status in ((1.0, "fits"), (2.0, "conflicts")):
        found = said(input={"sampling_rate": 16000, "seconds": seconds})
        assert row("input.seconds", found, audio)[0] == status
    text = tensors([Port("ids", "int64", ("n", 128))])
    assert row("input.max_tokens", said(input={"max_tokens": 128}), text)[0] == "fits"
    assert row("input.max_tokens", said(input={"max_tokens": 512}), text) == ("conflicts", "write 128")


def test_what_varies_fits_every_size(pictures: Facts) -> None:
    facts = tensors([Port("x", "float32", ("n", 3, "height", "width"))])
    assert row("input.size", said(input={"size": [640, 480]}), facts)[0] == "fits"


def test_a_file_that_tells_no_ports_leaves_fields_unchecked() -> None:
    facts = Facts("torch-weights")
    fields = {"modality": "image", "layout": "CHW", "size": [8, 8], "mean": [0.5], "name": "x"}
    rows = contract.check(said(input=fields, output={"kind": "classes"}), facts, Path())
    assert {one["status"] for one in rows.values()} == {"unchecked"}
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        (("n", 3, 8, 8), "CHW"),
        (("n", 8, 8, 3), "HWC"),
        (("n", 1, 28, 28), "CHW"),
        (("n", 3, 8, 3), None),
        (("n", "c", 8, 8), None),
        (("n", 64, 8, 8), None),
    ],
)
def test_the_layout_is_only_told_where_the_shape_tells_it(shape: tuple[Any, ...], layout: str | None) -> None:
    seen = picture(Port("x", "float32", shape))
    assert seen
    assert seen.layout == layout
    assert picture(Port("x", "float32", shape[:3])) is None


def test_nothing_declared_leaves_open_what_matters_and_guesses_nothing(pictures: Facts) -> None:
    nothing = Contract()
    assert contract.check(nothing, pictures, Path()) == {}
    left = contract.open_fields(nothing, pictures)
    source = ["source.repo", "source.version", "source.license"]
    assert list(left) == [*source, "input.modality", "output.kind"]
    assert "looks like a picture" in left["input.modality"]
    assert contract.found(nothing, pictures) == {
        "input.name": "pixels",
        "output.name": "scores",
        "input.layout": "CHW",
        "input.size": "[8, 8]",
        "output.softmax": "false: the graph ends in Softmax",
    }


def test_a_modality_brings_the_fields_that_it_needs(pictures: Facts) -> None:
    found = said(input=IMAGE, output={"kind": "classes"})
    left = contract.open_fields(found, pictures)
    wanted = {"layout", "colour", "size", "resize", "scale", "mean", "std"}
    assert {name.partition(".")[2] for name in left if name.startswith("input.")} == wanted
    assert "[8, 8]" in left["input.size"]
    assert {"output.softmax", "output.labels"} <= set(left)
    assert "5 names" in left["output.labels"]
    assert "input.size" not in contract.open_fields(said(input=IMAGE | {"size": [8, 8]}), pictures)
    ids = tensors([Port("ids", "int64", ("n", 128)), Port("mask", "int64", ("n", 128))])
    text = contract.open_fields(said(input={"modality": "text"}), ids)
    assert {"input.tokenizer", "input.max_tokens", "input.name"} <= set(text)
    wave = tensors([Port("wave", "float32", ("n", 16000))])
    audio = contract.open_fields(said(input={"modality": "audio"}), wave)
    assert {"input.sampling_rate", "input.seconds"} <= set(audio)


def test_an_input_that_is_no_tensor_cannot_be_named(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("many", TensorProto.INT64, None)
    nodes = [helper.make_node("SequenceLength", ["many"], ["count"])]
    save(tmp_path / "m.onnx", nodes, [sequence], [port("count", [], TensorProto.INT64)])
    facts = model_files.read(tmp_path / "m.onnx", tmp_path)
    assert row("input.name", said(input={"name": "many"}), facts)[0] == "conflicts"


def test_the_templates_contract_is_read_and_declares_nothing() -> None:
    assert contract.load(ROOT / "template/inference/contract.yaml") == Contract()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input:\n  modality: picture\n", "contract.yaml:2: input.modality: expected 'image', 'audio'"),
        ("input:\n  colour: RGB\n  color: BGR\n", "input.color: unknown key; did you mean 'colour'?"),
        ("model:\n  x: 1\n", "no contract has the block 'model'"),
        ("input:\noutput: {kind: boxes}\n", "the block 'input' is empty"),
        ("input: {size: [224]}\n", "contract.yaml:1: input.size"),
        ("input: {mean: [0.5], std: [0.5, 0.5]}\n", "as many values in mean as in std"),
        ("", "expected: a mapping"),
        ("input: [", "not valid YAML"),
        ("source: {repo: https://ada:geheim123@example.org/model}\n", "a credential in the params"),
    ],
)
def test_a_wrong_contract_is_an_error_that_names_the_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text(text)
    with pytest.raises(ReproofError) as caught:
        contract.load(tmp_path / "contract.yaml")
    assert words in str(caught.value)


def test_a_missing_contract_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match="cannot read the model's contract") as caught:
        contract.load(tmp_path / "contract.yaml")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("shapes", "size"),
    [
        ([("n", 3)], None),
        ([(4, 3)], 4),
        ([(2, 3), (2, 5)], 2),
        ([(2, 3), (5,)], 1),
        ([()], 1),
        ([], None),
    ],
)
def test_the_only_batch_size_is_that_of_every_input(shapes: list[tuple[Any, ...]], size: int | None) -> None:
    ports = [Port(f"x{i}", "float32", shape) for i, shape in enumerate(shapes)]
    assert contract.only_batch_size(ports) == size
