"""What a training saves as it goes, who may go on from it, and when it is gone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run

from reproof import locks
from reproof.errors import ReproofError
from reproof.resume import Resume, identity, store
from reproof.runlog import RunLog

STEPS = 60
IDENTITY: identity.Identity = {
    "code": {"src/train.py": "sha256:aa"},
    "params": {"train.lr": 0.1, "seed": 0},
    "data": {"prepared": "sha256:bb"},
    "environment": {"torch": "2.13.0", "python": "3.11.7"},
}
ABOUT = {"workspace": "/srv/project", "experiment": None}


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROOF_RESUME", "1")


class Stopped(Exception):
    """Stands for the end of a process."""


def train(
    folder: Path,
    *,
    stop_at: int | None = None,
    ident: identity.Identity = IDENTITY,
    about: dict[str, Any] = ABOUT,
    finish: bool = True,
) -> tuple[dict[str, torch.Tensor], Resume]:
    """A model with dropout, trained on random batches; a stop leaves everything as a killed process does."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    log = RunLog(folder / "results", "20260131-120000-abcdef", "noise")
    resume = Resume("train", "20260131-120000-abcdef", {"model": model, "optimizer": optimizer}, log)
    try:
        resume.open(folder, ident, about)
        at = resume.position or {"done": 0}
        for step in range(at["done"], STEPS):
            resume.here(step, done=step)
            if step == stop_at:
                raise Stopped
            loss = model(torch.randn(16, 4)).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            log.metrics(step, "train", {"loss": loss.item()})
        if finish:
            resume.done()
        return model.state_dict(), resume
    finally:
        log.close()
        resume.close()


def stop(folder: Path, at: int, **options: Any) -> None:
    with pytest.raises(Stopped):
        train(folder, stop_at=at, **options)


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = (folder / "results/metrics.ndjson").read_text().splitlines()
    return [(record["step"], record["value"]) for record in map(json.loads, lines)]


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, torch.Tensor], list[tuple[int, float]]]:
    folder = tmp_path_factory.mktemp("whole")
    weights, _ = train(folder)
    return weights, losses(folder)


def only_state(folder: Path) -> store.State:
    (state,) = store.states(store.home(folder))
    return state


@pytest.mark.parametrize("stops", [(6,), (30,), (59,), (10, 11, 40)])
def test_it_goes_on_with_the_same_bits_and_the_same_log(
    tmp_path: Path, whole: tuple[dict[str, torch.Tensor], list[tuple[int, float]]], stops: tuple[int, ...]
) -> None:
    for at in stops:
        stop(tmp_path, at)
        shutil.rmtree(tmp_path / "results")  # as DVC does before it starts a stage again
    weights, resume = train(tmp_path)
    assert resume.continued is not None
    assert resume.continued["step"] == stops[-1]
    assert resume.continued["attempts"] == len(stops) + 1
    assert equal(weights, whole[0])
    assert losses(tmp_path) == whole[1]
    assert store.states(store.home(tmp_path)) == []


