"""Inputs that are made: they fit the model, and are the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from reproof.contract.schema import Contract, Input
from reproof.errors import ReproofError
from reproof.inference import making, synthetic
from reproof.model_files.ports import Port, misfit

IMAGE = Port("image", "float32", ("batch", 3, "height", "width"))


def fits(ports: list[Port], arrays: dict[str, np.ndarray]) -> bool:
    return misfit({port.name: port for port in ports}, arrays) is None


def test_the_first_axis_is_the_batch_and_the_others_have_documented_sizes() -> None:
    ports = [
        IMAGE,
        Port("ids", "int64", ("batch", "sequence_length")),
        Port("wave", "float32", ("n", "samples")),
    ]
    made = synthetic.batch(ports, 5, seed=0)
    assert {name: array.shape for name, array in made.items()} == {
        "image": (5, 3, 224, 224),
        "ids": (5, 16),
        "wave": (5, 16_000),
    }
    assert synthetic.sizes_of(ports) == {
        "height": 224,
        "width": 224,
        "sequence_length": 16,
        "samples": 16_000,
    }
    assert fits(ports, made)


def test_unnamed_axes_are_told_by_their_place() -> None:
    ports = [Port("x", "float32", ("d0", 3, "d2", "d3")), Port("y", "float32", ("d0", "d4", "d5", 3))]
    assert synthetic.sizes_of(ports) == {"d2": 224, "d3": 224, "d4": 224, "d5": 224}
    assert synthetic.sizes_of([Port("x", "int64", ("d0", "d1")), Port("y", "float32", ("d0", "d9"))]) == {
        "d1": 16,
        "d9": 1,
    }


def test_chosen_sizes_come_first() -> None:
    made = synthetic.batch([IMAGE], 1, seed=0, sizes={"height": 32, "width": 48})
    assert made["image"].shape == (1, 3, 32, 48)


def test_an_axis_that_is_a_sum_fits_its_parts() -> None:
    ports = [
        Port("ids", "int64", ("batch", "sequence_length")),
        Port("attention_mask", "int64", ("batch", "past_sequence_length + sequence_length")),
        Port("past.0", "float32", ("batch", 2, "past_sequence_length", 8)),
    ]
    made = synthetic.batch(ports, 2, seed=0)
    assert made["past.0"].shape == (2, 2, 0, 8)
    assert made["attention_mask"].shape == (2, 16)
    assert (made["attention_mask"] == 1).all()


def test_a_fixed_first_axis_stays() -> None:
    assert synthetic.batch([Port("x", "float32", (4, 2))], 1, seed=0)["x"].shape == (4, 2)


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool", "string", "complex64"],
)
def test_every_type_gets_values_of_its_own(dtype: str) -> None:
    port = Port("x", dtype, ("n", 50))
    made = synthetic.batch([port], 2, seed=3)["x"]
    assert fits([port], {"x": made})
    assert len(np.unique(made)) > 1


def test_integers_are_small_and_say_what_their_names_ask_for() -> None:
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "lengths", "sr")
    made = synthetic.batch([Port(name, "int64", ("n", 6)) for name in names], 2, seed=0)
    assert 0 <= made["input_ids"].min() < made["input_ids"].max() < synthetic.TOKENS
    assert made["attention_mask"].tolist() == [[1] * 6] * 2
    assert made["token_type_ids"].tolist() == [[0] * 6] * 2
    assert made["position_ids"].tolist() == [list(range(6))] * 2
    assert set(made["lengths"].flat) == {16}
    assert set(made["sr"].flat) == {16_000}


def test_the_same_seed_gives_the_same_arrays_and_another_one_others() -> None:
    one, same, other = (synthetic.batch([IMAGE], 1, seed=seed)["image"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_type_that_numpy_lacks_is_an_error() -> None:
    with pytest.raises(ReproofError, match="no input can be made"):
        synthetic.batch([Port("x", "float8e4m3fn_odd", (1,))], 1, seed=0)


def test_a_tone_has_one_frequency_and_half_the_scale() -> None:
    wave = synthetic.tone(16_000, 16_000, seed=5)
    spectrum = np.abs(np.fft.rfft(wave))
    peak = int(spectrum.argmax())  # Hz, for a second
    assert 200 <= peak <= 800
    assert spectrum[peak - 2 : peak + 3].sum() > 20 * np.median(spectrum)
    assert 0.45 < np.abs(wave).max() < 0.6


def test_a_picture_is_a_gradient_with_noise() -> None:
    picture = synthetic.image(64, 48, seed=1).astype(float)
    assert picture.shape == (64, 48, 3)
    neighbours = np.abs(np.diff(picture, axis=0)).mean()
    shuffled = np.random.default_rng(0).permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert 0 < neighbours < np.abs(np.diff(shuffled, axis=0)).mean()


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        (Input(modality="image"), (224, 224, 3)),
        (Input(modality="image", size=[20, 30]), (20, 30, 3)),
        (Input(modality="audio", sampling_rate=8000, seconds=0.5), (4000,)),
        (Input(modality="text"), ()),
        (Input(), (3, 224, 224)),
    ],
)
def test_examples_are_of_the_declared_modality(said: Input, shape: tuple[int, ...]) -> None:
    made = making.make(said, [IMAGE], 3, seed=0)
    assert [np.asarray(one.example).shape for _, one in made] == [shape] * 3
    assert not np.array_equal(made[0][1].example, made[1][1].example)


def test_pictures_take_the_size_of_a_model_that_has_one() -> None:
    channels_last = Port("x", "uint8", (1, 96, 128, 3))
    ((_, found),) = making.make(Input(modality="image"), [channels_last], 1, seed=0)
    assert np.asarray(found.example).shape == (96, 128, 3)


def test_a_model_with_state_gets_whole_arrays() -> None:
    ports = [
        Port("input", "float32", ("batch", "samples")),
        Port("state", "float32", (2, "batch", 128)),
        Port("sr", "int64", ()),
    ]
    ((_, found),) = making.make(Input(), ports, 1, seed=0)
    assert isinstance(found.example, dict)
    assert {name: array.shape for name, array in found.example.items()} == {
        "input": (1, 16_000),
        "state": (2, 1, 128),
        "sr": (),
    }
    assert found.example["sr"] == 16_000


def test_nothing_is_made_where_nobody_says_what_the_model_takes() -> None:
    with pytest.raises(ReproofError, match="no input can be made"):
        making.make(Contract().input, None, 1, seed=0)


def test_a_real_network_of_the_onnx_package_takes_what_is_made(tmp_path: Path) -> None:
    import onnxruntime

    path = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (node,) = [one for one in session.get_inputs() if one.name.startswith("data")]
    port = Port(node.name, "float32", tuple(node.shape))
    (answer,) = session.run(None, synthetic.batch([port], 1, seed=0))[:1]
    assert np.isfinite(answer).all()
