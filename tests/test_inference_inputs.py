"""What the stage infer finds and reads: real files of each kind, and files that are none."""

from __future__ import annotations

import json
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reproof.contract.schema import Input
from reproof.errors import ReproofError
from reproof.inference import audio, finding, images
from reproof.inference.decoding import decode
from reproof.model_files.ports import Port

DATA = Port("data", "float32", ("batch", 3, 8, 8))
TWO = [Port("a", "float32", ("batch", 2)), Port("b", "int64", ("batch",))]


# Finding


def put(root: Path, name: str, data: bytes = b"x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_files_come_in_order_and_what_is_no_input_is_counted(tmp_path: Path) -> None:
    names = (
        "b.PNG",
        "a/2.jpg",
        "a/10.jpg",
        ".hidden.png",
        "x.dvc",
        "README.md",
        ".gitignore",
        "n.pdf",
        "w.wav",
    )
    for name in (*names, ".cache/c.png"):
        put(tmp_path, f"inputs/{name}")
    found = finding.search(tmp_path, ["inputs", "none"], ["image", "array"])
    assert [one.name for one in found.candidates] == ["inputs/b.PNG", "inputs/a/10.jpg", "inputs/a/2.jpg"]
    assert found.folders == {
        "inputs": {"files": 5, "usable": 3, "passed_over": {".pdf": 1, ".wav": 1}},
        "none": {"files": None, "usable": None, "reason": "there is no such folder"},
    }


def test_a_file_of_two_folders_is_one_input(tmp_path: Path) -> None:
    put(tmp_path, "inputs/a/1.png")
    found = finding.search(tmp_path, ["inputs", "inputs/a"], ["image"])
    assert [one.name for one in found.candidates] == ["inputs/a/1.png"]
    assert found.folders["inputs/a"]["usable"] == 1


def test_links_out_of_the_project_are_refused_by_name(tmp_path: Path) -> None:
    project = tmp_path / "project"
    put(tmp_path, "secret.png")
    put(project, "data/cat.png")
    (project / "inputs").mkdir()
    for name, target in (
        ("out.png", "../../secret.png"),
        ("in.png", "../data/cat.png"),
        ("gone.png", "../data/none.png"),
        ("round.png", "round.png"),
        ("folder", "../data"),
    ):
        (project / "inputs" / name).symlink_to(target)
    found = finding.search(project, ["inputs"], ["image"])
    problems = {one.name: one.problem for one in found.candidates}
    assert problems["inputs/in.png"] is None
    assert "leads out of the project" in str(problems["inputs/out.png"])
    assert "not there" in str(problems["inputs/gone.png"])
    assert problems["inputs/round.png"]
    assert found.folders["inputs"]["passed_over"] == {"link to a folder": 1}


def test_a_folder_out_of_the_project_is_an_error(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "inputs").mkdir(parents=True)
    (project / "linked").symlink_to(tmp_path)
    for name in ("..", str(tmp_path), "linked"):
        with pytest.raises(ReproofError, match=r"params.yaml: inputs.folders: a path leads out"):
            finding.search(project, [name], ["image"])


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    os.mkfifo(tmp_path / "inputs" / "pipe.png")
    (one,) = finding.search(tmp_path, ["inputs"], ["image"]).candidates
    assert one.problem == "neither a file nor a folder"


@pytest.mark.parametrize(
    ("said", "port", "kinds"),
    [
        (Input(modality="image"), DATA, {"image", "array"}),
        (Input(modality="audio"), DATA, {"audio", "array"}),
        (Input(), DATA, {"image", "array", "json"}),
        (Input(), Port("w", "float32", ("n", "t")), {"audio", "array", "json"}),
        (Input(), Port("t", "string", ("n",)), {"text", "array", "json"}),
        (Input(tokenizer="t.json"), Port("t", "int64", ("n", "s")), {"text", "array", "json"}),
        (Input(), None, {"image", "audio", "text", "array", "json"}),
    ],
)
def test_kinds_go_by_the_contract_and_else_by_the_model(
    said: Input, port: Port | None, kinds: set[str]
) -> None:
    assert set(finding.kinds_for(said, port and [port])) == kinds


# Images


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


GREY = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)


