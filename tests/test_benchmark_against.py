"""`reproof benchmark --against REV`: a recorded run brought back and measured beside the workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from measured import PROVENANCE, make_project, shorten, subject

from reproof import files
from reproof.benchmark import Settings, against, measure
from reproof.errors import ReproofError

QUICK = {"runtimes": ["onnxruntime"], "repeats": 2, "quick": True}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project whose last commit holds a model, its code and a benchmark of them."""
    make_project(git_project)
    (git_project / ".dvc").mkdir(exist_ok=True)
    (git_project / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (git_project / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (git_project / "results" / "latest").mkdir(parents=True)
    record(git_project)
    commit_all(git_project, "A run")
    return git_project


def record(project: Path, **changes: Any) -> None:
    result = measure(
        subject(project, checkpoint=None, loader=None, **changes),
        Settings(**QUICK),
        provenance=PROVENANCE,
        samples_file=None,
    )
    files.write_json(project / against.RECORD, result.model_dump(mode="json"))


def edit(project: Path, **values: Any) -> None:
    found = json.loads((project / against.RECORD).read_text())
    files.write_json(project / against.RECORD, found | values)


def compare(project: Path, **changes: Any) -> Any:
    return against.compare(project, "HEAD", Settings(**(QUICK | changes)))


def test_the_recorded_code_runs_beside_todays(project: Path) -> None:
    data = project / "src" / "data.py"
    data.write_text(
        data.read_text().replace("def preprocess(raw):\n", "def preprocess(raw):\n    time.sleep(0.003)\n", 1)
    )
    found = compare(project)
    (cell,) = found.cells.values()
    assert found.basis == "both measured here, interleaved in blocks"
    assert cell.status == "measured"
    assert cell.ratio is not None
    assert cell.ratio.b_over_a > 3  # of a model that takes some microseconds
    assert cell.outcome in ("slower", "noisy")
    assert (cell.outcome == "noisy") == bool(cell.noisy)
    assert (found.a.name, found.b.name) == ("HEAD", "the workspace")


def test_it_leaves_the_repository_as_it_was(project: Path) -> None:
    before = run("git", "status", "--porcelain", "--ignored", cwd=project).stdout
    refs = run("git", "for-each-ref", cwd=project).stdout
    compare(project)
    after = run("git", "status", "--porcelain", "--ignored", cwd=project).stdout
    assert [line for line in after.splitlines() if "tmp" not in line] == before.splitlines()
    assert run("git", "for-each-ref", cwd=project).stdout == refs


def lose_the_model(project: Path) -> None:
    """Commit a run whose model nobody holds, then bring the model back into the workspace alone."""
    run("git", "rm", "--cached", "--quiet", "model.onnx", cwd=project)
    run("git", "commit", "--quiet", "--message", "Without its model", cwd=project)


def test_without_the_model_the_recorded_numbers_are_taken(project: Path) -> None:
    lose_the_model(project)
    found = compare(project)
    assert found.basis.startswith("the recorded numbers, as its model cannot be had")
    (cell,) = found.cells.values()
    assert cell.ratio is not None
    assert cell.ratio.pairs is None
    recorded = json.loads((project / against.RECORD).read_text())
    (then,) = recorded["cells"].values()
    assert cell.a is not None
    assert cell.a.stages is not None
    assert cell.a.stages.end_to_end.median_ms == then["stages"]["end_to_end"]["median_ms"]


def test_numbers_of_another_machine_are_refused(project: Path) -> None:
    found = json.loads((project / against.RECORD).read_text())
    edit(project, hardware=found["hardware"] | {"fingerprint": "of-another"})
    commit_all(project, "Elsewhere")
    lose_the_model(project)
    with pytest.raises(ReproofError, match="another kind of machine") as caught:
        compare(project)
    assert "of-another" in str(caught.value)


def test_a_cell_that_the_run_has_not_is_a_row_that_says_so(project: Path) -> None:
    lose_the_model(project)
    found = compare(project, batch_sizes=[3])
    (cell,) = found.cells.values()
    assert (cell.status, cell.ratio) == ("unavailable", None)
    assert cell.reason == "A: that run has no numbers of this cell"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("absent", "no benchmark is recorded there"),
        ("torn", "not JSON, or no record"),
        ("old", "it does not say what was measured"),
        ("outside", "leads out of"),
    ],
)
def test_a_record_that_cannot_be_used_says_why(project: Path, change: str, words: str) -> None:
    good = (project / against.RECORD).read_text()
    if change == "absent":
        run("git", "rm", "--cached", "--quiet", against.RECORD, cwd=project)
        run("git", "commit", "--quiet", "--message", "None", cwd=project)
    else:
        if change == "torn":
            (project / against.RECORD).write_text("{")
        if change == "old":
            old = json.loads(good)
            del old["subject"]
            old["schema_version"] = 1
            old["hardware"]["fingerprint"] = "of-another"
            files.write_json(project / against.RECORD, old)
        if change == "outside":
            told = json.loads(good)["subject"] | {"onnx": "../../etc/passwd"}
            edit(project, subject=told)
        commit_all(project, "Changed")
    (project / against.RECORD).write_text(good)
    with pytest.raises(ReproofError, match=words):
        compare(project)


def test_a_workspace_without_a_benchmark_says_how_to_make_one(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="this workspace has no benchmark") as caught:
        against.compare(git_project, "HEAD", Settings(**QUICK))
    assert "dvc repro benchmark" in str(caught.value)


@pytest.mark.parametrize(
    ("block", "expected"),
    [("benchmark: full\n", [1, 8, 32]), ("benchmark: {batch_sizes: [4]}\n", [4]), ("seed: 0\n", [1])],
)
def test_the_projects_own_settings_are_taken(tmp_path: Path, block: str, expected: list[int]) -> None:
    (tmp_path / "params.yaml").write_text(block)
    assert against.settings(tmp_path, {}).batch_sizes == expected
    assert against.settings(tmp_path, {"batch_sizes": [9]}).batch_sizes == [9]
