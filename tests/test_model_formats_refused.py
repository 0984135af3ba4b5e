"""Files that are no model, or half of one: each is refused with what is wrong and what to do."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from model_file_makers import every_format, external, onnx_picture, port, save
from onnx import ModelProto, helper

from reproof import model_files
from reproof.errors import ReproofError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_format(tmp_path_factory.mktemp("models"))


def refused(path: Path, *words: str) -> ReproofError:
    """The error for a file, whose text has these words, and a hint."""
    with pytest.raises(ReproofError) as caught:
        model_files.read(path, path.parent)
    for word in words:
        assert word in str(caught.value), caught.value
    assert caught.value.hint
    return caught.value


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("kind", ["onnx", "safetensors", "torchscript", "torch-export", "torch-weights"])
def test_a_file_that_is_cut_anywhere_is_refused(
    kind: str, tenth: int, made: dict[str, Path], tmp_path: Path
) -> None:
    content = made[kind].read_bytes()
    cut = written(tmp_path / made[kind].name, content[: len(content) * tenth // 10])
    told = refused(cut)
    assert "cut short" in str(told) or "0 bytes" in str(told) or "no sense" in str(told)


@pytest.mark.parametrize("kind", ["safetensors", "torchscript", "torch-export", "torch-weights"])
def test_a_file_without_its_last_byte_is_refused(kind: str, made: dict[str, Path], tmp_path: Path) -> None:
    content = made[kind].read_bytes()
    refused(written(tmp_path / made[kind].name, content[:-1]), "cut short")


@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".safetensors", ".pt2", ".bin"])
def test_stand_ins_for_a_model_are_told_for_what_they_are(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    refused(written(path, lfs), "Git LFS's pointer", "git lfs pull")
    refused(written(path, b"\n <!DOCTYPE html>\n<html><body>Log in</body></html>"), "a web page")
    refused(written(path, b"outs:\n- md5: 0123\n  path: model.onnx\n"), "DVC's pointer", "dvc pull")
    refused(written(path, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>"), "XML", "AccessDenied")
    refused(written(path, b""), "0 bytes")
    refused(written(path, gzip.compress(b"model")), "packed with gzip", "unpack")
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"), io.BytesIO())
    refused(path, "packed with tar")
    refused(written(path, b"hello, this is no model\n"))
    refused(written(path, os.urandom(2000)))
    refused(written(path, bytes(2000)))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.engine", b"ftrt" + bytes(100), "TensorRT"),
        ("net.plan", b"\x01\x02\x03" * 40, "TensorRT"),
        ("net.tflite", b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite"),
        ("net.bin", b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite"),
        ("net.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        ("net.gguf", b"GGUF\x03\0\0\0" + bytes(100), "GGUF"),
        ("net.xml", b'<?xml version="1.0"?>\n<net name="x" version="11">', "OpenVINO"),
        ("saved_model.pb", b"\x08\x01\xff\xff", "TensorFlow"),
        ("net.ort", b"\x28\0\0\0ORTM" + bytes(60), "compact format"),
        ("net.param", b"7767517\n3 3\n", "ncnn"),
    ],
)
def test_models_of_other_tools_are_known_and_have_a_way_out(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    refused(written(tmp_path / name, content), "a known format, and none that runs here", words)


def test_archives_of_other_tools_are_known_too(tmp_path: Path) -> None:
    for names, words in {
        ("config.json", "model.weights.h5"): "Keras",
        ("MAR-INF/MANIFEST.json", "x"): "TorchServe",
        ("model.onnx",): "unpack it",
    }.items():
        with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
        refused(tmp_path / "net.keras", words)


def test_a_missing_file_is_told_with_what_dvc_knows_of_it(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match="no such file"):
        model_files.find(tmp_path, "models/net.onnx")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/net.onnx.dvc").write_text("outs: []\n")
    for path in ("models/net.onnx", "models"):
        with pytest.raises(ReproofError, match="dvc pull"):
            model_files.find(tmp_path, path)
    with pytest.raises(ReproofError, match="a folder, not a model file"):
        model_files.detect(tmp_path / "models")


def test_a_folder_with_no_model_or_with_several_is_refused(made: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/README.md").write_text("words")
    with pytest.raises(ReproofError, match="a folder without a model") as none:
        model_files.find(tmp_path, "models")
    assert "cp ~/model.onnx models/" in str(none.value)
    shutil.copy(made["onnx"], tmp_path / "models/a.onnx")
    shutil.copy(made["torch-weights"], tmp_path / "models/b.bin")
    with pytest.raises(ReproofError, match="a folder with 2 models") as two:
        model_files.find(tmp_path, "models")
    assert "models/a.onnx, models/b.bin" in str(two.value)
    assert "model.path=models/a.onnx" in str(two.value)


def test_links_out_of_the_project_are_refused(made: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "models").mkdir(parents=True)
    (root / "models/net.onnx").symlink_to(made["onnx"])
    for path in ("models", "models/net.onnx"):
        with pytest.raises(ReproofError, match="a link that leads out of the project"):
            model_files.find(root, path)
    for path in ("../other", str(made["onnx"])):
        with pytest.raises(ReproofError, match="leads out of the project"):
            model_files.find(root, path)
    (root / "models/net.onnx").unlink()
    (root / "models/net.onnx").symlink_to("nowhere.onnx")
    with pytest.raises(ReproofError, match="no such file"):
        model_files.read(model_files.find(root, "models"), root)


@pytest.mark.parametrize("kind", ["onnx", "safetensors", "torchscript", "torch-export", "torch-weights"])
def test_damage_anywhere_ends_in_facts_or_in_an_error(
    kind: str, made: dict[str, Path], tmp_path: Path
) -> None:
    """Bytes changed and taken out at random places: other exceptions would end in a traceback."""
    chance = random.Random(kind)
    whole = made[kind].read_bytes()
    outcomes = set()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            content[chance.randrange(min(len(content), chance.choice([64, 3000, 10**9])))] = chance.randrange(
                256
            )
        if chance.random() < 0.2:
            at = chance.randrange(len(content))
            del content[at : at + chance.randrange(100)]
        path = written(tmp_path / "net.bin", bytes(content))
        try:
            model_files.read(path, tmp_path)
            model_files.digest(path)
            outcomes.add("read")
        except ReproofError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    refused_by = pytest.raises(ReproofError, match="neither a file nor a folder")
    with refused_by:
        model_files.detect(tmp_path / "net.onnx")


def test_an_onnx_file_without_a_graph_or_without_an_output_is_refused(tmp_path: Path) -> None:
    model = ModelProto(ir_version=8, producer_name="me")
    model.opset_import.add(domain="", version=17)
    refused(written(tmp_path / "a.onnx", model.SerializeToString()), "without a graph")
    save(tmp_path / "b.onnx", [helper.make_node("Relu", ["x"], ["y"])], [port("x", [1])], [])
    refused(tmp_path / "b.onnx", "without an output")


def test_an_onnx_file_that_is_damaged_inside_is_refused(tmp_path: Path) -> None:
    onnx_picture(tmp_path / "net.onnx")
    content = bytearray((tmp_path / "net.onnx").read_bytes())
    at = content.index(b"Flatten")
    content[at - 1] = 0xFF  # the length of a name, within a graph whose own length still fits
    refused(written(tmp_path / "net.onnx", bytes(content)), "damaged")


def test_external_data_must_be_there_whole_and_beside_the_model(tmp_path: Path) -> None:
    path = external(tmp_path)
    refused(path, "external data is missing", "weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(399))
    refused(path, "external data that is cut short", "at least 400 bytes")
    (tmp_path / "weights.bin").write_bytes(bytes(400))
    assert model_files.read(path, tmp_path).external == {"weights.bin": 400}
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ReproofError, match="missing"):
        model_files.digest(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "a\0b", "x" * 300])
def test_external_data_outside_the_folder_is_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(400))
    (tmp_path / "models").mkdir()
    path = external(tmp_path / "models", location)
    with pytest.raises(ReproofError, match="external data"):
        model_files.read(path, tmp_path)


def test_a_link_to_external_data_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "secret").write_bytes(bytes(400))
    path = external(root)
    (root / "weights.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(ReproofError, match="external data outside"):
        model_files.read(path, root)
    (root / "weights.bin").unlink()
    (root / "cache").write_bytes(bytes(400))
    (root / "weights.bin").symlink_to(root / "cache")  # as DVC links from its cache
    assert model_files.read(path, root).external == {"weights.bin": 400}


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b'{"w": 3}',
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}',
        b'{"w": {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 8]}}',
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}',
        b'{"w": {"dtype": 1, "shape": [2], "data_offsets": [0, 8]}}',
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]',
        b'{"w": ' + b"[" * 5000,
        b"{\xff\xfe}",
    ],
)
def test_safetensors_with_a_header_that_makes_no_sense_are_refused(header: bytes, tmp_path: Path) -> None:
    content = struct.pack("<Q", len(header)) + header + bytes(8)
    told = refused(written(tmp_path / "net.safetensors", content))
    assert "safetensors" in str(told)


def test_safetensors_whose_tensors_go_on_after_the_end_are_refused(tmp_path: Path) -> None:
    header = b'{"w": {"dtype": "F32", "shape": [200], "data_offsets": [0, 800]}}'
    path = written(tmp_path / "net.safetensors", struct.pack("<Q", len(header)) + header + bytes(799))
    refused(path, "cut short")
    refused(written(path, struct.pack("<Q", 1 << 60) + b"{" + bytes(50)), "safetensors")


def test_arrays_are_no_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", x=np.ones(3))
    refused(tmp_path / "net.npz", "without a model")
    np.save(tmp_path / "net.npy", np.ones(3))
    refused(tmp_path / "net.npy", "not a model")


def test_names_of_any_length_end_in_an_error_and_not_in_the_record(tmp_path: Path) -> None:
    save(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["x" * 501], ["y"])],
        [port("x" * 501, [1])],
        [port("y", [1])],
    )
    refused(tmp_path / "m.onnx", "whose name has 501 characters")
