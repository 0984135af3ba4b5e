"""Where a stage's record goes, and what a stage may read and write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PARAMS, run
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save
from stages import (
    PINNED,
    assert_dvc_reads_no_table,
    leave_a_success,
    lists,
    read,
    record,
    stage,
    summary,
    write,
)

from reproof import digest, registry


def other_config(project: Path) -> Path:
    """Another run's params, as `results/<run>/config.yaml` holds them."""
    path = project / "results/old/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(PARAMS.replace("seed: 0", "seed: 5").replace("evaluate.accuracy", "train.loss"))
    return path


def test_the_config_of_another_run_goes_to_a_folder_of_its_own(git_project: Path) -> None:
    config = other_config(git_project)
    leave_a_success(git_project)
    latest = git_project / "results/latest"
    before = {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()}
    write(
        git_project,
        "stage.write_json('results/latest/scores.json', {})\nstage.metric('loss', stage.params.seed)",
    )
    done = stage(git_project, "--config", "results/old/config.yaml", check=True)
    (folder,) = set((git_project / "results").iterdir()) - {config.parent, latest}
    assert f"results/{folder.name}" in done.stdout
    assert (folder / "config.yaml").read_bytes() == config.read_bytes()
    assert read(git_project, f"{folder.name}/meta.json")["run_id"] == folder.name
    found = read(git_project, f"{folder.name}/summary.json")
    assert (found["status"], found["metrics"]) == ("success", {"accuracy": 5.0})
    found = read(git_project, f"{folder.name}/stages/train.json")
    assert found["config"] == "results/old/config.yaml"
    assert found["writes"] == {"results/latest/scores.json": digest.digest(folder / "scores.json")}
    assert {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()} == before


def test_the_next_stage_goes_on_in_the_folder_that_the_first_one_named(git_project: Path) -> None:
    config = other_config(git_project)
    config.write_text(PARAMS)
    write(git_project, "stage.write_json('results/latest/model.json', {'w': 1})\nstage.metric('loss', 0.5)")
    write(
        git_project,
        "stage.metric('accuracy', json.loads(stage.input('results/latest/model.json').read_text())['w'])",
        name="evaluate",
    )
    done = stage(git_project, "--config", "results/old/config.yaml", check=True)
    folder = Path(done.stdout.split("recorded in ")[1].split(";")[0])
    options = done.stdout.split("go on with: ")[1].split()
    assert read(git_project, f"{folder.name}/summary.json")["status"] == "partial"
    stage(git_project, *options, name="evaluate", check=True)
    after = read(git_project, f"{folder.name}/summary.json")
    assert (after["status"], after["metrics"]) == ("success", {"accuracy": 1.0})
    assert not (git_project / "results/latest").exists()


def test_under_dvc_another_config_stays_in_the_workspaces_record(git_project: Path) -> None:
    other_config(git_project)
    write(git_project, "pass")
    stage(git_project, "--config", "results/old/config.yaml", env={"DVC_STAGE": "train"}, check=True)
    assert record(git_project)["config"] == "results/old/config.yaml"
    assert {path.name for path in (git_project / "results").iterdir()} == {"latest", "old"}


def test_naming_the_default_config_changes_nothing(git_project: Path) -> None:
    write(git_project, "pass")
    stage(git_project, "--config", str(git_project / "src/../params.yaml"), check=True)
    assert [path.name for path in (git_project / "results").iterdir()] == ["latest"]


@pytest.mark.parametrize("folder", ["../elsewhere", "/tmp/reproof-elsewhere", "results/../../elsewhere"])
def test_results_outside_the_project_are_refused(git_project: Path, folder: str) -> None:
    write(git_project, "pass")
    before = sorted(git_project.parent.rglob("*"))
    done = stage(git_project, "--results", folder)
    assert done.returncode == 2
    assert done.stderr.startswith("train: error: --results: a path leads out of the project\n")
    assert sorted(git_project.parent.rglob("*")) == before
    assert not Path("/tmp/reproof-elsewhere").exists()


def test_a_stage_finds_its_project_from_a_folder_below(git_project: Path) -> None:
    write(git_project, "stage.output('results/latest/here.txt').write_text(os.getcwd())")
    run(sys.executable, "train.py", cwd=git_project / "src", env=PINNED)
    assert record(git_project)["argv"] == "python src/train.py"
    assert (git_project / "results/latest/here.txt").read_text() == str(git_project)


