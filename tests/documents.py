"""Documents of the committed example's record, changed and rendered, for the tests of what they say."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from reproof import files
from reproof.report import render_all

ROOT = Path(__file__).parents[1]
OLD = Path(__file__).parent / "old_records" / "0.1"
NEW = ROOT / "reports" / "example" / "results" / "latest"


def example_project(tmp_path: Path) -> Path:
    """The committed example's record, with the template's empty notes."""
    shutil.copytree(NEW, tmp_path / "results" / "latest")
    shutil.copytree(ROOT / "template" / "notes", tmp_path / "notes")
    return tmp_path


def change(project: Path, name: str, edit: Callable[[Any], Any]) -> None:
    path = project / "results" / "latest" / name
    held = files.read_json(path)
    edited = edit(held)
    files.write_json(path, held if edited is None else edited)


def rendered(project: Path) -> dict[str, str]:
    written = render_all(project, project / "results/latest", project / "reports")
    return {path.name: path.read_text() for path in written if path.suffix == ".md"}


def html_of(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def assert_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(<?([^)>#\s]+)", document.read_text())
    local = [link for link in links if "://" not in link and "/src/" not in link]
    assert len(local) > 10
    assert [link for link in local if not (document.parent / link).exists()] == []
