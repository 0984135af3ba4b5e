"""Robustness: corruptions that do what they say, importance of what was planted, groups, other data."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from robust_subjects import CLASSES, OF_IMAGES, OF_VECTORS, by_first_feature, images, linear, vectors
from scipy import ndimage, stats
from stages import assert_dvc_reads_no_table

from reproof import robustness
from reproof.errors import ReproofError
from reproof.robustness import ACCURACY, RMSE, Second, Settings, Subject, corruptions, importance
from reproof.robustness.scoring import sampled, wilson
from reproof.splits import Split

# Intervals


@pytest.mark.parametrize(("right", "of"), [(0, 5), (5, 5), (1, 1), (250, 270), (1, 2000)])
def test_the_interval_of_an_accuracy_is_wilsons(right: int, of: int) -> None:
    expected = stats.binomtest(right, of).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(right / of, of), (expected.low, expected.high), atol=1e-12)
    low, high = wilson(right / of, of)
    assert 0 <= low <= right / of <= high <= 1


def test_the_interval_of_an_rmse_holds_its_value_and_needs_two_examples() -> None:
    errors = np.random.default_rng(0).normal(size=50) ** 2
    low, high = RMSE.bounds(errors) or (math.nan, math.nan)
    t = stats.t.interval(0.95, 49, errors.mean(), stats.sem(errors))
    np.testing.assert_allclose((low, high), np.sqrt(t))
    assert low < RMSE.value(errors) < high
    assert RMSE.bounds(errors[:1]) is None


# Corruptions


def apply(name: str, x: Any, amount: float, train: Any, seed: int = 0) -> Any:
    return corruptions.corrupted(name, x, amount, corruptions.scale_of(train), np.random.default_rng(seed))


@pytest.mark.parametrize("subject", [OF_VECTORS, OF_IMAGES], ids=["vectors", "images"])
def test_every_corruption_moves_further_as_it_gets_stronger(subject: Subject) -> None:
    x, train = subject.test.x, subject.train.x
    for name, corruption in corruptions.of(x).items():
        far = []
        for amount in corruption.amounts:
            changed = apply(name, x, amount, train)
            assert (changed.shape, changed.dtype) == (x.shape, x.dtype), name
            far.append(np.abs(changed.astype(float) - x).mean())
        assert 0 < far[0] < far[1] < far[2] or (name == "shift" and min(far) > 0), (name, far)


def test_the_same_seed_draws_the_same_and_another_seed_otherwise() -> None:
    x = OF_IMAGES.test.x
    for name in ("gaussian_noise", "shift", "occlusion"):
        first, again, other = (apply(name, x, 0.3, x, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any(), name


def test_noise_is_measured_in_the_deviations_of_the_training_split() -> None:
    train = vectors(4000, 0).x
    moved = (apply("gaussian_noise", train, 0.5, train) - train).std(axis=0)
    np.testing.assert_allclose(moved / train.std(axis=0), 0.5, rtol=0.05)


def test_a_missing_value_is_the_features_mean() -> None:
    train = vectors(4000, 0).x
    changed = apply("missing_features", train, 0.25, train)
    gone = changed != train
    assert abs(gone.mean() - 0.25) < 0.01
    np.testing.assert_allclose(
        changed[gone], np.broadcast_to(train.mean(axis=0), train.shape)[gone], rtol=1e-5
    )


def test_blur_is_scipys_gaussian_filter() -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 9, 7))
    expected = ndimage.gaussian_filter(image, (0, 0, 1.5, 1.5), mode="nearest", radius=round(4.5))
    blur = corruptions.IMAGES["blur"].apply
    scale = corruptions.scale_of(image)
    np.testing.assert_allclose(blur(image, 1.5, scale, np.random.default_rng(0)), expected, atol=1e-12)


def test_a_shift_moves_whole_pixels_one_way_and_repeats_the_edge() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    found = {apply("shift", image, 0.25, image, seed).tobytes() for seed in range(30)}
    rows, columns = np.indices((8, 8))
    expected = {
        image[0, 0][(rows + down).clip(0, 7), (columns + right).clip(0, 7)].tobytes()
        for down, right in ((2, 0), (-2, 0), (0, 2), (0, -2))
    }
    assert found == expected


def test_occlusion_hides_one_square_with_the_mean_colour() -> None:
    x, train = OF_IMAGES.test.x, OF_IMAGES.train.x
    hidden = apply("occlusion", x, 0.5, train) != x
    rows, columns = hidden[:, 0].any(axis=2).sum(axis=1), hidden[:, 0].any(axis=1).sum(axis=1)
    assert rows.max() == columns.max() == 4
    assert set(apply("occlusion", x, 0.5, train)[hidden]) == {round(train.mean())}


def test_pixels_stay_pixels() -> None:
    white = np.full((4, 1, 8, 8), 255, np.uint8)
    assert (apply("brightness", white, 0.3, white) == 255).all(), "and do not wrap around"
    assert apply("gaussian_noise", white, 0.3, white).max() == 255


# The whole


def test_what_is_measured_gets_worse_with_strength_and_starts_from_the_clean_value() -> None:
    result = robustness.measure(OF_VECTORS, Settings(), seed=0)
    test = OF_VECTORS.test
    clean = (by_first_feature(test.x).argmax(axis=1) == test.y).mean()
    assert result["clean"]["value"] == clean == 1.0
    for found in result["corruptions"].values():
        values = [strength["value"] for strength in found["strengths"].values()]
        assert clean > values[0] > values[1] > values[2] > 0.4, found["description"]
        for strength in found["strengths"].values():
            assert strength["interval"][0] < strength["value"] < strength["interval"][1]
            assert strength["change"] == strength["value"] - clean


@pytest.mark.parametrize("subject", [OF_VECTORS, OF_IMAGES], ids=["vectors", "images"])
def test_the_same_seed_gives_the_same_plain_json_that_dvc_can_plot(subject: Subject) -> None:
    first, again, other = (robustness.measure(subject, Settings(), seed) for seed in (3, 3, 4))
    text = json.dumps(first, allow_nan=False)
    assert text == json.dumps(again)
    assert text != json.dumps(other)
    assert_dvc_reads_no_table(first)
    assert len(text) < 20_000


@pytest.mark.parametrize("subject", [OF_VECTORS, OF_IMAGES], ids=["vectors", "images"])
def test_every_field_is_in_the_reference_of_the_record(subject: Subject) -> None:
    page = (Path(__file__).parents[1] / "docs/reference/record.md").read_text()
    named = set(re.findall(r"^\| `([^`]+)` \|", page.partition("## `robustness.json`")[2], flags=re.M))
    assert len(named) > 40
    model = linear([[0.1] * subject.test.x[0].size] * 2, [0.0, 1.0])
    second = Second("other", subject.test, CLASSES)
    whole = dataclasses.replace(
        subject, torch_model=model, second=second, preprocess=lambda x: x.astype(np.float32)
    )
    found = set(fields(robustness.measure(whole, Settings(), seed=0)))
    assert sorted(found - named) == []


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of what a result holds, with names such as a group's as the reference has them."""
    opened = {
        "corruptions": "<name>",
        "groups": "<name>",
        "strengths": "<strength>",
        "values": "<feature>",
        "rows": "<row>",
    }
    if not isinstance(value, dict):
        if value is not None:
            yield path
        return
    for key, item in value.items():
        shown = opened.get(path.rpartition(".")[2], key)
        yield from fields(item, f"{path}.{shown}" if path else shown)


