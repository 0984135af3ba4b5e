"""The recipe inference through Copier: its files, those that it shares, and what an update does to them."""

from __future__ import annotations

import itertools
import json
import re
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import commit_all, run
from projects import ENV, ROOT, copy_of_this_repository, dvc, python, render

from reproof import params
from reproof.contract import Contract

INFERENCE = ROOT / "template" / "inference"
SHARED = {
    ".dvc/.gitignore", ".dvc/config", ".dvcignore", "Makefile", "results/history.json",
    ".github/workflows/experiment.yml", ".github/workflows/verify.yml",
}  # fmt: skip
ALWAYS = {
    *(name for name in SHARED if not name.startswith(".github")),
    ".copier-answers.yml", ".gitattributes", ".gitignore", "README.md",
    "contract.yaml", "dvc.yaml", "inputs/README.md", "models/README.md", "notes/analysis.md",
    "notes/goals.md", "params.yaml", "pyproject.toml",
    "src/benchmark.py", "src/config.py", "src/examine.py", "src/infer.py", "src/model.py", "src/report.py",
    "src/steps.py", "src/summarize.py", "templates/README.md", "tests/test_project.py",
}  # fmt: skip
CI_FILE = {
    "github": {".github/workflows/experiment.yml", ".github/workflows/verify.yml"},
    "gitlab": {".gitlab-ci.yml"},
    "none": set(),
}


