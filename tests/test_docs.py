"""The manual says what is: its commands parse, its links lead somewhere, its references leave nothing out."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import robust_subjects
import typer
import yaml
from conftest import run
from projects import ENV, ROOT, dvc, read, render, small_project
from pydantic import BaseModel

from reproof import architecture, benchmark, evaluation, history, params, robustness
from reproof.cli import app
from reproof.report import notes

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WITH_COMMANDS = [
    *PAGES,
    ROOT / "README.md",
    ROOT / "template" / "README.md.jinja",
    ROOT / "template" / "data" / "README.md",
]
# Blocks in these languages show output, files or code; in all others stand commands.
NO_COMMANDS = {"text", "yaml", "json", "python", "toml"}
TOOLS = ("reproof", "dvc", "copier", "make")
# Where keys are names of the user's or the machine's, the reference has <name>.
OPEN = (
    "artefacts", "baselines", "bins", "changed", "class_counts", "confused", "confusion_matrix",
    "corruptions", "differences", "easiest", "facts", "fractions", "gpus", "groups", "hardest", "headline",
    "ids", "ids_digest", "inputs", "intervals", "intervals_method", "intervals_missing", "links",
    "metrics", "missing", "overrides", "packages", "params", "per_class", "quantiles", "reads", "rows",
    "runs", "sizes", "splits", "stages", "strengths", "tags", "values", "variables", "writes",
)  # fmt: skip


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", paths, ids=name_of)


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


@pages([*PAGES, ROOT / "README.md"])
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
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


# References


def section(page: str, heading: str) -> str:
    """The text below a heading of the second level."""
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    assert found, f"{page} has no section {heading}"
    return found.group(1)


def first_column(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, flags=re.M))


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of all keys, those of open mappings as `<>`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = "<>" if prefix.rpartition(".")[2] in OPEN and key != "job" else key
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from keys(item, path)


def undocumented(value: Any, text: str) -> list[str]:
    """Keys of `value` that the tables of `text` do not name, neither themselves nor what they consist of."""
    named = {re.sub(r"<[^>]*>", "<>", name) for name in first_column(text)}
    parents = {name[: match.start()] for name in named for match in re.finditer(r"\.", name)}
    return sorted(set(keys(value)) - named - parents)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project that has run."""
    project = small_project(tmp_path_factory.mktemp("docs") / "project")
    dvc(project, "repro")
    return project


@pytest.mark.parametrize(
    "name", ["summary.json", "meta.json", "digests.json", "split_manifest.json", "split_checksums.json"]
)
def test_every_field_of_the_record_is_in_its_reference(finished: Path, name: str) -> None:
    assert undocumented(read(finished, name), section("record.md", f"`{name}`")) == []


def test_every_field_of_a_stages_record_is_in_its_reference(finished: Path) -> None:
    for path in sorted((finished / "results/latest/stages").glob("*.json")):
        record = json.loads(path.read_text())
        shared = {"pinned": record.pop("pinned"), **record.pop("environment")}
        record.pop("facts")  # by stage, in a table of their own
        assert undocumented(record, section("record.md", "`stages/*.json`")) == []
        assert undocumented(shared, section("record.md", "`meta.json`")) == []


@pytest.mark.parametrize("name", ["params.ndjson", "metrics.ndjson"])
def test_every_field_of_a_log_is_in_its_reference(finished: Path, name: str) -> None:
    line = (finished / "results" / "latest" / name).read_text().splitlines()[-1]
    fields = dict.fromkeys(json.loads(line))  # `params` holds what params.md says
    assert undocumented(fields, section("record.md", f"`{name}`")) == []


def test_the_facts_of_the_data_are_in_their_reference(finished: Path) -> None:
    text = section("record.md", "`stages/*.json`")
    quality = read(finished, "stages/prepare.json")["facts"]["quality"]
    assert [key for key in quality if f"`quality.{key}" not in text] == []


def test_every_field_of_an_evaluation_is_in_its_reference() -> None:
    random = np.random.default_rng(0)
    labels, ids = random.integers(0, 3, 60), np.arange(60).astype(str)
    sure, unsure = random.dirichlet(np.ones(3), 60), np.full((60, 3), 1 / 3)
    of_classes = evaluation.assess(
        {"test": evaluation.Predictions(ids, labels, sure)},
        ["x", "y", "z"],
        [evaluation.Baseline("majority", "The first class", {"test": unsure})],
        dataset="d",
    )
    del of_classes["splits"]["test"]["confusion_matrix"]  # its keys are all names of classes
    of_numbers = evaluation.assess(
        {"test": evaluation.Regression(ids, sure[:, 0], sure[:, 1])},
        baselines=[evaluation.Baseline("mean", "Always the same", {"test": np.zeros(60)})],
        dataset="d",
    )
    for found in (of_classes, of_numbers):
        one_each = [next(iter(found.pop("easiest").values())), next(iter(found["hardest"].values()))]
        assert one_each[0].keys() == one_each[1].keys(), "the reference names these once"
        of_baselines = [{"splits": baseline.pop("splits")} for baseline in found["baselines"].values()]
        for part in (found, *of_baselines):
            assert undocumented(part, section("record.md", "`evaluation.json`")) == []


def test_every_field_of_robustness_is_in_its_reference() -> None:
    settings = robustness.Settings()
    for subject in (robust_subjects.OF_VECTORS, robust_subjects.OF_IMAGES):
        found = robustness.measure(subject, settings, seed=0)
        assert undocumented(found, section("record.md", "`robustness.json`")) == []