def test_a_stage_outside_any_project_says_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "pass")
    done = stage(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("train: error: ")
    assert "no dvc.yaml here or in any folder above" in done.stderr


def test_a_stage_runs_without_git_and_records_why_the_code_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text(PARAMS)
    write(tmp_path, "pass")
    stage(tmp_path, check=True)
    found = record(tmp_path)
    assert found["status"] == "success"
    assert found["code"]["reason"] == "not inside a Git repository"
    assert found["overrides"] is None


def test_a_process_that_is_not_the_first_writes_nothing(git_project: Path) -> None:
    write(
        git_project,
        """
        stage.log("rows").metrics(1, "train", {"loss": 1.0})
        stage.write_json("results/latest/scores.json", {})
        stage.input("params.yaml")
        stage.metric("loss", 1.0)
        """,
    )
    before = sorted(git_project.rglob("*"))
    stage(git_project, env={"RANK": "1", "WORLD_SIZE": "2"}, check=True)
    assert sorted(git_project.rglob("*")) == before


def test_from_dvcs_temporary_workspace_the_registry_is_that_of_the_main_repository(
    git_project: Path, tmp_path: Path
) -> None:
    write(git_project, "pass")
    main = tmp_path / "main"
    stage(git_project, env={"DVC_ROOT": str(main), "DVC_STAGE": "train", "DVC_EXP_NAME": "x"}, check=True)
    (entry,) = registry.entries(main / ".dvc/tmp/reproof")
    assert (entry["experiment"], entry["workspace"]) == ("x", str(git_project))
    assert not (git_project / ".dvc").exists()


def test_a_stage_that_is_started_by_a_stage_is_an_execution_of_its_own(git_project: Path) -> None:
    other_config(git_project)
    write(git_project, "stage.metric('loss', 1.0)")
    write(
        git_project,
        """
        import subprocess
        subprocess.run([sys.executable, "src/train.py", "--config", "results/old/config.yaml"], check=True)
        """,
        name="sweep",
    )
    stage(git_project, name="sweep", check=True)
    (folder,) = {path.name for path in (git_project / "results").iterdir()} - {"old", "latest"}
    assert folder != record(git_project, "sweep")["run_id"]


def test_params_that_do_not_fit_end_the_stage_before_it_begins(git_project: Path) -> None:
    write(git_project, "Path('began').touch()")
    (git_project / "params.yaml").write_text(PARAMS + "sede: 1\n")
    done = stage(git_project)
    assert done.returncode == 2
    assert "params.yaml:5: sede: unknown key; did you mean 'seed'?" in done.stderr
    assert not (git_project / "began").exists()
    assert record(git_project)["status"] == "failed"
    assert summary(git_project)["status"] == "failed"


def test_a_config_that_is_not_there_is_an_error_and_leaves_no_run(git_project: Path) -> None:
    write(git_project, "pass")
    done = stage(git_project, "--config", "typo.yaml")
    assert done.returncode == 2
    assert "typo.yaml: no such params file" in done.stderr
    assert not (git_project / "results").exists()


def test_overridden_params_are_recorded_with_both_values(git_project: Path) -> None:
    write(git_project, "pass")
    (git_project / "params.yaml").write_text(PARAMS + "clip: 1e-05\n")
    stage(git_project, check=True)
    assert record(git_project)["overrides"] == {"clip": {"from": None, "to": 1e-05}}


def test_an_overridden_list_is_no_table_to_dvc(git_project: Path) -> None:
    write(git_project, "pass")
    (git_project / "params.yaml").write_text(PARAMS + "layers: []\nblocks: [{depth: 1}]\n")
    stage(git_project, check=True)
    assert_dvc_reads_no_table(record(git_project))


def test_a_fact_that_dvc_would_take_for_a_table_is_refused_or_kept_otherwise(git_project: Path) -> None:
    write(git_project, "stage.fact('layers', {'none': [], 'some': [{'depth': 1}]})")
    assert stage(git_project).returncode in (0, 2)
    assert_dvc_reads_no_table(record(git_project))


def test_an_infinite_param_is_recorded_or_refused_without_a_traceback(git_project: Path) -> None:
    write(git_project, "stage.log('rows')\nstage.metric('accuracy', 1.0)", name="evaluate")
    (git_project / "params.yaml").write_text(PARAMS + "clip: .inf\n")
    done = stage(git_project, "--results", "results/one", name="evaluate")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


def test_a_missing_input_is_an_error_that_says_how_to_get_it(git_project: Path) -> None:
    write(git_project, "stage.input('prepared/train.npz')")
    done = stage(git_project)
    assert done.returncode == 2
    assert "prepared/train.npz: the stage 'train' needs a file that is not there" in done.stderr
    assert "dvc repro" in done.stderr


@pytest.mark.parametrize("call", ["input", "output"])
def test_a_path_out_of_the_project_is_refused(git_project: Path, call: str) -> None:
    (git_project.parent / "secret.txt").write_text("outside")
    write(git_project, f"stage.{call}('../secret.txt')")
    done = stage(git_project)
    assert done.returncode == 2
    assert "a path leads out of the project" in done.stderr


def into_the_cache(project: Path) -> Path:
    return project / ".dvc/cache/files/md5"


def into_a_shared_cache(project: Path) -> Path:
    return project.parent / "shared/files/md5"


@pytest.mark.parametrize("cache", [into_the_cache, into_a_shared_cache])
def test_an_input_that_dvc_links_from_its_cache_is_read_as_what_it_is(
    git_project: Path, cache: Callable[[Path], Path]
) -> None:
    # `dvc config cache.type symlink`, and `cache.dir` on a shared disk: links to names without a suffix.
    weights = {"w": np.arange(3, dtype=np.float32)}
    held = cache(git_project) / "ab/cdef0123"
    held.parent.mkdir(parents=True)
    held.write_bytes(save(weights, metadata={"made": "elsewhere"}))
    (git_project / "prepared").mkdir()
    (git_project / "prepared/w.safetensors").symlink_to(held)
    write(
        git_project,
        "stage.fact('suffix', stage.input('prepared/w.safetensors').suffix)\nstage.input('prepared')",
    )
    stage(git_project, check=True)
    found = record(git_project)
    assert found["reads"]["prepared/w.safetensors"] == digest.arrays(weights)
    assert found["facts"]["suffix"] == ".safetensors"


def test_a_folder_as_output_has_one_digest(git_project: Path) -> None:
    write(
        git_project,
        """
        folder = stage.output("prepared")
        folder.mkdir()
        (folder / "a.json").write_text("{}")
        """,
    )
    stage(git_project, check=True)
    assert record(git_project)["writes"] == {"prepared": digest.digest(git_project / "prepared")}


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(_json)
def test_the_search_for_tables_finds_every_list(value: Any) -> None:
    # The assertion above is only as good as its walk.
    assert sum(1 for _ in lists(value)) == json.dumps(value).replace('\\"', "").count("[") - sum(
        text.count("[") for text in strings(value)
    )


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