def test_pixels_come_as_rgb_whatever_the_file_has(tmp_path: Path) -> None:
    expected = np.repeat(GREY[:, :, None], 3, axis=2)
    deep = GREY.astype(np.uint16) * 257
    for name, pixels in (("grey.png", GREY), ("rgb.bmp", expected), ("deep.png", deep), ("deep.tif", deep)):
        found, _ = images.read(save(tmp_path / name, pixels))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected, err_msg=name)
    palette = Image.fromarray(expected).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    palette.save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(images.read(tmp_path / "palette.gif")[0], expected)
    assert "16 bits rounded to 8" in images.read(tmp_path / "deep.png")[1]


def test_transparent_pixels_lie_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = (200, 100, 50, 255)
    found, notes = images.read(save(tmp_path / "a.png", pixels))
    assert found[0, 0].tolist() == [200, 100, 50]
    assert found[1, 0].tolist() == [255, 255, 255]
    assert notes == "3×2 RGBA, over white"


def test_the_orientation_of_the_camera_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    found, notes = images.read(save(tmp_path / "a.png", pixels, exif=exif))
    assert found.shape == (8, 4, 3)
    assert (found[:4] == 255).all()
    assert "turned" in notes


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (3, 2), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found, notes = images.read(tmp_path / "a.gif")
    assert found[0, 0].tolist() == [255, 0, 0]
    assert "the first of 2 frames" in notes


def test_no_image_says_why_and_names_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    put(tmp_path, "cut.png", whole.read_bytes()[:4000])
    put(tmp_path, "empty.png", b"")
    put(tmp_path, "script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    save(tmp_path / "floats.tif", np.zeros((2, 2), np.float32))
    for name in ("cut.png", "empty.png", "script.png"):
        with pytest.raises(ReproofError, match="not an image, or cut short") as caught:
            images.read(tmp_path / name)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ReproofError, match="floats"):
        images.read(tmp_path / "floats.tif")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ReproofError, match="too many pixels"):
        images.read(whole)


# Audio


