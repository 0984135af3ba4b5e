"""The manual's commands parse, and its links and those of the example lead somewhere."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import run
from manual import DOCS, PAGES, pages
from projects import ENV, ROOT

from reproof.cli import app

WITH_COMMANDS = [
    *PAGES,
    ROOT / "README.md",
    ROOT / "template" / "README.md.jinja",
    ROOT / "template" / "data" / "README.md",
]
# Blocks in these languages show output, files or code; in all others stand commands.
NO_COMMANDS = {"text", "yaml", "json", "python", "toml"}
TOOLS = ("reproof", "dvc", "copier", "make")


# Commands


def blocks(text: str) -> Iterator[tuple[str, bool]]:
    """What may hold commands, and whether they are whole: in blocks they are, in prose not."""
    for indent, language, body in re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, flags=re.M | re.S):
        if language not in NO_COMMANDS:
            yield re.sub(rf"^{indent}", "", body, flags=re.M), True
    outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    for body in re.findall(r"(?:\A|\n\n)((?:    .*\n?)+)", outside):
        yield re.sub(r"^    ", "", body, flags=re.M), True
    yield from ((span, False) for span in re.findall(r"`([^`\n]+)`", outside) if " " in span)


def commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """The words of each command of TOOLS in a page, and whether it is whole."""
    for block, whole in blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            if any(tool in line for tool in TOOLS):
                yield from ((command, whole) for command in simple(line) if command and command[0] in TOOLS)


def simple(line: str) -> Iterator[list[str]]:
    """The words of each command in a line of shell; <name> and … stand for a word of the reader's."""
    lexer = shlex.shlex(re.sub(r"<[^>]*>|…", "X", line), posix=True, punctuation_chars=";|&")
    lexer.whitespace_split, lexer.commenters = True, "#"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word in {";", "|", "||", "&&"}:
            yield command
            command = []
        else:
            command.append(word)


@pages(WITH_COMMANDS)
def test_every_command_names_a_subcommand_and_options_that_exist(page: Path) -> None:
    wrong = [
        f"{' '.join(command)}: {problem}"
        for command, whole in commands(page.read_text(encoding="utf-8"))
        if (problem := CHECKS[command[0]](command[1:], whole))
    ]
    assert wrong == []


def test_the_check_of_commands_finds_mistakes() -> None:
    text = (
        "```bash\ngit add . && dvc exp frob  # no such\ncopier copy --frob a b\nmake frobnicate\n"
        "reproof export main --frob\ndvc exp run -S a=1 --frobs\n```\n\nand `reproof frob it` too\n"
    )
    found = list(commands(text))
    assert [command[0] for command, _ in found] == ["dvc", "copier", "make", "reproof", "dvc", "reproof"]
    assert [command for command, whole in found if not CHECKS[command[0]](command[1:], whole)] == []
    used = {command[0] for page in WITH_COMMANDS for command, _ in commands(page.read_text(encoding="utf-8"))}
    assert used == set(TOOLS)


def reproof_problem(words: list[str], whole: bool) -> str | None:
    if words == ["COMMAND", "--help"]:
        return None
    if words[:1] == ["run"] and "--help" not in words:  # takes what `dvc exp run` takes
        return dvc_problem(["exp", *words], whole)
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    return unknown(words, known)


@functools.cache
def dvc_parser() -> Any:
    from dvc.cli.parser import get_main_parser

    return get_main_parser()


def dvc_problem(words: list[str], whole: bool) -> str | None:
    tries = [words]
    if not whole:  # a mention need not have the arguments, or names the subcommand alone
        tries += [[*words, "X"], [*words, "X", "Y"]]
        tries += [] if any(word.startswith("-") for word in words) else [[*words, "--help"]]
    return None if any(map(dvc_takes, tries)) else "dvc does not take this"


def dvc_takes(words: list[str]) -> bool:
    from dvc.cli import DvcParserError

    # Its parser reads sys.argv as well, and prints the whole help at a mistake.
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["dvc", *words])
        try:
            dvc_parser().parse_args(words)
        except DvcParserError:
            return False
        except SystemExit as help_shown:
            return not help_shown.code
    return True


@functools.cache
def copier_options(subcommand: str) -> frozenset[str]:
    done = run("copier", subcommand, "--help", cwd=ROOT, env=ENV, check=False)
    return frozenset(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", "" if done.returncode else done.stdout))


def copier_problem(words: list[str], whole: bool) -> str | None:
    known = copier_options(words[0]) if words else frozenset()
    return unknown(words[1:], known) if known else "no such subcommand"


@functools.cache
def make_targets() -> frozenset[str]:
    texts = [(ROOT / folder / "Makefile").read_text(encoding="utf-8") for folder in (".", "template")]
    return frozenset(t for text in texts for t in re.findall(r"^([a-z]+):", text, flags=re.M))


def make_problem(words: list[str], whole: bool) -> str | None:
    wanted = [word for word in words if "=" not in word]
    return next((f"no target {word}" for word in wanted if word not in make_targets()), None)


def unknown(words: list[str], known: set[str] | frozenset[str]) -> str | None:
    used = [word.partition("=")[0] for word in words if word.startswith("-")]
    return next((f"no option {word}" for word in used if word not in known), None)


CHECKS = {"reproof": reproof_problem, "dvc": dvc_problem, "copier": copier_problem, "make": make_problem}


def test_the_reference_of_commands_is_what_help_says(tmp_path: Path) -> None:
    run(sys.executable, DOCS / "generate.py", "--check", cwd=tmp_path)


def test_a_stale_reference_of_commands_is_told(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / "generate.py").write_bytes((DOCS / "generate.py").read_bytes())
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    (tmp_path / "reference" / "commands.md").write_text(text.replace("--json", "--yaml"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "generate.py", "--check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "stale" in done.stderr) == (1, True)


# Links


def anchors(page: Path) -> set[str]:
    """The anchors that forges make of a page's headings."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages([*PAGES, ROOT / "README.md", *sorted((ROOT / "reports").rglob("*.md"))])
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(<?([^)>\s]+)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    linked = set(re.findall(r"\]\(([^)]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8")))
    assert linked == {page.relative_to(DOCS).as_posix() for page in PAGES} - {"README.md"}