def test_other_amounts_replace_the_librarys() -> None:
    result = robustness.measure(OF_VECTORS, Settings(strengths={"scaling": [0.001, 0.002, 0.5]}), seed=0)
    amounts = {
        name: [each["amount"] for each in found["strengths"].values()]
        for name, found in result["corruptions"].items()
    }
    assert amounts["scaling"] == [0.001, 0.002, 0.5]
    assert amounts["missing_features"] == [0.1, 0.25, 0.5]


def test_amounts_of_a_corruption_that_such_data_has_not_are_refused() -> None:
    with pytest.raises(ReproofError, match=r"robustness\.strengths\.blur: no such corruption of feature"):
        robustness.measure(OF_VECTORS, Settings(strengths={"blur": [1, 2, 3]}), seed=0)


@pytest.mark.parametrize(
    "amounts", [[], [1, 2], [1, 2, 3, 4], [0, 1, 2], [1, 3, 2], [1, 1, 2], [1, 2, math.inf]]
)
def test_amounts_are_three_that_grow(amounts: list[float]) -> None:
    with pytest.raises(ValidationError, match="three amounts over 0 for fgsm"):
        Settings(strengths={"fgsm": amounts})


def test_a_large_split_is_sampled_and_changes_are_against_the_sample() -> None:
    # Right on the first half alone, so that a sample has another accuracy than the whole.
    wrong = dataclasses.replace(OF_VECTORS.test, y=1 - OF_VECTORS.test.y)
    half = np.arange(200) < 100
    test = dataclasses.replace(wrong, y=np.where(half, OF_VECTORS.test.y, wrong.y))
    result = robustness.measure(dataclasses.replace(OF_VECTORS, test=test), Settings(max_examples=50), seed=0)
    rows = sampled(200, 50, 0)
    assert (result["examples"], result["sample"]["examples"]) == (200, 50)
    assert result["clean"]["value"] == 0.5
    assert result["sample"]["value"] == half[rows].mean() != 0.5
    weakest = result["corruptions"]["scaling"]["strengths"]["1"]
    assert weakest["change"] == weakest["value"] - result["sample"]["value"]
    assert sum(group["examples"] for group in result["groups"].values()) == 200


