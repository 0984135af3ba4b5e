"""A stage's record tells what happened. Real scripts in real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PARAMS, commit_all, make_git_project, run
from stages import (
    assert_dvc_reads_no_table,
    lists,
    record,
    stage,
    summary,
    write,
)

from reproof import digest, git, registry, runlog


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a stage that reads, writes, logs and measures has ended well. Read only."""
    project = make_git_project(tmp_path_factory.mktemp("finished") / "project")
    (project / "data").mkdir()
    (project / "data/raw.csv").write_text("x,label\n1,a\n")
    write(
        project,
        """
        import random, numpy
        rows = stage.input("data/raw.csv").read_text()
        log = stage.log("rows")
        for step in range(3):
            log.metrics(step, "train", {"loss": 1 / (step + 1)})
            stage.progress(step, 3)
        stage.output("results/latest/model.bin").write_bytes(b"weights")
        stage.write_json("results/latest/curves.json", {"loss": 0.25})
        stage.metric("loss", 0.25)
        stage.metric("size_bytes", 7)
        stage.fact("device", "cpu")
        stage.fact("drawn", [random.random(), float(numpy.random.random()), hash("reproof")])
        stage.fact("summary_during", json.loads((stage.results / "summary.json").read_text()))
        (stage.root / "src" / "train.py").write_text("edited = 'while it runs'")
        """,
    )
    commit_all(project, "Script")
    run("git", "tag", "ran", cwd=project)
    stage(project, env={"DVC_EXP_NAME": "gamic-pika", "DVC_EXP_BASELINE_REV": "b" * 40}, check=True)
    return project


def test_the_record_says_what_ran_and_when(finished: Path) -> None:
    found = record(finished)
    assert (found["stage"], found["status"], found["error"]) == ("train", "success", None)
    assert found["argv"] == "python src/train.py"
    assert found["config"] == "params.yaml"
    assert found["start_time"] < found["end_time"]
    assert found["start_time"].endswith("Z")
    assert found["seconds"] > 0
    assert found["pinned"]["seed"] == 0
    assert found["environment"]["packages"]["numpy"] == np.__version__
    assert found["dvc"] == {"stage": None, "experiment": "gamic-pika", "baseline": "b" * 40}
    assert found["job"]["kind"] == "local"


def test_the_record_holds_the_digests_of_what_was_read_and_written(finished: Path) -> None:
    found = record(finished)
    assert found["reads"] == {"data/raw.csv": digest.digest(finished / "data/raw.csv")}
    names = ("metrics.ndjson", "params.ndjson", "model.bin", "curves.json")
    assert found["writes"] == {
        f"results/latest/{name}": digest.digest(finished / "results/latest" / name) for name in names
    }


def test_the_record_holds_the_stages_numbers_and_facts(finished: Path) -> None:
    found = record(finished)
    assert found["metrics"] == {"loss": 0.25, "size_bytes": 7.0}
    assert found["facts"]["device"] == "cpu"


def test_the_code_is_that_of_the_start_whatever_is_edited_while_it_runs(finished: Path) -> None:
    with git.open_repository(finished) as repo:
        tree = git.tree_of(repo, "ran", finished)
    code = record(finished)["code"]
    assert code["code_tree"] == tree
    assert code["dirty"] is False


def test_the_record_is_no_table_to_dvc(finished: Path) -> None:
    found = record(finished)
    assert any(lists(found))  # the facts above hold a list of numbers, which is no harm
    assert_dvc_reads_no_table(found)


def test_the_run_is_in_progress_until_it_is_summarised(finished: Path) -> None:
    during = record(finished)["facts"]["summary_during"]
    for found in (during, summary(finished)):
        assert found == {"status": "in_progress", "metrics": {}, "runtime_seconds": None, "end_time": None}


def test_the_logs_belong_to_the_run_and_hold_its_params(finished: Path) -> None:
    run_id = record(finished)["run_id"]
    metrics = list(runlog.read(finished / "results/latest/metrics.ndjson"))
    (params,) = runlog.read(finished / "results/latest/params.ndjson")
    assert [line["value"] for line in metrics] == [1.0, 0.5, 1 / 3]
    assert {line["run_id"] for line in [*metrics, params]} == {run_id}
    assert params["params"]["summary"] == {"accuracy": "evaluate.accuracy"}


def test_the_registry_has_the_stage_with_its_progress(finished: Path) -> None:
    (entry,) = registry.entries(finished / ".dvc/tmp/reproof")
    assert (entry["status"], entry["stage"], entry["step"], entry["total_steps"]) == (
        "success",
        "train",
        2,
        3,
    )
    assert entry["run_id"] == record(finished)["run_id"]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A project in which one stage has run twice by hand, and its two records."""
    project = make_git_project(tmp_path_factory.mktemp("twice") / "project")
    write(
        project,
        """
        import random, numpy
        stage.log("rows").metrics(1, "train", {"loss": 1.0})
        stage.fact("drawn", [random.random(), float(numpy.random.random()), stage.params.seed])
        """,
    )
    return project, [stage(project, check=True) and record(project) for _ in range(2)]


def test_a_second_run_draws_the_same_and_is_another_run(twice: tuple[Path, list[Any]]) -> None:
    first, second = twice[1]
    assert first["facts"] == second["facts"]
    assert first["run_id"] != second["run_id"]
    assert first["start_time"] < second["start_time"]


def test_another_seed_draws_something_else(git_project: Path, twice: tuple[Path, list[Any]]) -> None:
    write(git_project, "import random\nstage.fact('drawn', random.random())")
    (git_project / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: 1"))
    stage(git_project, check=True)
    assert record(git_project)["facts"]["drawn"] != twice[1][0]["facts"]["drawn"][0]


def test_a_second_run_by_hand_leaves_the_log_of_one_run(twice: tuple[Path, list[Any]]) -> None:
    # DVC deletes outputs before a stage runs; by hand nobody does.
    project, (_, second) = twice
    lines = runlog.read(project / "results/latest/metrics.ndjson")
    assert [line["run_id"] for line in lines] == [second["run_id"]]


def test_a_missing_part_makes_the_run_partial_and_says_why(git_project: Path) -> None:
    write(git_project, "stage.missing('tracking', 'trackio is not installed')")
    assert stage(git_project).returncode == 0
    found = record(git_project)
    assert found["status"] == "partial"
    assert found["missing"] == {"tracking": "trackio is not installed"}
    assert_dvc_reads_no_table(found)


def test_a_metric_that_is_no_number_is_null_with_a_reason(git_project: Path) -> None:
    write(
        git_project,
        """
        stage.metric("loss", math.nan)
        stage.metric("norm", math.inf)
        stage.metric("bertscore", None, reason="no local model")
        stage.metric("accuracy", 0.5)
        """,
    )
    assert stage(git_project).returncode == 0
    found = record(git_project)
    assert found["status"] == "partial"
    assert found["metrics"] == {"loss": None, "norm": None, "bertscore": None, "accuracy": 0.5}
    assert found["missing"] == {
        "loss": "the value is nan",
        "norm": "the value is inf",
        "bertscore": "no local model",
    }