def tone(
    path: Path, hertz: float, rate: int, *, width: int = 2, channels: int = 1, seconds: float = 1.0
) -> Path:
    values = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    levels = np.repeat(np.round(values * (2 ** (8 * width - 1) - 1)).astype(np.int64), channels)
    data = b"".join(
        struct.pack("B", level + 128) if width == 1 else int(level).to_bytes(width, "little", signed=True)
        for level in levels.tolist()
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.mark.parametrize(("width", "tolerance"), [(1, 1e-2), (2, 1e-4), (3, 1e-6), (4, 1e-6)])
def test_a_wave_is_what_was_written(tmp_path: Path, width: int, tolerance: float) -> None:
    path = tone(tmp_path / "a.wav", 100, 2000, width=width, channels=2, seconds=0.1)
    found, notes = audio.read(path, None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.5 * np.sin(2 * np.pi * 100 * np.arange(200) / 2000), atol=tolerance)
    assert notes == "0.1 s at 2000 Hz, 2 channels"


def test_a_resampled_tone_keeps_its_frequency(tmp_path: Path) -> None:
    found, notes = audio.read(tone(tmp_path / "a.wav", 440, 44_100), 16_000)
    assert len(found) == 16_000
    assert int(np.abs(np.fft.rfft(found)).argmax()) == 440
    assert "resampled to 16000 Hz" in notes


def test_waves_of_floats_are_read(tmp_path: Path) -> None:
    from scipy.io import wavfile

    values = np.array([0.25, -0.5, 1.0], np.float32)
    wavfile.write(tmp_path / "a.wav", 8000, values)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav", None)[0], values)


def test_no_wave_says_why(tmp_path: Path) -> None:
    whole = tone(tmp_path / "whole.wav", 100, 8000).read_bytes()
    tone(tmp_path / "none.wav", 100, 8000, seconds=0)
    for name, data in (("empty.wav", b""), ("text.wav", b"RIFFnonsense"), ("cut.wav", whole[:1000])):
        put(tmp_path, name, data)
    for name, says in (
        ("none.wav", "no sample in it"),
        ("empty.wav", "not a WAV file"),
        ("text.wav", "not a WAV file"),
        ("cut.wav", "cut short"),
    ):
        with pytest.raises(ReproofError, match=says):
            audio.read(tmp_path / name, None)


# Arrays, JSON, text


def read(path: Path, kind: str, *ports: Port) -> object:
    return decode(path, kind, Input(), ports or None).example


def test_an_axis_for_the_batch_is_dropped_where_the_model_counts_it(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(tmp_path / "plain.npy", np.zeros((3, 8, 8), np.float32))
    np.save(tmp_path / "many.npy", np.zeros((5, 3, 8, 8), np.float32))
    for name in ("one.npy", "plain.npy"):
        assert np.shape(read(tmp_path / name, "array", DATA)) == (3, 8, 8)
    with pytest.raises(ReproofError, match="several examples"):
        read(tmp_path / "many.npy", "array", DATA)


def test_archives_and_mappings_name_the_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones((1, 2)), b=np.array([3]))
    (tmp_path / "a.json").write_text(json.dumps({"a": [1, 1], "b": 3}))
    for name, kind in (("a.npz", "array"), ("a.json", "json")):
        found = read(tmp_path / name, kind, *TWO)
        assert isinstance(found, dict)
        assert {key: array.tolist() for key, array in found.items()} == {"a": [1, 1], "b": 3}
    np.savez(tmp_path / "other.npz", a=np.ones(2), c=np.ones(2))
    np.save(tmp_path / "single.npy", np.ones(2))
    with pytest.raises(ReproofError, match="other arrays than the model has inputs"):
        read(tmp_path / "other.npz", "array", *TWO)
    with pytest.raises(ReproofError, match=r"an \.npz file with a, b"):
        read(tmp_path / "single.npy", "array", *TWO)
    np.savez(tmp_path / "only.npz", anything=np.ones((3, 8, 8)))
    assert np.shape(read(tmp_path / "only.npz", "array", DATA)) == (3, 8, 8)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Touches:
        def __reduce__(self) -> object:
            return (Path.touch, (tmp_path / "touched",))

    objects = np.array([Touches()], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", allow_pickle=True, data=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(ReproofError, match="a pickle, which is never loaded"):
            read(tmp_path / name, "array", DATA)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[NaN]", "not JSON"),
        (b"[1, [2]]", "lists of different lengths"),
        (b"{}", "other arrays"),
        (b'"word', "not JSON"),
        (b"[]", "no numbers"),
        (b"null", "no numbers"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"", "not JSON"),
    ],
)
def test_json_that_is_no_input_says_why(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(ReproofError, match=says) as caught:
        read(put(tmp_path, "a.json", data), "json", DATA)
    assert str(tmp_path) not in str(caught.value)


def test_texts_are_utf8_and_what_is_not_is_reported(tmp_path: Path) -> None:
    found = decode(put(tmp_path, "a.txt", "Größe \ufeff".encode() + b"\xff"), "text", Input(), None)
    assert np.asarray(found.example).item() == "Größe \ufeff\ufffd"
    assert "1 of them not UTF-8" in found.notes
    with pytest.raises(ReproofError, match="no text in it"):
        read(put(tmp_path, "b.txt", b" \n"), "text")
    assert np.asarray(read(put(tmp_path, "c.json", b'{"text": "hello"}'), "json")).item() == "hello"


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_arrays_that_are_none_say_why(tmp_path: Path, name: str) -> None:
    for data in (b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04 nothing"):
        with pytest.raises(ReproofError, match="not a readable"):
            read(put(tmp_path, name, data), "array", DATA)