def test_every_field_of_a_history_is_in_its_reference(finished: Path, tmp_path: Path) -> None:
    run = history.of_results(finished / "results/latest")
    assert run is not None
    history.write(tmp_path / "history.json", [run])
    found = json.loads((tmp_path / "history.json").read_text())
    named = {
        re.sub(r"<[^>]*>", "<>", n) for n in first_column(section("record.md", "`results/history.json`"))
    }
    assert {key for key in keys(found) if key.count(".") < 3} - named - {
        "runs",
        "runs.<>",
        *(f"runs.<>.{block}" for block in ("headline", "links", "metrics", "params")),
    } == set()


def test_the_architecture_is_in_its_reference() -> None:
    import torch

    found = architecture.facts(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()), torch.zeros(1, 2))
    named = {name.partition(".")[0] for name in first_column(section("record.md", "`stages/*.json`"))}
    assert set(found) - named == set()


def test_every_field_of_a_benchmark_is_in_its_reference() -> None:
    def leaves(model: type[BaseModel]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            inner = [m for m in _models(field.annotation) if m is not model]
            yield from [leaf for m in inner for leaf in leaves(m)] or [name]

    named = {
        part for path in first_column(section("record.md", "`benchmark.json`")) for part in path.split(".")
    }
    assert sorted(set(leaves(benchmark.Result)) - named) == []


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def test_every_param_of_the_template_is_in_its_reference() -> None:
    raw, _ = params.parse((ROOT / "template" / "params.yaml").read_bytes(), "params.yaml")
    named = first_column((DOCS / "reference" / "params.md").read_text(encoding="utf-8"))
    declared = {f"report.{name}" for name in declarable(params.Report)}
    settings = {f"benchmark.{name}" for name in benchmark.Settings.model_fields}
    others = {name for name in params.flatten(raw) if not name.startswith("report.")}
    assert sorted(others | settings | declared) == sorted(named)


def declarable(model: type[BaseModel]) -> Iterator[str]:
    """The dotted names of a model's fields, below a mapping behind `<name>`."""
    for name, field in model.model_fields.items():
        under = f"{name}.<name>" if str(field.annotation).startswith("dict") else name
        inner = [leaf for part in _models(field.annotation) for leaf in declarable(part)]
        yield from [f"{under}.{leaf}" for leaf in inner] or [under]


def test_every_template_and_every_block_of_it_is_in_its_reference() -> None:
    folder = ROOT / "src" / "reproof" / "report" / "templates"
    rows = dict(re.findall(r"^\| `([\w/.]+\.jinja)` \| (.+) \|$", section("documents.md", "Templates"), re.M))
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.jinja")}
    assert sorted(rows) == sorted(found)
    for name, path in found.items():
        blocks = re.findall(r"{% block (\w+) %}", path.read_text(encoding="utf-8"))
        assert (re.findall(r"`(\w+)`", rows[name]) if blocks else []) == blocks


def test_every_heading_of_the_notes_is_in_its_reference() -> None:
    rows = re.findall(r"^\| `notes/(\w+)\.md` \| (.+?) \|", section("documents.md", "Notes"), re.M)
    assert {home: tuple(headings.split(", ")) for home, headings in rows} == notes.HOMES


def test_the_sections_of_the_documents_are_those_of_their_templates() -> None:
    for name in ("experiment", "inference"):
        text = (ROOT / f"src/reproof/report/templates/{name}.md.jinja").read_text(encoding="utf-8")
        told = section("documents.md", f"`{name}.md`")
        headings = re.findall(r"^#{2,3} ((?:\d+(?:\.\d)?|[A-E])\.? )?([^{\n]+)$", text, re.M)
        top = [title for number, title in headings if name == "experiment" and "." in number[:-2]]
        top += re.findall(r"^## ([A-Z][^{\n]+)$", text, re.M) if name == "inference" else []
        assert top
        assert [title for title in top if title not in told and title != "Appendix"] == []


def stable_names() -> list[str]:
    text = (DOCS / "reference" / "stage-api.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## `(reproof\.\w+)`\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    return [
        f"{module}:{name}"
        for module, body in sections
        for name in re.findall(r"^\| `([\w.]+)` \|", body, flags=re.M)
    ]


@pytest.mark.parametrize("reference", stable_names())
def test_every_stable_name_exists(reference: str) -> None:
    module, _, path = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    assert found


def test_every_name_that_the_templates_scripts_import_is_a_stable_one() -> None:
    imported = set()
    for script in (ROOT / "template").glob("*/*.py"):
        tree = ast.parse(script.read_text(encoding="utf-8"))
        modules: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "reproof":
                modules |= {name.asname or name.name: name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reproof."):
                imported |= {f"{node.module}:{name.name}" for name in node.names}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
            ):
                imported.add(f"reproof.{modules[node.value.id]}:{node.attr}")
    assert len(imported) > 20
    assert sorted(imported - set(stable_names())) == []


def test_every_question_and_file_of_the_template_is_in_its_reference(tmp_path: Path) -> None:
    questions = {
        name for name in yaml.safe_load((ROOT / "copier.yml").read_text()) if not name.startswith("_")
    }
    text = section("template.md", "Questions")
    assert [name for name in sorted(questions) if f"`{name}`" not in text] == []
    files: set[str] = set()
    for ci in ("github", "gitlab"):
        project = render(tmp_path / ci, ci=ci)
        files |= set(run("git", "ls-files", cwd=project).stdout.split())
    assert sorted(files) == sorted(
        first_column(section("template.md", "Files, and what an update does to them"))
    )


def test_no_page_names_a_path_of_one_machine() -> None:
    wrong = [
        name_of(page)
        for page in PAGES
        if re.search(r"/(home|root|work|opt)/", page.read_text(encoding="utf-8"))
    ]
    assert wrong == []
