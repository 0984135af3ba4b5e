"""`reproof diff` of runs that are not there or lack something: rows `diff-…` of docs/reference/errors.md.

The command runs in this process: a process of its own takes two seconds to import what each of them needs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import diff_runs as runs
import pytest
import yaml
from bad_inputs import assert_told, nothing_lost
from conftest import commit_all, run
from diff_runs import CLASSES, LATEST, answers, run_of

from reproof import evaluation
from reproof.cli import main

Diff = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = runs.project(tmp_path_factory.mktemp("bad") / "project")
    runs.add(project, "a", run_of())
    runs.add(project, "b", run_of(answers={"train": answers(60, 5, first=1000), "test": answers(seed=1)}))
    runs.forget(project)
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


@pytest.fixture
def diff(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Diff:
    def called(*arguments: str, folder: Path = project) -> subprocess.CompletedProcess[str]:
        command = ["reproof", "diff", *arguments]
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # `main` sets one of its own
        capfd.readouterr()
        with nothing_lost(project), pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess(command, code if isinstance(code, int) else 0, out, err)

    return called


def test_diff_outside_a_project(diff: Diff, tmp_path: Path) -> None:
    assert_told("diff-outside-a-project", diff("a", "b", folder=tmp_path))


def test_diff_an_unknown_run(diff: Diff) -> None:
    assert_told("diff-an-unknown-run", diff("a", "nothing"))


def test_diff_not_a_format(diff: Diff) -> None:
    assert_told("diff-not-a-format", diff("a", "b", "--format", "html"))


def test_diff_output_into_a_folder(diff: Diff) -> None:
    assert_told("diff-output-into-a-folder", diff("a", "b", "--output", "results"))


def test_diff_a_template_with_a_mistake(diff: Diff, project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / "difference.md.jinja").write_text("{{ nothing }}")
    assert_told("diff-a-template-with-a-mistake", diff("a", "b", "--format", "md"))


def test_diff_a_direction_that_is_none(diff: Diff, project: Path) -> None:
    params = (project / "params.yaml").read_text().replace("better: higher", "better: up")
    (project / "params.yaml").write_text(params)
    assert_told("diff-a-direction-that-is-none", diff("a", "b"))


def test_diff_without_the_answers(diff: Diff, project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    assert_told("diff-without-the-answers", diff("a", "b"))


def test_diff_of_answers_that_have_changed(diff: Diff, project: Path) -> None:
    (out,) = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["evaluate"]["outs"]
    cached = project / ".dvc" / "cache" / "files" / "md5" / out["md5"][:2] / out["md5"][2:]
    evaluation.write_predictions(cached, {"test": answers(seed=9)}, CLASSES)
    cached.chmod(0o444)  # DVC believes such a file
    assert_told("diff-of-answers-that-have-changed", diff("a", "b"))


def test_diff_of_other_examples(diff: Diff, project: Path) -> None:
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": answers(first=500)})
    runs.add(project, "c", made)
    assert_told("diff-of-other-examples", diff("a", "c"))


def test_diff_of_a_run_that_failed(diff: Diff, project: Path) -> None:
    error = {"stage": "train", "message": "the loss is not a number at step 4"}
    meta = {"run_id": "20260102-000000-cccccc", "status": "failed", "error": error}
    (project / LATEST / "meta.json").write_text(json.dumps(meta))
    commit_all(project, "Failed")
    run("git", "tag", "diverged", cwd=project)
    assert_told("diff-of-a-run-that-failed", diff("a", "diverged"))


def test_diff_of_a_run_with_itself(diff: Diff) -> None:
    assert_told("diff-of-a-run-with-itself", diff("b", "main"))


def test_diff_of_another_machine(diff: Diff, project: Path) -> None:
    made = run_of()
    made.meta["fingerprint"] = "0" * 12
    runs.add(project, "c", made)
    assert_told("diff-of-another-machine", diff("a", "c"))
