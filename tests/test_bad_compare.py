"""`reproof compare` asked for what there is not: rows `compare-…` of docs/reference/errors.md."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import showcase
from bad_inputs import assert_told, init_dvc, nothing_lost
from conftest import commit_all, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> showcase.Showcase:
    return showcase.shared(tmp_path_factory)


def compare(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with nothing_lost(root):
        return run("reproof", "compare", *arguments, cwd=root, check=False)


@pytest.mark.parametrize(
    ("slug", "arguments"),
    [
        ("compare-all-and-names", ["--all", "main"]),
        ("compare-an-unknown-run", ["momentun"]),
        ("compare-no-run-of-this-pattern", ["nothing-*"]),
        ("compare-an-unknown-metric", ["--metric", "acuracy"]),
        ("compare-by-an-unknown-param", ["--all", "--by", "train.rate"]),
        ("compare-a-question-that-breaks-off", ["--all", "--query", "params.train.lr <"]),
        ("compare-a-question-that-runs-something", ["--all", "--query", "__import__('os').getcwd() == 1"]),
        ("compare-a-question-with-one-equals-sign", ["--all", "--query", "seed = 1"]),
        ("compare-a-question-about-nothing-known", ["--all", "--query", "params.train.rate < 1"]),
        ("compare-a-question-of-no-order", ["--all", "--query", "metrics.accuracy > 'high'"]),
        ("compare-a-question-without-an-answer", ["--all", "--query", "seed == 99"]),
        ("compare-with-a-baseline-that-failed", ["--baseline", "diverged"]),
        ("compare-a-page-without-a-file", ["--format", "html"]),
        ("compare-into-a-folder", ["--output", "src"]),
    ],
)
def test_asked_for_what_there_is_not(made: showcase.Showcase, slug: str, arguments: list[str]) -> None:
    assert_told(slug, compare(made.root, *arguments))


def test_compare_where_nothing_ran(git_project: Path) -> None:
    init_dvc(git_project)
    (git_project / "dvc.yaml").write_text("stages: {}\n")
    commit_all(git_project, "No run yet")
    assert_told("compare-where-nothing-ran", compare(git_project))


def test_compare_runs_of_other_commits_alone(made: showcase.Showcase, tmp_path: Path) -> None:
    mine = made.copy(tmp_path / "repo")
    run("git", "checkout", "--quiet", "--orphan", "empty", cwd=mine.root)
    run("git", "rm", "-rq", "--cached", "results", cwd=mine.root)
    for path in (mine.root / "results" / "latest").rglob("*.json"):
        path.unlink()
    commit_all(mine.root, "Another project")
    assert_told("compare-runs-of-other-commits-alone", compare(mine.root))


def test_compare_with_a_direction_that_is_none(made: showcase.Showcase, tmp_path: Path) -> None:
    mine = made.copy(tmp_path / "repo")
    path = mine.root / "params.yaml"
    path.write_text(path.read_text().replace("better: higher", "better: up", 1))
    assert_told("compare-with-a-direction-that-is-none", compare(mine.root))


def test_compare_with_a_margin_that_is_none(made: showcase.Showcase, tmp_path: Path) -> None:
    mine = made.copy(tmp_path / "repo")
    path = mine.root / "params.yaml"
    path.write_text(path.read_text().replace("margin: 0.005", "margin: small", 1))
    assert_told("compare-with-a-margin-that-is-none", compare(mine.root))


def test_compare_without_a_direction(made: showcase.Showcase, tmp_path: Path) -> None:
    mine = made.copy(tmp_path / "repo")
    path = mine.root / "params.yaml"
    head, _, rest = path.read_text().partition("comparison:")
    kept = [line for line in rest.splitlines()[1:] if line and not line.startswith(" ")]
    path.write_text(head + "\n".join(kept))
    assert_told("compare-without-a-direction", compare(mine.root))