def files_of(folder: Path) -> set[str]:
    return set(run("git", "ls-files", cwd=folder).stdout.split())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of this recipe; for looking at, not for changing."""
    return render(tmp_path_factory.mktemp("recipe") / "check resnet", recipe="inference")


@pytest.mark.parametrize(("license", "ci"), list(itertools.product(["MIT", "none"], CI_FILE)))
def test_every_combination_of_answers(tmp_path: Path, license: str, ci: str) -> None:
    project = render(tmp_path / "p", recipe="inference", license=license, ci=ci)
    expected = ALWAYS | CI_FILE[ci] | ({"LICENSE"} if license != "none" else set())
    assert files_of(project) == expected
    for path in (project / name for name in expected - {"templates/README.md"}):  # it shows Jinja
        text = path.read_text()
        assert "{%" not in text, path
        assert not re.search(r"(?<!\$)\{\{", text), f"{path}: an expression is left"
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (answers["recipe"], answers["license"], answers["ci"]) == ("inference", license, ci)


def test_what_both_recipes_have_is_the_same_byte_for_byte(project: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # Copier's, of two files with answers
        training = render(tmp_path / project.name)
    assert {
        name for name in SHARED if (training / name).read_bytes() != (project / name).read_bytes()
    } == set()
    assert (training / "LICENSE").read_bytes() == (project / "LICENSE").read_bytes()
    assert "contract.yaml" not in files_of(training)
    assert not any(name.startswith("inference") for name in files_of(training))


def test_a_recipe_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recipe"):
        render(tmp_path / "p", recipe="inferrence")
    assert not (tmp_path / "p" / "pyproject.toml").exists()


def test_the_commands_for_a_model_are_told_after_the_copy(tmp_path: Path) -> None:
    command = ["copier", "copy", "--defaults", "--vcs-ref", "HEAD"]
    told = run(*command, "--data", "recipe=inference", str(ROOT), "p", cwd=tmp_path, env=ENV).stderr
    assert "cp ~/resnet50.onnx models/" in told
    assert told.index("dvc add models/resnet50.onnx") < told.index("dvc exp run")
    assert "resnet50" not in run(*command, str(ROOT), "q", cwd=tmp_path, env=ENV).stderr


def test_the_project_passes_its_own_linter_formatter_and_tests(project: Path) -> None:
    run("ruff", "check", "--no-cache", ".", cwd=project, env=ENV)
    run("ruff", "format", "--no-cache", "--check", ".", cwd=project, env=ENV)
    assert " passed" in python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_its_needs_are_fewer_than_those_of_a_training(project: Path, tmp_path: Path) -> None:
    def needs(folder: Path) -> set[str]:
        listed = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
        return {re.split(r"[\[ @>=]", line)[0] for line in listed}

    assert needs(project) < needs(render(tmp_path / "training"))
    assert {"reproof", "numpy"} <= needs(project)


def test_git_ignores_what_dvc_holds_and_nothing_else(project: Path) -> None:
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["examine", "infer", "benchmark", "summarize", "report"]
    held = [out for stage in stages.values() for out in stage.get("outs", []) if isinstance(out, str)]
    kept = [name for stage in stages.values() for kind in ("outs", "plots", "metrics")
            for entry in stage.get(kind, []) if isinstance(entry, dict) for name in entry]  # fmt: skip
    assert {"outputs", "samples.npz"} <= set(held)
    assert run("git", "check-ignore", *held, cwd=project).stdout.split() == held
    assert run("git", "check-ignore", *kept, "models/a.onnx", cwd=project, check=False).stdout == ""
    costly = [
        name for name in ("infer", "benchmark") for out in stages[name]["outs"] if isinstance(out, dict)
    ]
    assert costly == [], "DVC's run cache keeps no stage with outputs that it does not hold"


def test_rendering_leaves_a_clean_tree_that_dvc_accepts(project: Path) -> None:
    assert dvc(project, "dag", "--md").count("node") >= 5
    assert run("git", "status", "--porcelain", cwd=project).stdout == ""


def test_every_block_of_params_is_one_that_a_stage_depends_on_or_a_document_prints(project: Path) -> None:
    blocks = set(yaml.safe_load((project / "params.yaml").read_text()))
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    computed = {
        name for stage in stages.values() for name in stage.get("params", []) if isinstance(name, str)
    }
    assert blocks - computed == {"environment", "summary", "comparison", "verify", "links", "report"}
    assert computed <= blocks


def test_the_contract_has_every_field_with_its_default_and_a_comment() -> None:
    text = (INFERENCE / "contract.yaml").read_text()
    raw, _ = params.parse(text.encode(), "contract.yaml")
    assert raw == Contract().model_dump(mode="json")
    lines = [line for line in text.splitlines() if re.match(r"\s+\w+: \S", line)]
    assert len(lines) == len(params.flatten(raw))
    assert [line for line in lines if "#" not in line] == []


def test_no_stage_script_hides_a_module_that_others_import() -> None:
    taken = {"inference", "onnx", "onnxruntime", "torch", "numpy", "dvc", "reproof", "evaluate"}
    names = {path.stem for path in (INFERENCE / "src").glob("*.py")}
    assert len(names) == 8
    assert not names & (set(sys.stdlib_module_names) | taken)


def test_its_files_are_in_the_reference_and_marked_as_an_update_treats_them(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "template.md").read_text()
    rows = re.findall(
        r"^\| `([^`]+)` \| .+ \| ([^|]+) \|$", page.partition("## Files of the recipe")[2], re.M
    )
    files = files_of(render(tmp_path / "p", recipe="inference", ci="gitlab"))
    assert sorted(name for name, _ in rows) == sorted(files | CI_FILE["github"])
    kept = tuple(yaml.safe_load((ROOT / "copier.yml").read_text())["_skip_if_exists"])
    assert {name for name, how in rows if how == "yours"} == {n for n, _ in rows if n.startswith(kept)}


# Updates


def a_later_version(template: Path) -> None:
    """Changes in files of every kind, and a new script."""
    inner = template / "template" / "inference"
    for name, old, new in (
        ("contract.yaml", "source:", "# newer\nsource:"),
        ("params.yaml", "\nlinks:", "\nlater: {}\nlinks:"),
        ("models/README.md", "# Your model", "# The model"),
        ("src/infer.py", "import reproof.pinned", "import json\n\nimport reproof.pinned"),
    ):
        path = inner / name
        assert path.read_text().count(old) == 1, name
        path.write_text(path.read_text().replace(old, new))
    (inner / "src" / "more.py").write_text('"""New."""\n')
    commit_all(template, "A later version")


def update(project: Path) -> dict[str, Any]:
    run("copier", "update", "--defaults", "--vcs-ref", "HEAD", cwd=project, env=ENV)
    return dict(yaml.safe_load((project / ".copier-answers.yml").read_text()))


def test_an_update_keeps_the_contract_the_models_and_the_scripts_and_merges_the_rest(tmp_path: Path) -> None:
    template = copy_of_this_repository(tmp_path / "template")
    project = render(tmp_path / "project", template, recipe="inference")
    contract = project / "contract.yaml"
    contract.write_text(contract.read_text().replace("modality: null", "modality: image"))
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("seed: 0", "seed: 7"))
    (project / "models" / "a.onnx.dvc").write_text("outs: []\n")
    (project / "src" / "steps.py").write_text('"""Our own."""\n')
    commit_all(project, "Ours")
    names = ("contract.yaml", "models/README.md", "models/a.onnx.dvc", "src/steps.py", "src/infer.py")
    mine = {name: (project / name).read_bytes() for name in names}
    a_later_version(template)
    assert update(project)["recipe"] == "inference"
    assert {name: (project / name).read_bytes() for name in mine} == mine
    merged = yaml.safe_load((project / "params.yaml").read_text())
    assert (merged["seed"], merged["later"]) == (7, {})
    assert (project / "src" / "more.py").exists()


def test_a_training_project_from_before_there_were_recipes_is_updated_as_one(tmp_path: Path) -> None:
    template = copy_of_this_repository(tmp_path / "template")
    questions = template / "copier.yml"
    now = questions.read_text()
    before, count = re.subn(
        r"^recipe:\n(?:  .*\n)+",
        "recipe:\n  type: str\n  when: false\n  default: training\n",
        now,
        flags=re.M,
    )
    assert count == 1
    questions.write_text(before)
    commit_all(template, "As it was")
    project = render(tmp_path / "project", template, author_name="Ada")
    assert "recipe" not in (project / ".copier-answers.yml").read_text()
    questions.write_text(now)
    commit_all(template, "Recipes")
    assert update(project)["recipe"] == "training"
    changed = run("git", "status", "--porcelain", cwd=project).stdout.split()
    assert changed == ["M", ".copier-answers.yml", "M", "pyproject.toml"]
    assert "Ada" in (project / "pyproject.toml").read_text()
    assert json.loads((project / "results" / "history.json").read_text())["runs"] == {}
