"""Commands that cannot do what they are told: rows `command-…` of docs/reference/errors.md."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import assert_recorded, assert_told, init_dvc, nothing_lost
from conftest import commit_all, run
from projects import ENV
from stages import leave_a_success, stage, write


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project whose commit holds a run, as DVC's Git-held files of it."""
    (git_project / ".gitignore").write_text("/results/*\n!/results/latest\n")
    leave_a_success(git_project)
    init_dvc(git_project)
    commit_all(git_project, "A run")
    return git_project


def reproof(project: Path, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", *arguments, cwd=folder or project, env=ENV, check=False)


def experiment(project: Path, name: str, number: int = 1) -> None:
    """A ref as DVC makes one for an experiment."""
    commit = run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()
    run("git", "update-ref", f"refs/exps/{number:02d}/{commit[:38]}/{name}", commit, cwd=project)


def test_command_outside_a_project(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    done = reproof(project, "export", "HEAD", folder=tmp_path / "elsewhere")
    assert_told("command-outside-a-project", done)


def test_command_stage_outside_a_project(git_project: Path) -> None:
    write(git_project, "pass")
    (git_project / "dvc.yaml").unlink()
    with nothing_lost(git_project):
        assert_told("command-stage-outside-a-project", stage(git_project))
    assert not (git_project / "results").exists()


def test_command_unknown(project: Path) -> None:
    assert_told("command-unknown", reproof(project, "exprot", "HEAD"))


def test_command_export_unknown_revision(project: Path) -> None:
    experiment(project, "gamic-pika")
    assert_told("command-export-unknown-revision", reproof(project, "export", "gamic-piko"))


def test_command_export_empty_name(project: Path) -> None:
    assert_told("command-export-empty-name", reproof(project, "export", ""))


def test_command_export_no_run(project: Path) -> None:
    assert_told("command-export-no-run", reproof(project, "export", "HEAD~1"))


def test_command_export_one_name_twice(project: Path) -> None:
    experiment(project, "twin", 1)
    commit_all(project, "Another")
    experiment(project, "twin", 2)
    assert_told("command-export-one-name-twice", reproof(project, "export", "twin"))


def test_command_export_folder_exists(project: Path) -> None:
    (project / "results/mine").mkdir()
    (project / "results/mine/notes.txt").write_text("mine")
    assert_told("command-export-folder-exists", reproof(project, "export", "HEAD", "-o", "results/mine"))


def test_command_export_below_a_file(project: Path) -> None:
    (project / "results/mine").write_text("a file")
    done = reproof(project, "export", "HEAD", "-o", "results/mine/run")
    assert_told("command-export-below-a-file", done)


def test_command_export_name_too_long(project: Path) -> None:
    done = reproof(project, "export", "HEAD", "-o", f"results/{'n' * 300}")
    assert_told("command-export-name-too-long", done)


def test_command_export_record_broken(project: Path) -> None:
    (project / "results/latest/meta.json").write_text('{"run_id": ')
    commit_all(project, "A merge that went wrong")
    assert_told("command-export-record-broken", reproof(project, "export", "HEAD"))


def test_command_digest_missing(project: Path) -> None:
    assert_told("command-digest-missing", reproof(project, "digest", "model.onnx"))


def test_command_digest_broken(project: Path) -> None:
    (project / "weights.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    assert_told("command-digest-broken", reproof(project, "digest", "weights.safetensors"))


def test_command_digest_of_objects(project: Path) -> None:
    np.save(project / "data.npy", np.array([{"a": 1}], dtype=object))
    assert_told("command-digest-of-objects", reproof(project, "digest", "data.npy"))


def test_command_lock_over_a_folder(project: Path) -> None:
    (project / "locked").mkdir()
    assert_told("command-lock-over-a-folder", reproof(project, "lock", "-o", "locked"))
    assert list((project / "locked").iterdir()) == []


def test_command_summary_of_a_newer_record(git_project: Path) -> None:
    """The workspace of a colleague with a newer library."""
    write(git_project, "stage.metric('loss', 0.5)")
    stage(git_project, check=True)
    path = git_project / "results/latest/stages/train.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    summarize(git_project)
    with nothing_lost(git_project):
        assert_told("command-summary-of-a-newer-record", stage(git_project, name="summarize"))


def test_command_summary_of_a_torn_record(git_project: Path) -> None:
    path = git_project / "results/latest/stages/train.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 1, "st')
    summarize(git_project)
    assert_told("command-summary-of-a-torn-record", stage(git_project, name="summarize"))


def test_command_summary_after_the_clock_jumped_back(git_project: Path) -> None:
    """Prepare ran before the clock was set back by a day: its record is of tomorrow."""
    write(git_project, "stage.metric('loss', 0.5)", name="prepare")
    write(git_project, "stage.metric('loss', 0.5)")
    stage(git_project, name="prepare", check=True)
    stage(git_project, check=True)
    path = git_project / "results/latest/stages/prepare.json"
    found = json.loads(path.read_text())
    later = {key: f"2999-01-01T00:00:0{second}Z" for second, key in enumerate(("start_time", "end_time"))}
    path.write_text(json.dumps(found | later | {"seconds": 1.0}))
    params = git_project / "params.yaml"
    params.write_text(params.read_text().replace("evaluate.accuracy", "train.loss"))
    summarize(git_project)
    stage(git_project, name="summarize", check=True)
    meta = json.loads((git_project / "results/latest/meta.json").read_text())
    assert 0 < meta["runtime_seconds"] < 60
    assert_recorded("command-summary-after-the-clock-jumped-back", meta)


def summarize(project: Path) -> None:
    body = """
        from reproof.record import summarize
        names = [n for n in ('prepare', 'train') if (stage.results / f'stages/{n}.json').exists()]
        summarize(stage.results, names, stage.config_text, stage.params, stage.overrides)"""
    write(project, body, name="summarize")
