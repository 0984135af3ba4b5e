"""Every case of the corpus has the verdict that must come: above all, none is a false match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpus_case import Case, answer, lacks, wrong
from verify_corpus import CASES, SELDOM
from verify_project import Answer, World, copy, make, verify


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The project with its recorded run; each case changes a copy."""
    return make(tmp_path_factory.mktemp("verified"))


def marked(case: Case) -> Any:
    return pytest.param(case, id=case.name, marks=[pytest.mark.soak] if case.name in SELDOM else [])


@pytest.mark.parametrize("case", list(map(marked, CASES)))
def test_the_verdict_is_the_right_one(case: Case, recorded: World, tmp_path: Path) -> None:
    if lack := lacks(case):
        pytest.skip(f"needs {lack}")
    found = answer(case, recorded, tmp_path / "case")
    told = wrong(case, found)
    assert told is None, (
        f"{told}; {case.verdict or 'no verdict'}, exit code {case.code} must come\n{found.said}"
    )


def test_what_lies_behind_a_link_of_the_commit_is_not_removed(recorded: World, tmp_path: Path) -> None:
    """Outputs are removed before a stage runs; a record may name one behind a link, in anybody's folder."""
    world = copy(recorded, tmp_path / "case")
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "note.txt").write_text("Mine.\n")
    (world.project / "beside").symlink_to(beside)
    name = "results/latest/stages/train.json"
    record = world.read(name)
    record["writes"]["beside/note.txt"] = "sha256:" + "0" * 64
    (world.project / name).write_text(json.dumps(record, indent=2))
    world.dvc("commit", "--force", "--quiet", "train")
    world.record("summarize", "report")
    found = verify(world)
    assert (found.verdict, found.code) == ("UNVERIFIABLE", 3), found.said
    assert (beside / "note.txt").read_text() == "Mine.\n"


def test_the_corpus_is_large_and_no_name_stands_twice() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(names) >= SELDOM
    often = [case for case in CASES if case.name not in SELDOM]
    assert len(often) >= 40
    assert sum(not case.matches for case in often) >= 40


@pytest.mark.parametrize(
    ("verdict", "code", "expected"),
    [
        ("BIT MATCH", 0, "FALSE MATCH"),
        ("NUMERIC MATCH", 1, "FALSE MATCH"),
        ("DIFFERENT", 0, "FALSE MATCH"),
        ("UNVERIFIABLE", 3, "exit code 3"),
        ("DIFFERENT", 1, None),
    ],
)
def test_a_false_match_is_seen(verdict: str, code: int, expected: str | None) -> None:
    """The judge of this corpus is itself tested: it must not overlook what it is there for."""
    case = Case("x", "DIFFERENT", 1, lambda world: None)
    told = wrong(case, Answer(verdict, code, "", {}))
    assert told is None if expected is None else expected in str(told)
