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


def test_compare_all_and_names(made: showcase.Showcase) -> None:
    assert_told("compare-all-and-names", compare(made.root, "--all", "main"))


def test_compare_an_unknown_run(made: showcase.Showcase) -> None:
    assert_told("compare-an-unknown-run", compare(made.root, "momentun"))


def test_compare_no_run_of_this_pattern(made: showcase.Showcase) -> None:
    assert_told("compare-no-run-of-this-pattern", compare(made.root, "nothing-*"))


def test_compare_an_unknown_metric(made: showcase.Showcase) -> None:
    assert_told("compare-an-unknown-metric", compare(made.root, "--metric", "acuracy"))


def test_compare_by_an_unknown_param(made: showcase.Showcase) -> None:
    assert_told("compare-by-an-unknown-param", compare(made.root, "--all", "--by", "train.rate"))


def test_compare_a_question_that_breaks_off(made: showcase.Showcase) -> None:
    assert_told(
        "compare-a-question-that-breaks-off", compare(made.root, "--all", "--query", "params.train.lr <")
    )


def test_compare_a_question_that_runs_something(made: showcase.Showcase) -> None:
    assert_told(
        "compare-a-question-that-runs-something",
        compare(made.root, "--all", "--query", "__import__('os').getcwd() == 1"),
    )


def test_compare_a_question_with_one_equals_sign(made: showcase.Showcase) -> None:
    assert_told("compare-a-question-with-one-equals-sign", compare(made.root, "--all", "--query", "seed = 1"))


def test_compare_a_question_about_nothing_known(made: showcase.Showcase) -> None:
    assert_told(
        "compare-a-question-about-nothing-known",
        compare(made.root, "--all", "--query", "params.train.rate < 1"),
    )


def test_compare_a_question_of_no_order(made: showcase.Showcase) -> None:
    assert_told(
        "compare-a-question-of-no-order", compare(made.root, "--all", "--query", "metrics.accuracy > 'high'")
    )


def test_compare_a_question_without_an_answer(made: showcase.Showcase) -> None:
    assert_told("compare-a-question-without-an-answer", compare(made.root, "--all", "--query", "seed == 99"))


def test_compare_with_a_baseline_that_failed(made: showcase.Showcase) -> None:
    assert_told("compare-with-a-baseline-that-failed", compare(made.root, "--baseline", "diverged"))


def test_compare_a_page_without_a_file(made: showcase.Showcase) -> None:
    assert_told("compare-a-page-without-a-file", compare(made.root, "--format", "html"))


def test_compare_into_a_folder(made: showcase.Showcase) -> None:
    assert_told("compare-into-a-folder", compare(made.root, "--output", "src"))


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
