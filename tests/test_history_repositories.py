"""Repositories of every kind: shallow, bare, partial, a worktree, of SHA-256, in use by others meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from recorded_runs import LATEST, a_record, commit, experiment, git, repository

from reproof import history
from reproof.errors import ReproofError
from reproof.registry import Heartbeat


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs on main, and two experiments on its tip; for looking at, and for cloning."""
    folder = repository(tmp_path_factory.mktemp("origin") / "origin")
    tip = None
    for number in range(3):
        tip = commit(folder, a_record(number), "refs/heads/main", parent=tip, time=1_800_000_000 + number)
    assert tip is not None
    for number in (3, 4):
        experiment(folder, a_record(number), f"exp-{number}", tip)
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return folder


def clone(origin: Path, folder: Path, *options: str) -> Path:
    git(folder.parent, "clone", "--quiet", *options, origin.as_uri(), folder.name)
    git(folder, "fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    return folder


def seeds(rows: history.Rows) -> list[int | None]:
    return [row.run.seed for row in rows.rows]


def test_a_shallow_clone_shows_what_it_has_and_says_so(origin: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", origin.as_uri(), "shallow")
    folder = tmp_path / "shallow"
    git(folder, "fetch", "--quiet", "--depth", "1", "origin", "refs/exps/*:refs/exps/*")
    found = history.read_rows(folder)
    assert seeds(found) == [2, 3, 4]
    assert len(found.notices) == 1
    assert "git fetch --unshallow" in found.notices[0]
    git(folder, "fetch", "--quiet", "--unshallow")
    found = history.read_rows(folder)
    assert (seeds(found), found.notices) == ([0, 1, 2, 3, 4], ())


def test_a_worktree_sees_all_runs_and_its_own_workspace(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, tmp_path / "clone")
    git(folder, "worktree", "add", "--quiet", "../side", "HEAD~1")
    own = tmp_path / "side" / LATEST / "summary.json"
    own.write_bytes(own.read_bytes().replace(b"0.501", b"0.75"))
    for cache in (False, True):
        found = history.read_rows(tmp_path / "side", cache=cache)
        assert sorted(map(str, seeds(found))) == ["0", "1", "1", "2", "3", "4"]
        assert found.find("workspace").run.headline["accuracy"] == 0.75
        assert found.find("HEAD").run.seed == 1
        assert found.find("main").names == ("main", "origin/main")
    assert "workspace" in history.read_rows(folder).find("main").names
    assert len(list((folder / ".git" / "reproof" / "history").iterdir())) >= 1
    assert git(tmp_path / "side", "status", "--porcelain") == f"M {LATEST}/summary.json"


def test_a_bare_repository_is_read_and_left_as_it_is(origin: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--mirror", origin.as_uri(), "bare.git")
    folder = tmp_path / "bare.git"
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    found = history.read_rows(folder)
    assert seeds(found) == [0, 1, 2, 3, 4]
    assert found.find("main").names == ("main",)
    assert {row.run.seed for row in found.of_baseline("main")} == {2, 3, 4}
    assert history.blob(folder, found.find("exp-3"), "summary.json") == a_record(3)["summary.json"]
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize("kept", ["blob:none", "tree:0"])
def test_a_partial_clone_fetches_nothing_and_says_what_is_not_there(
    origin: Path, tmp_path: Path, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "--quiet", "--no-checkout", f"--filter={kept}", origin.as_uri(), "partial")
    folder = tmp_path / "partial"
    git(folder, "fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    objects = sorted((folder / ".git" / "objects").rglob("*"))
    log = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(log))
    found = history.read_rows(folder)
    assert sorted((folder / ".git" / "objects").rglob("*")) == objects
    assert "fetch" not in log.read_text()
    told = " ".join(found.notices)
    if kept == "blob:none":
        assert [row.run.status for row in found.rows] == ["unknown"] * 5
        assert {row.warnings for row in found.rows} == {
            ("meta.json is not in this clone, or too large for one",)
        }
        assert "5 runs whose record cannot be read" in told
    else:
        assert {row.name for row in found.rows} >= {"exp-3", "exp-4"}
        assert {row.run.status for row in found.rows} == {"unknown"}
        assert "cannot be read: not all of their objects are in this clone" in told
    monkeypatch.delenv("GIT_TRACE")
    git(
        folder, "fetch", "--quiet", "--refetch", "--no-filter", "origin", "refs/heads/*:refs/remotes/origin/*"
    )
    git(folder, "fetch", "--quiet", "--refetch", "--no-filter", "origin", "+refs/exps/*:refs/exps/*")
    assert seeds(history.read_rows(folder)) == [0, 1, 2, 3, 4]  # the cache kept no gap


def test_a_repository_of_sha256_is_read_by_git_itself(tmp_path: Path) -> None:
    folder = repository(tmp_path / "long", "--object-format=sha256")
    first = commit(folder, a_record(0), "refs/heads/main")
    experiment(folder, a_record(1), "exp", first)
    git(folder, "reset", "--quiet", "--hard", "main")
    for cache in (False, True, True):
        found = history.read_rows(folder, cache=cache)
        assert seeds(found) == [0, 1]
        assert (found.find("exp").baselines, found.find("main").names) == ((first,), ("main", "workspace"))
        assert (
            found.find("exp").run.headline["accuracy"] == 0.501
        )  # read from the files: the excerpt's ids are SHA-1


def test_objects_in_another_folder_are_found(origin: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--shared", str(origin), "shared")
    assert seeds(history.read_rows(tmp_path / "shared", cache=False)) == [0, 1, 2]


def test_a_project_in_a_folder_has_its_own_runs_and_its_own_cache(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    first = commit(top, a_record(1), "refs/heads/main", prefix="one [a]/")
    record = {f"two/{LATEST}/{name}": data for name, data in a_record(2).items()}
    lines = [
        b"commit refs/heads/main\ncommitter A <a@e.org> 1800000001 +0000\ndata 0\nfrom %s\n" % first.encode()
    ]
    lines += [b"M 100644 inline %s\ndata %d\n%s\n" % (k.encode(), len(v), v) for k, v in record.items()]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=top, input=b"".join(lines), check=True)
    git(top, "reset", "--quiet", "--hard", "main")
    for _ in range(2):
        assert [(row.run.seed, row.names) for row in history.read_rows(top / "one [a]").rows] == [
            (1, ("main", "workspace"))
        ]
        assert seeds(history.read_rows(top / "two")) == [2]
        assert seeds(history.read_rows(top)) == []


def test_a_repository_without_commits_has_the_workspace_alone(tmp_path: Path) -> None:
    folder = repository(tmp_path / "empty")
    assert history.read_rows(folder).rows == ()
    for name, data in a_record(3).items():
        (folder / LATEST / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / LATEST / name).write_bytes(data)
    found = history.read_rows(folder)
    assert [(row.kind, row.name, row.run.seed) for row in found.rows] == [("workspace", "workspace", 3)]
    assert [row.name for row in found.of_baseline()] == ["workspace"]


def test_where_there_is_no_repository_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match="not inside a Git repository"):
        history.read_rows(tmp_path)
    with pytest.raises(ReproofError, match="no such folder"):
        history.read_rows(tmp_path / "none")


def test_a_corrupt_object_costs_its_own_run_alone(origin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(origin, folder)
    row = history.read_rows(folder, cache=False).find("exp-3")
    _loose(folder)
    one = row.files["meta.json"]
    path = folder / ".git" / "objects" / one[:2] / one[2:]
    path.chmod(0o644)
    path.write_bytes(b"no object")
    found = history.read_rows(folder, cache=False)
    statuses = {row.name: row.run.status for row in found.rows}
    assert statuses["exp-3"] == "unknown"
    assert sorted(statuses.values()) == ["success"] * 4 + ["unknown"]


def _loose(folder: Path) -> None:
    """Turn the packs of a repository into an object a file."""
    packs = folder / ".git" / "objects" / "pack"
    away = folder.parent / "packs"
    shutil.move(packs, away)
    packs.mkdir()
    for pack in away.glob("*.pack"):
        with pack.open("rb") as stream:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=folder, stdin=stream, check=True)


# In use.


def test_a_run_in_progress_is_a_row_and_ends_as_one(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, tmp_path / "clone")
    facts = {
        "run_id": "20270101-000000-abcdef", "stage": "train", "workspace": str(folder),
        "experiment": "new-one",
        "start_time": "2027-01-01T00:00:00.000000Z", "params": {"seed": 9, "train.lr": 0.5},
        "baseline": git(folder, "rev-parse", "HEAD"), "branch": "main", "code_tree": None, "job": None,
    }  # fmt: skip
    beat = Heartbeat(folder / ".dvc" / "tmp" / "reproof", facts)
    try:
        found = history.read_rows(folder)
        row = found.find("new-one")
        assert (row.kind, row.run.status, row.run.seed) == ("running", "in_progress", 9)
        assert (row.commits, row.files, found.rows[-1]) == ((), {}, row)
        assert row in found.of_baseline()
    finally:
        beat.end("failed", "no space left")
    row = history.read_rows(folder).find("new-one")
    assert (row.kind, row.run.status) == ("running", "failed")
    record = a_record(9, run_id="20270101-000000-abcdef", experiment={"name": "new-one", "baseline": None})
    experiment(folder, record, "new-one", git(folder, "rev-parse", "HEAD"))
    (row,) = [row for row in history.read_rows(folder).rows if row.name == "new-one"]
    assert row.kind == "experiment"


def test_reading_while_experiments_come_and_git_repacks(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, tmp_path / "clone")
    head = git(folder, "rev-parse", "HEAD")
    errors: list[Exception] = []
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(10, 22):
                experiment(folder, a_record(number), f"exp-{number}", head)
                if number % 4 == 0:
                    git(folder, "gc", "--quiet", "--prune=now")
        except Exception as error:  # noqa: BLE001 (shown below)
            errors.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    while not done.is_set():
        counts.append(len(history.read_rows(folder).rows))
    writer.join()
    assert not errors
    assert counts == sorted(counts)
    assert seeds(history.read_rows(folder)) == [0, 1, 2, 3, 4, *range(10, 22)]


def test_nothing_in_the_working_tree_or_the_index_is_touched(origin: Path, tmp_path: Path) -> None:
    folder = clone(origin, tmp_path / "clone")
    os.utime(folder / LATEST / "meta.json", (1, 1))  # an index that `git status` would refresh

    def state() -> dict[str, tuple[int, int]]:
        found = [path for path in folder.rglob("*") if "reproof" not in path.parts and path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = state()
    rows = history.read_rows(folder)
    rows.find("HEAD~1")
    rows.frame()
    assert state() == before
