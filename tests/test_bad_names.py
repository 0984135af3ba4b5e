"""Names and places that break programs: rows `name-…` and `place-…` of docs/reference/errors.md."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from bad_inputs import assert_recorded, assert_told, init_dvc, nothing_lost, stage_fails
from conftest import PARAMS, commit_all, make_git_project, run
from projects import ENV, ROOT
from stages import leave_a_success, read, record, stage, write

LONG = "n" * 300


@pytest.fixture
def project(git_project: Path) -> Path:
    write(git_project, "stage.metric('loss', 0.5)")
    return git_project


# Of a project.


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's questions and answers alone, which take no time to copy."""
    folder = tmp_path_factory.mktemp("questions")
    (folder / "template").mkdir()
    for name in ("copier.yml", "template/{{ _copier_conf.answers_file }}.jinja"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def copy(template: Path, tmp_path: Path, name: str) -> subprocess.CompletedProcess[str]:
    """`copier copy` with this name; nothing may be written."""
    command = ["copier", "copy", "--defaults", "--data", f"project_name={name}", str(template), "new"]
    done = run(*command, cwd=tmp_path, env=ENV, check=False)
    assert not (tmp_path / "new").exists()
    return done


def test_name_of_a_project_with_slashes(template: Path, tmp_path: Path) -> None:
    assert_told("name-of-a-project-with-slashes", copy(template, tmp_path, "../up/here"))


def test_name_of_a_project_with_a_newline(template: Path, tmp_path: Path) -> None:
    assert_told("name-of-a-project-with-a-newline", copy(template, tmp_path, "one\ntwo"))


def test_name_of_a_project_too_long(template: Path, tmp_path: Path) -> None:
    assert_told("name-of-a-project-too-long", copy(template, tmp_path, LONG))


def test_name_of_a_folder_for_a_project(template: Path, tmp_path: Path) -> None:
    """The project is called as its folder, as far as a name can be."""
    folder = tmp_path / f"Größe & Maß (v2.1) {'x' * 100}"
    run("copier", "copy", "--defaults", str(template), str(folder), cwd=tmp_path, env=ENV)
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert_recorded("name-of-a-folder-for-a-project", answers)


# Of a run.


def exported(project: Path, name: str) -> dict[str, str]:
    """Export an experiment of this name; say where it went, from the project."""
    (project / ".gitignore").write_text("/results/*\n!/results/latest\n")
    leave_a_success(project)
    init_dvc(project)
    commit = commit_all(project, "A run")
    run("git", "update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}", commit, cwd=project)
    with nothing_lost(project):
        done = run("reproof", "export", name, "--json", cwd=project, env=ENV)
    folder = Path(json.loads(done.stdout)["folder"])
    assert read(project, f"{folder.name}/summary.json")["status"] == "success"
    return {"folder": folder.relative_to(project).as_posix()}


def test_name_of_a_run_with_slashes(project: Path) -> None:
    assert_recorded("name-of-a-run-with-slashes", exported(project, "sweep/lr=0.1/größer"))


def test_name_of_a_run_with_dots(project: Path) -> None:
    assert_recorded("name-of-a-run-with-dots", exported(project, "latest.v2"))


def test_name_of_a_run_too_long(project: Path) -> None:
    assert_recorded("name-of-a-run-too-long", exported(project, "n" * 240))


def test_name_of_a_results_folder_too_long(project: Path) -> None:
    stage_fails("name-of-a-results-folder-too-long", project, "--results", f"results/{LONG}", begins=False)


def test_name_of_a_results_folder_with_a_newline(project: Path) -> None:
    with nothing_lost(project):
        stage(project, "--results", "results/one\ntwo ünd drei", check=True)
    assert_recorded(
        "name-of-a-results-folder-with-a-newline", read(project, "one\ntwo ünd drei/summary.json")
    )


def test_name_in_params_with_a_newline(project: Path) -> None:
    """A metric's short name is a column of `dvc exp show`, and a key of JSON: any text will do."""
    summary = 'summary: {"two\\nlines, ünd": train.loss}\n'
    (project / "other.yaml").write_text(PARAMS.replace("summary:\n  accuracy: evaluate.accuracy\n", summary))
    stage(project, "--config", "other.yaml", "--results", "results/other", check=True)
    assert_recorded("name-in-params-with-a-newline", read(project, "other/summary.json"))


# Of places.


def test_place_results_outside(project: Path) -> None:
    stage_fails("place-results-outside", project, "--results", "../elsewhere", begins=False)
    assert not (project.parent / "elsewhere").exists()


def test_place_results_are_the_project(project: Path) -> None:
    stage_fails("place-results-are-the-project", project, "--results", ".", begins=False)


def test_place_with_spaces_and_umlauts(tmp_path: Path) -> None:
    project = make_git_project(tmp_path / "Größe & Maß 測試 (1)")
    write(project, "stage.write_json('results/latest/größe.json', {'ä': 1})")
    commit_all(project, "A stage")
    with nothing_lost(project):
        stage(project, check=True)
    assert_recorded("place-with-spaces-and-umlauts", record(project))


def test_place_behind_a_link(project: Path, tmp_path: Path) -> None:
    commit_all(project, "A stage")
    (tmp_path / "link").symlink_to(project)
    stage(tmp_path / "link", check=True)
    assert_recorded("place-behind-a-link", record(project))


def test_place_below_the_project(project: Path) -> None:
    """From a folder below, as an editor's run button does it."""
    (project / "notes").mkdir()
    done = run("python", "../src/train.py", cwd=project / "notes", env=ENV)
    assert done.returncode == 0
    assert_recorded("place-below-the-project", record(project))
