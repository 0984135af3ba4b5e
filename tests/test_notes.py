"""People's words: read by section, kept apart from what is measured, and never able to break a document."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reproof.errors import ReproofError
from reproof.report import notes, words

TEMPLATE = Path(__file__).parents[1] / "template" / "notes"


def read(folder: Path, **files: str) -> notes.Notes:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text)
    return notes.read(folder)


def test_the_template_ships_every_heading_and_no_words() -> None:
    found = notes.read(TEMPLATE)
    assert found.passages == ()
    assert found.missing() == [section for sections in notes.HOMES.values() for section in sections]
    for home, sections in notes.HOMES.items():
        lines = (TEMPLATE / f"{home}.md").read_text().splitlines()
        assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == list(sections)


@pytest.mark.parametrize("heading", ["## Error analysis", "## 6.2 Error Analysis", "## *Error analysis* ##"])
def test_a_heading_means_its_section_however_it_is_written(tmp_path: Path, heading: str) -> None:
    found = read(tmp_path, analysis=f"---\nrun: r1\n---\n\n# Analysis\n\n{heading}\n\nOnes and eights.\n")
    assert found.get("Error analysis") == notes.Passage(
        "Error analysis", "Ones and eights.", "notes/analysis.md", "r1"
    )


def test_words_before_the_first_heading_belong_to_the_notes_first_section(tmp_path: Path) -> None:
    found = read(tmp_path, goals="# Goals\n\nIs B better than A?\n", analysis="It is.\n")
    assert {p.section: p.body for p in found.passages} == {
        "Research question": "Is B better than A?",
        "Summary": "It is.",
    }


def test_words_under_a_heading_that_no_document_asks_for_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, analysis="## Coffee\n\nToo much.\n", diary="Monday.\n")
    assert [(p.section, p.body) for p in found.others()] == [("Coffee", "Too much."), ("diary", "Monday.")]


def test_words_on_one_section_from_two_files_are_joined(tmp_path: Path) -> None:
    found = read(tmp_path, goals="## Constraints\n\nTime.\n", more="## Constraints\n\nMoney.\n")
    assert found.get("Constraints").body == "Time.\n\nMoney."  # type: ignore[union-attr]


def test_comments_are_hints_and_no_words(tmp_path: Path) -> None:
    found = read(tmp_path, goals="# Goals\n\n<!-- what belongs\nhere -->\n\n## Constraints\n\n<!-- x -->\n")
    assert found.passages == ()


def test_headings_in_a_note_stand_below_the_documents_own(tmp_path: Path) -> None:
    text = "## Summary\n\n### First\n\n```\n## code\n```\n\n##### Deep\n"
    assert read(tmp_path, analysis=text).get("Summary").body == (  # type: ignore[union-attr]
        "#### First\n\n```\n## code\n```\n\n##### Deep"
    )


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("[a](plot.png)", "[a](../notes/plot.png)"),
        ("![a](../results/x.png)", "![a](../results/x.png)"),
        ("[a](https://x.org/y) [b](#here) [c](/top)", "[a](https://x.org/y) [b](#here) [c](/top)"),
        ("[a](mailto:me@x.org)", "[a](mailto:me@x.org)"),
        ("```\n[a](b)\n```", "```\n[a](b)\n```"),
    ],
)
def test_links_lead_to_the_same_place_from_the_document(tmp_path: Path, written: str, rendered: str) -> None:
    assert read(tmp_path, goals=written).passages[0].body == rendered


@pytest.mark.parametrize(
    "open_end", ["before\n```python\nx = 1", "before\n<!-- never closed", "~~~~\nx\n~~~", "````\n```\nx"]
)
def test_what_a_note_leaves_open_does_not_swallow_the_report(tmp_path: Path, open_end: str) -> None:
    body = read(tmp_path, goals=open_end).passages[0].body
    html = MarkdownIt("commonmark", {"html": True}).render(f"{body}\n\n## After\n")
    assert "<h2>After</h2>" in html


def test_secrets_in_notes_reach_no_document(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    body = read(tmp_path, goals=f"Log in with {token}.\n").passages[0].body
    assert token not in body
    assert body.startswith("Log in with ")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not UTF-8"), (b"---\nrun: [\n---\nx", "the front matter is not YAML")],
)
def test_a_note_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "goals.md").write_bytes(content)
    with pytest.raises(ReproofError, match=said) as caught:
        notes.read(tmp_path)
    assert "goals.md" in str(caught.value)


@pytest.mark.parametrize(
    ("section", "run", "begins"),
    [
        ("Research question", None, "Words."),
        ("Conclusions", "r1", "Words."),
        ("Conclusions", "r0", "*Written about `r0`, another run than this one:*"),
        ("Conclusions", None, "*These words name no run"),
        ("Research question", "r0", "*Written about `r0`, another run"),
    ],
)
def test_words_on_results_say_which_run_they_are_about(section: str, run: str | None, begins: str) -> None:
    passage = notes.Passage(section, "Words.", "notes/x.md", run)
    shown = words.written(passage, "r1")
    assert shown.startswith(begins)
    assert shown.endswith("Words.")


def test_words_about_this_run_go_before_older_ones(tmp_path: Path) -> None:
    about = "---\nrun: {0}\n---\n\n## Conclusions\n\nOf {0}.\n"
    found = read(tmp_path, analysis=about.format("r0"), b=about.format("r1"))
    assert found.get("Conclusions", "r1").body == "Of r1."  # type: ignore[union-attr]
    assert found.get("Conclusions", "r9").body == "Of r0."  # type: ignore[union-attr]


def test_what_is_no_note_of_the_projects_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "project" / "notes"
    folder.mkdir(parents=True)
    (folder / ".#goals.md").symlink_to("me@host.123:1")
    (folder / "drafts.md").mkdir()
    (tmp_path / "secret.txt").write_text("outside")
    (folder / "link.md").symlink_to(tmp_path / "secret.txt")
    assert read(folder, goals="Inside.").passages == (
        notes.Passage("Research question", "Inside.", "notes/goals.md", None),
    )
