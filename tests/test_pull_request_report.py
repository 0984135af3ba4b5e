"""The Markdown under a pull request: what it claims and shows, and that nobody's words make markup in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import many_runs
import pytest
from conftest import commit_all, run
from markdown_it import MarkdownIt
from pull_requests import (
    RECORD,
    a_run,
    add_experiment,
    commit_run,
    edited,
    pr_report,
    with_params,
)

from reproof.errors import ReproofError
from reproof.pull_request import ci, references, report, wording
from reproof.pull_request.report import MAX_CHARACTERS, Report

JUDGED = """\
comparison:
  metrics:
    accuracy: {better: higher, margin: 0.005}
    loss: {better: lower}
"""
STRICT = f"{JUDGED}  fail_on_regression: true\n"


@pytest.fixture
def record(small_run: Path) -> RECORD:
    return many_runs.record_of(small_run / "results/latest")


@pytest.fixture
def project(small_copy: Path) -> Path:
    """The small project on a branch of its own, whose base is main."""
    run("git", "switch", "--quiet", "--create", "wider", cwd=small_copy)
    return small_copy


def make(project: Path, base: str = "main", **env: str) -> Report:
    found = report.make(project, base, env)
    assert len(found.text) <= MAX_CHARACTERS
    return found


def two_methods(
    project: Path, record: RECORD, base: list[float], head: list[float], params: str = JUDGED
) -> Report:
    """Compare two methods over seeds: the first of each is what the branch holds."""
    run("git", "switch", "--quiet", "main", cwd=project)
    own = with_params(record, params)
    commit_run(project, a_run(own, 100, lr=0.5, accuracy=base[0]), "The base")
    for number, score in enumerate(base[1:], start=1):
        add_experiment(
            project, a_run(own, 100 + number, seed=number, lr=0.5, accuracy=score), f"base-{number}"
        )
    run("git", "switch", "--quiet", "--create", "method", cwd=project)
    for number, score in enumerate(head[1:], start=1):
        add_experiment(
            project, a_run(own, 200 + number, seed=number, lr=0.1, accuracy=score), f"head-{number}"
        )
    commit_run(project, a_run(own, 200, lr=0.1, accuracy=head[0]), "Another rate")
    return make(project)


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


# Words of others

EVIL = [
    "</details><script>alert(1)</script>",
    "| cell | cell",
    "@ada/owners please",
    "/close",
    "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "fixes #1 and !2",
    "<!-- reproof:pull-request . -->",
    "``` fence ```",
    "\u202egnp.exe\u202c",
    "line\nbreak\r\n# Heading",
    "https://evil.example/a",
    "www.evil.example",
    "$`math`$",
    "ghp_" + "a1B2" * 10,
]


@pytest.mark.parametrize("words", EVIL)
def test_words_of_others_are_words(words: str) -> None:
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    for shown in (wording.name(words), wording.said(words)):
        assert "\n" not in shown
        html = renderer.render(f"| a | b |\n|---|---|\n| {shown} | end |\n\n- {shown}\n")
        assert re.findall(r"<(?!/?(?:table|thead|tbody|tr|th|td|ul|li|p|code)\b)", html) == [], html
        assert html.count("<td>") == 2
        assert "\u202e" not in html
        assert "a1B2a1B2" not in html
    plain = wording.said(words)
    assert not re.search(r"@\w|(?<![\w&])[#!]\d|://|www\.", plain)
    assert not re.match(r"\s*/\w", wording.guarded(plain))


def test_words_of_others_in_a_whole_report(project: Path, record: RECORD) -> None:
    evil = "@ada </details> | <img src=x> \\n/close #1 https://evil.example"
    error = {"stage": "train", "message": evil}
    own = with_params(a_run(record, 1, lr=0.1), f"note: {json.dumps(evil)}\n")
    commit_run(project, edited(own, {"meta.json": {"status": "failed", "error": error}}), "Broken")
    text = make(project).text
    assert not re.search(r"^\s*/", text, re.M)
    outside = re.sub(r"(`+).*?\1", "", text)
    assert not re.search(r"@\w|<img|(?<!\w)#\d|https://evil", outside)
    assert outside.count("<details>") == outside.count("</details>") == 3


def test_a_secret_in_a_record_is_not_published(
    project: Path, record: RECORD, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cr3t-Value-77"
    monkeypatch.setenv("MY_TOKEN", secret)
    error = {"stage": "train", "message": f"login with {secret} failed"}
    own = edited(a_run(record, 1), {"meta.json": {"status": "failed", "error": error}})
    commit_run(project, own, "Broken")
    assert secret not in make(project).text


def test_lines_that_are_commands_to_gitlab_are_none() -> None:
    text = "/close\n  /merge now\nor /close\n```\n/etc/hosts\n```\n/approve\n//x\n/ y\n"
    guarded = wording.guarded(text)
    assert guarded == "\\/close\n  \\/merge now\nor /close\n```\n/etc/hosts\n```\n\\/approve\n//x\n/ y\n"


# Length


def tables(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.M)]


def test_thousands_of_params_are_cut_at_a_row_with_a_link(project: Path, record: RECORD) -> None:
    many = "wide:\n" + "".join(f"  knob_{number}: {number}\n" for number in range(5000))
    other = "wide:\n" + "".join(f"  knob_{number}: {number + 1}\n" for number in range(5000))
    commit_run(project, with_params(a_run(record, 1, lr=0.1), many), "One")
    run("git", "branch", "--force", "main", "HEAD", cwd=project)
    commit_run(project, with_params(a_run(record, 2, lr=0.2), other), "Two")
    env = {"GITLAB_CI": "true", "CI_PROJECT_ID": "1", "CI_JOB_ID": "5", "CI_JOB_URL": "https://ci.example/5"}
    text = make(project, "main", **env).text
    assert "more are not shown: [the whole](<https://ci.example/5>)." in text
    assert text.count("<details>") == text.count("</details>")
    for table in tables(text):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) == 1, table[:3]
        assert all(row.endswith("|") for row in table)


def test_values_as_long_as_a_book_are_cut(project: Path, record: RECORD) -> None:
    long = "".join(f"text_{number}: {'word ' * 2000}\n" for number in range(40))
    commit_run(project, with_params(a_run(record, 1, lr=0.1), long), "Long")
    assert len(make(project).text) < 45_000


def test_a_template_of_ones_own_that_is_too_long(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / report.TEMPLATE).write_text("x" * 70_000)
    with pytest.raises(ReproofError, match="too long for a comment"):
        report.make(project, "main", {})


def test_a_block_of_ones_own(project: Path) -> None:
    (project / "templates").mkdir()
    own = '{% extends "reproof/pull_request.md.jinja" %}'
    own += "{% block checks %}Ours: {{ checks[0].words }}.{% endblock %}"
    (project / "templates" / report.TEMPLATE).write_text(own)
    assert "Ours: ended well." in make(project).text


# Pictures and links


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "ada/digits",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_RUN_ID": "9",
}


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


# Numbers of requests and issues


@pytest.mark.parametrize(
    ("message", "requests", "issues"),
    [
        ("Wider (#123)", ("123",), ()),
        ("Merge pull request #45 from ada/wider\n\nWider", ("45",), ()),
        (
            "Merge branch 'wider' into 'main'\n\nWider\n\nCloses #7\n\nSee merge request ada/digits!45",
            ("45",),
            ("7",),
        ),
        ("Merge branch 'x'\n\nSee merge request !45", ("45",), ()),
        ("Wider (!45)", ("45",), ()),
        ("Wider\n\nPull-Request: #9", ("9",), ()),
        ("Wider\n\nMerge-Request: !9\nIssue: #3", ("9",), ("3",)),
        ("Wider\n\nPull-Request: https://github.com/ada/digits/pull/9", ("9",), ()),
        (
            "Wider\n\nRefs: https://gitlab.com/a/b/-/issues/3, https://gitlab.com/a/b/-/merge_requests/4",
            ("4",),
            ("3",),
        ),
        ("Fix #5: wider", (), ("5",)),
        ("Wow!45 and #6 in passing", (), ()),
        ("Colour #123456789012 and (#12a)", (), ()),
        ("Closes #٣", (), ()),
        ("", (), ()),
    ],
)
def test_numbers_in_messages(
    git_project: Path, message: str, requests: tuple[str, ...], issues: tuple[str, ...]
) -> None:
    from reproof.pull_request import trailers

    found = references.of_message(message, trailers.parsed(message, git_project))
    assert (found.pull_requests, found.issues) == (requests, issues)


def test_the_number_of_a_pull_request_is_that_of_ci_and_else_of_the_commit(git_project: Path) -> None:
    commit_all(git_project, "Wider (#123)")
    assert references.pull_request(git_project, {}) == "123"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/7/merge"}
    assert references.pull_request(git_project, env) == "7"
    assert (
        references.pull_request(
            git_project, {"GITLAB_CI": "1", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "8"}
        )
        == "8"
    )


def test_an_event_that_is_no_event_adds_nothing(tmp_path: Path) -> None:
    env = {**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REF": "refs/pull/7/merge"}
    for text in ("[]", "nonsense", '{"pull_request": 3}', "[" * 100_000):
        (tmp_path / "event.json").write_text(text)
        job = ci.job(env)
        assert job
        assert job.number == "7"


def test_a_comment_on_a_pull_request_names_it(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"issue": {"number": 5, "pull_request": {}}}')
    job = ci.job({**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")})
    assert job
    assert job.number == "5"


def test_a_push_is_compared_with_what_it_was_pushed_on(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"before": "d" * 40}))
    env = {**GITHUB, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_SHA": "e" * 40}
    job = ci.job(env)
    assert job
    assert (job.bases, job.head, job.number) == (("d" * 40,), "e" * 40, None)
    (tmp_path / "event.json").write_text(json.dumps({"before": "0" * 40}))
    assert ci.job(env).bases == (), "a new branch was pushed on nothing"  # type: ignore[union-attr]


def test_outside_ci() -> None:
    assert ci.job({}) is None
    assert ci.job({"GITHUB_ACTIONS": "true"}) is None
