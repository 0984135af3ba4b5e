"""The template's digits, verified as a user does: an untouched run is BIT every time, an edited one never."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from projects import ENV, dvc

pytestmark = pytest.mark.torch

EXECUTED = ["prepare", "train", "export", "evaluate", "robustness"]


def verified(project: Path, output: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `reproof verify`."""
    command = ("reproof", "verify", "--json", "--output", output, *options)
    done = run(*command, cwd=project, env=ENV, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_an_untouched_run_is_identical_three_times(digits_run: Path, tmp_path: Path) -> None:
    before = run("git", "status", "--porcelain", "--ignored", cwd=digits_run).stdout
    code, told = verified(digits_run, tmp_path, "--require", "bit", "--repeats", "3")
    assert (code, told["verdict"]) == (0, "BIT MATCH"), told["reasons"]
    assert told["executed"] == EXECUTED
    assert told["control"]["differing"] in ([], ())
    assert told["splits_identical"] is True
    assert {line["standing"] for line in (*told["metrics"], *told["artefacts"])} == {"identical"}
    assert any(line["path"].endswith("model.onnx") for line in told["artefacts"])
    assert run("git", "status", "--porcelain", "--ignored", cwd=digits_run).stdout == before
    (certificate,) = tmp_path.glob("*.json")
    done = run("reproof", "certificate", "check", certificate, cwd=digits_run, env=ENV)
    assert done.stdout.startswith("valid: BIT MATCH")


def test_what_was_trained_otherwise_differs_and_says_where(digits_run: Path, tmp_path: Path) -> None:
    """The author had a variable set, and the training took its rate from it."""
    project = Path(shutil.copytree(digits_run, tmp_path / "project", symlinks=True))
    train = project / "src" / "train.py"
    text = train.read_text()
    assert text.count("return params.lr *") == 2
    rate = 'float(__import__("os").environ.get("RATE", params.lr))'
    train.write_text(text.replace("return params.lr *", f"return {rate} *"))
    commit_all(project, "A rate")
    run("dvc", "repro", cwd=project, env={**ENV, "RATE": "0.004"})
    commit_all(project, "Run")
    code, told = verified(project, tmp_path / "out", "--stage", "train")
    assert (code, told["verdict"]) == (1, "DIFFERENT")
    assert told["divergence"]["step"] <= 3


def test_a_metric_that_was_edited_contradicts(digits_run: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(digits_run, tmp_path / "project", symlinks=True))
    summary = project / "results" / "latest" / "summary.json"
    value = json.loads(summary.read_text())
    value["metrics"]["accuracy"] = 0.999
    summary.write_text(json.dumps(value))
    commit_all(project, "Better")
    code, told = verified(project, tmp_path / "out")
    assert (code, told["verdict"]) == (5, "UNVERIFIABLE")


@pytest.mark.soak
def test_an_untouched_run_is_identical_twenty_times(digits_run: Path, tmp_path: Path) -> None:
    for number in range(20):
        code, told = verified(digits_run, tmp_path / str(number), "--require", "bit")
        assert (code, told["verdict"]) == (0, "BIT MATCH"), (number, told["reasons"])


@pytest.mark.soak
def test_other_seeds_are_identical_too(digits_run: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(digits_run, tmp_path / "project", symlinks=True))
    for seed in range(1, 4):
        dvc(project, "exp", "run", "--name", f"seed-{seed}", "-S", f"seed={seed}")
        run("git", "checkout", "--quiet", "--force", "HEAD", cwd=project)
        code, told = verified(project, tmp_path / "out", "--require", "bit", f"seed-{seed}")
        assert (code, told["verdict"]) == (0, "BIT MATCH"), (seed, told["reasons"])
