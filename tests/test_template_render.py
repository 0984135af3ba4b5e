"""The template through Copier: what each answer gives, and what must hold for all of them."""

from __future__ import annotations

import itertools
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from conftest import run
from copier.errors import UserMessageError
from projects import ENV, ROOT, copy_of_this_repository, render

ALWAYS = {
    ".copier-answers.yml", ".dvc/.gitignore", ".dvc/config", ".dvc/plots/confusion_counts.json",
    ".dvc/plots/reliability.json", ".dvcignore", ".gitattributes", ".gitignore",
    "Makefile", "README.md", "data/README.md", "dvc.yaml", "notes/analysis.md", "notes/data.md",
    "notes/deployment.md", "notes/goals.md", "notes/model.md", "params.yaml", "pyproject.toml",
    "results/history.json", "src/baselines.py", "src/benchmark.py", "src/config.py", "src/data.py",
    "src/evaluate_model.py", "src/export.py", "src/model.py", "src/prepare.py", "src/report.py",
    "src/robustness.py", "src/summarize.py", "src/train.py", "templates/README.md", "tests/test_project.py",
}  # fmt: skip
CI_FILE = {"github": ".github/workflows/experiment.yml", "gitlab": ".gitlab-ci.yml"}
OTHER_CI_FILES = {"github": {".github/workflows/verify.yml"}}
# Forbidden by Windows in a file's name, or reserved as one.
ILLEGAL = re.compile(r'[<>:"\\|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def copy(folder: Path, source: str | Path = ROOT, **answers: Any) -> dict[str, Any]:
    """Render, and return the answers that Copier keeps."""
    copier.run_copy(str(source), folder, vcs_ref="HEAD", data=answers, defaults=True, quiet=True)
    return dict(yaml.safe_load((folder / ".copier-answers.yml").read_text()))


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def requirement(project: Path) -> str:
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    return next(line for line in dependencies if line.startswith("reproof"))


@pytest.mark.parametrize(
    ("license", "ci"), list(itertools.product(["MIT", "Apache-2.0", "none"], ["github", "gitlab", "none"]))
)
def test_every_combination_of_answers(tmp_path: Path, license: str, ci: str) -> None:
    project = tmp_path / "my exp"
    kept = copy(project, license=license, ci=ci, author_name="Ada Lovelace")
    assert {name: kept[name] for name in ("license", "ci", "author_name", "project_name")} == {
        "license": license, "ci": ci, "author_name": "Ada Lovelace", "project_name": "my-exp",
    }  # fmt: skip
    of_ci = ({CI_FILE[ci]} if ci in CI_FILE else set()) | OTHER_CI_FILES.get(ci, set())
    expected = ALWAYS | of_ci | ({"LICENSE"} if license != "none" else set())
    assert files_of(project) == expected
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata.get("license") == (license if license != "none" else None)
    assert metadata["authors"] == [{"name": "Ada Lovelace"}]
    if license == "MIT":
        assert "Copyright (c) Ada Lovelace" in (project / "LICENSE").read_text()
    if license == "Apache-2.0":
        assert (project / "LICENSE").read_text().count("Apache License") >= 3
    for path in (project / name for name in expected - {"templates/README.md"}):  # it shows Jinja
        text = path.read_text()
        assert "{%" not in text
        assert not re.search(r"(?<!\$)\{\{", text), f"{path}: an expression is left"
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
    if ci == "github":
        assert "${{ github.ref }}" in (project / CI_FILE[ci]).read_text()
    if ci in CI_FILE:
        assert yaml.safe_load((project / CI_FILE[ci]).read_text())
    assert yaml.safe_load((project / "dvc.yaml").read_text())["stages"].keys() == {
        "prepare", "train", "export", "evaluate", "benchmark", "robustness", "summarize", "report",
    }  # fmt: skip


def test_defaults_need_no_answer_and_no_trust(tmp_path: Path) -> None:
    kept = copy(tmp_path / "Größe & Co. (v2)")
    assert kept["project_name"] == "gr-e-co-v2"
    assert kept["license"] == "MIT"
    assert kept["ci"] == "github"
    assert kept["author_name"] == ""
    assert copy(tmp_path / "___")["project_name"] == "experiment"
    assert copy(tmp_path / ("x" * 90))["project_name"] == "x" * 60


@pytest.mark.parametrize("name", ["My Exp", "-x", "x" * 61, "a/b", "a\nb", ""])
def test_a_project_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises((ValueError, UserMessageError), match="project_name"):
        copy(tmp_path / "p", project_name=name)
    assert not (tmp_path / "p" / "pyproject.toml").exists()


def test_quotes_and_brackets_in_answers_break_no_file(tmp_path: Path) -> None:
    words = 'Is "B" better than A? {{ 1 }} <b> \\ é'
    copy(tmp_path / "p", description=words, author_name='Ada "the first" O\'Neil')
    metadata = tomllib.loads((tmp_path / "p" / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == words
    assert metadata["authors"] == [{"name": 'Ada "the first" O\'Neil'}]


def test_a_remote_is_not_asked_for_but_can_be_set_and_is_kept(tmp_path: Path) -> None:
    kept = copy(tmp_path / "p", dvc_remote="s3://bucket/path")
    assert kept["dvc_remote"] == "s3://bucket/path"
    run("git", "init", "--quiet", cwd=tmp_path / "p")
    listed = run("dvc", "remote", "list", cwd=tmp_path / "p", env=ENV).stdout
    assert listed.split() == ["storage", "s3://bucket/path", "(default)"]
    assert "dvc_remote" not in copy(tmp_path / "q")
    run("git", "init", "--quiet", cwd=tmp_path / "q")
    assert run("dvc", "remote", "list", cwd=tmp_path / "q", env=ENV).stdout == ""


def test_the_pin_is_the_templates_own_commit(tmp_path: Path) -> None:
    template = copy_of_this_repository(tmp_path / "the template")
    commit = run("git", "rev-parse", "HEAD", cwd=template).stdout.strip()
    copy(tmp_path / "p", template)
    address = f"file://localhost{str(template).replace(' ', '%20')}"
    assert requirement(tmp_path / "p") == f"reproof[all] @ git+{address}@{commit}"


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("gh:acme/reproof", "https://github.com/acme/reproof"),
        ("gl:acme/reproof", "https://gitlab.com/acme/reproof"),
        ("https://git.example.org/acme/reproof.git", "https://git.example.org/acme/reproof.git"),
        ("https://ada:s3cret@git.example.org/acme/reproof.git", "https://git.example.org/acme/reproof.git"),
        ("git+https://git.example.org/acme/reproof.git", "https://git.example.org/acme/reproof.git"),
        ("git@git.example.org:acme/reproof.git", "ssh://git@git.example.org/acme/reproof.git"),
        ("ssh://git@git.example.org/acme/reproof.git", "ssh://git@git.example.org/acme/reproof.git"),
    ],
)
def test_the_library_comes_from_where_the_template_came_from(
    tmp_path: Path, source: str, address: str
) -> None:
    template = copy_of_this_repository(tmp_path / "template")
    for name in ("reproof", "reproof.git"):
        (tmp_path / name).symlink_to(template)
    bases = [
        "https://github.com/acme/",
        "https://gitlab.com/acme/",
        "https://git.example.org/acme/",
        "https://ada:s3cret@git.example.org/acme/",
        "git@git.example.org:acme/",
        "ssh://git@git.example.org/acme/",
    ]
    rewrites = "".join(f'    insteadOf = "{base}"\n' for base in bases)
    (tmp_path / "gitconfig").write_text(f'[url "{tmp_path}/"]\n{rewrites}')
    # Git finds every address in this folder, and is allowed no other way.
    env = {**ENV, "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_ALLOW_PROTOCOL": "file"}
    run("copier", "copy", "--defaults", "--vcs-ref", "HEAD", source, "p", cwd=tmp_path, env=env)
    commit = run("git", "rev-parse", "HEAD", cwd=template).stdout.strip()
    assert requirement(tmp_path / "p") == f"reproof[all] @ git+{address}@{commit}"
    assert "s3cret" not in (tmp_path / "p" / "pyproject.toml").read_text()


def test_a_relative_path_is_pinned_and_told_to_be_no_address_for_updates(tmp_path: Path) -> None:
    copy_of_this_repository(tmp_path / "template")
    done = run("copier", "copy", "--defaults", "--vcs-ref", "HEAD", "template", "p", cwd=tmp_path, env=ENV)
    assert requirement(tmp_path / "p").startswith(f"reproof[all] @ git+file://localhost{tmp_path}/template@")
    assert "will not" in done.stderr
    assert "absolute path or a URL" in done.stderr
    absolute = run(
        "copier",
        "copy",
        "--defaults",
        "--vcs-ref",
        "HEAD",
        str(tmp_path / "template"),
        "q",
        cwd=tmp_path,
        env=ENV,
    )
    assert "absolute path" not in absolute.stderr
    assert "dvc exp run" in absolute.stderr


def test_the_rendered_project_passes_its_own_linter_and_formatter(tmp_path: Path) -> None:
    project = render(tmp_path / "p")
    run("ruff", "check", ".", cwd=project, env=ENV)
    run("ruff", "format", "--check", ".", cwd=project, env=ENV)


def test_rendering_leaves_a_clean_tree_that_dvc_accepts(tmp_path: Path) -> None:
    project = render(tmp_path / "p")
    assert run("dvc", "dag", "--md", cwd=project, env=ENV).stdout.count("node") >= 7
    assert run("git", "status", "--porcelain", cwd=project).stdout == ""
    assert "core.analytics=false" in run("dvc", "config", "--list", cwd=project, env=ENV).stdout


def test_git_ignores_what_dvc_holds(tmp_path: Path) -> None:
    project = render(tmp_path / "p")
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    held = [out for stage in stages.values() for out in stage.get("outs", []) if isinstance(out, str)]
    kept = [name for stage in stages.values() for kind in ("outs", "plots", "metrics")
            for entry in stage.get(kind, []) if isinstance(entry, dict) for name in entry]  # fmt: skip
    assert run("git", "check-ignore", *held, cwd=project).stdout.split() == held
    assert run("git", "check-ignore", *kept, "results/history.json", cwd=project, check=False).stdout == ""
    assert run("git", "check-ignore", "results/some-run/meta.json", cwd=project).stdout


def test_no_stage_script_hides_a_module_that_others_import(tmp_path: Path) -> None:
    import sys

    taken = {"evaluate", "datasets", "transformers", "accelerate", "torch", "onnx", "dvc", "reproof"}
    names = {path.stem for path in (ROOT / "template" / "src").glob("*.py")}
    assert not names & (set(sys.stdlib_module_names) | taken)


def test_file_names_are_legal_on_windows() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    parts = {part for name in listed.split("\0") for part in name.split("/") if part}
    assert len(parts) > 50
    assert [part for part in parts if ILLEGAL.search(part)] == []
