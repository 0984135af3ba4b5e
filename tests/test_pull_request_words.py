"""Words of others in the Markdown under a pull request, and how long it may get."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import run
from markdown_it import MarkdownIt
from pull_requests import (
    RECORD,
    a_run,
    commit_run,
    edited,
    make,
    with_params,
)

from reproof.errors import ReproofError
from reproof.pull_request import report, wording


@pytest.fixture
def project(small_copy: Path) -> Path:
    """The small project on a branch of its own, whose base is main."""
    run("git", "switch", "--quiet", "--create", "wider", cwd=small_copy)
    return small_copy


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
