"""What differs in the data of two runs: by checksum, by id and by content; who came, who went, who moved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import diff_runs as runs
import numpy as np
import pytest
from diff_runs import answers, run_of

from reproof import evaluation, history
from reproof.difference import data, sides, words
from reproof.difference.contents import Contents
from reproof.difference.data import Data


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = runs.project(tmp_path_factory.mktemp("data") / "project")
    runs.add(project, "a", run_of())
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


def compared(project: Path, a: str = "a", b: str = "b") -> Data:
    rows = history.read_rows(project)
    both = (sides.side(project, rows.find(name)) for name in (a, b))
    return data.compare(*both, Contents(project))


def part(ids: list[int]) -> Any:
    whole = answers(2000, 5)
    return evaluation.Predictions(whole.ids[ids], whole.labels[ids], whole.probabilities[ids])


def test_the_same_splits_are_the_same_data(project: Path) -> None:
    runs.add(project, "b", run_of(weights="other"))
    found = compared(project)
    assert (found.same, found.splits, words.data(found)) == (True, (), ["the same content in every split"])


def test_who_came_and_who_went_is_told_by_id_and_by_content(project: Path) -> None:
    runs.add(project, "b", run_of(answers={"train": answers(60, 5, first=1000), "test": answers(first=3)}))
    runs.forget(project)
    found = compared(project)
    (one,) = found.splits
    assert (one.name, one.size_a, one.size_b, one.came, one.went, one.changed) == ("test", 200, 200, 3, 3, 0)
    assert (one.content_came, one.content_went) == (3, 3)
    assert one.examples_came == ("x0200", "x0201", "x0202")
    assert words.data(found) == [
        "test: 200 → 200 examples; 3 came: x0200, x0201, x0202; 3 went: x0000, x0001, x0002"
    ]


def test_examples_that_moved_from_train_to_test_are_counted(project: Path) -> None:
    train, test = [*range(1005, 1060)], [*range(200), *range(1000, 1005)]
    runs.add(project, "b", run_of(answers={"train": part(train), "test": part(test)}))
    found = compared(project)
    by_name = {one.name: one for one in found.splits}
    assert (by_name["test"].came_from, by_name["train"].went_to) == ({"train": 5}, {"test": 5})
    assert found.from_train_to_test == 5
    assert found.is_other_split
    assert "5 came (5 from train): x1000" in words.data(found)[-1]


def test_the_same_ids_with_other_content_are_counted(project: Path) -> None:
    runs.add(project, "b", run_of(x=lambda name: -1.0 if name == "x0007" else float(name[1:])))
    runs.forget(project)
    (one,) = compared(project).splits
    assert (one.came, one.went, one.changed, one.content_came, one.content_went) == (0, 0, 1, 1, 1)
    told = "1 id stands for other content; by content 1 came and 1 went"
    assert words.split(one) == f"test: 200 → 200 examples; {told}"


def test_ids_that_were_given_anew_hide_no_content(project: Path) -> None:
    own = answers()
    ids = np.roll(own.ids, 1)
    numbers = dict(zip(ids.tolist(), own.ids.tolist(), strict=True))
    made = run_of(
        answers={"train": answers(60, 5, first=1000), "test": replace(own, ids=ids)},
        x=lambda name: float(numbers.get(name, name)[1:]),
    )
    runs.add(project, "b", made)
    (one,) = compared(project).splits
    assert (one.came, one.went, one.changed, one.content_came, one.content_went) == (0, 0, 200, 0, 0)
    assert "by content" not in words.split(one)


def test_the_same_examples_in_another_order_are_no_others(project: Path) -> None:
    own = answers()
    order = np.arange(200)[::-1]
    turned = evaluation.Predictions(own.ids[order], own.labels[order], own.probabilities[order])
    runs.add(project, "b", run_of(answers={"train": answers(60, 5, first=1000), "test": turned}))
    (one,) = compared(project).splits
    assert (one.came, one.went, one.changed) == (0, 0, 0)
    assert one.note == "the same examples in another order, or under other names of columns"


def test_where_the_files_cannot_be_had_ids_and_checksums_say_what_they_can(project: Path) -> None:
    runs.add(project, "b", run_of(x=lambda name: -float(name[1:])))
    runs.forget(project)
    shutil.rmtree(project / ".dvc" / "cache")
    found = compared(project)
    one = found.splits[-1]
    assert (one.changed, one.content_came) == (None, None)
    assert str(one.note).startswith(
        "the same ids, and other content: features, labels or groups; not compared by content: neither DVC's"
    )


@pytest.mark.parametrize(
    ("first_id", "said"),
    [(0, "the same ids, and other content"), (50, "other ids; too many for the record to list them")],
)
def test_a_manifest_without_ids_tells_by_its_digest_of_them(project: Path, first_id: int, said: str) -> None:
    for name, start in (("a2", 0), ("b", first_id)):
        parts = {"train": answers(60, 5, first=1000), "test": answers(first=start)}
        made = run_of(answers=parts, listed=False)
        if name == "b":
            made.x = lambda one: -float(one[1:])
        runs.add(project, name, made)
    shutil.rmtree(project / ".dvc" / "cache")
    runs.forget(project)
    one = {split.name: split for split in compared(project, "a2").splits}["test"]
    assert (one.size_a, one.size_b, one.came) == (200, 200, None)
    assert str(one.note).startswith(said)


def test_a_split_that_one_run_alone_has_is_named(project: Path) -> None:
    parts = {"train": answers(60, 5, first=1000), "test": answers(), "extra": answers(9, first=500)}
    runs.add(project, "b", run_of(answers=parts))
    (one,) = compared(project).splits
    assert (one.name, one.size_a, one.size_b) == ("extra", None, 9)
    assert str(one.note).startswith("only the second run has this split")


@pytest.mark.parametrize("gone", ["split_checksums.json", "split_manifest.json", "digests.json"])
def test_a_record_that_lacks_a_file_says_less_and_nothing_false(project: Path, gone: str) -> None:
    parts = {"train": answers(60, 5, first=1000), "test": answers(first=3)}
    runs.add(project, "b", run_of(answers=parts, drop=(gone,)))
    found = compared(project)
    if gone == "split_checksums.json":
        assert (found.same, found.splits) == (None, ())
        assert found.missing_reason == "the record of b has no checksums of its splits"
    else:
        assert found.same is False
        assert [one.name for one in found.splits] == ["test"]
        assert found.splits[0].came == (None if gone == "split_manifest.json" else 3)
