"""Croissant of a run's data: mlcroissant takes it, and warns of nothing but what nobody declared."""

from __future__ import annotations

import logging
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
from card_records import DECLARED, HOSTILE, declare, edit, facts, read, regressor, validated

from reproof import files, splits
from reproof.report.cards import data


def test_files_of_the_record_are_described_without_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    folder.mkdir()
    part = splits.Split(np.zeros((4, 1, 8, 8), np.uint8), np.arange(4), np.array(list("abcd")))
    splits.save(folder, dict.fromkeys(splits.NAMES, part))
    found = read(tmp_path, facts("prepare", files=splits.inventory(folder)), declare(**DECLARED))
    described = data.croissant(found)
    assert validated(described) == set()
    assert [entry["contentUrl"] for entry in described["distribution"]] == [
        f"prepared/{name}.npz" for name in sorted(splits.NAMES)
    ]
    for entry in described["distribution"]:
        path = tmp_path / entry["contentUrl"]
        assert entry["sha256"] == files.sha256(path)
        assert entry["contentSize"] == f"{path.stat().st_size} B"
    train = next(one for one in described["recordSet"] if one["@id"] == "examples/train")
    features = next(field for field in train["field"] if field["name"] == "x")
    assert (features["dataType"], features["isArray"], features["arrayShape"]) == ("cr:UInt8", True, "1,8,8")
    assert {field["name"] for field in train["field"]} == set(np.load(folder / "train.npz"))
    assert described["url"] == DECLARED["dataset"]["source"]
    assert described["citeAs"] == DECLARED["dataset"]["citation"]
    assert described["datePublished"] == "2026-11-20"


def test_mlcroissant_reads_the_classes_and_the_splits(tmp_path: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=data.croissant(read(tmp_path)))
    classes = [record["classes/name"] for record in dataset.records("classes")]
    assert [name.decode() if isinstance(name, bytes) else name for name in classes] == list("0123456789")
    assert [record["splits/examples"] for record in dataset.records("splits")] == [1257, 270, 270]


def test_an_older_record_lists_no_file_and_says_why(tmp_path: Path) -> None:
    described = data.croissant(read(tmp_path))
    assert "distribution" not in described
    assert "No files are listed" in described["description"]
    assert "report.dataset.license" in described["description"]
    warnings = validated(described)  # of what nobody declared, and of nothing else
    assert len(warnings) == 2
    assert all("citeAs" in warning or "license" in warning for warning in warnings)


def test_a_regressors_data_has_a_target_and_no_classes(tmp_path: Path) -> None:
    inventory = {"prepared/train.npz": {"size_bytes": 10, "sha256": "a" * 64}}
    quality = {"examples": 810, "feature_shape": "13", "feature_dtype": "float32"}
    found = read(
        tmp_path,
        edit("evaluation.json", regressor),
        facts("prepare", files=inventory, quality=quality),
        declare(**DECLARED),
    )
    described = data.croissant(found)
    assert validated(described) == set()
    assert [one["@id"] for one in described["recordSet"]] == ["splits", "examples/train"]
    label = next(f for f in described["recordSet"][1]["field"] if f["name"] == "y")
    assert label["description"] == "which digit it is"
    assert "references" not in label


def test_hostile_names_break_no_description(tmp_path: Path) -> None:
    counts = {HOSTILE: {"train": 1}, "@id": {"train": 1}, "": {"train": 1}}
    found = read(
        tmp_path,
        facts("prepare", quality={"examples": 3, "feature_shape": "2", "class_counts": counts}),
        edit("split_manifest.json", lambda manifest: manifest.update(dataset=HOSTILE)),
        declare(dataset=dict.fromkeys(("source", "license", "citation", "target"), HOSTILE)),
    )
    described = data.croissant(found)
    assert validated(described) == set()
    assert described["name"] == " ".join(HOSTILE.split())
    names = [row["classes/name"] for row in described["recordSet"][0]["data"]]
    assert names == list(counts)


def test_the_context_is_the_standard_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        validated(data.croissant(read(tmp_path)))
    assert "recommended" in caplog.text  # so its warnings are seen
    assert "@context" not in caplog.text
