"""`import reproof.pinned` starts Python again with the run's variables, before anything heavy is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import run
from projects import ENV

SCRIPT = """
import sys
import reproof.pinned
import json, os
names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"]
names += ["CUBLAS_WORKSPACE_CONFIG"]
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "argv": sys.argv[1:], "cwd": os.getcwd(),
    "variables": {name: os.environ.get(name) for name in names}, "hash_seed": sys.flags.hash_randomization,
    "heavy": sorted({"pydantic", "yaml", "git", "numpy"} & set(sys.modules)),
    "left": [name for name in os.environ if name.startswith("REPROOF_")],
}))
"""


def project_with(folder: Path, params: str) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(params)
    (folder / "src/train.py").write_text(SCRIPT)
    return folder


def told(project: Path, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Any:
    command = command or ("python", "src/train.py")
    return json.loads(run(*command, cwd=cwd or project, env={**ENV, **(env or {})}).stdout)


def test_a_script_finds_the_runs_variables_and_nothing_heavy_was_loaded_for_them(tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", "seed: 7   # of all\nthreads: 2\ndeterministic: true\n")
    found = told(project)
    assert found["variables"] == {
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "PYTHONHASHSEED": "7",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    assert found["heavy"] == []
    assert found["left"] == [], "the mark of the restart is gone, no child inherits it"


def test_another_config_and_another_folder_count(tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", "seed: 7\nthreads: 2\n")
    (project / "other.yaml").write_text("seed: 8\nthreads: 1\ndeterministic: false\n")
    for given in (["--config", "../other.yaml"], ["--config=../other.yaml"]):
        found = told(project, "python", "train.py", *given, "x y", cwd=project / "src")
        assert found["variables"]["PYTHONHASHSEED"] == "8"
        assert found["variables"]["CUBLAS_WORKSPACE_CONFIG"] is None
        assert found["argv"] == [*given, "x y"]
        assert found["cwd"] == str(project / "src")


@pytest.mark.parametrize(
    "params",
    [
        "seed: [1]\nthreads: 2\n",
        "seed: 1\n",
        "seed: 1\nseed: 2\nthreads: 1\n",
        "seed: &s 1\nthreads: 1\n",
        "seed: 1\nthreads: many\n",
        "seed: 1\nthreads: 1\ndeterministic: maybe\nx: \xe9\n",
        "",
    ],
)
def test_what_is_odd_is_left_to_the_stage(tmp_path: Path, params: str) -> None:
    project = project_with(tmp_path / "p", params)
    if "maybe" not in params:
        assert told(project)["variables"]["PYTHONHASHSEED"] is None
    (project / "params.yaml").write_bytes(b"seed: 1\nthreads: 1\n# \xff\n")
    assert told(project)["variables"]["PYTHONHASHSEED"] is None
    (project / "params.yaml").unlink()
    assert told(project)["variables"]["PYTHONHASHSEED"] is None


def test_something_that_sets_a_variable_at_each_start_makes_no_endless_loop(tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", "seed: 1\nthreads: 2\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text("import os\nos.environ['OMP_NUM_THREADS'] = '8'\n")
    found = told(project, env={"PYTHONPATH": str(tmp_path / "site")})
    assert found["variables"]["OMP_NUM_THREADS"] == "8"
    assert found["variables"]["PYTHONHASHSEED"] == "1"


def test_a_program_that_only_imports_it_goes_on_as_it_is(tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", "seed: 1\nthreads: 2\n")
    code = "import runpy; runpy.run_path('src/train.py', run_name='__main__')"
    assert told(project, "python", "-c", code)["variables"]["PYTHONHASHSEED"] is None
    (project / "test_train.py").write_text("def test_it():\n    import src.train\n")
    output = run("python", "-m", "pytest", "-q", "-s", "test_train.py", cwd=project, env=ENV).stdout
    assert json.loads(output.strip().splitlines()[0])["variables"]["PYTHONHASHSEED"] is None