def test_the_weights_are_not_equal_when_random_generators_are_lost(
    tmp_path: Path,
    whole: tuple[dict[str, torch.Tensor], list[tuple[int, float]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the tests above would not see, if dropout or batches drew nothing."""
    stop(tmp_path, 30)
    monkeypatch.setattr("reproof.state.restore_random", lambda _: None)
    weights, _ = train(tmp_path)
    assert not equal(weights, whole[0])


def test_off_means_that_nothing_is_saved_and_nothing_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(tmp_path, 30)
    monkeypatch.setenv("REPROOF_RESUME", "0")
    _, resume = train(tmp_path)
    assert resume.position is None
    assert resume.saves == 0
    assert only_state(tmp_path).step == 30, "what another attempt saved is left alone"


@pytest.mark.parametrize("text", ["-1", "often", "1.5"])
def test_a_wrong_interval_is_an_error_that_says_what_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("REPROOF_RESUME", text)
    with pytest.raises(ReproofError, match="REPROOF_RESUME: not a number of steps"):
        train(tmp_path)


def test_by_default_it_saves_so_seldom_that_it_costs_one_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPROOF_RESUME")
    _, resume = train(tmp_path)
    assert 1 <= resume.saves < STEPS / 4, "a save costs more than one of these steps"
    assert resume.save_seconds > 0


@pytest.mark.parametrize(
    ("part", "name", "value", "told"),
    [
        ("code", "src/train.py", "sha256:cc", "code src/train.py changed"),
        ("params", "train.lr", 0.2, "params train.lr: 0.1, now 0.2"),
        ("data", "prepared", "sha256:dd", "data prepared changed"),
        ("environment", "torch", "2.14.0", "environment torch: 2.13.0, now 2.14.0"),
    ],
)
def test_anything_else_begins_anew_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, name: str, value: Any, told: str
) -> None:
    stop(tmp_path, 30)
    changed = {**IDENTITY, part: {**IDENTITY[part], name: value}}
    _, resume = train(tmp_path, ident=changed)
    assert resume.position is None
    said = [line for line in capsys.readouterr().err.splitlines() if line]
    assert said == [f"train: starts from the beginning, not from step 30 of before: {told}"]
    train(tmp_path)
    assert "goes on from step 30" in capsys.readouterr().err, "back to the old one, its state is still there"


def test_another_workspaces_state_is_no_reason_to_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop(tmp_path, 30, about={"workspace": "/srv/other", "experiment": "seed-1"})
    train(tmp_path, ident={**IDENTITY, "params": {"seed": 1}})
    assert capsys.readouterr().err == ""


def test_the_same_training_at_the_same_time_gets_no_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_WAIT_FOR_THE_DEAD_SECONDS", 0.1)
    stop(tmp_path, 30)
    folder = only_state(tmp_path).folder
    taken = store.take(folder, "train 20260131-110000-aaaaaa")
    assert isinstance(taken, locks.Lock)
    _, resume = train(tmp_path)
    assert resume.position is None
    assert f"the same training runs already (process {os.getpid()}, since 20" in capsys.readouterr().err
    assert only_state(tmp_path).step == 30
    taken.release()


def test_a_torn_state_falls_back_to_the_one_before_or_to_the_beginning(
    tmp_path: Path,
    whole: tuple[dict[str, torch.Tensor], list[tuple[int, float]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop(tmp_path, 30)
    folder = only_state(tmp_path).folder
    last = store.step_file(folder, 30, 0)
    store.step_file(folder, 40, 0).write_bytes(last.read_bytes()[:-100])
    weights, resume = train(tmp_path)
    assert resume.continued is not None
    assert resume.continued["step"] == 30
    assert equal(weights, whole[0])
    assert "the state of step 40 cannot be read" in capsys.readouterr().err

    stop(tmp_path, 30)
    last.write_bytes(b"no safetensors")
    weights, resume = train(tmp_path)
    assert resume.position is None
    assert equal(weights, whole[0])
    assert losses(tmp_path) == whole[1]


def test_a_state_whose_log_is_gone_is_not_continued(
    tmp_path: Path, whole: tuple[dict[str, torch.Tensor], list[tuple[int, float]]]
) -> None:
    stop(tmp_path, 30)
    (only_state(tmp_path).folder / store.LOG).unlink()
    weights, resume = train(tmp_path)
    assert resume.position is None
    assert equal(weights, whole[0])
    assert losses(tmp_path) == whole[1]


def test_what_was_logged_before_the_state_was_found_is_not_there_twice(tmp_path: Path) -> None:
    stop(tmp_path, 30)
    folder, log = tmp_path, RunLog(tmp_path / "results", "20260131-130000-abcdef", "noise")
    log.metrics(0, "validation", {"loss": 9.0})
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    resume = Resume("train", "20260131-130000-abcdef", {"model": model, "optimizer": optimizer}, log)
    resume.open(folder, IDENTITY, ABOUT)
    resume.close()
    log.close()
    assert [step for step, _ in losses(folder)] == list(range(30))


def test_a_sharded_model_saves_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class FullyShardedDataParallel(torch.nn.Linear):
        """Stands for torch's, whose state dict is a conversation of all processes."""

    resume = Resume("train", "20260131-120000-abcdef", {"model": FullyShardedDataParallel(2, 2)}, None)
    resume.open(tmp_path, IDENTITY, ABOUT)
    resume.here(1, done=1)
    assert resume.saves == 0
    assert "the model is shared out over the processes" in capsys.readouterr().err


def test_every_file_that_dvc_watches_counts_also_those_that_the_script_opens_itself(
    git_project: Path,
) -> None:
    (git_project / "data").mkdir()
    (git_project / "data/train.csv").write_text("1\n")
    (git_project / "data/labels.json").write_text("[]")
    (git_project / "other.yaml").write_text("lr: 1\n")
    stages = "stages: {train: {cmd: python x, deps: [data], params: [seed, {other.yaml: [lr]}]}}\n"
    (git_project / "dvc.yaml").write_text(stages)

    def now() -> str:
        params = {"seed": 0, "threads": 1}
        return identity.key(identity.of(git_project, "train", params, {"data/labels.json": "sha256:aa"}, 1))

    keys = [now()]
    for name, text in (("data/train.csv", "2\n"), ("other.yaml", "lr: 2\n")):
        (git_project / name).write_text(text)
        keys.append(now())
    (git_project / "data/labels.json").write_text("changed, and read by another digest in a real run")
    keys.append(now())
    assert len(set(keys)) == 3
    assert keys[-1] == keys[-2]


def test_a_disk_that_takes_no_state_costs_one_line_and_not_the_training(
    tmp_path: Path,
    whole: tuple[dict[str, torch.Tensor], list[tuple[int, float]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "resume").write_text("a file where the folder should be")
    weights, resume = train(tmp_path)
    assert equal(weights, whole[0])
    assert resume.saves == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train: no state is saved to go on from after a crash: ")


def test_only_so_many_states_are_kept_and_the_oldest_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_STATES", 3)
    for seed in range(5):
        about = {"workspace": f"/srv/{seed}", "experiment": None}
        stop(tmp_path, 10, ident={**IDENTITY, "params": {"seed": seed}}, about=about)
        state = next(s for s in store.states(store.home(tmp_path)) if s.about["workspace"] == f"/srv/{seed}")
        os.utime(store.step_file(state.folder, 10, 0), (1_000_000 + seed, 1_000_000 + seed))
    kept = {state.about["workspace"] for state in store.states(store.home(tmp_path))}
    assert kept == {"/srv/2", "/srv/3", "/srv/4"}


def test_states_larger_than_the_limit_are_not_kept_beside_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(
        tmp_path, 10, ident={**IDENTITY, "params": {"seed": 1}}, about={"workspace": "/a", "experiment": None}
    )
    monkeypatch.setattr(store, "MAX_BYTES", 100)
    stop(tmp_path, 10)
    assert only_state(tmp_path).about["workspace"] == ABOUT["workspace"]


def test_clear_removes_what_nobody_uses(tmp_path: Path) -> None:
    stop(tmp_path, 10)
    stop(tmp_path, 10, ident={**IDENTITY, "params": {"seed": 1}})
    top = store.home(tmp_path)
    one, other = store.states(top)
    lock = store.take(one.folder, "train")
    assert isinstance(lock, locks.Lock)
    with pytest.raises(ReproofError, match="no such resume state: 'nothing'"):
        store.clear(top, ["nothing"])
    removed, used = store.clear(top)
    assert ([s.name for s in removed], [s.name for s in used]) == ([other.name], [one.name])
    assert used[0].holder is not None
    assert used[0].holder.pid == os.getpid()
    lock.release()
    assert [s.name for s in store.clear(top, [one.name])[0]] == [one.name]
    assert list(top.iterdir()) == []


SMALL_LOG = """
import sys
from reproof.cli import main
main()
"""


def test_the_command_lists_and_clears(git_project: Path) -> None:
    private = git_project / ".dvc/tmp/reproof"

    def reproof(*arguments: str) -> str:
        return run(sys.executable, "-c", SMALL_LOG, "resume", *arguments, cwd=git_project).stdout

    assert reproof().startswith("Nothing to go on from")
    stop(private, 10)
    name = only_state(private).name
    assert reproof("--list").startswith(f"{name}  step 10, ")
    (listed,) = json.loads(reproof("--json"))
    assert (listed["name"], listed["step"], listed["holder"]) == (name, 10, None)
    assert listed["about"]["identity"] == IDENTITY
    assert reproof("--clear", name).startswith(f"removed {name} (")
    assert store.states(store.home(private)) == []
    assert reproof("--clear") == "Nothing to remove.\n"
