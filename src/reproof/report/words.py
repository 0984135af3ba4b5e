"""What templates call: people's words, figures and pictures, each with what is said where it is absent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from reproof.report import notes as notes_module
from reproof.report.figures import Figure
from reproof.report.markdown import code, number, score, text
from reproof.report.notes import OF_ONE_RUN, Notes, Passage
from reproof.report.source import Source


def functions(source: Source, notes: Notes, figures: Sequence[Figure]) -> dict[str, Callable[..., Any]]:
    """Return the functions of a template by name."""
    drawn = {figure.name: figure for figure in figures}
    run_id = source.meta["run_id"]

    def note(section: str, *, quiet: Any = False, lead: str = "", inline: bool = False) -> str:
        """The words of a section; where there are none, that they are not written, or nothing when quiet."""
        passage = notes.get(section, run_id)
        if passage is None:
            where = f"{notes_module.home(section)}, {section}"
            return "" if quiet else f"*Not written yet: {text(where)}*"
        words = written(passage, run_id)
        if inline and re.match(r"\s*(?:[-*+|>#]|\d+[.)]|```)", words):  # a list, a table: on lines of its own
            words = f"\n\n{words}"
        return words.replace("\n", "\n  ") if inline else f"{lead}{words}"

    def figure(name: str | Figure) -> str:
        found = drawn.get(name) if isinstance(name, str) else name
        return f"![{text(found.alt)}](figures/{found.name}.svg{_caption(found.title)})" if found else ""

    def picture(name: str, alt: str) -> str:
        return f"![{text(alt)}](../results/latest/{name}.png)" if source.file(f"{name}.png") else ""

    return {
        "note": note,
        "written": lambda passage: written(passage, run_id),
        "figure": figure,
        "has_figure": lambda name: name in drawn,
        "picture": picture,
        "examples": lambda kind: _examples(source, kind),
        "why_no": lambda part: _why_no(source, part),
    }


def _caption(title: str) -> str:
    """The figure's title, as Markdown takes it beside the address."""
    return "" if '"' in title else f' "{text(title)}"'


def written(passage: Passage, run_id: str | None) -> str:
    """Return somebody's words, with whose run they speak of where that is not this one."""
    if passage.section not in OF_ONE_RUN and passage.run is None:
        return passage.body
    if passage.run is None:
        said = f"These words name no run (`run:` in {code(passage.path)}), and may be about another one:"
        return f"*{said}*\n\n{passage.body}"
    if passage.run != run_id:
        return f"*Written about {code(passage.run)}, another run than this one:*\n\n{passage.body}"
    return passage.body


def _examples(source: Source, kind: str) -> str:
    """A table of the examples that went best or worst."""
    rows = list(((source.evaluation or {}).get(kind) or {}).values())[:6]
    if not rows:
        return "Not recorded." if source.evaluation else "The stage evaluate has left no results."
    if "target" in rows[0]:
        lines = ["| Example | Target | Predicted | Error |", "|---|---:|---:|---:|"]
        lines += [
            f"| {code(row['id'])} | {number(row['target'])} | {number(row['predicted'])} | "
            f"{number(row['error'])} |"
            for row in rows
        ]
    else:
        lines = ["| Example | Truth | Predicted | Probability of the truth |", "|---|---|---|---:|"]
        lines += [
            f"| {code(row['id'])} | {text(row['label'])} | {text(row['predicted'])} | "
            f"{score(row['probability'])} |"
            for row in rows
        ]
    return "\n".join(lines)


def _why_no(source: Source, part: str) -> str:
    """Why a part of robustness was not measured, as a sentence."""
    if source.robustness is None:
        return "the run has no stage robustness, or it has left no results."
    if source.robustness["status"] == "skipped":
        return f"the stage was skipped; {source.robustness['reason']}."
    reason = source.robustness.get(f"{part}_missing_reason")
    return f"{str(reason).rstrip('.')}." if reason else "no reason was recorded."
