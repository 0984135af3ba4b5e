"""The record of a run: a function of params.yaml and its stages' records, and never rosier than those."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PARAMS, commit_all, make_git_project, run

from reproof import params, record
from reproof.errors import ReproofError

SCRIPT = """\
from reproof.params import RunParams
from reproof.stage import run_stage


def main(stage):
    stage.input("dvc.yaml")
    stage.output("results/latest/model.bin").write_bytes(b"weights")
    stage.metric("loss", 0.5)
    stage.fact("device", "cpu")


run_stage("train", main, RunParams)
"""
STAGES = ("prepare", "train", "evaluate")
CONFIG = PARAMS.encode()
Save = Callable[..., None]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record that a real stage has left."""
    project = make_git_project(tmp_path_factory.mktemp("real") / "project")
    (project / "train.py").write_text(SCRIPT)
    commit_all(project, "Script")
    run(sys.executable, "train.py", cwd=project)
    return dict(json.loads((project / "results/latest/stages/train.json").read_bytes()))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results/latest"


@pytest.fixture
def save(results: Path, real: dict[str, Any]) -> Save:
    """Write records like the real one, with the changes that a test names."""

    def write(name: str, **changes: Any) -> None:
        order = STAGES.index(name)
        times = {
            "start_time": f"2026-01-31T12:0{order}:00.000000Z",
            "end_time": f"2026-01-31T12:0{order}:30.000000Z",
            "seconds": 30.0,
        }
        own = {"stage": name, "run_id": f"20260131-120{order}00-abcdef", "reads": {}, "writes": {}, **times}
        path = results / "stages" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**real, **own, "metrics": {}, **changes}))

    return write


@pytest.fixture
def whole_run(save: Save) -> None:
    """Three stages that ended well."""
    save("prepare", reads={"data": "sha256:d"}, writes={"prepared": "sha256:p"})
    save("train", reads={"prepared": "sha256:p"}, writes={"model": "sha256:m"}, metrics={"loss": 0.5})
    save("evaluate", reads={"model": "sha256:m"}, metrics={"accuracy": 0.9, "f1": 0.8})


def summarize(results: Path, config: bytes = CONFIG, changed: Any = None) -> dict[str, Any]:
    """Summarise and return summary.json."""
    model = params.RunParams.model_validate(params.parse(config, "params.yaml")[0])
    status = record.summarize(results, STAGES, config, model, changed)
    found = dict(json.loads((results / "summary.json").read_bytes()))
    assert found["status"] == status
    return found


def meta(results: Path) -> dict[str, Any]:
    return dict(json.loads((results / "meta.json").read_bytes()))


def config_with(summary: str) -> bytes:
    return PARAMS.replace("accuracy: evaluate.accuracy", summary).encode()


# What summarize writes.


@pytest.mark.usefixtures("whole_run")
def test_a_whole_run_is_a_success_with_its_headline_numbers(results: Path) -> None:
    assert summarize(results) == {
        "status": "success",
        "metrics": {"accuracy": 0.9},
        "runtime_seconds": 90.0,
        "end_time": "2026-01-31T12:02:30.000000Z",
    }


@pytest.mark.usefixtures("whole_run")
def test_meta_tells_of_the_training_whenever_it_was(results: Path, real: dict[str, Any]) -> None:
    summarize(results, changed={"seed": {"from": 1, "to": 0}})
    found = meta(results)
    assert found["run_id"] == "20260131-120100-abcdef"
    assert found["start_time"] == "2026-01-31T12:01:00.000000Z"
    assert found["end_time"] == "2026-01-31T12:02:30.000000Z"
    assert found["device"] == "cpu"
    assert found["argv"] == "python train.py"
    assert found["overrides"] == {"seed": {"from": 1, "to": 0}}
    assert found["git"]["code_tree"] == real["code"]["code_tree"]
    assert found["packages"] == real["environment"]["packages"]
    assert list(found["stages"]) == list(STAGES)


@pytest.mark.usefixtures("whole_run")
def test_the_config_of_a_run_can_take_the_place_of_its_params(results: Path) -> None:
    config = CONFIG.replace(b"\n", b"\r\n") + "# é\n".encode()
    summarize(results, config)
    assert (results / "config.yaml").read_bytes() == config
    assert params.load(results / "config.yaml", params.RunParams).model.seed == 0


