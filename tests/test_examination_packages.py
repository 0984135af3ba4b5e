"""The packages that a model needs: which, which are missing, and the exact command that installs them."""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reproof.contract import Contract
from reproof.examination import dependencies, managers
from reproof.model_files.facts import Facts, Graph

ONNX = Facts("onnx", graph=Graph({"ai.onnx": 17}, 8, None, 1, {"Relu": 1}))


def without(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """An environment in which these packages have other versions, or none."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        wanted = versions.get(name.replace("-", "_"), "as it is")
        if wanted is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name) if wanted == "as it is" else wanted

    monkeypatch.setattr(importlib.metadata, "version", version)


def examine(root: Path, facts: Facts = ONNX, **fields: Any) -> dict[str, Any]:
    return dependencies.examine(Contract.model_validate({"input": fields}), facts, root)


def test_format_and_contract_say_what_is_needed(tmp_path: Path) -> None:
    assert examine(tmp_path)["required"] == {
        "framework": {"onnxruntime": ">=1.20"},
        "model": {},
        "utilities": {"numpy": ">=1.26", "pillow": ">=11", "onnx": ">=1.17"},
        "optional": {},
    }
    text = examine(tmp_path, modality="text", tokenizer="models/tokenizer.json")
    assert text["required"]["model"] == {"tokenizers": ">=0.19"}
    assert "scipy" in examine(tmp_path, modality="audio")["required"]["utilities"]
    weights = examine(tmp_path, Facts("safetensors"))["required"]
    assert (list(weights["framework"]), list(weights["model"])) == (["torch"], ["safetensors"])
    vision = Graph({"aten": 10}, None, None, 1, {"torchvision.nms": 1})
    assert "torchvision" in examine(tmp_path, Facts("torch-export", graph=vision))["required"]["model"]
    own = Graph({"ai.onnx": 17, "ai.onnx.contrib": 1}, 8, None, 1, {})
    assert "onnxruntime-extensions" in examine(tmp_path, Facts("onnx", graph=own))["required"]["model"]


def test_nothing_missing_needs_no_command(tmp_path: Path) -> None:
    found = examine(tmp_path)
    assert (found["missing"], found["install"], found["choices"]) == ({}, None, None)
    assert found["installed"]["onnxruntime"] == importlib.metadata.version("onnxruntime")


def test_a_missing_package_has_its_reason_and_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, tokenizers=None)
    monkeypatch.setattr(managers, "manager", lambda: "venv")
    found = examine(tmp_path, tokenizer="models/tokenizer.json")
    assert found["missing"] == {"tokenizers": "contract.yaml names a tokenizer"}
    assert found["install"] == "python -m pip install 'tokenizers>=0.19'"
    assert found["choices"]["new"].startswith("python3 -m venv .venv-model && .venv-model/bin/python -m pip")
    assert "newest" in found["strategy"]


def test_the_lock_constrains_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, tokenizers=None, scipy=None)
    monkeypatch.setattr(managers, "manager", lambda: "venv")
    (tmp_path / "requirements.lock").write_text("# a lock\ntokenizers==0.20.1\n")
    found = examine(tmp_path, tokenizer="models/tokenizer.json", modality="audio")
    assert found["install"] == "python -m pip install -c requirements.lock 'scipy>=1.12' 'tokenizers>=0.19'"
    assert found["strategy"].startswith("tokenizers as requirements.lock pins; scipy in the newest")
    assert "reproof lock" in found["notes"]["lock"]


def test_a_package_that_is_too_old_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, onnxruntime="1.9.0", numpy="1.26.0", pillow="11.0.0rc1")
    missing = examine(tmp_path)["missing"]
    assert missing == {"onnxruntime": "1.9.0 is installed, and 1.20 or newer is needed"}


def test_two_distributions_of_one_runtime_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert examine(tmp_path)["notes"] == {}
    without(monkeypatch, onnxruntime_gpu="1.20.0")
    assert "onnxruntime and onnxruntime-gpu" in examine(tmp_path)["notes"]["onnxruntime twice"]


def test_a_runtime_under_another_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, onnxruntime=None, onnxruntime_gpu="1.22.0")
    found = examine(tmp_path)
    assert found["missing"] == {}
    assert found["installed"]["onnxruntime"] == "1.22.0"


@pytest.mark.parametrize(
    ("path", "config", "env", "name"),
    [
        ("p/.pixi/envs/default", None, {}, "pixi"),
        ("conda", "conda-meta", {}, "conda"),
        ("venv", "home = /usr/bin\nuv = 0.9.1\n", {}, "uv"),
        ("venv", "home = /usr/bin\nversion = 3.11\n", {}, "venv"),
        ("venv", "home = /opt/uv = x/bin\n", {"UV": "1", "CONDA_PREFIX": "/opt/conda"}, "venv"),
    ],
)
def test_the_manager_is_told_by_the_files_that_it_leaves(
    path: str, config: str | None, env: dict[str, str], name: str, tmp_path: Path
) -> None:
    prefix = tmp_path / path
    prefix.mkdir(parents=True)
    if config == "conda-meta":
        (prefix / config).mkdir()
    elif config:
        (prefix / "pyvenv.cfg").write_text(config)
    assert managers.manager(prefix, Path("/usr"), env) == name


def test_no_environment_of_its_own_is_the_system() -> None:
    assert managers.manager(Path("/none"), Path("/none"), {}) == "system"


@pytest.mark.parametrize("name", ["venv", "uv", "pixi", "conda", "system"])
def test_every_manager_has_both_ways_as_commands_of_a_shell(name: Any, tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("# a lock\n")
    found = managers.commands(name, ["tokenizers>=0.19"], tmp_path)
    for command in found.values():
        assert "tokenizers>=0.19" in shlex.split(command), "quoted, or a shell would write into a file"
    if name == "system":
        assert found["current"] == found["new"]
    else:
        assert found["current"] != found["new"]
    assert ("-c requirements.lock" in found["current"]) == (name != "pixi")


def test_the_command_for_this_environment_is_one_that_runs(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(f"numpy=={importlib.metadata.version('numpy')}\n")
    command = shlex.split(managers.commands("venv", ["numpy>=1.26"], tmp_path)["current"])
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:], "--no-index"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "already satisfied: numpy" in done.stdout
