"""People's words: `notes/*.md`, read by section; no program writes there."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reproof import redact
from reproof.errors import ReproofError

HOMES = {
    "goals": ("Research question", "Hypothesis", "Success criteria", "Constraints"),
    "data": ("Data description", "Data quality", "Preprocessing", "Exploratory analysis"),
    "model": (
        "Architecture",
        "Training process",
        "Intended use",
        "Limitations",
        "Ethical considerations",
        "References",
    ),
    "deployment": ("Infrastructure", "Monitoring", "Fallback", "Issues and pitfalls"),
    "analysis": (
        "Summary",
        "Key findings",
        "Recommendations",
        "Qualitative results",
        "Ablation study",
        "Error analysis",
        "Robustness",
        "Inference",
        "Conclusions",
        "Lessons learned",
        "Short-term",
        "Medium-term",
        "Long-term",
        "Additional experiments",
    ),
}
"""The sections that documents show, by the note that the template ships for them."""

OF_ONE_RUN = frozenset(HOMES["analysis"])
"""These speak of results, so a note that holds them says which run they are about."""

_HOME = {section: home for home, sections in HOMES.items() for section in sections}
_KNOWN = {section.casefold(): section for section in _HOME}
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_LINK = re.compile(r"(\]\()(?![a-zA-Z][a-zA-Z0-9+.-]*:|/|#|<)([^)\s]+)")


@dataclass(frozen=True)
class Passage:
    """Words under one heading: `body` is Markdown, `path` where they stand, `run` what they speak of."""

    section: str
    body: str
    path: str
    run: str | None


@dataclass(frozen=True)
class Notes:
    """All passages that hold words, in the order of files and headings."""

    passages: tuple[Passage, ...]

    def get(self, section: str, run: str | None = None) -> Passage | None:
        """Return the words of a section; of several passages that speak of one run, all in one.

        Args:
            section: its name.
            run: words about this one go before words about others.
        """
        found = [passage for passage in self.passages if passage.section == section]
        found.sort(key=lambda passage: passage.run != run)  # else in the order of the files
        if not found:
            return None
        alike = [passage for passage in found if passage.run == found[0].run]
        return Passage(section, "\n\n".join(p.body for p in alike), found[0].path, found[0].run)

    def others(self) -> list[Passage]:
        """Return the passages under headings that no document asks for: they are shown at the end."""
        return [passage for passage in self.passages if passage.section not in _HOME]

    def missing(self) -> list[str]:
        """Return the sections that nobody has written yet, in the order of the notes."""
        written = {passage.section for passage in self.passages}
        return [section for section in _HOME if section not in written]


def home(section: str) -> str:
    """Return the note that the template ships for a section, such as `notes/analysis.md`.

    Raises:
        ReproofError: for a section that no note has.
    """
    if section not in _HOME:
        near = difflib.get_close_matches(section, _HOME, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "known are those of `reproof report --check`"
        raise ReproofError(f"no note has a section {section!r}", hint=hint)
    return f"notes/{_HOME[section]}.md"


def read(folder: Path) -> Notes:
    """Read every `*.md` of a folder.

    A section begins with a heading of level 2 that bears its name. Words before the first one belong to the
    file's first section. Comments are the template's hints, and no words.

    Raises:
        ReproofError: for a file that is not UTF-8, or whose front matter is not YAML.
    """
    passages: list[Passage] = []
    for path in sorted(folder.glob("*.md")):
        if path.name.startswith(".") or not _is_a_file_of(folder, path):
            continue  # an editor's lock, a folder, or a link that leads out of the project
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ReproofError("not UTF-8", where=path, hint="a note is Markdown") from error
        run, words = _front(text, path)
        own = HOMES.get(path.stem, (path.stem,))[0]
        for heading, body in _sections(words):
            section = own if heading is None else _named(heading)
            if body := _body(body):
                passages.append(Passage(section, body, f"notes/{path.name}", run))
    return Notes(tuple(passages))


def _is_a_file_of(folder: Path, path: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(folder.resolve().parent)


def _front(text: str, path: Path) -> tuple[str | None, str]:
    text = text.replace("\r\n", "\n")
    found = re.match(r"---\n(.*?)\n?---(?:\n|\Z)", text, flags=re.DOTALL)
    if not found:
        return None, text
    try:
        front: Any = yaml.safe_load(found.group(1)) or {}
    except yaml.YAMLError as error:
        raise ReproofError("the front matter is not YAML", where=path, found=str(error)) from error
    run = front.get("run") if isinstance(front, dict) else None
    return (None if run is None else str(run)), text[found.end() :]


def _sections(text: str) -> Iterator[tuple[str | None, str]]:
    """Split at headings of level 2; the title, a heading of level 1 before any words, is dropped."""
    heading: str | None = None
    lines: list[str] = []
    for line, fenced, _ in _lines(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)):
        if not fenced and (found := re.match(r" {0,3}## +(.+?)(?: +#+)? *$", line)):
            yield heading, "\n".join(lines)
            heading, lines = found.group(1), []
        elif not fenced and heading is None and not "".join(lines).strip() and re.match(r" {0,3}# ", line):
            lines = []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def _lines(text: str) -> Iterator[tuple[str, bool, str]]:
    """Each line, whether it belongs to a fenced block, and the fence that is open after it."""
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence:
            fence = found.group(1) if found else ""
            yield line, bool(fence), fence
        else:
            ends = found is not None and found.group(1).startswith(fence) and set(line.strip()) == {fence[0]}
            fence = "" if ends else fence
            yield line, True, fence


def _named(heading: str) -> str:
    """The section that a heading means: numbers before it, letters' case and emphasis do not count."""
    plain = re.sub(r"^[\d.]+\s+|[*_`]", "", heading).strip()
    return _KNOWN.get(plain.casefold(), plain)


def _body(text: str) -> str:
    """Words that can stand in a document: headings below its own, links that lead on, nothing left open."""
    kept, fence = [], ""
    for line, fenced, still_open in _lines(redact.text(text).strip("\n")):
        fence = still_open
        if not fenced:
            line = re.sub(r"^( {0,3})#{1,3} ", r"\1#### ", line)
            line = _LINK.sub(lambda m: m.group(1) + posixpath.normpath(f"../notes/{m.group(2)}"), line)
            line = line.replace("<!--", "&lt;!--")
        kept.append(line)
    words = "\n".join(kept).strip("\n")
    if not words.strip():
        return ""
    return f"{words}\n{fence}" if fence else words
