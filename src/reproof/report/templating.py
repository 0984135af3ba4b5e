"""The Jinja2 environment of the documents: our templates, and those that a project puts over them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from reproof.errors import ReproofError
from reproof.report.markdown import FILTERS
from reproof.report.web import linked

OWN = "templates"
"""The project's folder of templates: one of the same name as ours takes its place."""


def environment(root: Path | None) -> jinja2.Environment:
    """Return the environment of Markdown templates.

    A project's template can extend the one that it replaces: `{% extends "reproof/experiment.md.jinja" %}`.

    Args:
        root: the project, for templates of its own; None for ours alone.
    """
    ours = jinja2.PackageLoader("reproof.report")
    own = [jinja2.FileSystemLoader(root / OWN)] if root else []
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([*own, ours, jinja2.PrefixLoader({"reproof": ours})]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown: values pass one of our filters instead)  # nosec B701
    )
    made.filters |= FILTERS | {"linked": linked}
    return made


def fill(environment: jinja2.Environment, name: str, context: Mapping[str, Any]) -> str:
    """Return a template filled with a context; runs of empty lines become one.

    Raises:
        ReproofError: for a mistake in a template of the project's own; one in ours is a bug.
    """
    try:
        text = environment.get_template(name).render(context)
    except ReproofError:
        raise
    except Exception as error:  # an expression in a template can raise anything
        if told := _of_the_project(error):
            raise told from error
        raise
    return _tidy(text)


def _of_the_project(error: Exception) -> ReproofError | None:
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, jinja2.TemplateSyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    ours = str(Path(__file__).parent / "templates")
    if isinstance(error, UnicodeDecodeError):
        hint = f"save the files in {OWN}/ as UTF-8"
        return ReproofError("a template of this project is not UTF-8", where=OWN, found=str(error), hint=hint)
    for file, line in reversed(places):
        if file.endswith(".jinja") and not file.startswith(ours):
            return ReproofError(
                "a template of this project cannot be filled",
                where=f"{OWN}/{Path(file).name}:{line}",
                found=(getattr(error, "message", None) or str(error))[:300],
                hint=f"mend it, or remove it from {OWN}/: the library's own takes its place then",
            )
    return None


def _tidy(text: str) -> str:
    """One empty line between blocks, none at the end; fenced blocks stay as they are."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and (not fence or mark == fence):
            fence = "" if fence else mark
        line = line if fence or line.strip() else ""
        if line or fence or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept) + "\n"
