"""What an experiment record says beside other records and of several runs, and no more than it can."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from experiment_records import EXAMPLE, section, write
from many_runs import add_runs, record_of, with_params
from projects import dvc, read

from reproof.errors import ReproofError
from reproof.report import experiment_record, previous_record

# Beside other records.


def test_it_is_compared_with_the_record_before(small_copy: Path) -> None:
    write(small_copy, "First")
    dvc(small_copy, "exp", "run", "-S", "train.lr=0.001")
    text = write(small_copy, "Second | one")
    part = section(text, "Analysis")
    assert re.search(
        r"The record before this one is \[First\]\(<20\d\d-\d\d-\d\d_first\.md>\), of run `", part
    )
    assert re.search(
        r"\| `evaluate.test.loss` \| 0\.\d+ \| 1\.\d+ \| \+1\.\d+ \| neither run alone tells", part
    )
    assert "[Second" not in section(
        write(small_copy, "First", "main"), "Analysis"
    )  # a later record is none before it


def front(**changes: Any) -> previous_record.Front:
    fields = {
        "path": Path("x.md"),
        "title": "x",
        "started": "2026",
        "run": "r",
        "runs": ("r",),
        "data": "d",
        "fingerprint": "f",
        "metrics": {"evaluate.test.accuracy": 0.9, "benchmark.a.latency_ms": 2.0},
        "intervals": {"evaluate.test.accuracy": (0.88, 0.92), "benchmark.a.latency_ms": (1.9, 2.1)},
    }
    return previous_record.Front(**(fields | changes))


@pytest.mark.parametrize(
    ("previous", "metric", "here", "interval", "said"),
    [
        ({}, "evaluate.test.accuracy", 0.91, (0.89, 0.93), "overlap: it may be chance"),
        (
            {},
            "evaluate.test.accuracy",
            0.99,
            (0.97, 1.0),
            "do not overlap: these two models differ, one seed",
        ),
        ({}, "evaluate.test.accuracy", 0.9, (0.88, 0.92), "no difference"),
        ({}, "evaluate.test.accuracy", 0.99, None, "neither run alone tells its spread"),
        ({"data": "other"}, "evaluate.test.accuracy", 0.99, (0.97, 1.0), "other data"),
        ({"fingerprint": "other"}, "evaluate.test.accuracy", 0.91, (0.89, 0.93), "overlap: it may be chance"),
        ({"fingerprint": "other"}, "benchmark.a.latency_ms", 1.0, (0.9, 1.1), "another machine"),
        ({"data": None}, "benchmark.a.latency_ms", 1.0, (0.9, 1.1), "over processes do not overlap"),
    ],
)
def test_a_difference_says_no_more_than_it_can(
    previous: dict[str, Any], metric: str, here: float, interval: Any, said: str
) -> None:
    from reproof.recorded import Run

    own = {metric: interval} if interval else {}
    own_run = Run("n", data="d", fingerprint="f")
    (found,) = previous_record.differences(front(**previous), own_run, {metric: here}, own)
    assert said in found.said


def test_foreign_files_in_the_folder_are_passed_over(small_copy: Path) -> None:
    folder = small_copy / "experiments"
    folder.mkdir()
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "broken.md").write_text("---\nrun: [\n---\n")
    (folder / "binary.md").write_bytes(b"---\nrun: \xff\n---\n")
    (folder / "bomb.md").write_text("---\na: &a [x]\nb: &b [*a, *a]\nrun: 7\n---\n")
    (folder / "odd.md").write_text(
        "---\nrun: old\nstarted: '2000'\nmetrics: [1]\nintervals: x\nruns: 3\n---\n"
    )
    (folder / "folder.md").mkdir()
    text = write(small_copy)
    assert "The record before this one is [odd](<odd.md>), of run `old`." in text
    assert "The two have no metric in common." in text


def test_the_front_matter_is_for_machines(small_copy: Path) -> None:
    title = 'A "title": with [odd] {things} & a token=abcdef123456 # \u2028'
    path = experiment_record.write(small_copy, title).path
    found = previous_record.read(path)
    assert found is not None
    meta = read(small_copy, "meta.json")
    assert (found.run, found.runs, found.started) == (meta["run_id"], (meta["run_id"],), meta["start_time"])
    assert found.title.startswith('A "title": with [odd] {things} & a token=*** #')
    assert (
        found.metrics["evaluate.test.accuracy"]
        == read(small_copy, "evaluation.json")["splits"]["test"]["accuracy"]
    )
    assert "abcdef123456" not in path.read_text()


# Several runs.


def test_runs_that_differ_in_seed_alone_have_a_mean(small_copy: Path) -> None:
    for seed in (1, 2):
        dvc(small_copy, "exp", "run", "--name", f"seed-{seed}", "-S", f"seed={seed}")
    text = write(small_copy, "Seeds", "seed-1", "main", "seed-2")
    part = section(text, "Results")
    runs = part.split("Their artefacts")[0]
    rows = re.findall(r"^\| `(\d{8}-\d{6}-\w{6})` \| `(.+?)` \|", runs, flags=re.MULTILINE)
    assert len(rows) == 3
    assert rows[0][1] == "seed-1"
    assert re.search(r"\| \*\*mean ± SD\*\* \| \| \| 3 seeds \|.*\*\*0\.\d{4} ± 0\.\d{4}\*\*", part)
    assert "They differ in their seed alone" in part
    assert "| Run ID | `checkpoint` | `metrics.ndjson` |" in part
    assert "- **Seed(s):** 1, 0, 2" in text
    assert "the first is the primary one" in text
    found = previous_record.read(next((small_copy / "experiments").glob("*_seeds.md")))
    assert found is not None
    assert len(found.runs) == 3
    assert found.run == found.runs[0]
    with pytest.raises(ReproofError, match="the same run is named twice"):
        write(small_copy, "Twice", "seed-1", "seed-1")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"config": True}, "they do not differ in their seed alone"),
        ({"status": "partial"}, "not all of them ended well"),
    ],
)
def test_other_runs_have_none_and_it_says_why(git_project: Path, change: dict[str, Any], why: str) -> None:
    record = record_of(EXAMPLE)
    add_runs(git_project, record, 1)
    if "config" in change:
        record = with_params(record, train={"epochs": 99})
    else:
        record["meta.json"] = json.dumps(json.loads(record["meta.json"]) | change).encode()
    add_runs(git_project, record, 1, first=1)
    text = write(git_project, "Two", "sweep-0000", "sweep-0001")
    assert f"No mean over them: {why}." in text
    assert "mean ± SD" not in text
    assert ("| `train.epochs` |" in section(text, "Results")) == ("config" in change)