@pytest.mark.usefixtures("whole_run")
def test_digests_tell_what_came_from_outside_and_what_the_run_made(results: Path) -> None:
    summarize(results)
    found = json.loads((results / "digests.json").read_bytes())
    assert found["inputs"] == {"data": "sha256:d"}
    assert found["artefacts"] == {"model": "sha256:m", "prepared": "sha256:p"}


@pytest.mark.usefixtures("whole_run")
def test_links_are_kept_without_their_secrets(results: Path) -> None:
    config = (
        CONFIG
        + b"links: {dashboard: 'https://host/run?write_token=planted', model: 'https://u:planted@hub/m'}\n"
    )
    summarize(results, config)
    links = meta(results)["links"]
    assert links["dashboard"] == "https://host/run?write_token=***"
    assert links["model"] == "https://hub/m"
    assert links["job"]["kind"] == "local"


# The same records, the same bytes.


@pytest.mark.usefixtures("whole_run")
def test_summarising_twice_gives_the_same_bytes_whatever_the_process(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> dict[str, bytes]:
        summarize(results, changed={"seed": {"from": 1, "to": 0}})
        return {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}

    first = written()
    assert set(first) == {"config.yaml", "meta.json", "digests.json", "summary.json"}
    assert written() == first
    monkeypatch.chdir("/")
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "7",
        "OMP_NUM_THREADS": "9",
        "TZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    assert written() == first


# Statuses.


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (("success", "success", "success"), "success"),
        (("success", "partial", "success"), "partial"),
        (("failed", "partial", "in_progress"), "failed"),
        (("success", "in_progress", "partial"), "in_progress"),
        (("success", "success", None), "partial"),
        (("success", "failed", None), "failed"),
        (("success", "in_progress", None), "in_progress"),
    ],
)
def test_a_run_is_only_as_good_as_its_worst_stage(
    results: Path, save: Save, statuses: tuple[str | None, ...], whole: str
) -> None:
    for name, status in zip(STAGES, statuses, strict=True):
        if status:
            missing = {"part": "not here"} if status == "partial" else {}
            save(
                name, status=status, missing=missing, metrics={"accuracy": 0.9} if name == "evaluate" else {}
            )
    assert summarize(results)["status"] == whole


def test_what_is_missing_is_named_with_its_reason(results: Path, save: Save) -> None:
    save("train", status="partial", missing={"bertscore": "no local model"}, metrics={"bertscore": None})
    summarize(results, config_with("score: train.bertscore"))
    assert meta(results)["missing"] == {
        "prepare": "the stage has not run",
        "evaluate": "the stage has not run",
        "train.bertscore": "no local model",
    }


def test_an_absent_stage_leaves_its_headline_null_with_a_reason(results: Path, save: Save) -> None:
    save("train", metrics={"loss": 0.5})
    found = summarize(results, config_with("{accuracy: evaluate.accuracy, loss: train.loss}"))
    assert found["metrics"] == {"accuracy": None, "loss": 0.5}
    assert "evaluate" in meta(results)["missing"]["summary.accuracy"]


@pytest.mark.parametrize("status", ["failed", "in_progress"])
def test_a_stage_that_did_not_end_leaves_its_headline_null_with_a_reason(
    results: Path, save: Save, status: str
) -> None:
    save("train", metrics={"loss": 0.5})
    save("evaluate", status=status)
    found = summarize(results, config_with("{accuracy: evaluate.accuracy, loss: train.loss}"))
    assert found["metrics"] == {"accuracy": None, "loss": 0.5}
    assert "summary.accuracy" in meta(results)["missing"]


def test_a_training_alone_shows_its_own_numbers(results: Path, save: Save) -> None:
    save("train", metrics={"loss": 0.5})
    assert summarize(results)["metrics"] == {"accuracy": None, "loss": 0.5}


def test_without_a_training_the_last_stage_names_the_run(results: Path, save: Save) -> None:
    save("prepare")
    save("evaluate", metrics={"accuracy": 0.9})
    summarize(results)
    assert meta(results)["run_id"] == "20260131-120200-abcdef"


# What summarize refuses.


@pytest.mark.usefixtures("whole_run")
@pytest.mark.parametrize("path", ["evaluate.acuracy", "evalute.accuracy", "accuracy", "evaluate"])
def test_a_headline_metric_that_no_stage_has_comes_with_those_there_are(results: Path, path: str) -> None:
    with pytest.raises(ReproofError, match=r"params\.yaml: summary\.best names a metric") as caught:
        summarize(results, config_with(f"best: {path}"))
    assert caught.value.expected == "one of: evaluate.accuracy, evaluate.f1, train.loss"
    assert caught.value.found == path
    assert not (results / "summary.json").exists()


