"""The temporary folder of a verification: the commit's files without its results, and nothing left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import commit_all, run
from projects import dvc, experiment
from verify_places import LATEST, changed, forget_cache, opened, state_of

from reproof.errors import ReproofError
from reproof.verify import leftovers
from reproof.verify.errors import CannotVerify
from reproof.verify.execution import Changes, attempt
from reproof.verify.inputs import bring
from reproof.verify.recorded_run import load
from reproof.verify.stages import choose
from reproof.verify.workplace import workplace

pytestmark = pytest.mark.usefixtures("temporary")


def test_it_holds_the_commits_files_without_what_the_run_wrote(data_copy: Path, temporary: Path) -> None:
    (data_copy / "src" / "train.py").write_text("an edit after the run\n")
    (data_copy / "new.py").write_text("an untracked file\n")
    before = state_of(data_copy)
    with opened(data_copy) as ready:
        files = {
            path.relative_to(ready.place.project).as_posix()
            for path in ready.place.project.rglob("*")
            if path.is_file() and not path.is_relative_to(ready.place.project / ".git")
        }
        assert {"dvc.yaml", "dvc.lock", "params.yaml", "src/train.py", "data/raw/points.csv"} <= files
        assert not [name for name in files if name.startswith(("results/", "prepared/", "new.py"))]
        text = (ready.place.project / "src/train.py").read_bytes()
        assert text == ready.run.get("src/train.py")
        assert ready.place.folder.stat().st_mode & 0o777 == 0o700
    assert changed(before, state_of(data_copy)) == []
    assert list(temporary.iterdir()) == []


def test_git_in_it_gives_no_results_away(data_copy: Path) -> None:
    summary = run("git", "rev-parse", f"HEAD:{LATEST}/summary.json", cwd=data_copy).stdout.strip()
    head = run("git", "rev-parse", "HEAD", cwd=data_copy).stdout.strip()
    with opened(data_copy) as ready:
        for name in (summary, head):
            found = run("git", "cat-file", "-e", name, cwd=ready.place.project, check=False)
            assert found.returncode != 0, name
        assert len(run("git", "log", "--format=%H", cwd=ready.place.project).stdout.split()) == 1
        assert run("git", "status", "--porcelain", cwd=ready.place.project).stdout == ""
        assert not (ready.place.top / ".git/objects/info/alternates").exists()


def test_an_experiment_is_checked_out_too(data_copy: Path) -> None:
    name = experiment(dvc(data_copy, "exp", "run", "-S", "seed=1"))
    run("git", "checkout", "--quiet", "--force", "HEAD", cwd=data_copy)
    before = state_of(data_copy)
    with opened(data_copy, name) as ready:
        assert "seed: 1" in (ready.place.project / "params.yaml").read_text()
    assert changed(before, state_of(data_copy)) == []


def test_a_project_in_a_folder_of_a_repository(data_run: Path, tmp_path: Path) -> None:
    top = tmp_path / "mono"
    shutil.copytree(data_run, top / "team" / "project", ignore=shutil.ignore_patterns(".git"))
    (top / "README.md").write_text("Many projects.\n")
    run("git", "init", "--quiet", cwd=top)
    commit_all(top, "All of it")
    before = state_of(top)
    with opened(top / "team" / "project") as ready:
        assert ready.place.project == ready.place.top / "team" / "project"
        assert (ready.place.top / "README.md").exists()
        done = ready.execute()
        assert (done.project / LATEST / "checkpoint/weights.npz").is_file()
        assert {name: r["writes"] for name, r in done.stages.items()} == {
            name: ready.run.stages[name]["writes"] for name in done.stages
        }
    assert changed(before, state_of(top)) == []


def test_a_linked_working_tree(data_copy: Path, tmp_path: Path) -> None:
    run("git", "worktree", "add", "--quiet", "--detach", tmp_path / "tree", "HEAD", cwd=data_copy)
    (tmp_path / "tree" / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {data_copy}/.dvc/cache\n")
    before = state_of(tmp_path / "tree"), state_of(data_copy)
    with opened(tmp_path / "tree") as ready:
        assert (ready.place.project / "data/raw/points.csv").is_file()
        assert ready.place.source.git_folder == data_copy / ".git"
    assert (state_of(tmp_path / "tree"), state_of(data_copy)) == before


def test_nothing_of_the_users_git_configuration_runs(
    data_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-commit", "post-commit", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        (hooks / name).chmod(0o755)
    (data_copy / ".gitattributes").write_text("*.py filter=mine\n")
    commit_all(data_copy, "A filter")
    text = (Path.home() / ".gitconfig").read_text()
    config = tmp_path / "gitconfig"
    config.write_text(
        f"{text}[core]\n    hooksPath = {hooks}\n    fsmonitor = {hooks}/post-checkout\n"
        f'[filter "mine"]\n    smudge = sh -c "echo smudge >> {ran}; cat"\n    required = true\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
    monkeypatch.delenv("GIT_INDEX_FILE")
    with opened(data_copy) as ready:
        assert (ready.place.project / "src/train.py").read_bytes() == ready.run.get("src/train.py")
    assert not ran.exists()


def test_submodules_are_named_and_refused(data_copy: Path) -> None:
    head = run("git", "rev-parse", "HEAD", cwd=data_copy).stdout.strip()
    run("git", "update-index", "--add", "--cacheinfo", f"160000,{head},src/library", cwd=data_copy)
    run("git", "commit", "--quiet", "--message", "A submodule", cwd=data_copy)
    with pytest.raises(CannotVerify, match="submodules") as told, opened(data_copy):
        pass
    assert told.value.where == "src/library"


def test_what_git_lfs_holds_is_named_and_refused(data_copy: Path) -> None:
    (data_copy / ".gitattributes").write_text("*.bin filter=lfs\n")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 3\n"
    (data_copy / "data" / "big.bin").write_text(pointer)
    commit_all(data_copy, "LFS")
    with pytest.raises(CannotVerify, match="LFS") as told, opened(data_copy):
        pass
    assert told.value.where == "data/big.bin"


def test_a_broken_repository_is_told_in_gits_words(data_copy: Path, temporary: Path) -> None:
    blob = run("git", "rev-parse", "HEAD:src/train.py", cwd=data_copy).stdout.strip()
    (data_copy / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(CannotVerify, match="Git cannot write") as told, opened(data_copy):
        pass
    assert blob in str(told.value.found)
    assert list(temporary.iterdir()) == []


class TestFreshClone:
    """Everything from the remotes, as a stranger would get it."""

    @pytest.fixture
    def pushed(self, data_copy: Path, tmp_path: Path) -> Path:
        run("git", "init", "--quiet", "--bare", tmp_path / "git-remote", cwd=data_copy)
        run("git", "remote", "add", "origin", tmp_path / "git-remote", cwd=data_copy)
        dvc(data_copy, "remote", "add", "--default", "store", str(tmp_path / "dvc-remote"))
        commit_all(data_copy, "A remote")
        run("git", "push", "--quiet", "origin", "HEAD:main", cwd=data_copy)
        dvc(data_copy, "push")
        return data_copy

    def test_it_needs_neither_the_users_objects_nor_the_cache(self, pushed: Path, tmp_path: Path) -> None:
        before = state_of(pushed), state_of(tmp_path / "git-remote"), state_of(tmp_path / "dvc-remote")
        with opened(pushed, fresh_clone=True) as ready:
            assert ready.place.fresh_clone == str(tmp_path / "git-remote")
            assert ready.inputs.from_["data"] == "git+remote"
            done = ready.execute()
            assert done.stages["train"]["writes"] == ready.run.stages["train"]["writes"]
        assert before == (
            state_of(pushed),
            state_of(tmp_path / "git-remote"),
            state_of(tmp_path / "dvc-remote"),
        )

    def test_a_commit_that_was_not_pushed(self, pushed: Path) -> None:
        (pushed / "README.md").write_text("changed\n")
        commit = commit_all(pushed, "Not pushed")
        refused = pytest.raises(CannotVerify, match="does not give the commit")
        with refused as told, opened(pushed, fresh_clone=True):
            pass
        assert told.value.expected == commit

    def test_data_that_was_not_pushed(self, pushed: Path, tmp_path: Path) -> None:
        shutil.rmtree(tmp_path / "dvc-remote")
        with pytest.raises(CannotVerify, match="no DVC remote holds it"), opened(pushed, fresh_clone=True):
            pass
        with opened(pushed) as ready:
            assert ready.inputs.from_["data"] == "cache+git"

    def test_an_experiment_that_was_pushed(self, pushed: Path) -> None:
        name = experiment(dvc(pushed, "exp", "run", "-S", "seed=1"))
        refused = pytest.raises(CannotVerify, match="does not give the commit")
        with refused, opened(pushed, name, fresh_clone=True):
            pass
        dvc(pushed, "exp", "push", "origin", name)
        with opened(pushed, name, fresh_clone=True) as ready:
            assert "seed: 1" in (ready.place.project / "params.yaml").read_text()

    def test_no_remote(self, data_copy: Path) -> None:
        with (
            pytest.raises(CannotVerify, match="no remote to clone from"),
            opened(data_copy, fresh_clone=True),
        ):
            pass


class TestLeftovers:
    """What a killed verification leaves is gone with the next one."""

    def left(self, temporary: Path, name: str = "one") -> Path:
        folder = temporary / f"{leftovers.PREFIX}{name}"
        (folder / "inside" / "closed").mkdir(parents=True)
        (folder / "inside" / "closed" / "file").write_text("x")
        (folder / "inside" / "closed").chmod(0)
        (folder / "lock").write_text("")
        return folder

    def test_of_a_dead_process_it_is_removed(self, data_run: Path, temporary: Path) -> None:
        folder = self.left(temporary)
        with workplace(load(data_run, "HEAD")) as place:
            assert not folder.exists()
            assert list(temporary.iterdir()) == [place.folder]
        assert list(temporary.iterdir()) == []

    def test_of_a_living_process_it_stays(self, data_run: Path, temporary: Path) -> None:
        with workplace(load(data_run, "HEAD")) as first, workplace(load(data_run, "HEAD")) as second:
            assert first.top.is_dir()
            assert second.top.is_dir()
        assert list(temporary.iterdir()) == []

    def test_one_that_is_just_being_made_stays(self, temporary: Path) -> None:
        folder = temporary / f"{leftovers.PREFIX}new"
        folder.mkdir()
        assert leftovers.sweep() == []
        old = time.time() - 3600
        os.utime(folder, (old, old))
        assert leftovers.sweep() == [folder]

    def test_what_runs_in_it_is_ended(self, temporary: Path) -> None:
        folder = self.left(temporary)
        running = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder / "inside"
        )
        assert leftovers.sweep() == [folder]
        assert running.wait(10) == -signal.SIGKILL

    def test_a_folder_of_the_users_that_is_called_so_stays(self, temporary: Path) -> None:
        for name, lock in (("certificates", False), ("notes", True)):
            mine = temporary / f"{leftovers.PREFIX}{name}"
            mine.mkdir()
            (mine / "mine.json").write_text("{}")
            if lock:
                (mine / leftovers.LOCK).write_text("")
            os.utime(mine, (1, 1))
        assert leftovers.sweep() == []
        assert len(list(temporary.rglob("mine.json"))) == 2

    def test_the_folder_that_it_lies_in_keeps_its_mode(self, temporary: Path) -> None:
        temporary.chmod(0o1777)
        leftovers.remove(temporary / f"{leftovers.PREFIX}gone")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o1777

    def test_folders_in_folders_in_folders_are_removed(self, temporary: Path) -> None:
        folder = self.left(temporary)
        made = "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"
        subprocess.run([sys.executable, "-c", made], cwd=folder / "inside", check=True)
        assert leftovers.sweep() == [folder]
        assert not folder.exists()

    def test_no_other_folder_is_touched(self, temporary: Path, tmp_path: Path) -> None:
        (tmp_path / "kept").mkdir()
        (temporary / f"{leftovers.PREFIX}link").symlink_to(tmp_path / "kept")
        (temporary / "reproof-other").mkdir()
        (temporary / f"{leftovers.PREFIX}file").write_text("")
        assert leftovers.sweep() == []
        assert (tmp_path / "kept").is_dir()


def test_a_dvc_folder_is_needed(data_copy: Path) -> None:
    run("git", "rm", "-r", "--quiet", "--cached", ".dvc", cwd=data_copy)
    run("git", "commit", "--quiet", "--message", "No DVC", cwd=data_copy)
    with pytest.raises(CannotVerify, match="no DVC project"), opened(data_copy):
        pass


def test_data_is_needed(data_copy: Path) -> None:
    forget_cache(data_copy)
    with pytest.raises(CannotVerify, match="neither DVC's cache nor a remote"), opened(data_copy):
        pass


class TestLinks:
    """A link that the commit holds never has anything written, moved or removed behind it."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        folder = tmp_path / "outside"
        for name in ("prepared/test.npz", "latest/curves.csv", "raw/other.csv", "tmp/kept", "config.local"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("the user's")
        return folder

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("results", ""),
            ("results/latest", "latest"),
            ("data/raw", "raw"),
            ("data", ""),
            (".dvc", ""),
            (".dvc/tmp", "tmp"),
            (".dvc/config.local", "config.local"),
            ("params.yaml", "config.local"),
        ],
    )
    def test_leads_nowhere(self, data_copy: Path, outside: Path, name: str, target: str) -> None:
        (data_copy / "link").symlink_to(outside / target)
        run("git", "add", "--force", "link", cwd=data_copy)
        blob = run("git", "rev-parse", ":link", cwd=data_copy).stdout.strip()
        run("git", "rm", "-r", "--quiet", "--cached", "--ignore-unmatch", name, "link", cwd=data_copy)
        run("git", "update-index", "--add", "--cacheinfo", f"120000,{blob},{name}", cwd=data_copy)
        tree = run("git", "write-tree", cwd=data_copy).stdout.strip()
        commit = run("git", "commit-tree", tree, "-p", "HEAD", "-m", "A link", cwd=data_copy).stdout.strip()
        run("git", "reset", "--quiet", "--hard", "HEAD", cwd=data_copy)
        before = state_of(outside), state_of(data_copy)
        read = load(data_copy, "HEAD")
        linked = dataclasses.replace(read, commit=commit)
        with contextlib.suppress(ReproofError), workplace(linked) as place:
            plan = choose(linked, place)
            bring(linked, place, plan)
            attempt(linked, place, plan, changes=Changes(params={"seed": 1}), say=lambda _: None)
        assert (state_of(outside), state_of(data_copy)) == before


def test_an_output_that_is_a_link_was_not_made_here(data_copy: Path) -> None:
    pipeline = yaml.safe_load((data_copy / "dvc.yaml").read_text())
    cmd = "python src/prepare.py; mv prepared data/kept; ln -s data/kept prepared"
    pipeline["stages"]["prepare"]["cmd"] = cmd
    (data_copy / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    commit_all(data_copy, "A link")
    linked = pytest.raises(CannotVerify, match="an output is a link")
    with opened(data_copy, only=["prepare"]) as ready, linked as told:
        ready.execute()
    assert told.value.where == "prepared"
