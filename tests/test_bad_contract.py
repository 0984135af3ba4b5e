"""Contracts and inputs that do not fit the model: rows of docs/reference/errors.md about contract.yaml."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import assert_recorded, nothing_lost, stage_fails
from inference_projects import colour_model, save
from onnx import helper
from PIL import Image
from projects import ROOT
from stages import record
from warm import stage

from reproof import benchmark, examination, files, inference
from reproof.model_files.ports import Port

TEMPLATE = ROOT / "template" / "inference"
PICTURE = "input: {modality: image, size: [8, 8], resize: stretch, layout: CHW, scale: 255}\n"
TEXT = "input: {modality: text, tokenizer: models/tokenizer.json}\n"
WORDS = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "word": 2}, "unk_token": "[UNK]"},
}
"""A tokenizer.json of three words, none of which is for padding."""


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project of the inference recipe, whose model takes pictures of 8 × 8 and gives three scores."""
    shutil.copytree(TEMPLATE / "src", git_project / "src")
    for name in ("contract.yaml", "params.yaml"):
        shutil.copy(TEMPLATE / name, git_project / name)
    (git_project / "inputs").mkdir()
    colour_model(git_project / "models" / "net.onnx")
    return git_project


def params(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


# contract.yaml itself: the stage examine


def refused(slug: str, project: Path, text: str) -> None:
    (project / "contract.yaml").write_text(text)
    stage_fails(slug, project, name="examine", runner=stage)
    assert not (project / "plan.md").exists()


def test_contract_missing(project: Path) -> None:
    (project / "contract.yaml").unlink()
    stage_fails("contract-missing", project, name="examine", runner=stage)


def test_contract_unknown_field(project: Path) -> None:
    refused("contract-unknown-field", project, "input:\n  color: BGR\n")


def test_contract_not_a_choice(project: Path) -> None:
    refused("contract-not-a-choice", project, "input:\n  modality: picture\n")


def test_contract_unknown_block(project: Path) -> None:
    refused("contract-unknown-block", project, "model:\n  size: 3\n")


def test_contract_empty_block(project: Path) -> None:
    refused("contract-empty-block", project, "input:\noutput: {}\n")


def test_contract_one_side_alone(project: Path) -> None:
    refused("contract-one-side-alone", project, "input:\n  size: [224]\n")


def test_contract_mean_and_std_of_two_lengths(project: Path) -> None:
    text = "input:\n  mean: [0.5, 0.5, 0.5]\n  std: [0.25]\n"
    refused("contract-mean-and-std-of-two-lengths", project, text)


def test_contract_std_of_zero(project: Path) -> None:
    refused("contract-std-of-zero", project, "input:\n  std: [1, 0, 1]\n")


def test_contract_not_yaml(project: Path) -> None:
    refused("contract-not-yaml", project, "input: {modality: image\n")


# What it says of the inputs: the stage infer


def infer(project: Path, text: str) -> None:
    """Let examine look at the project, with this contract."""
    (project / "contract.yaml").write_text(text)
    found = examination.examine(
        project, examination.Settings(), benchmark=benchmark.Settings(), inputs=inference.Inputs()
    )
    files.write_json(project / "results/latest/examination.json", found)


def misfit(slug: str, project: Path, text: str) -> None:
    """Run the stage infer with this contract: nothing comes out, and it says why, of each input too."""
    infer(project, text)
    stage_fails(slug, project, name="infer", runner=stage)
    recorded = files.read_json(project / "results/latest/inference.json")
    assert recorded["succeeded"] == 0
    assert recorded["inputs"]
    assert all(one["status"] == "failed" and one["reason"] for one in recorded["inputs"].values())
    assert str(project) not in json.dumps(recorded)


def picture(project: Path, size: tuple[int, int] = (12, 10)) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(project / "inputs" / f"{size[0]}.png")
    return project


def sound(project: Path) -> Path:
    """A model of half a second at 16 kHz, and a wave."""
    ports = [Port("wave", "float32", ("batch", 8000)), Port("same", "float32", ("batch", 8000))]
    node = helper.make_node("Identity", ["wave"], ["same"])
    save(project / "models" / "net.onnx", [node], ports[:1], ports[1:])
    np.save(project / "inputs" / "wave.npy", np.zeros(4000, np.float32))
    return project


def tokens(project: Path, tokenizer: str | None = json.dumps(WORDS)) -> Path:
    """A model of tokens, and two texts of different lengths."""
    ports = [Port("input_ids", "int64", ("batch", "seq")), Port("same", "int64", ("batch", "seq"))]
    node = helper.make_node("Identity", ["input_ids"], ["same"])
    save(project / "models" / "net.onnx", [node], ports[:1], ports[1:])
    (project / "inputs" / "1.txt").write_text("a word")
    (project / "inputs" / "2.txt").write_text("a word a word")
    if tokenizer is not None:
        (project / "models" / "tokenizer.json").write_text(tokenizer)
    return project


def test_contract_without_resize(project: Path) -> None:
    text = "input: {modality: image, size: [8, 8], layout: CHW}\n"
    misfit("contract-without-resize", picture(project), text)


def test_contract_without_layout(project: Path) -> None:
    misfit("contract-without-layout", picture(project), PICTURE.replace("layout: CHW, ", ""))


def test_contract_without_modality(project: Path) -> None:
    misfit("contract-without-modality", picture(project, (8, 8)), "input: {}\n")


def test_contract_mean_of_two_values(project: Path) -> None:
    text = PICTURE.replace("scale: 255", "mean: [0.5, 0.5]")
    misfit("contract-mean-of-two-values", picture(project), text)


def test_contract_input_that_is_none(project: Path) -> None:
    text = PICTURE.replace("modality: image", "modality: image, name: pixels")
    misfit("contract-input-that-is-none", picture(project), text)


def test_contract_seconds_without_a_rate(project: Path) -> None:
    misfit("contract-seconds-without-a-rate", sound(project), "input: {modality: audio, seconds: 0.5}\n")


def test_contract_wave_of_another_length(project: Path) -> None:
    text = "input: {modality: audio, sampling_rate: 16000}\n"
    misfit("contract-wave-of-another-length", sound(project), text)


def test_contract_without_a_tokenizer(project: Path) -> None:
    misfit("contract-without-a-tokenizer", tokens(project), "input: {modality: text}\n")


def test_contract_tokenizer_missing(project: Path) -> None:
    misfit("contract-tokenizer-missing", tokens(project, None), TEXT)


def test_contract_tokenizer_that_is_none(project: Path) -> None:
    misfit("contract-tokenizer-that-is-none", tokens(project, '{"a": 1}'), TEXT)


def test_contract_tokenizer_outside(project: Path) -> None:
    misfit("contract-tokenizer-outside", tokens(project), TEXT.replace("models", "../.."))


# What it says of the outputs


def answers(slug: str, project: Path, output: str) -> None:
    misfit(slug, picture(project), f"{PICTURE}output: {output}\n")


def two_outputs(project: Path) -> None:
    ports = [Port("data", "float32", ("batch", 3, 8, 8))]
    outputs = [Port(name, "float32", ("batch", 3, 8, 8)) for name in ("first", "second")]
    nodes = [helper.make_node("Relu", ["data"], [port.name]) for port in outputs]
    save(project / "models" / "net.onnx", nodes, ports, outputs)


def test_contract_labels_missing(project: Path) -> None:
    answers("contract-labels-missing", project, "{kind: classes, labels: models/labels.txt}")


def test_contract_labels_outside(project: Path) -> None:
    answers("contract-labels-outside", project, "{kind: classes, labels: ../labels.txt}")


def test_contract_several_outputs(project: Path) -> None:
    two_outputs(project)
    answers("contract-several-outputs", project, "{kind: classes}")


def test_contract_output_that_is_none(project: Path) -> None:
    answers("contract-output-that-is-none", project, "{kind: classes, name: logits}")


def test_contract_classes_that_are_none(project: Path) -> None:
    two_outputs(project)
    answers("contract-classes-that-are-none", project, "{kind: classes, name: first}")


def test_contract_mask_that_is_none(project: Path) -> None:
    answers("contract-mask-that-is-none", project, "{kind: mask}")


def test_contract_boxes_that_are_none(project: Path) -> None:
    answers("contract-boxes-that-are-none", project, "{kind: boxes}")


# The inputs themselves


def test_input_none(project: Path) -> None:
    params(project, "synthetic: 8", "synthetic: 0")
    (project / "inputs" / "README.md").write_text("None.\n")
    infer(project, PICTURE)
    stage_fails("input-none", project, name="infer", runner=stage)


def test_input_none_can_be_made(project: Path) -> None:
    """Weights alone do not say what they take, and neither does the contract."""
    from safetensors.numpy import save_file

    (project / "models" / "net.onnx").unlink()
    save_file({"w": np.zeros(3, np.float32)}, project / "models" / "net.safetensors")
    infer(project, "input: {}\n")
    stage_fails("input-none-can-be-made", project, name="infer", runner=stage)


def test_input_folder_outside(project: Path) -> None:
    params(project, "folders: [inputs]", "folders: [../pictures]")
    infer(project, PICTURE)
    stage_fails("input-folder-outside", project, name="infer", runner=stage)


def unreadable(slug: str, project: Path, name: str, content: bytes | Callable[[Path], Any]) -> None:
    path = project / "inputs" / name
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    misfit(slug, project, "input: {}\n" if path.suffix in (".npy", ".npz", ".json") else PICTURE)


def test_input_image_cut_short(project: Path) -> None:
    picture(project, (64, 64))
    content = (project / "inputs" / "64.png").read_bytes()
    unreadable("input-image-cut-short", project, "64.png", content[: len(content) // 2])


def test_input_image_of_floats(project: Path) -> None:
    floats = Image.fromarray(np.zeros((8, 8), np.float32))
    unreadable("input-image-of-floats", project, "depth.tif", floats.save)


def test_input_link_out(project: Path, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"")
    unreadable("input-link-out", project, "cat.png", lambda path: path.symlink_to(tmp_path / "cat.png"))


def test_input_array_that_is_a_pickle(project: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    unreadable("input-array-that-is-a-pickle", project, "x.npy", lambda path: np.save(path, objects))


def test_input_array_of_another_shape(project: Path) -> None:
    wide = np.zeros((3, 9, 9), np.float32)
    unreadable("input-array-of-another-shape", project, "x.npy", lambda path: np.save(path, wide))


def test_input_array_of_several_examples(project: Path) -> None:
    several = np.zeros((5, 3, 8, 8), np.float32)
    unreadable("input-array-of-several-examples", project, "x.npy", lambda path: np.save(path, several))


def test_input_json_torn(project: Path) -> None:
    unreadable("input-json-torn", project, "x.json", b"[[0.1, 0.2], [0.3")


def test_input_json_ragged(project: Path) -> None:
    unreadable("input-json-ragged", project, "x.json", b"[[0.1, 0.2], [0.3]]")


def two_inputs(project: Path) -> Path:
    ports = [Port(name, "float32", ("batch", 4)) for name in ("x", "y", "sum")]
    save(
        project / "models" / "net.onnx", [helper.make_node("Add", ["x", "y"], ["sum"])], ports[:2], ports[2:]
    )
    return project


def test_input_one_array_for_two_inputs(project: Path) -> None:
    one = np.zeros(4, np.float32)
    slug = "input-one-array-for-two-inputs"
    unreadable(slug, two_inputs(project), "x.npy", lambda path: np.save(path, one))


def test_input_arrays_of_other_names(project: Path) -> None:
    one = np.zeros(4, np.float32)
    slug = "input-arrays-of-other-names"
    unreadable(slug, two_inputs(project), "x.npz", lambda path: np.savez(path, x=one, z=one))


def test_input_wave_cut_short(project: Path) -> None:
    sound(project)
    (project / "inputs" / "wave.npy").unlink()
    (project / "inputs" / "wave.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    text = "input: {modality: audio, sampling_rate: 16000, seconds: 0.5}\n"
    misfit("input-wave-cut-short", project, text)


def test_input_text_empty(project: Path) -> None:
    tokens(project)
    for name in ("1.txt", "2.txt"):
        (project / "inputs" / name).write_text(" \n")
    misfit("input-text-empty", project, TEXT)


def test_input_one_of_two_broken(project: Path) -> None:
    """One bad input spoils no other: the stage ends well, the run is `partial`, and the record says why."""
    picture(project)
    (project / "inputs" / "web.png").write_bytes(b"<!DOCTYPE html><html></html>")
    infer(project, PICTURE)
    with nothing_lost(project):
        stage(project, name="infer", check=True)
    recorded = files.read_json(project / "results/latest/inference.json")
    told = record(project, "infer")
    assert_recorded("input-one-of-two-broken", recorded | {"status": told["status"]})


def test_input_texts_of_two_lengths_in_a_batch(project: Path) -> None:
    """A batch that cannot be made is run input by input: nothing is lost but time."""
    params(project, "batch_size: 1 ", "batch_size: 2 ")
    infer(tokens(project), TEXT)
    stage(project, name="infer", check=True)
    recorded = files.read_json(project / "results/latest/inference.json")
    assert_recorded("input-texts-of-two-lengths-in-a-batch", recorded)


def steps(slug: str, project: Path, name: str, body: str) -> None:
    """The stage with one of the user's own steps."""
    path = project / "src" / "steps.py"
    path.write_text(f"{path.read_text()}\n\ndef {name}(given):\n    {body}\n")
    misfit(slug, picture(project), PICTURE)


def test_input_steps_that_fail(project: Path) -> None:
    steps("input-steps-that-fail", project, "preprocess", "return given[0][:, :, 7]")


def test_input_steps_of_another_shape(project: Path) -> None:
    steps("input-steps-of-another-shape", project, "preprocess", "return np.zeros((1, 3, 4, 4), 'f4')")
