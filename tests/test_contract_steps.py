"""preprocess and postprocess of contract.yaml: numbers against formulas, and errors that name the field."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reproof.contract import boxes, image_steps
from reproof.contract.schema import Boxes, Contract, Input, Output
from reproof.contract.steps import postprocess, preprocess, recorded_ports, whole
from reproof.errors import ReproofError
from reproof.model_files.ports import Port

IMAGENET = {
    "modality": "image",
    "colour": "RGB",
    "size": [224, 224],
    "resize": "crop",
    "scale": 255.0,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "layout": "CHW",
}
DATA = Port("data", "float32", ("batch", 3, 224, 224))


def contract(**said: object) -> Contract:
    return Contract(input=Input(**said))  # type: ignore[arg-type]


def plain(height: int, width: int, colour: tuple[int, int, int] = (10, 20, 30)) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


# Images


def test_a_pixel_is_normalised_by_the_formula() -> None:
    made = preprocess(contract(**IMAGENET), [plain(300, 400), plain(224, 224)], [DATA])
    assert isinstance(made, np.ndarray)
    assert made.shape == (2, 3, 224, 224)
    assert made.dtype == np.float32
    expected = [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225]
    np.testing.assert_allclose(made[0, :, 100, 100], expected, rtol=1e-5)
    np.testing.assert_allclose(made[1, :, 0, 223], expected, rtol=1e-5)


def test_bgr_turns_the_channels_and_grey_weighs_them() -> None:
    bgr = preprocess(contract(modality="image", colour="BGR"), [plain(2, 2)])
    assert np.asarray(bgr)[0, 0, 0].tolist() == [30, 20, 10]
    grey = preprocess(contract(modality="image", colour="grey"), [plain(2, 2)])
    assert np.asarray(grey).shape == (1, 2, 2, 1)
    assert abs(int(np.asarray(grey)[0, 0, 0, 0]) - (0.299 * 10 + 0.587 * 20 + 0.114 * 30)) <= 1  # ITU-R 601


def test_letterbox_keeps_the_ratio_and_centres_the_picture() -> None:
    said = Input(modality="image", size=[100, 100], resize="letterbox")
    seen = image_steps.seen(said, plain(100, 400, (200, 0, 0)))
    inside = (seen == [200, 0, 0]).all(axis=2)
    rows = np.flatnonzero(inside.any(axis=1))
    assert (rows.min(), rows.max() + 1) == (37, 62)  # 100 · 100/400 = 25 rows, (100 - 25) // 2 above them
    assert inside[50].all()
    assert (seen[:37] == image_steps.PAD).all()
    assert (seen[62:] == image_steps.PAD).all()


def test_crop_takes_the_middle_of_the_longer_side() -> None:
    halves = np.zeros((50, 300, 3), np.uint8)
    halves[:, 100:200] = 255
    seen = image_steps.seen(Input(modality="image", size=[50, 100], resize="crop"), halves)
    assert (seen == 255).all()


def test_stretch_takes_each_side_by_its_own() -> None:
    halves = np.zeros((100, 300, 3), np.uint8)
    halves[:, 150:] = 255
    seen = image_steps.seen(Input(modality="image", size=[30, 30], resize="stretch"), halves)
    assert seen.shape == (30, 30, 3)
    assert (seen[:, :13] == 0).all()
    assert (seen[:, 17:] == 255).all()


def test_one_pixel_becomes_a_whole_picture() -> None:
    for way in ("stretch", "crop", "letterbox"):
        made = preprocess(contract(**(IMAGENET | {"resize": way})), [plain(1, 1)], [DATA])
        assert np.asarray(made).shape == (1, 3, 224, 224)


def test_what_the_contract_leaves_open_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(preprocess(contract(modality="image"), [picture])[0], picture)
    port = Port("x", "float32", ("n", 5, 7, 3))
    cast = np.asarray(preprocess(contract(modality="image"), [picture], [port]))
    assert cast.dtype == np.float32
    np.testing.assert_array_equal(cast[0], picture)


def test_floats_are_taken_as_made_ready() -> None:
    ready = np.random.default_rng(0).random((3, 224, 224)).astype(np.float32)
    made = preprocess(contract(**IMAGENET), [ready], [DATA])
    np.testing.assert_array_equal(np.asarray(made)[0], ready)


@pytest.mark.parametrize(
    ("missing", "port", "hint"),
    [
        ({"size": None}, DATA, r"input.size: write \[224, 224\]"),
        ({"layout": None}, DATA, "input.layout: write CHW"),
        ({"layout": "CHW"}, Port("x", "float32", ("n", 224, 224, 3)), "input.layout: write HWC"),
        ({"colour": "grey", "mean": None, "std": None}, DATA, "input.colour: write RGB or BGR"),
        ({"size": [100, 100]}, DATA, r"input.size: write \[224, 224\]"),
        ({}, Port("x", "float32", ("n", 1, 224, 224)), "input.colour: write grey"),
        (dict.fromkeys(IMAGENET), DATA, "input.modality: write image"),
    ],
)
def test_what_does_not_fit_names_the_field(missing: dict[str, object], port: Port, hint: str) -> None:
    with pytest.raises(ReproofError, match=hint):
        preprocess(contract(**(IMAGENET | missing)), [plain(300, 300)], [port])


def test_a_size_without_a_way_to_it_is_an_error() -> None:
    said = contract(**(IMAGENET | {"resize": None}))
    with pytest.raises(ReproofError, match=r"input\.resize: write stretch, crop or letterbox"):
        preprocess(said, [plain(300, 300)], [DATA])
    assert np.asarray(preprocess(said, [plain(224, 224)], [DATA])).shape == (1, 3, 224, 224)


def test_means_of_another_number_of_channels_are_an_error() -> None:
    with pytest.raises(ReproofError, match="not a value a channel"):
        preprocess(contract(**(IMAGENET | {"mean": [0.5, 0.5], "std": None})), [plain(9, 9)])


def test_pictures_of_different_sizes_make_no_batch() -> None:
    with pytest.raises(ReproofError, match=r"input.size[\s\S]*batch_size: 1"):
        preprocess(contract(modality="image"), [plain(2, 2), plain(3, 3)])


def test_values_that_a_type_cannot_hold_are_not_cast() -> None:
    with pytest.raises(ReproofError, match="do not fit"):
        preprocess(contract(), [np.array([0.5])], [Port("x", "int64", ("n", 1))])
    with pytest.raises(ReproofError, match="do not fit"):
        preprocess(contract(), [np.array([1e6])], [Port("x", "float16", ("n", 1))])
    assert np.asarray(preprocess(contract(), [np.array([2.0])], [Port("x", "int64", ("n", 1))])).tolist() == [
        [2]
    ]


# Audio


def test_audio_is_cut_or_padded_to_its_length() -> None:
    said = contract(modality="audio", sampling_rate=10, seconds=0.5)
    made = preprocess(
        said, [np.ones(3, np.float32), np.ones(9, np.float32)], [Port("w", "float32", ("n", 5))]
    )
    assert np.asarray(made).tolist() == [[1, 1, 1, 0, 0], [1] * 5]


def test_audio_gets_the_axis_of_one_channel_that_its_model_has() -> None:
    made = preprocess(
        contract(modality="audio"), [np.ones(4, np.float32)], [Port("w", "float32", ("n", 1, "t"))]
    )
    assert np.asarray(made).shape == (1, 1, 4)


def test_audio_of_another_length_than_the_model_takes_names_the_field() -> None:
    port = Port("w", "float32", ("n", 16_000))
    with pytest.raises(ReproofError, match=r"input\.seconds: write 2"):
        preprocess(contract(modality="audio", sampling_rate=8000), [np.ones(5, np.float32)], [port])
    with pytest.raises(ReproofError, match=r"input\.sampling_rate"):
        preprocess(contract(modality="audio", seconds=2.0), [np.ones(5, np.float32)], [port])


# Text


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A real tokenizer.json with six words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"[UNK]": 0, "[PAD]": 5, "a": 1, "small": 2, "red": 3, "cat": 4}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


BERT = [Port(name, "int64", ("n", "s")) for name in ("input_ids", "attention_mask", "token_type_ids")]
TEXTS = [np.array("a small red cat"), np.array("a dog")]


def test_texts_become_tokens_with_a_mask(tokenizer: Path) -> None:
    said = contract(modality="text", tokenizer="tokenizer.json")
    made = preprocess(said, TEXTS, BERT, root=tokenizer)
    assert isinstance(made, dict)
    assert made["input_ids"].tolist() == [[1, 2, 3, 4], [1, 0, 5, 5]]
    assert made["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert made["token_type_ids"].tolist() == [[0] * 4] * 2


def test_tokens_are_cut_and_filled_to_a_fixed_length(tokenizer: Path) -> None:
    ids = Port("ids", "int32", ("n", 3))
    made = preprocess(contract(modality="text", tokenizer="tokenizer.json"), TEXTS, [ids], root=tokenizer)
    assert np.asarray(made).tolist() == [[1, 2, 3], [1, 0, 5]]
    said = contract(modality="text", tokenizer="tokenizer.json", max_tokens=2)
    assert np.asarray(preprocess(said, TEXTS, [ids], root=tokenizer)).tolist() == [[1, 2, 5], [1, 0, 5]]


def test_a_model_of_strings_gets_strings_with_its_axes() -> None:
    made = preprocess(contract(modality="text"), TEXTS, [Port("text", "string", ("n", 1))])
    assert np.asarray(made).tolist() == [["a small red cat"], ["a dog"]]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (None, "input.tokenizer: write the path"),
        ("none.json", "cannot read the tokenizer"),
        ("../tokenizer.json", "leads out of the project"),
        ("broken.json", "not a tokenizer.json"),
    ],
)
def test_a_tokenizer_that_is_none_is_an_error(tokenizer: Path, name: str | None, says: str) -> None:
    (tokenizer / "broken.json").write_text("{")
    with pytest.raises(ReproofError, match=says):
        preprocess(contract(modality="text", tokenizer=name), TEXTS, BERT, root=tokenizer)


# Several inputs


def test_arrays_by_name_are_cast_and_come_in_the_order_of_the_model() -> None:
    ports = [Port("a", "float32", ("n", 2)), Port("b", "int64", ("n",))]
    made = preprocess(contract(), {"b": np.array([1.0, 2.0]), "a": np.ones((2, 2))}, ports)
    assert isinstance(made, dict)
    assert list(made) == ["a", "b"]
    assert (made["a"].dtype, made["b"].dtype) == (np.float32, np.int64)
    with pytest.raises(ReproofError, match="no array for the input b"):
        preprocess(contract(), {"a": np.ones((2, 2))}, ports)


def test_a_model_whose_inputs_share_no_batch_axis_gets_them_whole() -> None:
    ports = [Port("x", "float32", ("n", 4)), Port("state", "float32", (2, "n", 3)), Port("sr", "int64", ())]
    assert whole(ports)
    given = {"x": np.ones((1, 1, 4)), "state": np.zeros((1, 2, 1, 3)), "sr": np.array([8000])}
    made = preprocess(contract(), given, ports)
    assert isinstance(made, dict)
    assert {name: array.shape for name, array in made.items()} == {"x": (1, 4), "state": (2, 1, 3), "sr": ()}


def test_ports_are_read_from_the_examination(tmp_path: Path) -> None:
    side = {"data": {"dtype": "float32", "shape": ["batch", 3, 224, 224], "dynamic": {"0": "batch"}}}
    (tmp_path / "examination.json").write_text(json.dumps({"inputs": side, "outputs": None}))
    assert recorded_ports(tmp_path / "examination.json") == ([DATA], None)


# Answers


def answer_of(outputs: object, root: Path = Path(), **said: object) -> list[dict[str, object]]:
    return postprocess(Contract(output=Output(**said)), outputs, root=root)  # type: ignore[arg-type]


def test_classes_are_ranked_with_their_labels() -> None:
    logits = np.log(np.array([[0.1, 0.7, 0.2]])) + 5
    (found,) = answer_of(logits, kind="classes", softmax=True, labels=["ant", "bee", "cat"], top_k=2)
    top = found["top"]
    assert [(row["label"], round(row["score"], 6)) for row in top.values()] == [("bee", 0.7), ("cat", 0.2)]
    assert found["summary"] == "bee 0.70, cat 0.20"


def test_scores_stay_as_they_are_without_softmax_and_labels_may_be_short(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("ant\n")
    (found,) = answer_of(np.array([[-3.0, 250.0]]), tmp_path, kind="classes", labels="labels.txt")
    assert [(row["label"], row["score"]) for row in found["top"].values()] == [("class 1", 250), ("ant", -3)]


def test_nan_is_no_score_and_comes_last() -> None:
    (found,) = answer_of(np.array([[np.nan, 0.5]]), kind="classes")
    assert [(row["index"], row["score"]) for row in found["top"].values()] == [(1, 0.5), (0, None)]


def test_axes_of_global_pooling_are_no_axes() -> None:
    assert answer_of(np.ones((2, 7, 1, 1)), kind="classes")[1]["classes"] == 7
    with pytest.raises(ReproofError, match=r"output\.kind"):
        answer_of(np.ones((2, 7, 3, 3)), kind="classes")


def test_an_output_among_several_must_be_named() -> None:
    outputs = {"a": np.ones((1, 3)), "b": np.ones((1, 2))}
    with pytest.raises(ReproofError, match=r"output\.name: write which"):
        answer_of(outputs, kind="classes")
    assert answer_of(outputs, kind="classes", name="b")[0]["classes"] == 2
    ports = [Port("a", "float32", ("n", 3)), Port("b", "float32", ("n", 2))]
    said = Contract(output=Output(kind="classes", name="b"))
    assert postprocess(said, tuple(outputs.values()), ports)[0]["classes"] == 2


def test_an_embedding_has_its_length_and_norm() -> None:
    (found,) = answer_of(np.array([[3.0, 4.0]]), kind="embedding")
    assert (found["dimension"], found["norm"]) == (2, 5.0)


def test_a_mask_has_the_share_of_each_class() -> None:
    scores = np.zeros((1, 3, 2, 2))
    scores[0, 2] = 1
    scores[0, 1, 0, 0] = 2
    (found,) = answer_of(scores, kind="mask", labels=["sky", "road", "car"])
    assert found["shares"] == {"car": 0.75, "road": 0.25}
    assert answer_of(np.array([[[[-1.0, 1.0]]]]), kind="mask", softmax=True)[0]["shares"] == {
        "class 0": 0.5,
        "class 1": 0.5,
    }


def test_arrays_are_summed_up_without_what_is_not_finite() -> None:
    (found,) = answer_of(np.array([[1.0, np.nan, 3.0]], np.float32))
    facts = found["arrays"]["output"]
    assert facts == {"dtype": "float32", "shape": "3", "min": 1.0, "max": 3.0, "mean": 2.0}


def test_overlap_is_intersection_over_union() -> None:
    box, others = (
        np.array([0.0, 0, 2, 2]),
        np.array([[1.0, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6], [1, 1, 1, 1]]),
    )
    np.testing.assert_allclose(boxes.overlap(box, others), [1 / 7, 1, 0, 0])


def test_of_overlapping_boxes_of_one_class_the_best_is_kept() -> None:
    rows = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 10]])
    scores = np.array([0.8, 0.9, 0.7, 0.3, 0.1])  # the first two overlap by 90 / 110
    classes = np.array([0, 0, 1, 0, 0])
    (found,) = answer_of(
        {"boxes": rows[None], "scores": scores[None], "labels": classes[None]},
        kind="boxes",
        boxes=Boxes(score_threshold=0.25, iou_threshold=0.45),
    )
    kept = [(box["x1"], box["score"], box["index"]) for box in found["boxes"].values()]
    assert kept == [(1.0, 0.9, 0), (1.0, 0.7, 1), (20.0, 0.3, 0)]
    (all_kept,) = answer_of(
        {"boxes": rows[None], "scores": scores[None], "labels": classes[None]},
        kind="boxes",
        boxes=Boxes(score_threshold=0.25, iou_threshold=0.9),
    )
    assert all_kept["count"] == 4


@pytest.mark.parametrize(
    ("form", "box"), [("xyxy", [10, 20, 30, 60]), ("xywh", [10, 20, 20, 40]), ("cxcywh", [20, 40, 20, 40])]
)
def test_boxes_are_told_apart_by_their_shape(form: str, box: list[float]) -> None:
    said = {"kind": "boxes", "labels": ["cat", "dog", "cow"], "boxes": Boxes(format=form)}  # type: ignore[arg-type]
    eight = np.array([[[*box, 0.5, 0.1, 0.8, 0.2]], [[*box, 0.1, 0.1, 0.8, 0.2]]])
    seven = np.repeat(np.array([[[*box, 0.1, 0.8, 0.2]]]), 9, axis=1).transpose(0, 2, 1)
    six = np.array([[[*box, 0.8, 1.0]]])
    for outputs, score in ((eight, 0.4), (seven, 0.8), (six, 0.8)):
        first = answer_of(outputs, **said)[0]["boxes"]["1"]
        assert [first[side] for side in ("x1", "y1", "x2", "y2")] == [10, 20, 30, 60]
        assert (first["label"], round(first["score"], 9)) == ("dog", score)
    assert answer_of(eight, **said)[1]["summary"] == "no box"  # 0.1 · 0.8 is below the threshold


def test_boxes_in_no_known_way_ask_for_labels() -> None:
    with pytest.raises(ReproofError, match=r"output\.labels"):
        answer_of(np.ones((1, 84, 100)), kind="boxes")


def test_labels_out_of_the_project_or_missing_are_errors(tmp_path: Path) -> None:
    for name, says in (("../labels.txt", "leads out"), ("none.txt", "cannot read the labels")):
        with pytest.raises(ReproofError, match=says):
            answer_of(np.ones((1, 2)), tmp_path, kind="classes", labels=name)