def test_a_skipped_stage_says_why_and_nothing_else() -> None:
    assert robustness.skipped("off") == {"schema_version": 1, "status": "skipped", "reason": "off"}


def test_the_package_comes_without_numpy_and_torch() -> None:
    code = "import sys, reproof.robustness; print({'numpy', 'torch', 'scipy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Groups, and other data


def test_each_group_is_measured_by_itself() -> None:
    test = OF_VECTORS.test
    assert test.groups is not None
    y = np.where(test.groups == "site 2", 1 - test.y, test.y)
    subject = dataclasses.replace(OF_VECTORS, test=dataclasses.replace(test, y=y))
    groups = robustness.measure(subject, Settings(importance=False), seed=0)["groups"]
    assert {name: (group["examples"], group["value"]) for name, group in groups.items()} == {
        "site 0": (67, 1.0), "site 1": (67, 1.0), "site 2": (66, 0.0),
    }  # fmt: skip
    assert groups["site 2"]["interval"] == [0.0, pytest.approx(wilson(0, 66)[1])]


def test_no_groups_and_too_many_of_them_are_a_reason() -> None:
    def reason(groups: Any) -> Any:
        test = dataclasses.replace(OF_VECTORS.test, groups=groups)
        result = robustness.measure(
            dataclasses.replace(OF_VECTORS, test=test), Settings(importance=False), seed=0
        )
        assert result["groups"] is None
        return result["groups_missing_reason"]

    assert reason(None) == "the data names no groups"
    assert reason(np.arange(200).astype(str)) == "200 groups, more than 50"


def test_a_second_dataset_keeps_the_classes_of_the_first() -> None:
    # Its only class has the index 0 there, and 1 here.
    other = vectors(60, 5)
    rows = np.flatnonzero(other.y == 1)
    examples = dataclasses.replace(other.take(rows), y=np.zeros(len(rows), np.int64))
    subject = dataclasses.replace(OF_VECTORS, second=Second("data/other", examples, ["right"]))
    found = robustness.measure(subject, Settings(importance=False), seed=0)["second_dataset"]
    assert (found["name"], found["examples"], found["value"], found["change"]) == (
        "data/other", len(rows), 1.0, 0.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("examples", "classes", "said"),
    [
        (images(4, 0), CLASSES, r"other features than the first, made up\n.*\(5,\)\n.*\(1, 8, 8\)"),
        (vectors(4, 0), ["left", "up"], "other classes than the first, made up\n.*left, right\n.*up"),
        (
            dataclasses.replace(vectors(4, 0), features=np.array(list("abced"))),
            CLASSES,
            "other names or another order of features than the first, made up\n.*d\n.*e",
        ),
    ],
)
def test_a_second_dataset_of_another_form_is_refused(examples: Split, classes: list[str], said: str) -> None:
    subject = dataclasses.replace(OF_VECTORS, second=Second("data/other", examples, classes))
    with pytest.raises(
        ReproofError, match=r"robustness\.second_data: data/other: the second dataset has " + said
    ):
        robustness.measure(subject, Settings(), seed=0)