def test_without_a_record_there_is_nothing_to_summarise(results: Path) -> None:
    with pytest.raises(ReproofError, match=r"no stage has left a record[\s\S]*dvc repro"):
        summarize(results)


def test_stages_that_disagree_on_a_file_are_refused(results: Path, save: Save) -> None:
    save("train", writes={"model": "sha256:new"})
    save("evaluate", reads={"model": "sha256:old"}, metrics={"accuracy": 0.9})
    with pytest.raises(ReproofError, match=r"model: stages disagree[\s\S]*dvc repro"):
        summarize(results)


def test_a_record_of_a_newer_schema_says_what_to_do(results: Path, save: Save) -> None:
    save("train", schema_version=2)
    with pytest.raises(ReproofError, match=r"train\.json: a record of a newer schema[\s\S]*copier update"):
        summarize(results)


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema_version": "1"}', "{"])
def test_a_file_that_is_no_record_is_named(results: Path, text: str) -> None:
    (results / "stages").mkdir(parents=True)
    (results / "stages/train.json").write_text(text)
    with pytest.raises(ReproofError, match=r"train\.json"):
        summarize(results)


# Overridden params.


def test_params_that_differ_from_head_are_overrides(git_project: Path) -> None:
    raw = params.parse(PARAMS.replace("seed: 0", "seed: 7").encode(), "params.yaml")[0]
    assert record.overrides(git_project, raw) == {"seed": {"from": 0, "to": 7}}


def test_params_as_they_are_at_head_are_no_overrides(git_project: Path) -> None:
    assert record.overrides(git_project, params.parse(CONFIG, "params.yaml")[0]) == {}


def test_overrides_of_a_project_in_a_subfolder_are_against_its_own_params(git_project: Path) -> None:
    inner = git_project / "inner"
    inner.mkdir()
    (inner / "params.yaml").write_text("seed: 3\n")
    commit_all(git_project, "Inner")
    assert record.overrides(inner, {"seed": 4}) == {"seed": {"from": 3, "to": 4}}


def test_overrides_are_unknown_without_params_to_compare_with(git_project: Path, tmp_path: Path) -> None:
    assert record.overrides(tmp_path, {"seed": 0}) is None
    (git_project / "params.yaml").write_text("seed: [")
    commit_all(git_project, "Broken")
    assert record.overrides(git_project, {"seed": 0}) is None
    (git_project / "params.yaml").unlink()
    commit_all(git_project, "None")
    assert record.overrides(git_project, {"seed": 0}) is None


# What a run says before it ends.


@pytest.mark.usefixtures("whole_run")
def test_a_new_run_leaves_nothing_of_the_last_ones_success(results: Path) -> None:
    summarize(results)
    record.mark(results, "in_progress", run_id="20260201-000000-fedcba")
    found = json.loads((results / "summary.json").read_bytes())
    assert found == {"status": "in_progress", "metrics": {}, "runtime_seconds": None, "end_time": None}
    assert meta(results)["run_id"] == "20260201-000000-fedcba"
    assert meta(results)["status"] == "in_progress"


@pytest.mark.usefixtures("whole_run")
def test_a_failure_after_the_summary_keeps_its_numbers_and_says_failed(results: Path) -> None:
    summarize(results)
    before = meta(results)
    error = {"stage": "report", "message": "no figure"}
    record.mark(results, "failed", error=error)
    found = json.loads((results / "summary.json").read_bytes())
    assert (found["status"], found["metrics"]) == ("failed", {"accuracy": 0.9})
    assert found["end_time"] > "2026-01-31T12:02:30"
    assert meta(results) == {**before, "status": "failed", "error": error}


@pytest.mark.parametrize("torn", ["", '{"status": "succ', "[]"])
def test_a_failure_is_marked_over_a_torn_file_too(results: Path, torn: str) -> None:
    results.mkdir(parents=True)
    for name in ("summary.json", "meta.json"):
        (results / name).write_text(torn)
    record.mark(results, "failed", error={"stage": "train", "message": "killed"})
    assert json.loads((results / "summary.json").read_bytes())["status"] == "failed"
    assert meta(results)["error"]["message"] == "killed"
