"""The tutorial on a model: each command in it parses, was run or follows from the record, and leads there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import brought_records as brought
import pytest
import yaml
from conftest import run
from projects import ENV, ROOT

from reproof import contract

CELL = "onnxruntime-cpu-fp32-b1-t1"
FENCE = re.compile(r"^(`{3,})(bash|yaml)\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


def blocks(text: str, kind: str) -> list[str]:
    """What the fenced blocks of one kind hold."""
    return [body for _, found, body in FENCE.findall(text) if found == kind]


def commands(text: str) -> list[str]:
    return [line for block in blocks(text, "bash") for line in block.split("\n")]


def tutorial(root: Path) -> str:
    return brought.rendered(root)["step-by-step.md"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return brought.write(tmp_path)


def test_the_commands_are_those_that_ran_and_those_that_lead_to_them(project: Path) -> None:
    assert commands(tutorial(project)) == [
        'copier copy --defaults --data recipe=inference "$TEMPLATE" check-resnet50',
        "cd check-resnet50",
        "git init",
        "git add -A",
        'git commit -m "Start"',
        "make setup",
        "source .venv/bin/activate",
        "python -m pip install 'tokenizers>=0.19'",
        "reproof digest models/resnet50.onnx",
        "dvc add models/resnet50.onnx",
        "dvc add models/labels.txt",
        "dvc exp run",
        "python src/examine.py",
        "python src/infer.py",
        "python src/benchmark.py",
        "reproof report --check",
        "dvc metrics show",
        "dvc exp run -S '++benchmark={runtimes: [onnxruntime], devices: [cpu], precisions: [fp32], "
        "batch_sizes: [1], threads: [1]}'",
    ]


def test_every_command_is_of_a_program_that_has_it(project: Path) -> None:
    known = {
        "reproof": run("reproof", "--help", cwd=project, env=ENV).stdout,
        "dvc": run("dvc", "--help", cwd=project, env=ENV).stdout,
        "make": (ROOT / "template" / "Makefile").read_text(),
        "git": run("git", "help", "-a", cwd=project).stdout,
        "copier": run("copier", "--help-all", cwd=project, env=ENV).stdout,
        "python": "src/examine.py src/infer.py src/benchmark.py -m",
        "cd": "check-resnet50",
        "source": ".venv/bin/activate",
    }
    for line in commands(tutorial(project)):
        program, word, *_ = shlex.split(line)
        assert re.search(rf"(?<![\w-]){re.escape(word)}\b", known[program]), line
    assert {"--defaults", "--data", "--vcs-ref"} <= set(re.findall(r"--[a-z-]+", known["copier"]))


def test_no_name_gets_out_of_its_place_in_a_command(project: Path) -> None:
    path = "models/a b'; touch evil; ```\n$(touch evil) `touch evil`.onnx"

    def rename(examination: dict[str, Any]) -> None:
        examination["model"] |= {"path": path, "name": "../$(touch evil)", "external_data": {"w'.bin": 5}}

    brought.change(project, "examination.json", rename)
    text = tutorial(project)
    for block in blocks(text, "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, capture_output=True)
    (block,) = [block for block in blocks(text, "bash") if "reproof digest" in block]
    words = ["reproof", "digest", path, "dvc", "add", path, "dvc", "add", "models/w'.bin", "dvc", "add"]
    assert shlex.split(block) == [*words, "models/labels.txt"]
    (start,) = [block for block in blocks(text, "bash") if "copier" in block]
    assert shlex.split(start)[6] == "check-touch-evil"


def test_a_path_is_never_taken_for_an_option(project: Path) -> None:
    brought.change(project, "examination.json", lambda e: e["model"].update(path="-x.onnx"))
    assert "dvc add ./-x.onnx" in commands(tutorial(project))


def test_contract_and_params_are_those_of_the_run(project: Path) -> None:
    said, params = map(yaml.safe_load, blocks(tutorial(project), "yaml"))
    declared = contract.Contract.model_validate(brought.EXAMINATION["contract"]["declared"])
    assert contract.Contract.model_validate(said) == declared
    names = ("seed", "threads", "deterministic", "device", "model", "inputs", "infer", "benchmark")
    assert params == {name: brought.PARAMS[name] for name in names}


@pytest.mark.parametrize("block", ["quick", {"runtimes": ["torch"], "batch_sizes": [1, 8], "repeats": 2}])
def test_the_command_for_one_cell_asks_for_that_cell_alone(project: Path, block: Any) -> None:
    from dvc.utils.hydra import apply_overrides

    from reproof import benchmark
    from reproof.benchmark import cells

    (line,) = [line for line in commands(tutorial(project)) if line.startswith("dvc exp run -S")]
    path = project / "other.yaml"
    path.write_text(yaml.safe_dump({"seed": 0, "benchmark": block}))
    apply_overrides(path, [shlex.split(line)[4]])
    settings = benchmark.Settings.model_validate(yaml.safe_load(path.read_text())["benchmark"])
    assert [cell.name for cell in cells.plan(settings)] == [CELL]


def test_a_project_that_others_can_reach_is_cloned(project: Path) -> None:
    sha = "5" * 40

    def reach(meta: dict[str, Any]) -> None:
        meta["git"] |= {"remote": "https://ada:secret@example.org/ada/check.git", "commit": sha}

    brought.change(project, "meta.json", reach)
    text = tutorial(project)
    lines = commands(text)
    at = lines.index(f"git checkout {sha}")
    assert lines[at - 2] == "git clone https://example.org/ada/check.git check-resnet50"
    assert lines[at + 1 : at + 4] == ["make setup", "source .venv/bin/activate", "dvc pull"]
    assert "secret" not in text


def test_a_template_whose_address_is_known_is_named_at_its_commit(project: Path) -> None:
    library = {"version": "0.3.0", "commit": "6" * 40, "source": "https://example.org/reproof"}
    brought.change(project, "meta.json", lambda meta: meta.update(library=library))
    text = tutorial(project)
    words = f"--vcs-ref {'6' * 40} --data recipe=inference https://example.org/reproof check-resnet50"
    assert f"copier copy --defaults {words}" in commands(text)
    assert "$TEMPLATE" not in text


def test_an_environment_of_uv_is_made_by_uv(project: Path) -> None:
    brought.change(project, "examination.json", lambda e: e["dependencies"].update(manager="uv"))
    assert "uv sync" in commands(tutorial(project))
    assert "make setup" not in commands(tutorial(project))


def test_what_came_of_each_stage_stands_below_its_command(project: Path) -> None:
    text = tutorial(project)
    assert "- `models/resnet50.onnx` is onnx, 102 MB\n- its graph has 122 nodes" in text
    assert "- the first answer, to `inputs/cat.jpg`: tabby 0.83, tiger cat 0.11" in text
    assert f"- `{CELL}`: 0.0222 ms a call, 95% interval 0.0215 to 0.0231 ms, stable" in text
    assert "It took 24.8 s, and ended as **success**." in text


def test_a_stage_that_failed_says_where_the_tutorial_ends(project: Path) -> None:
    brought.fail(project, "infer", "no input went through the model")
    text = tutorial(project)
    assert "- **It failed here**: no input went through the model" in text
    assert "python src/benchmark.py" not in commands(text)
