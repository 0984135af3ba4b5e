"""Splits: everyone in one place, the same place every time, and proof of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproof import digest, splits
from reproof import quality as data_quality
from reproof.errors import ReproofError
from reproof.splits import Split

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def examples(members: dict[int, int], features: int = 3) -> Split:
    """Examples with so many members of each class, in a mixed order, all different."""
    y = (
        np.random.default_rng(0)
        .permutation(np.repeat(list(members), list(members.values())))
        .astype(np.int64)
    )
    x = np.arange(len(y) * features, dtype=np.float32).reshape(len(y), features)
    return Split(x, y, np.array([f"row-{i:05d}" for i in range(len(y))]))


WHOLE = examples({0: 60, 1: 30, 2: 10})


@given(
    st.dictionaries(st.integers(0, 4), st.integers(20, 60), min_size=1),
    st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.8, 0.1, 0.1), (0.6, 0.3, 0.1)]),
    st.integers(0, 2**32 - 1),
)
def test_everyone_is_in_exactly_one_split_and_every_class_in_each(
    members: dict[int, int], shares: tuple[float, float, float], seed: int
) -> None:
    whole = examples(members)
    parts = splits.stratified(whole, dict(zip(splits.NAMES, shares, strict=True)), seed)
    together = np.concatenate([part.ids for part in parts.values()])
    assert sorted(together) == sorted(whole.ids)
    place = {str(i): row for row, i in enumerate(whole.ids)}
    for name, part in parts.items():
        assert set(part.y) == set(members), name
        rows = [place[str(i)] for i in part.ids]
        np.testing.assert_array_equal(part.x, whole.x[rows])
        np.testing.assert_array_equal(part.y, whole.y[rows])


def test_a_split_has_the_classes_in_the_shares_of_the_whole() -> None:
    parts = splits.stratified(WHOLE, {"train": 0.6, "validation": 0.2, "test": 0.2}, seed=3)
    assert {name: np.bincount(part.y).tolist() for name, part in parts.items()} == {
        "train": [36, 18, 6],
        "validation": [12, 6, 2],
        "test": [12, 6, 2],
    }


def test_the_seed_decides_who_goes_where() -> None:
    def test_ids(seed: int) -> list[str]:
        return splits.stratified(WHOLE, FRACTIONS, seed)["test"].ids.tolist()

    assert test_ids(1) == test_ids(1)
    assert test_ids(1) != test_ids(2)


@pytest.mark.parametrize(
    "fractions",
    [
        {"train": 0.7, "validation": 0.2, "test": 0.2},
        {"train": 0.5, "test": 0.5},
        {"train": 1.0, "validation": 0.0, "test": 0.0},
        {"train": 1.2, "validation": -0.1, "test": -0.1},
        {"train": float("nan"), "validation": 0.15, "test": 0.15},
        {"train": 0.98, "validation": 0.01, "test": 0.01},
    ],
)
def test_fractions_that_make_no_three_splits_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(ReproofError, match=r"^data\.fractions: "):
        splits.stratified(WHOLE, fractions, seed=0)


def test_a_class_with_too_few_members_is_named() -> None:
    with pytest.raises(ReproofError, match="too few members") as caught:
        splits.stratified(examples({0: 50, 7: 2}), FRACTIONS, seed=0)
    assert caught.value.found == "class 7 with 2"


def test_a_split_without_a_class_is_refused() -> None:
    fractions = {"train": 0.5, "validation": 0.1, "test": 0.4}
    with pytest.raises(ReproofError):
        splits.stratified(examples({0: 1000, 1: 4}), fractions, seed=0)


def test_an_id_that_stands_twice_is_named() -> None:
    ids = WHOLE.ids.copy()
    ids[5] = ids[9]
    with pytest.raises(ReproofError, match="more than one example") as caught:
        splits.stratified(Split(WHOLE.x, WHOLE.y, ids), FRACTIONS, seed=0)
    assert caught.value.found == "row-00009"


def test_no_examples_are_an_error() -> None:
    empty = Split(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), np.zeros(0, "U1"))
    with pytest.raises(ReproofError):
        splits.stratified(empty, FRACTIONS, seed=0)


def test_features_and_labels_of_different_numbers_are_refused() -> None:
    with pytest.raises(ReproofError, match="differ in number") as caught:
        Split(WHOLE.x[:5], WHOLE.y[:4], WHOLE.ids[:5])
    assert caught.value.found == "5, 4 and 5"


# Files.


def test_splits_are_read_back_as_they_were(tmp_path: Path) -> None:
    parts = splits.stratified(WHOLE, FRACTIONS, seed=0)
    splits.save(tmp_path, parts)
    for name, part in parts.items():
        again = splits.load(tmp_path / f"{name}.npz")
        for one, other in ((again.x, part.x), (again.y, part.y), (again.ids, part.ids)):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert again.digest() == part.digest() == digest.digest(tmp_path / f"{name}.npz")


def test_the_same_splits_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        splits.save(tmp_path / folder, splits.stratified(WHOLE, FRACTIONS, seed=0))
    for name in splits.NAMES:
        assert (tmp_path / f"one/{name}.npz").read_bytes() == (tmp_path / f"other/{name}.npz").read_bytes()


def test_a_missing_split_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"train\.npz: no such split[\s\S]*dvc repro prepare"):
        splits.load(tmp_path / "train.npz")


@pytest.mark.parametrize("part", [0.0, 0.2, 0.9])
def test_a_split_that_is_cut_short_is_an_error(tmp_path: Path, part: float) -> None:
    splits.save(tmp_path, {"train": WHOLE})
    path = tmp_path / "train.npz"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ReproofError, match=r"train\.npz: not a split"):
        splits.load(path)


def test_another_archive_is_no_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", weights=np.zeros(3))
    with pytest.raises(ReproofError, match=r"train\.npz: not a split"):
        splits.load(tmp_path / "train.npz")


# Groups, and names of features.


def named(whole: Split) -> Split:
    groups = np.array([f"site {i % 3}" for i in range(len(whole.y))])
    return Split(whole.x, whole.y, whole.ids, groups, np.array(["age", "dose", "weight"]))


def test_examples_keep_their_groups_and_columns_their_names(tmp_path: Path) -> None:
    parts = splits.stratified(named(WHOLE), FRACTIONS, seed=0)
    splits.save(tmp_path, parts)
    place = {str(i): row for row, i in enumerate(WHOLE.ids)}
    for name, part in parts.items():
        again = splits.load(tmp_path / f"{name}.npz")
        assert again.groups is not None
        assert again.features is not None
        assert again.groups.tolist() == [f"site {place[str(i)] % 3}" for i in part.ids]
        assert again.features.tolist() == ["age", "dose", "weight"]
        assert again.digest() == part.digest() == digest.digest(tmp_path / f"{name}.npz")


def test_a_split_without_them_has_the_digest_that_it_always_had(tmp_path: Path) -> None:
    """Recorded with version 0.2 of the library."""
    always = "sha256:dc40651745f48a49276324203d2ff649b42782aa3362e568a7ebd204ff4bf572"
    assert WHOLE.digest() == always
    splits.save(tmp_path, {"train": WHOLE})
    assert digest.digest(tmp_path / "train.npz") == always
    with np.load(tmp_path / "train.npz") as archive:
        assert archive.files == ["x", "y", "ids"]


@pytest.mark.parametrize("part", ["groups", "features"])
def test_another_group_or_name_is_another_split(part: str) -> None:
    whole = named(WHOLE)
    changed = getattr(whole, part).copy()
    changed[-1] = "other"
    assert dataclasses.replace(whole, **{part: changed}).digest() != whole.digest()
    assert dataclasses.replace(whole, **{part: None}).digest() != whole.digest()


def test_groups_and_names_in_another_number_are_refused() -> None:
    with pytest.raises(ReproofError, match="examples and groups differ in number"):
        Split(WHOLE.x, WHOLE.y, WHOLE.ids, np.array(["one"]))
    with pytest.raises(ReproofError, match="names of the features are not those of the columns"):
        Split(WHOLE.x, WHOLE.y, WHOLE.ids, None, np.array(["age", "dose"]))
    images = np.zeros((2, 1, 4, 4), np.uint8)
    with pytest.raises(ReproofError, match="names of the features"):
        Split(images, np.array([0, 1]), np.array(["a", "b"]), None, np.array(["pixels"]))


def test_the_inventory_has_the_size_and_hash_of_every_file(tmp_path: Path) -> None:
    splits.save(tmp_path / "prepared", {"train": WHOLE, "test": WHOLE})
    (tmp_path / "prepared" / "dataset.json").write_text("{}\n")
    found = splits.inventory(tmp_path / "prepared")
    assert list(found) == ["prepared/dataset.json", "prepared/test.npz", "prepared/train.npz"]
    assert found["prepared/dataset.json"] == {
        "size_bytes": 3, "sha256": hashlib.sha256(b"{}\n").hexdigest()
    }  # fmt: skip
    assert found["prepared/train.npz"] == found["prepared/test.npz"]


# Manifest and checksums.


def test_the_manifest_says_how_the_splits_were_made_and_who_is_in_each() -> None:
    parts = splits.stratified(WHOLE, FRACTIONS, seed=5)
    manifest = json.loads(json.dumps(splits.manifest(parts, dataset="rows", seed=5, fractions=FRACTIONS)))
    assert (manifest["dataset"], manifest["seed"], manifest["fractions"]) == ("rows", 5, FRACTIONS)
    assert manifest["sizes"] == {"train": 70, "validation": 15, "test": 15}
    assert manifest["ids"] == {name: part.ids.tolist() for name, part in parts.items()}
    assert manifest["ids_missing_reason"] is None


def test_a_long_manifest_holds_digests_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "MAX_LISTED_IDS", 99)
    parts = splits.stratified(WHOLE, FRACTIONS, seed=5)
    manifest = splits.manifest(parts, dataset="rows", seed=5, fractions=FRACTIONS)
    assert manifest["ids"] is None
    assert "more than 99 examples" in manifest["ids_missing_reason"]
    other = splits.manifest(
        splits.stratified(WHOLE, FRACTIONS, seed=6), dataset="rows", seed=6, fractions=FRACTIONS
    )
    assert manifest["ids_digest"] != other["ids_digest"]


@pytest.mark.parametrize("part", ["x", "y", "ids"])
def test_one_changed_value_changes_the_checksum_of_its_split_alone(part: str) -> None:
    parts = splits.stratified(WHOLE, FRACTIONS, seed=0)
    before = splits.checksums(parts)["splits"]
    test = parts["test"]
    changed = {name: getattr(test, name).copy() for name in ("x", "y", "ids")}
    changed[part].flat[-1] = "other" if part == "ids" else 9
    after = splits.checksums({**parts, "test": Split(**changed)})["splits"]
    assert [name for name in before if before[name] != after[name]] == ["test"]


# Quality.


def test_quality_counts_what_is_wrong_with_the_data() -> None:
    train = Split(
        np.array([[1, 1], [1, 1], [2, 2], [np.nan, 3]], np.float32),
        np.array([0, 1, 1, 1]),
        np.array(list("abcd")),
    )
    test = Split(np.array([[2, 2], [9, 9]], np.float32), np.array([0, 1]), np.array(list("ef")))
    quality = splits.quality({"train": train, "test": test}, ["no", "yes"])
    assert quality["examples"] == 6
    assert quality["feature_shape"] == "2"
    assert quality["missing_values"] == {"train": 1, "test": 0}
    assert quality["duplicates_within"] == {"train": 1, "test": 0}
    assert quality["duplicates_across"] == {"train/test": 1}
    assert quality["examples_in_other_splits"] == {"train": 1, "test": 1}
    assert quality["class_counts"] == {"no": {"train": 1, "test": 1}, "yes": {"train": 3, "test": 1}}
    assert quality["imbalance_ratio"] == 2.0


def test_quality_counts_examples_with_equal_features_and_another_label() -> None:
    train = Split(np.array([[1.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 1, 0]), np.array(list("abcd")))
    test = Split(np.array([[2.0], [3.0]]), np.array([0, 0]), np.array(list("ef")))
    assert splits.quality({"train": train, "test": test}, ["no", "yes"])["conflicting_labels"] == 4
    assert (
        splits.quality({"train": train.take(np.array([0, 2, 3]))}, ["no", "yes"])["conflicting_labels"] == 0
    )


def test_quality_says_of_each_column_what_it_holds() -> None:
    x = np.array([[0, 3, 0.5, np.nan], [1, -2, 1, np.nan], [0, 7, np.nan, np.nan]], np.float32)
    parts = {
        name: Split(x[rows], np.zeros(len(rows), np.int64), np.array(rows, str), None, np.array(list("abcd")))
        for name, rows in (("train", [0]), ("test", [1, 2]))
    }
    quality = json.loads(json.dumps(splits.quality(parts, ["one"]), allow_nan=False))
    assert quality["features"] == {
        "a": {"type": "at most two values", "low": 0, "high": 1, "mean": pytest.approx(1 / 3)},
        "b": {"type": "whole number", "low": -2, "high": 7, "mean": pytest.approx(8 / 3)},
        "c": {"type": "at most two values", "low": 0.5, "high": 1, "mean": 0.75},
        "d": {"type": "no values", "low": None, "high": None, "mean": None},
    }
    assert quality["feature_types"] == {"at most two values": 2, "no values": 1, "whole number": 1}
    assert quality["value_range"] == {"low": -2, "high": 7}


def test_quality_counts_groups_by_split() -> None:
    def sizes(groups: list[str] | None) -> Any:
        whole = Split(np.zeros((len(WHOLE.y), 1)), WHOLE.y, WHOLE.ids, groups and np.array(groups))
        parts = {"train": whole.take(np.arange(70)), "test": whole.take(np.arange(70, 100))}
        quality = splits.quality(parts, ["a", "b", "c"])
        return quality["group_sizes"], quality["group_sizes_missing_reason"]

    assert sizes(["x"] * 60 + ["y"] * 40) == (
        {"x": {"train": 60, "test": 0}, "y": {"train": 10, "test": 30}},
        None,
    )
    assert sizes(None) == (None, "the data names no groups")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_quality, "MAX_DESCRIBED", 99)
        assert sizes([str(i) for i in range(100)]) == (None, "100 groups, more than 99")


def test_quality_finds_a_planted_outlier_and_no_other() -> None:
    x = np.random.default_rng(0).normal(10, 1, (200, 4)).astype(np.float32)
    clean = Split(x, np.arange(200) % 2, np.arange(200).astype(str))
    assert splits.quality({"train": clean}, ["a", "b"])["outliers"] == 0
    x[17] *= 100
    assert splits.quality({"train": clean}, ["a", "b"])["outliers"] == 1


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_quality_is_plain_json_for_every_kind_of_feature(dtype: str) -> None:
    x = np.arange(48).reshape(3, 4, 2, 2).astype(dtype)
    split = Split(x, np.array([0, 1, 1]), np.array(list("abc")))
    quality = json.loads(json.dumps(splits.quality({"train": split}, ["a", "b", "c"]), allow_nan=False))
    assert quality["feature_shape"] == "4x2x2"
    assert quality["feature_dtype"] == dtype
    assert quality["imbalance_ratio"] is None


def numbers(count: int = 40) -> splits.Split:
    rng = np.random.default_rng(0)
    return splits.Split(
        rng.normal(size=(count, 3)), rng.normal(size=count), np.array([f"e{i}" for i in range(count)])
    )


def test_targets_that_are_numbers_are_split_by_chance() -> None:
    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    parts = splits.shuffled(numbers(), fractions, seed=1)
    assert [len(part.y) for part in parts.values()] == [28, 6, 6]
    assert sorted(name for part in parts.values() for name in part.ids) == sorted(numbers().ids)
    again, other = (splits.shuffled(numbers(), fractions, seed=seed) for seed in (1, 2))
    assert [part.digest() for part in again.values()] == [part.digest() for part in parts.values()]
    assert other["test"].digest() != parts["test"].digest()
    assert splits.manifest(parts, dataset="d", seed=1, fractions=fractions)["method"] == "by chance"
    with pytest.raises(ReproofError, match="a split would have no example"):
        splits.shuffled(numbers(3), {"train": 0.98, "validation": 0.01, "test": 0.01}, seed=0)


def test_the_quality_of_targets_is_their_spread() -> None:
    parts = splits.shuffled(numbers(), {"train": 0.7, "validation": 0.15, "test": 0.15}, seed=1)
    found = splits.quality(parts, [])
    assert (found["class_counts"], found["imbalance_ratio"], found["examples"]) == (None, None, 40)
    assert found["target"] == {
        "low": numbers().y.min(),
        "high": numbers().y.max(),
        "mean": pytest.approx(numbers().y.mean()),
        "standard_deviation": pytest.approx(numbers().y.std()),
    }


def test_examples_of_a_split_that_stand_in_another_are_counted_one_by_one() -> None:
    values = {"train": [1, 2, 3], "validation": [3, 4], "test": [1, 1, 1, 3, 5]}
    parts = {
        name: Split(np.array(rows, np.float32)[:, None], np.zeros(len(rows), np.int64), np.array(rows, str))
        for name, rows in values.items()
    }
    quality = splits.quality(parts, ["one"])
    assert quality["duplicates_across"] == {"train/validation": 1, "train/test": 2, "validation/test": 1}
    assert quality["examples_in_other_splits"] == {"train": 2, "validation": 1, "test": 4}


def test_without_a_spread_of_norms_no_outliers_are_claimed() -> None:
    x = np.ones((20, 2), np.float32)
    x[3] = 1000
    quality = splits.quality({"train": Split(x, np.zeros(20, np.int64), np.arange(20).astype(str))}, ["one"])
    assert quality["outliers"] is None
    assert "median absolute deviation" in quality["outliers_missing_reason"]
