"""A run that broke off: what of its record is its own, by dvc.yaml, whatever stages that has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from reproof import files
from reproof import record as records
from reproof.report import source

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "reports" / "example" / "results" / "latest"
LATEST = "results/latest"
CODE: dict[str, Any] = {"commit": "c" * 40, "code_tree": "t" * 40, "dirty": False, "changed": {}}

# The pipeline of a model that somebody brought along: none of its stages trains.
BROUGHT = {
    "examine": (["model"], ["examination.json"]),
    "infer": (["model", f"{LATEST}/examination.json"], ["inference.json"]),
    "benchmark": (["model", f"{LATEST}/inference.json"], ["benchmark.json"]),
    "summarize": ([f"{LATEST}/stages/benchmark.json"], ["meta.json", "summary.json", "config.yaml"]),
}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The record of a whole run of the template's pipeline, with its dvc.yaml."""
    shutil.copytree(EXAMPLE, tmp_path / LATEST)
    shutil.copyfile(ROOT / "template" / "dvc.yaml.jinja", tmp_path / "dvc.yaml")
    shutil.copyfile(EXAMPLE / "config.yaml", tmp_path / "params.yaml")
    return tmp_path


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """What a whole run of another pipeline left: a record and a file a stage."""
    stages = {
        name: {
            "cmd": name,
            "deps": deps,
            "plots": [{f"{LATEST}/{out}": {"cache": False}} for out in (*outs, f"stages/{name}.json")],
        }
        for name, (deps, outs) in BROUGHT.items()
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (tmp_path / "params.yaml").write_text("seed: 7\n")
    (tmp_path / LATEST).mkdir(parents=True)
    (tmp_path / LATEST / "config.yaml").write_text("seed: 1\n")
    for number, (name, (deps, outs)) in enumerate(BROUGHT.items()):
        for out in outs:
            if out.endswith(".json"):
                files.write_json(tmp_path / LATEST / out, {"schema_version": 1, "cells": {}})
        files.write_json(
            tmp_path / LATEST / "stages" / f"{name}.json",
            {
                "schema_version": 1,
                "run_id": f"2026010{number + 1}-000000-aaaaaa",
                "status": "success",
                "start_time": f"2026-01-0{number + 1}T00:00:00Z",
                "metrics": {"number": number},
                "reads": dict.fromkeys(deps, f"sha256:{name}"),
                "writes": {},
                "code": CODE,
            },
        )
    return tmp_path


def fail(project: Path, stage: str, run_id: str = "20300101-000000-aaaaaa") -> source.Source:
    """The record after a stage of another run failed in it, as the stage itself leaves it."""
    path = project / LATEST / "stages" / f"{stage}.json"
    records.mark(project / LATEST, "in_progress", run_id=run_id)
    files.write_json(path, files.read_json(path) | {"run_id": run_id, "status": "failed"})
    records.mark(project / LATEST, "failed", error={"stage": stage, "message": "it broke"})
    return source.read(project / LATEST)


@pytest.mark.parametrize(
    ("stage", "own"),
    [
        ("examine", ["examine"]),
        ("infer", ["examine", "infer"]),
        ("benchmark", ["examine", "infer", "benchmark"]),
    ],
)
def test_of_any_pipeline_only_the_stages_up_to_the_broken_one_count(
    brought: Path, stage: str, own: list[str]
) -> None:
    found = fail(brought, stage)
    assert list(found.stages) == own
    assert (found.file("inference.json") is not None) == ("infer" in own)
    assert (found.inference is not None, found.benchmark is not None) == (
        "infer" in own,
        "benchmark" in own,
    )
    assert found.params == {"seed": 7}, "of params.yaml: config.yaml is the last run's"
    assert found.file("config.yaml") is None
    assert found.meta["error"]["stage"] == stage
    assert found.meta["git"]["commit"] == CODE["commit"]


def test_of_a_run_in_progress_the_stage_that_bears_its_id_is_the_last(brought: Path) -> None:
    run_id = files.read_json(brought / LATEST / "stages" / "infer.json")["run_id"]
    records.mark(brought / LATEST, "in_progress", run_id=run_id)
    assert list(source.read(brought / LATEST).stages) == ["examine", "infer"]
    records.mark(brought / LATEST, "in_progress", run_id="20300101-000000-bbbbbb")
    found = source.read(brought / LATEST)
    assert (found.stages, found.inference) == ({}, None), "it has not come as far as saying what it is"


def test_without_a_pipeline_to_ask_only_the_broken_stage_counts(brought: Path) -> None:
    (brought / "dvc.yaml").unlink()
    found = fail(brought, "infer")
    assert (list(found.stages), found.examination) == (["infer"], None)


def test_a_run_that_failed_after_its_summary_keeps_its_numbers(example: Path) -> None:
    before = source.read(example / LATEST)
    (example / "params.yaml").write_text("seed: 99\n")
    records.mark(example / LATEST, "failed", error={"stage": "report", "message": "a template"})
    found = source.read(example / LATEST)
    assert found.meta["status"] == "failed"
    assert found.params == before.params
    assert found.stages == before.stages
    assert (found.digests, found.evaluation) == (before.digests, before.evaluation)
    assert found.digests


def test_a_stage_beside_the_broken_one_counts_where_it_read_the_same_model(example: Path) -> None:
    found = fail(example, "benchmark")
    assert list(found.stages) == ["prepare", "train", "export", "evaluate", "benchmark", "robustness"]
    assert found.evaluation
    path = example / LATEST / "stages" / "robustness.json"
    held = files.read_json(path)
    held["reads"][f"{LATEST}/model.onnx"] = "sha256:another"
    files.write_json(path, held)
    found = source.read(example / LATEST)
    assert "robustness" not in found.stages
    assert (found.robustness, found.evaluation is not None) == (None, True)


def test_pictures_and_curves_of_the_run_before_are_not_shown(example: Path) -> None:
    found = fail(example, "train")
    assert list(found.stages) == ["prepare", "train"]
    shown = {name: found.file(name) is not None for name in ("samples.png", "curves.csv", "examples.png")}
    assert shown == {"samples.png": True, "curves.csv": True, "examples.png": False}
