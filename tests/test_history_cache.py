"""The cache of history: it makes nothing else of what is read, and nothing is lost with it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_runs import a_record, commit, experiment, git, repository

from reproof import history
from reproof.history import cache as caching
from reproof.history import gathering, store

IMPORT = "import sys; from pathlib import Path; from reproof.history import read_rows; "
READ = f"{IMPORT}print(len(read_rows(Path(sys.argv[1])).rows))"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = repository(tmp_path / "project")
    first = commit(folder, a_record(0), "refs/heads/main")
    git(folder, "tag", "-a", "v1", "-m", "One", first)
    for number in range(1, 9):
        experiment(folder, a_record(number, excerpt=number % 2 == 0), f"exp-{number}", first)
    experiment(
        folder, a_record(9) | {"meta.json": b"{"}, "broken", first, params=b"seed: 9\nwords: [a, {b: 1}]\n"
    )
    return folder


def folder_of(project: Path) -> Path:
    return project / ".git" / "reproof" / "history"


def cached(project: Path) -> list[Path]:
    return sorted(folder_of(project).glob("*.json"))


def no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every reading of an object fail."""
    monkeypatch.setattr(store.Store, "read", None)
    monkeypatch.setattr(gathering, "Walk", None)


def test_a_second_reading_reads_no_object_and_finds_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = history.read_rows(project, cache=False)
    assert cached(project) == []
    assert history.read_rows(project).rows == fresh.rows
    assert len(cached(project)) == 1
    no_objects(monkeypatch)
    again = history.read_rows(project)
    assert again.rows == fresh.rows
    assert again.notices == fresh.notices
    assert [type(value) for row in again.rows for value in row.run.params.values()] == [
        type(value) for row in fresh.rows for value in row.run.params.values()
    ]
    assert again.find("v1") == fresh.find("v1")
    with pytest.raises(TypeError):
        history.read_rows(project, cache=False)


def test_a_new_experiment_alone_is_read_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history.read_rows(project)
    experiment(project, a_record(20), "new", git(project, "rev-parse", "main"))
    asked: list[str] = []
    real = gathering.read_entries
    monkeypatch.setattr(gathering, "read_entries", lambda *given: asked.extend(given[-1]) or real(*given))
    assert len(history.read_rows(project).rows) == 11
    assert len(asked) == 1
    assert len(cached(project)) == 2


def test_deleting_it_loses_nothing(project: Path) -> None:
    fresh = history.read_rows(project)
    for path in cached(project):
        path.unlink()
    folder_of(project).rmdir()
    assert history.read_rows(project).rows == fresh.rows
    assert len(cached(project)) == 1


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "foreign", "shapes", "nonsense"])
def test_a_damaged_file_is_no_file(project: Path, damage: str) -> None:
    fresh = history.read_rows(project)
    (path,) = cached(project)
    text = path.read_bytes()
    found = json.loads(text)
    damaged = {
        "empty": b"",
        "torn": text[: len(text) // 2],
        "flipped": text.replace(b"0.50", b"0.99", 1),
        "foreign": b'{"held": 3}',
        "shapes": json.dumps(found | {"shapes": []}).encode(),
        "nonsense": json.dumps(found | {"held": dict.fromkeys(found["held"], "x")}).encode(),
    }[damage]
    path.unlink()
    if damage in ("foreign", "shapes", "nonsense"):  # whole, and yet no file of ours
        path = path.with_name(f"{path.name.split('-')[0]}-{hashlib.sha256(damaged).hexdigest()}.json")
    path.write_bytes(damaged)
    assert history.read_rows(project).rows == fresh.rows
    assert history.read_rows(project).rows == fresh.rows


def test_random_bytes_in_its_place_change_nothing(project: Path) -> None:
    fresh = history.read_rows(project)
    (path,) = cached(project)
    text, rng = path.read_bytes(), random.Random(0)
    version = path.name.split("-")[0]
    for _ in range(25):
        one = bytearray(text)
        for _ in range(rng.randrange(1, 4)):
            one[rng.randrange(len(one))] = rng.randrange(256)
        for old in cached(project):
            old.unlink()
        name = hashlib.sha256(one).hexdigest() if rng.random() < 0.5 else path.stem.rpartition("-")[2]
        (folder_of(project) / f"{version}-{name}.json").write_bytes(one)
        rows = history.read_rows(project).rows
        if name == path.stem.rpartition("-")[2]:
            assert rows == fresh.rows


def test_eight_readers_at_once_find_the_same(project: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", READ, str(project)], stdout=subprocess.PIPE) for _ in range(8)
    ]
    assert [process.communicate()[0].strip() for process in started] == [b"10"] * 8
    assert [path for path in folder_of(project).iterdir() if path.suffix != ".json"] == []
    assert len(history.read_rows(project).rows) == 10


def test_files_are_merged_and_what_is_gone_is_forgotten(project: Path) -> None:
    main = git(project, "rev-parse", "main")
    history.read_rows(project)
    for number in range(1, 9):
        git(project, "update-ref", "-d", f"refs/exps/{main[:2]}/{main[2:]}/exp-{number}")
    sizes = []
    for number in range(30, 45):
        experiment(project, a_record(number), f"exp-{number}", main)
        history.read_rows(project)
        sizes.append(len(cached(project)))
    assert max(sizes) <= 9
    assert min(sizes[3:]) == 1
    text = b"".join(path.read_bytes() for path in cached(project))
    assert b"20260101-000004-000004" not in text
    assert b"20260101-000044-00002c" in text


def test_files_of_another_version_and_torn_beginnings_go_after_a_month(project: Path) -> None:
    folder_of(project).mkdir(parents=True)
    for name, age in (("0123-45.json", 40), ("tmpabc.tmp", 40), ("6789-ab.json", 1)):
        path = folder_of(project) / name
        path.write_text("{}")
        then = path.stat().st_mtime - age * 86_400
        os.utime(path, (then, then))
    history.read_rows(project)
    assert {"0123-45.json", "tmpabc.tmp"} & {path.name for path in folder_of(project).iterdir()} == set()
    assert (folder_of(project) / "6789-ab.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_where_it_cannot_be_written_runs_are_read_all_the_same(project: Path) -> None:
    (project / ".git" / "reproof").write_text("a file where the folder would be")
    assert len(history.read_rows(project).rows) == 10
    assert (project / ".git" / "reproof").read_text() == "a file where the folder would be"


def test_a_size_over_the_limit_is_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_MAX_BYTES", 2_000)
    assert len(history.read_rows(project).rows) == 10
    assert cached(project) == []


def test_what_has_become_a_secret_is_not_shown_from_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = a_record(50, argv="python src/train.py --word hunter2hunter2")
    experiment(project, record, "talkative", git(project, "rev-parse", "main"))
    assert "hunter2hunter2" in str(history.read_rows(project).find("talkative").run.argv)
    code = f"{IMPORT}print(read_rows(Path(sys.argv[1])).rows)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(project)],
        env={**os.environ, "MY_PASSWORD": "hunter2hunter2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "talkative" in done.stdout
    assert "hunter2" not in done.stdout
