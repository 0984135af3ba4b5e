"""Words of others in a comment: they make no markup, call nobody, link nothing and command no forge."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from reproof import redact
from reproof.comparison.verdicts import MODELS
from reproof.pull_request.judging import Judgement, Line, Measured
from reproof.report import markdown

_GAP = "\u200b"
"""A space of no width: what it stands in is no mention, no reference and no address to a forge."""
_CALL = re.compile(
    r"@(?=[\w/])|(?<=[\w/])@|(?<![\w&])[#!](?=\d)|(?<=\w)#(?=\d)|(?<=\w):(?=//)|\bwww(?=\.)", re.I
)
_COMMAND = re.compile(r"^(\s*)/(?=[a-z])", re.I)
"""GitLab takes a line such as `/close` for a quick action, in the name of the token's user."""
_MAX_WORDS = 600
_DECIDED = ("better", "worse")


def visible(value: Any) -> str:
    """Return a value without signs that are not seen, among them those that turn text round."""
    text = redact.text(str(value))
    kept = "".join(
        " " if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") else sign for sign in text
    )
    flat = " ".join(kept.split())
    return flat if len(flat) <= _MAX_WORDS else f"{flat[: _MAX_WORDS - 1]}…"


def name(value: Any) -> str:
    """Return a name that somebody gave, as a code span."""
    return markdown.code(visible(value))


def said(value: Any) -> str:
    """Return words in which names of others stand, as plain text."""
    return _CALL.sub(lambda found: found.group() + _GAP, markdown.text(visible(value)))


def guarded(text: str) -> str:
    """Return a document in which no line is a command to GitLab; fenced blocks are none anyway."""
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and (not fence or mark == fence):
            fence = "" if fence else mark
        lines.append(line if fence else _COMMAND.sub(r"\1\\/", line))
    return "\n".join(lines)


def value(spread: Measured | None) -> str:
    """Return what a side measured: a number, or mean ± standard deviation over seeds."""
    return markdown.score(None) if spread is None else markdown.mean(spread.mean, spread.sd)


def change(line: Line) -> str:
    """Return a difference with its interval."""
    verdict = line.verdict
    if verdict.difference is None:
        return markdown.score(None)
    interval = f" ({markdown.between(verdict.interval, with_sign=True)})" if verdict.interval else ""
    return f"{markdown.signed(verdict.difference)}{interval}"


def kind(line: Line) -> str:
    """Return a verdict, in bold where it decides; `probably` where it supposes how seeds spread."""
    verdict = line.verdict
    if verdict.kind in _DECIDED:
        return f"{'' if verdict.is_firm else 'probably '}**{verdict.kind}**"
    if verdict.kind == "differs":
        return "**differs**"
    return "the same" if verdict.kind == "same" else verdict.kind


def grounds(line: Line) -> str:
    """Return why a verdict is what it is, and by which test; nothing where the table says it all."""
    verdict = line.verdict
    parts = [said(verdict.reason)] if verdict.reason else []
    if verdict.test:
        numbers = [markdown.p_value(verdict.p_value)] if verdict.p_value is not None else []
        if verdict.adjusted_p is not None:
            numbers.append(f"{markdown.p_value(verdict.adjusted_p)} after Benjamini and Hochberg")
        parts.append(said(", ".join([verdict.test, *numbers])))
    return "; ".join(parts)


def direction(line: Line) -> str:
    """Return the arrow of the better direction; nothing where nobody has declared one."""
    return {"higher": " ↑", "lower": " ↓"}.get(line.better or "", "")


def sentence(found: Judgement) -> str:
    """Return the verdict on the whole with the numbers that carry it."""
    if found.overall == "not comparable" or found.is_one_run:
        return f"**{found.words}**: {said(found.reason or '')}."
    parts = []
    for which in ("worse", "better", "differs", "same", "inconclusive", "not comparable"):
        for is_firm in (True, False) if which in _DECIDED else (None,):
            lines = [
                line
                for line in found.lines
                if line.verdict.kind == which and is_firm in (None, line.verdict.is_firm)
            ]
            if lines:
                parts.append(f"{_heading(which, is_firm)}: {', '.join(map(_short, lines))}")
    about = ""
    if found.claims == (MODELS,):
        about = " One run a side: this is about these two models, and says nothing of the methods."
    return ". ".join(parts) + "." + about


def _heading(which: str, is_firm: bool | None) -> str:
    if which in _DECIDED:
        return f"**{which.capitalize() if is_firm else f'Probably {which}'}**"
    words = {
        "differs": "**Differs**, and nobody has said which way is better",
        "same": "The same",
        "inconclusive": "Not shown to differ",
    }
    return words.get(which, "Not comparable")


def _short(line: Line) -> str:
    told = change(line)
    return name(line.name) if told == markdown.score(None) else f"{name(line.name)} {told}"


def listed(names: Sequence[str]) -> str:
    """Return names as code spans with commas between."""
    return ", ".join(map(name, names))


FILTERS = {
    "name": name,
    "said": said,
    "spread": value,
    "change": change,
    "verdict": kind,
    "grounds": grounds,
    "direction": direction,
}
"""What the template of a pull request calls besides `report.markdown`'s."""
