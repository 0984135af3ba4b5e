"""The stage `robustness` in a rendered project, on a table with groups and a second dataset beside it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run
from projects import render
from stages import PINNED, assert_dvc_reads_no_table, record
from warm import stage

RESULT = "results/latest/robustness.json"
OFF = ("robustness:\n  enabled: true ", "robustness:\n  enabled: false")


def write_table(path: Path, rows: int, seed: int, classes: tuple[str, ...] = ("ill", "well")) -> None:
    """Three columns of numbers, of which `dose` decides; at the site `south` the other way round."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(exist_ok=True)
    lines = ["id,age,dose,weight,group,label"]
    for index in range(rows):
        age, dose, weight = random.normal(50, 10), random.normal(0, 1), random.normal(70, 9)
        group = ("north", "south")[index % 4 == 0]
        label = classes[int((dose > 0) == (group == "north")) % len(classes)]
        lines.append(f"row-{index},{age:.3f},{dose:.4f},{weight:.2f},{group},{label}")
    path.write_text("\n".join(lines) + "\n")


def set_param(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def result_of(project: Path) -> Any:
    return json.loads((project / RESULT).read_text())


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(tmp_path_factory.mktemp("robustness") / "project")


@pytest.fixture(scope="module")
def measured(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run from the data to `robustness`; for looking at."""
    project = Path(shutil.copytree(rendered, tmp_path_factory.mktemp("measured") / "project"))
    write_table(project / "data/raw/patients.csv", 400, seed=0)
    write_table(project / "data/other/patients.csv", 90, seed=1, classes=("well",))
    set_param(project, "second_data: null", "second_data: data/other")
    for name in ("prepare", "train", "export", "evaluate_model", "robustness"):
        stage(project, name=name, check=True)
    return project


@pytest.mark.torch
def test_the_clean_value_is_the_test_accuracy_of_evaluate(measured: Path) -> None:
    evaluation = json.loads((measured / "results/latest/evaluation.json").read_text())["splits"]["test"]
    result = result_of(measured)
    assert result["clean"]["value"] == evaluation["accuracy"] > 0.6
    assert result["examples"] == evaluation["examples"]
    assert (result["status"], result["reason"], result["metric"]) == ("measured", None, "accuracy")
    assert_dvc_reads_no_table(result)


@pytest.mark.torch
def test_groups_features_and_the_second_dataset_are_the_tables_own(measured: Path) -> None:
    result = result_of(measured)
    north, south = result["groups"]["north"], result["groups"]["south"]
    assert north["examples"] + south["examples"] == result["examples"]
    assert north["value"] > 0.8 > 0.4 > south["value"]
    assert next(iter(result["importance"]["values"])) == "dose"
    assert result["importance"]["values"].keys() == {"age", "dose", "weight"}, "neither id nor group"
    second = result["second_dataset"]
    assert (second["name"], second["examples"]) == ("data/other", 90)
    strengths = result["adversarial"]["strengths"].values()
    assert [each["change"] for each in strengths] == sorted((e["change"] for e in strengths), reverse=True)
    facts = record(measured, "prepare")["facts"]
    assert facts["features"] == ["age", "dose", "weight"]
    assert facts["quality"]["group_sizes"]["south"]["test"] == south["examples"]


@pytest.mark.torch
def test_the_stage_records_a_few_numbers_and_what_it_read(measured: Path) -> None:
    kept, result = record(measured, "robustness"), result_of(measured)
    assert kept["metrics"] == {
        "clean.accuracy": result["clean"]["value"],
        "gaussian_noise.2.accuracy": result["corruptions"]["gaussian_noise"]["strengths"]["2"]["value"],
        "fgsm.2.accuracy": result["adversarial"]["strengths"]["2"]["value"],
        "second_dataset.accuracy": result["second_dataset"]["value"],
    }
    assert {"data/other", "prepared/test.npz", "results/latest/checkpoint"} <= kept["reads"].keys()
    assert (kept["status"], kept["missing"]) == ("success", {})
    assert kept["pinned"]["torch"]["deterministic"]


@pytest.mark.torch
def test_the_same_run_gives_the_same_bytes_and_another_seed_other_noise(
    measured: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(measured, tmp_path / "project"))
    before = (project / RESULT).read_bytes()
    stage(project, name="robustness", check=True)
    assert (project / RESULT).read_bytes() == before
    set_param(project, "\nseed: 0 ", "\nseed: 1 ")
    stage(project, name="robustness", env={"PYTHONHASHSEED": "1"}, check=True)
    assert (project / RESULT).read_bytes() != before


@pytest.mark.torch
def test_an_attack_without_a_checkpoint_is_null_and_the_run_partial(measured: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(measured, tmp_path / "project"))
    shutil.rmtree(project / "results/latest/checkpoint")
    stage(project, name="robustness", check=True)
    result, kept = result_of(project), record(project, "robustness")
    assert result["adversarial"] is None
    assert "needs a file that is not there" in result["adversarial_missing_reason"]
    assert (kept["status"], kept["missing"]) == (
        "partial", {"fgsm.2.accuracy": result["adversarial_missing_reason"]}
    )  # fmt: skip
    assert result["corruptions"].keys() == {"gaussian_noise", "missing_features", "scaling"}


@pytest.mark.torch
def test_a_second_dataset_that_is_not_there_or_of_other_classes_is_an_error(
    measured: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(measured, tmp_path / "project"))
    write_table(project / "data/other/patients.csv", 20, seed=1, classes=("well", "dead"))
    done = stage(project, name="robustness")
    assert done.returncode == 2
    assert "data/other: the second dataset has other classes than the first, digits" in done.stderr
    assert "expected: some of ill, well" in done.stderr
    assert "found: dead" in done.stderr
    shutil.rmtree(project / "data/other")
    done = stage(project, name="robustness")
    assert done.returncode == 2
    assert "data/other: the stage 'robustness' needs a file that is not there" in done.stderr


def test_switched_off_it_says_so_reads_nothing_and_imports_no_torch(rendered: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(rendered, tmp_path / "project"))
    set_param(project, *OFF)
    done = run(sys.executable, "-X", "importtime", "src/robustness.py", cwd=project, env=PINNED)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "reproof.robustness.assemble" in imported
    assert not {"torch", "onnxruntime", "pandas", "sklearn", "data", "model"} & imported
    assert result_of(project) == {
        "schema_version": 1,
        "status": "skipped",
        "reason": "robustness.enabled is false in params.yaml",
    }
    kept = record(project, "robustness")
    assert (kept["status"], kept["missing"], kept["reads"], kept["metrics"]) == ("success", {}, {}, {})
