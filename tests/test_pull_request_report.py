"""The Markdown under a pull request: what it claims and shows, and that nobody's words make markup in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import commit_all, run
from pull_requests import (
    GITHUB,
    JUDGED,
    RECORD,
    a_run,
    commit_run,
    edited,
    make,
    pr_report,
    two_methods,
    with_params,
)

from reproof.errors import ReproofError
from reproof.pull_request import report

STRICT = f"{JUDGED}  fail_on_regression: true\n"


@pytest.fixture
def project(small_copy: Path) -> Path:
    """The small project on a branch of its own, whose base is main."""
    run("git", "switch", "--quiet", "--create", "wider", cwd=small_copy)
    return small_copy


# The verdict


def test_a_base_without_a_run(project: Path) -> None:
    found = make(project, "HEAD~1")
    assert found.judgement.overall == "not comparable"
    assert "holds no run: it has nothing to be compared with" in found.text
    assert "| `accuracy` | – | 0." in found.text, "what was measured is shown all the same"


def test_a_branch_that_measures_nothing_new(project: Path) -> None:
    (project / "README.md").write_text("Words.\n")
    commit_all(project, "Words alone")
    found = make(project)
    assert found.judgement.overall == "same"
    assert found.text.startswith("## The same run: ")
    assert "nothing that is measured has changed" in found.text
    assert "What changed" not in found.text


def test_a_method_that_is_better_over_seeds(project: Path, record: RECORD) -> None:
    base, head = [0.90, 0.905, 0.91, 0.895, 0.9, 0.902], [0.95, 0.957, 0.96, 0.945, 0.949, 0.951]
    found = two_methods(project, record, base, head)
    assert found.judgement.overall == "better"
    assert found.judgement.seeds == (6, 6)
    (accuracy,) = [line for line in found.judgement.lines if line.name == "accuracy"]
    assert accuracy.verdict.kind == "better"
    assert accuracy.verdict.difference == pytest.approx(sum(head) / 6 - sum(base) / 6)
    assert found.judgement.claims == ("these two methods",)
    assert "| `accuracy` ↑ | 0.9020 ± 0.0051 | 0.9520 ± 0.0055 | +0.0500 (" in found.text
    assert "Mean ± SD over seeds: 6 of the base, 6 of this." in found.text
    assert "train.lr 0.5 → 0.1" in found.text


def test_a_difference_of_which_nobody_has_said_whether_it_is_good(project: Path, record: RECORD) -> None:
    base = [0.90, 0.905, 0.895, 0.902, 0.898, 0.901]
    worse = [score - 0.2 + i * 1e-3 for i, score in enumerate(base)]
    text = two_methods(project, record, base, worse, params="").text
    assert text.startswith("<!--") or text.lstrip().startswith("## A difference of which nobody has said")
    assert "**Differs**, and nobody has said which way is better: `accuracy` −0.19" in text
    assert "No difference is shown" not in text


def test_a_difference_within_the_margin_is_the_same(project: Path, record: RECORD) -> None:
    scores = [0.90, 0.905, 0.91, 0.895, 0.9, 0.902]
    found = two_methods(project, record, scores, [score + 0.001 + i * 1e-5 for i, score in enumerate(scores)])
    assert found.judgement.overall == "same"
    assert "the interval lies within the margin of 0.005" in found.text


def test_a_regression_fails_where_params_say_so(project: Path, record: RECORD) -> None:
    base, head = [0.95, 0.957, 0.96, 0.945, 0.949, 0.951], [0.90, 0.905, 0.91, 0.895, 0.9, 0.902]
    found = two_methods(project, record, base, head, STRICT)
    assert found.judgement.overall == "worse"
    assert found.fails
    assert "**This fails the job**" in found.text
    done = pr_report(project, "--base", "main", "--check")
    assert done.returncode == 4, done.stderr
    assert "regression: worse than main: accuracy" in done.stderr
    assert done.stdout == found.text
    assert pr_report(project, "--base", "main").returncode == 0, "without --check it only tells"
    told = json.loads(pr_report(project, "--base", "main", "--json").stdout)
    assert (told["verdict"], told["fails"]) == ("worse", True)
    assert told["metrics"]["accuracy"]["kind"] == "worse"


def test_a_regression_does_not_fail_where_params_do_not_say_so(project: Path, record: RECORD) -> None:
    base, head = [0.95, 0.957, 0.96, 0.945, 0.949, 0.951], [0.90, 0.905, 0.91, 0.895, 0.9, 0.902]
    found = two_methods(project, record, base, head)
    assert found.judgement.overall == "worse"
    assert not found.fails
    assert pr_report(project, "--base", "main", "--check").returncode == 0


def test_one_run_a_side_claims_nothing_of_methods(project: Path, record: RECORD) -> None:
    commit_run(project, with_params(a_run(record, 1, lr=0.1, accuracy=0.99), JUDGED), "One run")
    found = make(project)
    (accuracy,) = [line for line in found.judgement.lines if line.name == "accuracy"]
    assert accuracy.verdict.kind == "inconclusive", "there are no answers to compare"
    assert found.judgement.overall == "inconclusive"
    assert not found.judgement.claims


def test_a_run_that_failed(project: Path, record: RECORD) -> None:
    error = {"stage": "train", "message": "loss is nan"}
    commit_run(
        project, edited(a_run(record, 1), {"meta.json": {"status": "failed", "error": error}}), "Broken"
    )
    found = make(project)
    assert found.judgement.overall == "not comparable"
    assert "the run of this branch has failed in the stage train" in found.text
    assert "| the run | **no** | failed in the stage train |" in found.text
    assert "loss is nan" in found.text


def test_other_data_are_not_comparable_over_seeds(project: Path, record: RECORD) -> None:
    other = json.loads(record["split_checksums.json"])
    other["splits"] = dict.fromkeys(other["splits"], "sha256:" + "0" * 64)
    changed = record | {"split_checksums.json": json.dumps(other).encode()}
    commit_run(project, with_params(a_run(changed, 1, accuracy=0.99), JUDGED), "Other data")
    found = make(project)
    assert found.judgement.overall in ("not comparable", "inconclusive")
    assert "data" in found.text.split("### What changed")[1].split("\n\n")[1]


def test_a_base_that_has_moved_on_is_told(project: Path, record: RECORD) -> None:
    run("git", "switch", "--quiet", "main", cwd=project)
    commit_run(project, a_run(record, 1, lr=0.3), "Somebody else's")
    run("git", "switch", "--quiet", "wider", cwd=project)
    commit_run(project, a_run(record, 2, lr=0.1), "Ours")
    assert "holds another run than the one that this branch started from" in make(project).text


def test_nothing_has_run(small_copy: Path) -> None:
    run("git", "rm", "-r", "--quiet", "results", cwd=small_copy)
    commit_all(small_copy, "No results")
    found = make(small_copy)
    assert found.judgement.overall == "not comparable"
    assert "no run is recorded here" in found.text


# The base


def test_the_base_is_the_branch_that_ci_names(project: Path, record: RECORD) -> None:
    run("git", "branch", "release", "main~1", cwd=project)
    run("git", "update-ref", "refs/remotes/origin/main", "main", cwd=project)
    event = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "ada/digits"}
    assert report.make(project, None, {**event, "GITHUB_BASE_REF": "release"}).base == "release"
    assert report.make(project, None, {**event, "GITHUB_BASE_REF": "main"}).base == "origin/main"
    gitlab = {"GITLAB_CI": "true", "CI_PROJECT_ID": "1"}
    assert (
        report.make(project, None, {**gitlab, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "release"}).base
        == "release"
    )
    assert report.make(project, None, {}).base == "origin/main"


def test_a_base_that_is_not_there_is_an_error_when_asked_for(project: Path) -> None:
    with pytest.raises(ReproofError, match="no such revision: 'gone'"):
        report.make(project, "gone", {})
    found = report.make(
        project, None, {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_BASE_REF": "x"}
    )
    assert found.base == "main", "CI's word is tried, and then the usual branches"


def draw(project: Path, name: str, text: str) -> None:
    path = project / "reports/figures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_pictures_are_shown_at_the_commit_that_holds_them(project: Path) -> None:
    draw(project, "a loss (1).svg", "<svg/>")
    draw(project, "changed.svg", "<svg/>")
    commit = commit_all(project, "Figures")
    draw(project, "changed.svg", "<svg>new</svg>")
    draw(project, "new.svg", "<svg/>")
    text = make(project, GITHUB_SHA=commit, **GITHUB).text
    at = f"https://github.example/ada/digits/raw/{commit}/reports/figures/"
    assert f"![a loss (1)](<{at}a%20loss%20%281%29.svg>)" in text
    assert "`reports/figures/changed.svg`, `reports/figures/new.svg`" in text
    assert f"{at}changed.svg" not in text
    gitlab = {
        "GITLAB_CI": "true",
        "CI_PROJECT_ID": "1",
        "CI_PROJECT_URL": "https://gitlab.example/ada/digits",
    }
    text = make(project, CI_COMMIT_SHA=commit, **gitlab).text
    assert f"(<https://gitlab.example/ada/digits/-/raw/{commit}/reports/figures/a%20loss" in text


def test_issues_and_the_job_are_linked(project: Path, record: RECORD) -> None:
    commit_run(project, a_run(record, 1, lr=0.1), "Another rate\n\nCloses #12\n\nRefs: #34, #12")
    text = make(project, **GITHUB).text
    assert " · [job](<https://github.example/ada/digits/actions/runs/9>) · #12 · #34" in text
