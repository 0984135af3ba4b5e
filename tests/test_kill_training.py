"""A training that is killed goes on where it was, and ends with the same bits."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import commit_all, run
from kills import contents, kill, kill_in_training, start, wait_for
from projects import ENV, copy_of_this_repository, make_quick, python, render
from stages import record

pytestmark = pytest.mark.torch

TRAINED = ("checkpoint", "metrics.ndjson", "params.ndjson", "curves.csv")
STATES = ".dvc/tmp/reproof/resume"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose data are prepared, and a training of about a hundred steps."""
    folder = tmp_path_factory.mktemp("killed")
    project = render(folder / "project", copy_of_this_repository(folder / "template"))
    make_quick(project)
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 2 ", "epochs: 3 "))
    commit_all(project, "Three epochs")
    python(project, "src/prepare.py")
    return project


@pytest.fixture(scope="module")
def uninterrupted(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of what the training leaves when nobody disturbs it, and it saves nothing."""
    project = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("whole") / "project"))
    run("python", "src/train.py", cwd=project, env={**ENV, "REPROOF_RESUME": "0"})
    assert not (project / STATES).exists()
    assert record(project)["resume"] == {"continued": None, "saves": 0, "save_seconds": 0.0}
    return contents(project, *TRAINED)


@pytest.fixture
def project(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "project"))


def steps_logged(project: Path) -> Counter[tuple[int, str, str]]:
    lines = (project / "results/latest/metrics.ndjson").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return Counter((record["step"], record["split"], record["metric"]) for record in records)


@pytest.mark.parametrize("every", ["1", "7", ""], ids=["each-step", "each-seventh-step", "default"])
def test_a_training_killed_again_and_again_ends_with_the_same_bits(
    project: Path, uninterrupted: dict[str, str], every: str
) -> None:
    rng = random.Random(every)
    env = {"REPROOF_RESUME": every}
    kills, begun = 0, 0
    for _ in range(4):
        process = start(project, "python", "src/train.py", env=env)
        kill_in_training(process, project, begun + rng.randrange(15, 75), rng)
        kills += 1
        (folder,) = (path for path in (project / STATES).iterdir() if path.is_dir())
        begun = (folder / "metrics.ndjson").read_bytes().count(b"\n")
        shutil.rmtree(project / "results/latest")  # as DVC does before it starts a stage again
    done = run("python", "src/train.py", cwd=project, env={**ENV, **env})
    assert kills == 4
    assert "train: goes on from step" in done.stderr
    assert contents(project, *TRAINED) == uninterrupted
    assert set(steps_logged(project).values()) == {1}, "no line is doubled"
    continued = record(project)["resume"]["continued"]
    assert continued["attempts"] == 5
    assert continued["step"] > 0
    assert not list((project / STATES).iterdir()), "success removes the state"


def torchrun(processes: int = 2) -> list[str]:
    return ["torchrun", "--standalone", "--nproc-per-node", str(processes), "src/train.py"]


def test_processes_that_train_together_go_on_together(project: Path, tmp_path: Path) -> None:
    """Three of them: the order in which more than two add gradients depends on DDP's buckets."""
    env = {"REPROOF_RESUME": "5", "OMP_NUM_THREADS": "1"}
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("batch_size: 32 ", "batch_size: 30 "))
    whole = Path(shutil.copytree(project, tmp_path / "whole"))
    run(*torchrun(3), cwd=whole, env={**ENV, **env, "REPROOF_RESUME": "0"})
    process = start(project, *torchrun(3), env=env)
    kill_in_training(process, project, 120, random.Random(2))
    done = run(*torchrun(3), cwd=project, env={**ENV, **env})
    assert done.stderr.count("train: goes on from step") == 1, "the first process speaks for all"
    assert record(project)["resume"]["continued"]["step"] > 0
    assert contents(project, *TRAINED) == contents(whole, *TRAINED)
    assert not list((project / STATES).iterdir())


def test_one_process_does_not_go_on_where_two_have_been(project: Path) -> None:
    env = {"REPROOF_RESUME": "5", "OMP_NUM_THREADS": "1"}
    process = start(project, *torchrun(), env=env)
    kill_in_training(process, project, 60, random.Random(1))
    done = run("python", "src/train.py", cwd=project, env={**ENV, **env})
    assert "environment processes: 2, now 1" in done.stderr
    assert record(project)["resume"]["continued"] is None


def test_what_died_in_a_temporary_workspace_goes_on_in_this_one(
    project: Path, uninterrupted: dict[str, str]
) -> None:
    shutil.rmtree(project / "results")
    shutil.rmtree(project / "prepared")
    process = start(project, "dvc", "exp", "run", "--temp", "train", env={"REPROOF_RESUME": "1"})
    states = project / STATES
    wait_for(lambda: list(states.glob("train-*/step-*[1-9]?.rank0.safetensors")), process)
    kill(process)
    (state,) = json.loads(run("reproof", "resume", "--json", cwd=project, env=ENV).stdout)
    assert state["step"] > 0
    done = run("dvc", "exp", "run", "train", cwd=project, env=ENV)
    assert f"goes on from step {state['step']}, " in done.stderr
    assert contents(project, *TRAINED) == uninterrupted
    assert list(states.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("params.yaml", "lr: 0.002", "lr: 0.003"), "params train.lr: 0.002, now 0.003"),
        (("src/model.py", '"""Your model."""', '"""My model."""'), "code src/model.py changed"),
        (
            ("params.yaml", "split_seed: 0", "split_seed: 1"),
            "params data.split_seed: 0, now 1; data prepared/",
        ),
        (("README.md", "## The loop", "## The circle"), None),
        (("params.yaml", "quick: true ", "quick: false"), None),
    ],
    ids=["a param", "the model", "the data", "the README", "a param of another stage"],
)
def test_what_the_result_follows_from_begins_anew_and_nothing_else(
    project: Path, change: tuple[str, str, str], told: str | None
) -> None:
    process = start(project, "python", "src/train.py", env={"REPROOF_RESUME": "1"})
    kill_in_training(process, project, 60, random.Random(0))
    name, old, new = change
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))
    if "split_seed" in old:
        python(project, "src/prepare.py")
    done = run("python", "src/train.py", cwd=project, env=ENV)
    if told:
        assert f"of before: {told}" in done.stderr
    else:
        assert "train: goes on from step" in done.stderr
