"""The manual's references leave nothing out: records, params, templates and names are all there."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import robust_subjects
import yaml
from conftest import run
from manual import DOCS, PAGES, name_of
from projects import ROOT, dvc, read, render, small_project
from pydantic import BaseModel

from reproof import architecture, benchmark, evaluation, history, params, robustness
from reproof.report import notes

# Where keys are names of the user's or the machine's, the reference has <name>.
OPEN = (
    "artefacts", "baselines", "bins", "changed", "class_counts", "confused", "confusion_matrix",
    "corruptions", "differences", "easiest", "facts", "fractions", "gpus", "groups", "hardest", "headline",
    "ids", "ids_digest", "inputs", "intervals", "intervals_method", "intervals_missing", "links",
    "metrics", "missing", "overrides", "packages", "params", "per_class", "quantiles", "reads", "rows",
    "runs", "sizes", "splits", "stages", "strengths", "tags", "values", "variables", "writes",
)  # fmt: skip


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
        *(f"runs.<>.{block}" for block in ("certificate", "headline", "links", "metrics", "params")),
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
    declared |= {f"comparison.{name}" for name in declarable(params.models.Comparison)}
    declared |= {f"verify.{name}" for name in declarable(params.models.Verify)}
    settings = {f"benchmark.{name}" for name in benchmark.Settings.model_fields}
    blocks = ("report.", "comparison.", "verify.")
    others = {name for name in params.flatten(raw) if not name.startswith(blocks)}
    assert sorted(others | settings | declared) == sorted(named)


def declarable(model: type[BaseModel]) -> Iterator[str]:
    """The dotted names of a model's fields, below a mapping behind `<name>`."""
    for name, field in model.model_fields.items():
        under = f"{name}.<name>" if str(field.annotation).startswith("dict") else name
        inner = [leaf for part in _models(field.annotation) for leaf in declarable(part)]
        yield from [f"{under}.{leaf}" for leaf in inner] or [under]


TEMPLATES = ROOT / "src" / "reproof" / "report" / "templates"


def test_every_template_and_every_block_of_it_is_in_its_reference() -> None:
    listed = section("documents.md", "Templates")
    rows = dict(re.findall(r"^\| `([\w/.]+\.jinja)` \| (.+) \|$", listed, re.M))
    found = {path.relative_to(TEMPLATES).as_posix(): path for path in TEMPLATES.rglob("*.jinja")}
    parts = {name for name in found if name.count("/") == 2}  # parts/<document>/<block>.md.jinja
    assert sorted(rows) == sorted(found.keys() - parts)
    for name in found.keys() - parts:
        blocks = re.findall(r"{% block (\w+) %}", found[name].read_text(encoding="utf-8"))
        assert (re.findall(r"`(\w+)`", rows[name]) if blocks else []) == blocks
    folders = {part.rpartition("/")[0] for part in parts}
    assert set(re.findall(r"^\| `(parts/\w+)/<block>\.md\.jinja` \|", listed, re.M)) == folders


def text_of(document: str) -> str:
    """A template with its parts, each in its place."""
    text = (TEMPLATES / f"{document}.md.jinja").read_text(encoding="utf-8")
    part = rf'{{% include "(parts/{document}/\w+\.md\.jinja)" %}}'
    return re.sub(part, lambda named: (TEMPLATES / named.group(1)).read_text(encoding="utf-8"), text)


def test_every_heading_of_the_notes_is_in_its_reference() -> None:
    rows = re.findall(r"^\| `notes/(\w+)\.md` \| (.+?) \|", section("documents.md", "Notes"), re.M)
    assert {home: tuple(headings.split(", ")) for home, headings in rows} == notes.HOMES


def test_the_sections_of_the_documents_are_those_of_their_templates() -> None:
    for name in ("experiment", "inference"):
        text = text_of(name)
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
