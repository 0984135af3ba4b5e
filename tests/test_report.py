"""What people write, and what a run is called, breaks no report."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reproof.report import figures, markdown
from reproof.report.render import _again, _notes

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


@pytest.mark.parametrize("words", ["before\n```python\nx = 1", "before\n<!-- never closed", "~~~\nx"])
def test_what_a_note_leaves_open_does_not_swallow_the_report(tmp_path: Path, words: str) -> None:
    (tmp_path / "goals.md").write_text(words)
    page = _notes(tmp_path)["goals"].body + "\n\n## After\n"
    assert "<h2>After</h2>" in MarkdownIt("commonmark", {"html": True}).render(page)


def test_comments_of_the_template_are_no_words(tmp_path: Path) -> None:
    (tmp_path / "analysis.md").write_text("---\nrun: r1\n---\n\n# Analysis\n\n<!-- what belongs\nhere -->\n")
    note = _notes(tmp_path)["analysis"]
    assert (note.body, note.run) == ("", "r1")


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
    assert _again(meta, flat)[0] == "git checkout abc123"
    assert _again(meta, flat)[-1] == (
        "dvc exp run --force -S train.lr=1e-05 -S '++links.model=\"https://x.org/a b\"' -S '~old'"
    )


def test_a_metrics_name_cannot_lead_out_of_the_folder_of_figures(tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text("step,train_../../esc\n1,2\n2,3\n")
    drawn = figures.curves(tmp_path / "curves.csv")
    figures.write(drawn, tmp_path / "figures")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["-esc.svg"]
