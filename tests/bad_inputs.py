"""docs/reference/errors.md as a table, and how a test holds a row of it against what really happened.

A row is a bad input, or an unusual one that is allowed. Its test is called as the row, makes the real thing,
runs the real command, and calls `assert_told`, `assert_recorded` or `stage_fails`.
"""

from __future__ import annotations

import contextlib
import functools
import html
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projects import ROOT
from stages import leave_a_success, stage, summary

PAGE = ROOT / "docs" / "reference" / "errors.md"

_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+) \| (.+) \| (\d+) \|$")
_RECORD = ("results/latest/summary.json", "results/latest/meta.json", "results/latest/stages/")
"""What a stage says of itself: it changes, as it must. Everything else is the user's."""


@dataclass(frozen=True)
class Row:
    """One case: what is printed, or recorded where the exit code is 0, as lines; `…` stands for anything."""

    slug: str
    situation: str
    lines: list[str]
    code: int


@functools.cache
def rows() -> dict[str, Row]:
    """Every row of the page, by its slug."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := _ROW.match(line):
            slug, situation, says, code = match.groups()
            assert slug not in found, f"{slug} stands twice in {PAGE.name}"
            found[slug] = Row(slug, situation, _plain(says).splitlines(), int(code))
    return found


def _plain(cell: str) -> str:
    """A cell of the table as the text that it shows."""
    text = re.sub(r"\\([|*_])", r"\1", cell.replace("<br>", "\n"))
    return html.unescape(text)


def _pattern(text: str) -> str:
    return ".*?".join(re.escape(part) for part in text.split("…"))


def assert_told(slug: str, done: subprocess.CompletedProcess[str]) -> None:
    """Check that a command ended as the row says: with its code, its message, and no traceback beside it."""
    row = rows()[slug]
    printed = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == row.code, printed
    lines = "\n".join(line.strip() for line in printed.splitlines() if line.strip())
    expected = "\n".join(_pattern(line) for line in row.lines)
    if row.lines == ["(nothing)"]:
        assert not printed.strip()
        return
    assert re.search(f"^{expected}$", lines, flags=re.M), f"{row.lines}\nis not what was said:\n{printed}"
    if row.code == 2:
        assert "Traceback" not in printed
        assert len(re.findall(r"^(?:\S+: )?error: ", printed, flags=re.M)) <= 1, "one clear error"


def assert_recorded(slug: str, record: Mapping[str, Any]) -> None:
    """Check that a record holds what the row says: lines of `<key> = <JSON>`, keys by their path."""
    row = rows()[slug]
    assert row.code == 0
    for line in row.lines:
        path, _, value = line.partition(" = ")
        found: Any = record
        for key in path.split("."):
            found = found[key]
        text = json.dumps(found, ensure_ascii=False)
        assert re.fullmatch(_pattern(value), text), f"{path} is {text}"


def init_dvc(project: Path) -> None:
    """What `dvc init` makes, without the second that it takes; the template does the same."""
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (project / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` that is the user's, and where Git's branches stand; by its path."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        git = name.startswith(".git/") and name != ".git/HEAD" and not name.startswith(".git/refs/heads/")
        passing = name.startswith(".dvc/tmp") or "__pycache__" in name or git
        if path.is_file() and not passing and not name.startswith(_RECORD):
            kept[name] = path.read_bytes()
    return kept


@contextlib.contextmanager
def nothing_lost(*folders: Path) -> Iterator[None]:
    """Check that every file of the user's is there afterwards, byte for byte."""
    before = [contents(folder) for folder in folders]
    yield
    for folder, files in zip(folders, before, strict=True):
        after = contents(folder)
        assert [name for name, data in files.items() if after.get(name) != data] == []


def stage_fails(
    slug: str,
    project: Path,
    *arguments: str,
    name: str = "train",
    env: Mapping[str, str] | None = None,
    begins: bool = True,
    runner: Callable[..., subprocess.CompletedProcess[str]] = stage,
) -> None:
    """Run a stage after an earlier success, and check what it says, what it records and what it leaves.

    Args:
        slug: of the row.
        project: the project's folder.
        arguments: of the script.
        name: of the stage.
        env: what is set beside this process's environment.
        begins: whether the stage gets so far as to be a run; the earlier one's record stays if not.
        runner: `stages.stage`, or that of `warm`.
    """
    leave_a_success(project)
    with nothing_lost(project):
        assert_told(slug, runner(project, *arguments, name=name, env=env))
    assert summary(project)["status"] == ("failed" if begins else "success")
    assert not list((project / "results").rglob("*.tmp"))