# Importance


def test_permutation_finds_the_feature_that_decides() -> None:
    found = robustness.measure(OF_VECTORS, Settings(), seed=0)["importance"]
    assert (found["kind"], found["baseline"], found["examples"]) == ("permutation", 1.0, 200)
    assert list(found["values"]) == list("abcde"), "the largest first, then in the order of the columns"
    assert found["values"]["a"]["drop"] == pytest.approx(0.5, abs=0.1)
    low, high = found["values"]["a"]["interval"]
    assert low < found["values"]["a"]["drop"] < high
    assert all(found["values"][name] == {"drop": 0.0, "interval": [0.0, 0.0]} for name in "bcde")


def test_of_many_features_the_largest_are_listed_and_the_others_counted() -> None:
    x = np.random.default_rng(0).normal(size=(60, 70))
    y = (x[:, 66] > 0).astype(np.int64)

    def score(x: Any, y: Any) -> Any:
        return ((x[:, 66] > 0) == y).astype(float)

    names = [f"x{i}" for i in range(70)]
    found = importance.permutation(x, y, score, metric=ACCURACY, names=names, seed=0)
    assert (len(found["values"]), found["left_out"], next(iter(found["values"]))) == (50, 20, "x66")


def test_occlusion_finds_the_place_that_decides() -> None:
    found = robustness.measure(OF_IMAGES, Settings(), seed=0)["importance"]
    grid = np.array(list(found["rows"].values()))
    assert grid.shape == (8, 8)
    assert found["baseline"] > 0.9
    # Patches are three cells wide, so those around the squares (rows 3–4; columns 1–2 and 5–6) see them.
    assert set(np.argwhere(grid > grid.max() / 2)[:, 0]) <= {2, 3, 4, 5}
    assert np.abs(grid[[0, 7]]).max() < grid.max() / 10


def test_the_grid_of_a_large_image_has_at_most_14_cells_a_side_and_uses_fewer_examples() -> None:
    x = np.random.default_rng(0).integers(0, 255, (300, 1, 30, 57)).astype(np.uint8)
    seen = []

    def score(x: Any, y: Any) -> Any:
        seen.append(len(x))
        return x.mean(axis=(1, 2, 3))

    scale = corruptions.scale_of(x)
    found = importance.occlusion(x, np.zeros(300), score, metric=RMSE, scale=scale, seed=0)
    rows = list(found["rows"].values())
    assert (len(rows), {len(row) for row in rows}) == (10, {12})
    assert found["examples"] == 20_000 // 120
    assert sum(seen) == found["examples"] * 121


def test_importance_is_not_measured_where_it_is_off_or_means_nothing() -> None:
    result = robustness.measure(OF_VECTORS, Settings(importance=False), seed=0)
    assert result["importance"] is None
    assert result["importance_missing_reason"] == "robustness.importance is false in params.yaml"
    sequences = dataclasses.replace(
        vectors(40, 0), x=np.random.default_rng(0).normal(size=(40, 3, 5)), features=None
    )
    subject = dataclasses.replace(
        OF_VECTORS, train=sequences, test=sequences, model=lambda x: by_first_feature(x[:, 0])
    )
    result = robustness.measure(subject, Settings(), seed=0)
    assert result["importance"] is None
    assert "neither images" in result["importance_missing_reason"]
    assert result["corruptions"].keys() == corruptions.FEATURES.keys()
