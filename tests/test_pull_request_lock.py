"""Whether dvc.lock agrees with what lies beside it: as DVC says itself, and where nothing was pulled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import commit_all, make_git_project, run
from dvc.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st
from test_certificate import verification

from reproof.pull_request import checks, lock_check
from reproof.pull_request.lock_check import Checked
from reproof.verify import certificate


@contextlib.contextmanager
def repository(project: Path) -> Iterator[Any]:
    """DVC as a command in the project's folder has it."""
    with contextlib.chdir(project), Repo() as repo:
        yield repo


def by_dvc(project: Path) -> set[str]:
    """The stages that DVC itself would run again."""
    with repository(project) as repo:
        return {name for name, found in repo.status().items() if not name.endswith(".dvc") and found}


def stale(project: Path) -> set[str]:
    return {one.stage for one in lock_check.check(project).stale}


def told(project: Path) -> list[str]:
    return [f"{one.stage}: {one.what}" for one in lock_check.check(project).findings]


def write(project: Path, name: str, text: str) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(text)


def replaced(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


def set_param(old: str, new: str) -> Callable[[Path], None]:
    return lambda project: replaced(project, "params.yaml", old, new)


def declare(old: str, new: str) -> Callable[[Path], None]:
    return lambda project: replaced(project, "dvc.yaml", old, new)


def put(name: str) -> Callable[[Path], None]:
    return lambda project: write(project, name, "Other words.\n")


CHANGES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "nothing": (lambda _: None, set()),
    "a param": (set_param("lr: 0.5", "lr: 0.25"), {"train", "summarize"}),
    "a comment in params": (set_param("lr: 0.5", "lr: 0.50  # same"), set()),
    "a param more": (set_param("threads: 1\n", "threads: 1\nmore: 1\n"), {"summarize"}),
    "a param less": (set_param("  split_seed: 0\n", ""), {"prepare", "summarize"}),
    "code": (lambda project: replaced(project, "src/train.py", "\n", "\n\n"), {"train"}),
    "code that is gone": (lambda project: (project / "src/train.py").unlink(), {"train"}),
    "a file of a folder": (put("data/README.md"), {"prepare"}),
    "a new file in a folder": (put("data/deep/new é.txt"), {"prepare"}),
    "what DVC does not look at": (put("data/__pycache__/x.pyc"), set()),
    "a file beside": (put("notes.txt"), set()),
    "a command": (declare("python src/train.py", "python  src/train.py"), {"train"}),
    "a dependency more": (declare("[prepared, src/train.py", "[prepared, data, src/train.py"), {"train"}),
    "a param of dvc.yaml more": (
        declare("[seed, threads, train]", "[seed, threads, train, data]"),
        {"train"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_stale_is_what_dvc_would_run_again(small_copy: Path, change: str) -> None:
    edit, expected = CHANGES[change]
    edit(small_copy)
    assert stale(small_copy) == expected
    assert by_dvc(small_copy) == expected


def test_a_result_that_was_edited_by_hand(small_copy: Path) -> None:
    replaced(small_copy, "results/latest/summary.json", "0.", "9.")
    assert told(small_copy) == ["summarize: results/latest/summary.json is not what the stage wrote"]
    assert by_dvc(small_copy) == {"summarize"}


def test_nothing_needs_to_be_pulled(small_copy: Path, tmp_path: Path) -> None:
    run("git", "clone", "--quiet", str(small_copy), str(tmp_path / "clone"), cwd=tmp_path)
    clone = tmp_path / "clone"
    assert not (clone / "prepared").exists()
    found = lock_check.check(clone)
    assert found.findings == ()
    assert found.held_by_dvc == 5
    assert found.stages == 4
    assert found.compared > 30
    replaced(clone, "params.yaml", "seed: 0\nthreads", "seed: 1\nthreads")
    assert told(clone) == [
        "train: seed in params.yaml is 1, it ran with 0",
        "summarize: seed in params.yaml is 1, it ran with 0",
    ]


def test_data_that_dvc_added(small_copy: Path, tmp_path: Path) -> None:
    write(small_copy, "data/raw/a.txt", "1\n")
    write(small_copy, "data/raw/deep/b.txt", "2\n")
    with repository(small_copy) as repo:
        repo.add("data/raw")
        repo.commit("prepare", force=True)
    commit_all(small_copy, "Data")
    assert by_dvc(small_copy) == set()
    assert told(small_copy) == []
    run("git", "clone", "--quiet", str(small_copy), str(tmp_path / "clone"), cwd=tmp_path)
    assert told(tmp_path / "clone") == ["prepare: data: data/raw, which DVC holds, is not pulled"]
    assert stale(tmp_path / "clone") == set(), "what is not here is not known, and no fault"
    write(small_copy, "data/raw/a.txt", "changed\n")
    assert stale(small_copy) == {"prepare"} == by_dvc(small_copy)


def test_a_dependency_that_is_what_dvc_added(small_copy: Path, tmp_path: Path) -> None:
    write(small_copy, "points.csv", "1\n")
    with repository(small_copy) as repo:
        repo.add("points.csv")
    replaced(small_copy, "dvc.yaml", "deps: [data,", "deps: [points.csv, data,")
    with repository(small_copy) as repo:
        repo.commit("prepare", force=True)
    commit_all(small_copy, "Points")
    run("git", "clone", "--quiet", str(small_copy), str(tmp_path / "clone"), cwd=tmp_path)
    assert told(tmp_path / "clone") == []
    replaced(tmp_path / "clone", "points.csv.dvc", "md5: ", "md5: 0")
    assert told(tmp_path / "clone") == [
        "prepare: points.csv is another than it ran on (as points.csv.dvc says)"
    ]


def test_a_stage_that_has_never_run(small_copy: Path) -> None:
    write(small_copy, "dvc.yaml", (small_copy / "dvc.yaml").read_text() + "  more:\n    cmd: echo\n")
    assert told(small_copy) == ["more: has never run"]


@pytest.mark.parametrize("option", ["frozen: true", "always_changed: true"])
def test_a_stage_that_is_not_to_be_judged(small_copy: Path, option: str) -> None:
    replaced(small_copy, "dvc.yaml", "  train:\n", f"  train:\n    {option}\n")
    replaced(small_copy, "params.yaml", "lr: 0.5", "lr: 0.25")
    assert stale(small_copy) == {"summarize"}


def test_stages_made_by_foreach_and_templates(small_copy: Path) -> None:
    lines = (
        "  each:\n    foreach: [a, b]\n    do:\n      cmd: echo ${item}\n      deps: ['src/${item}.txt']\n"
    )
    write(small_copy, "dvc.yaml", (small_copy / "dvc.yaml").read_text() + lines)
    for name in "ab":
        write(small_copy, f"src/{name}.txt", name)
    with repository(small_copy) as repo:
        repo.commit("each@a", force=True)
        repo.commit("each@b", force=True)
    assert told(small_copy) == []
    write(small_copy, "src/b.txt", "other")
    assert stale(small_copy) == {"each@b"} == by_dvc(small_copy)


def test_a_merge_conflict_in_the_lock(small_copy: Path) -> None:
    text = (small_copy / "dvc.lock").read_text()
    write(small_copy, "dvc.lock", f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")
    (only,) = told(small_copy)
    assert only.startswith(": dvc.lock cannot be read: a merge conflict")


@pytest.mark.parametrize(
    "text", ["stages: 3\n", "[]\n", "stages:\n  train: 3\n", "stages:\n  train:\n    deps: x\n"]
)
def test_a_lock_that_is_none_is_no_crash(small_copy: Path, text: str) -> None:
    write(small_copy, "dvc.lock", text)
    assert isinstance(lock_check.check(small_copy), Checked)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository for files that are nonsense."""
    return make_git_project(tmp_path_factory.mktemp("lock") / "project")


WORDS = st.sampled_from(
    ["cmd", "deps", "outs", "params", "path", "md5", "hash", "params.yaml", "seed", "a", "../b"]
)
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | WORDS | st.text(max_size=5)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(declared=ANY, locked=ANY, data=st.binary(max_size=40))
@settings(max_examples=30)
def test_nothing_in_these_files_is_a_crash(scratch: Path, declared: Any, locked: Any, data: bytes) -> None:
    parts = ("cmd", "deps", "outs", "params", "wdir")
    for name, value in (("dvc.yaml", declared), ("dvc.lock", locked)):
        stages = {"a": value, **{f"part-{part}": {"cmd": "x", part: value} for part in parts}}
        stages["listed"] = {"deps": [value], "outs": [value], "params": [{"params.yaml": value}]}
        (scratch / name).write_text(yaml.safe_dump({"stages": stages}))
    assert isinstance(lock_check.check(scratch), Checked)
    (scratch / "dvc.lock").write_bytes(data)
    assert isinstance(lock_check.check(scratch), Checked)


def test_no_lock(small_copy: Path) -> None:
    (small_copy / "dvc.lock").unlink()
    assert "there is no dvc.lock" in told(small_copy)[0]


def test_paths_outside_the_project_are_not_looked_at(small_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    text = (small_copy / "dvc.lock").read_text()
    for path in ("../secret", str(tmp_path / "secret"), "s3://bucket/secret"):
        write(small_copy, "dvc.lock", text.replace("- path: data\n", f"- path: {path}\n"))
        assert any(f"{path}: not by an MD5 of DVC 3 inside this project" in line for line in told(small_copy))


def test_a_hash_of_dvc_2_is_not_judged(small_copy: Path) -> None:
    write(small_copy, "dvc.lock", (small_copy / "dvc.lock").read_text().replace("      hash: md5\n", ""))
    found = lock_check.check(small_copy)
    assert found.stale == ()
    assert len(found.findings) > 5


# The checks of a report


def test_a_certificate_of_the_run_is_told(small_copy: Path) -> None:
    from reproof import history

    rows = history.read_rows(small_copy)
    row = rows.find("HEAD")
    assert checks.of(small_copy, row)[2].words == "nobody has run it again and recorded what came of it"
    write(small_copy, "results/verify/b.json", "nonsense")
    assert checks.of(small_copy, row)[2].state == "unknown"
    written = certificate.write(verification(small_copy), small_copy / "results/verify")
    told = checks.of(small_copy, row)[2]
    assert told.state == "ok"
    assert told.words.startswith("BIT MATCH, repeated on ")
    assert written.name in told.words
