"""What people write, and what a run is called, breaks no report."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reproof.report import figures, markdown, reproduce

HOSTILE = [
    "a|b",
    "`code`",
    "<script>alert(1)</script>",
    "line\nbreak",
    "*b* _i_ $x$",
    "![x](y)",
    "``|``",
    "](",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_words_in_a_table(name: str) -> None:
    page = f"| a | b |\n|---|---|\n| {markdown.text(name)} | {markdown.code(name)} |\n"
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert html.count("<td>") == 2
    assert "<script" not in html.replace("&lt;script", "")
    assert not any(tag in html.split("<td>")[1] for tag in ("<em>", "<strong>", "<img", "<a ", "<code>"))


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        ("# no heading", "<p>#"),
        ("- no list", "<p>-"),
        ("1. no list", "<p>1."),
        ("===", "<p>==="),
        ("> no quotation", "<p>&gt;"),
        ("-0.5", "<p>-0.5"),
    ],
)
def test_words_at_the_begin_of_a_line_are_no_block(value: str, begins: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(f"before\n\n{markdown.text(value)}\n")
    assert html.split("\n")[1].startswith(begins)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0224, "0.0224"),
        (8791.4, "8,791"),
        (152_931.2, "152,900"),
        (1_234_567, "1,234,567"),
        (3.0, "3"),
    ],
)
def test_numbers_have_sensible_digits(value: float | None, shown: str) -> None:
    assert markdown.number(value) == shown


def test_the_way_back_sets_adds_and_removes_params() -> None:
    meta = {
        "overrides_against": "abc123",
        "overrides": {
            "train.lr": {"from": 0.1, "to": 1e-05},
            "links": {"from": {}, "to": None},
            "links.model": {"from": None, "to": "https://x.org/a b"},
            "old": {"from": 1, "to": None},
        },
    }
    flat = {"train.lr": 1e-05, "links.model": "https://x.org/a b"}
    assert reproduce.commands(meta, flat)[0] == "git checkout abc123"
    assert reproduce.commands(meta, flat)[-1] == (
        "dvc exp run --force -S train.lr=1e-05 -S '++links.model=\"https://x.org/a b\"' -S '~old'"
    )


def test_a_metrics_name_cannot_lead_out_of_the_folder_of_figures(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text("step,train_../../esc\n1,2\n2,3\n")
    drawn = figures.curves(tmp_path / "curves.csv")
    figures.write(drawn, tmp_path / "figures")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["-esc.svg"]
