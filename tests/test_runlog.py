"""Logs of a run: full precision, valid JSON whatever the numbers, and readable after a crash."""

from __future__ import annotations

import csv
import json
import math
import struct
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from conftest import run
from hypothesis import given
from hypothesis import strategies as st

from reproof import runlog
from reproof.errors import ReproofError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runlog")


def strict(line: str) -> dict[str, object]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return dict(json.loads(line, parse_constant=refuse))


def log_of(folder: Path) -> runlog.RunLog:
    return runlog.RunLog(folder, "20260131-120000-abcdef", "digits")


# Records.


def test_a_metric_is_one_line_with_all_that_a_reader_needs(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.metrics(3, "train", {"loss": 0.1 + 0.2, "accuracy": np.float32(0.5)}, {"phase": "warm-up"})
    log.close()
    lines = [strict(line) for line in log.metrics_path.read_text().splitlines()]
    assert [line.pop("timestamp", None) is not None for line in lines] == [True, True]
    assert lines[0] == {
        "schema_version": 1,
        "run_id": "20260131-120000-abcdef",
        "step": 3,
        "split": "train",
        "metric": "loss",
        "value": 0.30000000000000004,
        "dataset": "digits",
        "tags": {"phase": "warm-up"},
    }
    assert lines[1]["value"] == 0.5


@pytest.mark.parametrize(("value", "flag"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_a_number_that_json_lacks_is_null_with_a_flag(tmp_path: Path, value: float, flag: str) -> None:
    log = log_of(tmp_path)
    log.metrics(1, "train", {"loss": value})
    log.close()
    line = strict(log.metrics_path.read_text())
    assert line["value"] is None
    assert line["flag"] == flag


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_is_read_back_bit_by_bit(folder: Path, value: float) -> None:
    target = folder / "exact"
    log = log_of(target)
    log.metrics_path.write_bytes(b"")
    log.metrics(1, "train", {"loss": value})
    log.close()
    (record,) = runlog.read(log.metrics_path)
    assert struct.pack("<d", record["value"]) == struct.pack("<d", value)
    assert "flag" not in record


def test_params_are_kept_as_they_were_read_and_as_they_were_derived(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.params("config", {"seed": 0, "train": {"lr": 1e-05}})
    log.params("derived", {"steps": 30})
    log.close()
    records = list(runlog.read(log.params_path))
    assert [(record["kind"], record["params"]) for record in records] == [
        ("config", {"seed": 0, "train": {"lr": 1e-05}}),
        ("derived", {"steps": 30}),
    ]


def test_a_line_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    script = """
import os, signal
from pathlib import Path
from reproof import runlog
log = runlog.RunLog(Path("."), "run", "digits")
log.metrics(1, "train", {"loss": 1.0, "accuracy": 0.5})
os.kill(os.getpid(), signal.SIGKILL)
"""
    run(sys.executable, "-c", script, cwd=tmp_path, check=False)
    assert [record["metric"] for record in runlog.read(tmp_path / "metrics.ndjson")] == ["loss", "accuracy"]


def test_a_process_that_is_not_the_first_writes_nothing(tmp_path: Path) -> None:
    log = runlog.RunLog(tmp_path / "logs", "run", "digits", enabled=False)
    log.metrics(1, "train", {"loss": 1.0})
    log.params("config", {})
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_log_may_be_closed_twice(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.close()
    log.close()


# Reading.

RECORDS = [{"schema_version": 1, "step": step, "value": step / 3, "note": "é\u2028"} for step in range(4)]
WHOLE = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in RECORDS)


@given(st.integers(0, len(WHOLE)))
def test_a_log_cut_anywhere_gives_the_whole_lines_before_the_cut(folder: Path, length: int) -> None:
    path = folder / "cut.ndjson"
    path.write_bytes(WHOLE[:length])
    whole_lines = WHOLE[:length].count(b"\n")
    assert list(runlog.read(path)) == RECORDS[:whole_lines]


@given(st.binary(max_size=40).filter(lambda tail: b"\n" not in tail))
def test_any_torn_tail_ends_the_log(folder: Path, tail: bytes) -> None:
    path = folder / "tail.ndjson"
    path.write_bytes(WHOLE + tail)
    assert list(runlog.read(path)) == RECORDS


@pytest.mark.parametrize(
    "line", [b"torn {\n", b"[1]\n", b"3\n", b'{"step": 1}\n', b"\n", b'{"schema_version": "1"}\n']
)
def test_a_line_that_is_no_record_is_an_error_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_bytes(WHOLE + line + WHOLE)
    with pytest.raises(ReproofError, match=r"bad\.ndjson:5: not a record"):
        list(runlog.read(path))


def test_a_record_of_a_newer_schema_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "new.ndjson"
    path.write_bytes(WHOLE + b'{"schema_version": 2}\n')
    with pytest.raises(ReproofError, match=r"new\.ndjson:5: a record of a newer schema[\s\S]*copier update"):
        list(runlog.read(path))


def test_a_log_that_goes_on_after_a_torn_line_can_be_read(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.metrics(1, "train", {"loss": 1.0})
    log.close()
    with log.metrics_path.open("ab") as stream:
        stream.write(b'{"schema_version":1,"timest')  # the power went
    again = log_of(tmp_path)
    again.metrics(2, "train", {"loss": 0.5})
    again.close()
    assert [record["step"] for record in runlog.read(log.metrics_path)][-1] == 2


# Curves.


def curves_of(folder: Path, points: list[tuple[int, str, float]], most: int = 1000) -> list[dict[str, str]]:
    """The rows of the curves of `(step, series, value)`; a series is `split/metric`."""
    (folder / "metrics.ndjson").unlink(missing_ok=True)
    log = log_of(folder)
    for step, series, value in points:
        split, metric = series.split("/")
        log.metrics(step, split, {metric: value})
    log.close()
    runlog.write_curves(log.metrics_path, folder / "curves.csv", most)
    with (folder / "curves.csv").open(newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


_points = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["train/loss", "train/accuracy", "validation/loss", "test/loss"]),
        st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf, -math.inf]),
    ),
    max_size=60,
)


@given(_points, st.integers(2, 12))
def test_curves_have_no_empty_cell_and_at_most_so_many_rows(
    folder: Path, points: list[tuple[int, str, float]], most: int
) -> None:
    rows = curves_of(folder, points, most)
    assert len(rows) <= most
    steps_of = defaultdict(set)
    for step, series, value in points:
        if math.isfinite(value):
            steps_of[series.replace("/", "_")].add(step)
    # A series of one point is no curve, unless there is nothing else to show.
    curves = {name for name, steps in steps_of.items() if len(steps) > 1}
    finite = curves or set(steps_of)
    for row in rows:
        assert set(row) == {"step", *finite}
        assert all(math.isfinite(float(cell)) for cell in row.values())
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(set(steps))


@given(_points.filter(bool))
def test_curves_stay_within_the_values_that_were_logged(
    folder: Path, points: list[tuple[int, str, float]]
) -> None:
    values = defaultdict(list)
    for _, series, value in points:
        if math.isfinite(value):
            values[series.replace("/", "_")].append(value)
    for row in curves_of(folder, points):
        for name, cell in row.items():
            if name != "step":
                slack = 1e-9 * max(map(abs, values[name]))
                assert min(values[name]) - slack <= float(cell) <= max(values[name]) + slack


def test_the_last_point_is_kept_when_curves_are_thinned(tmp_path: Path) -> None:
    rows = curves_of(tmp_path, [(step, "train/loss", float(step)) for step in range(1, 2501)])
    assert len(rows) == 1000
    assert rows[0]["step"] == "1"
    assert rows[-1]["step"] == "2500"


def test_one_row_is_enough_when_one_is_asked_for(tmp_path: Path) -> None:
    rows = curves_of(tmp_path, [(step, "train/loss", float(step)) for step in range(1, 11)], most=1)
    assert [row["step"] for row in rows] == ["10"]


def test_a_dense_series_shows_its_mean_where_a_rare_one_has_a_point(tmp_path: Path) -> None:
    points = [(step, "train/loss", float(step)) for step in range(1, 7)]
    points += [(3, "validation/loss", 30.0), (6, "validation/loss", 60.0)]
    assert curves_of(tmp_path, points) == [
        {"step": "3", "train_loss": "2.0", "validation_loss": "30.0"},
        {"step": "6", "train_loss": "5.0", "validation_loss": "60.0"},
    ]


def test_what_is_not_finite_counts_in_no_mean(tmp_path: Path) -> None:
    points = [(1, "train/loss", math.nan), (2, "train/loss", 4.0), (2, "validation/loss", 1.0)]
    assert curves_of(tmp_path, points) == [{"step": "2", "train_loss": "4.0", "validation_loss": "1.0"}]


def test_curves_of_an_empty_log_are_a_header(tmp_path: Path) -> None:
    assert curves_of(tmp_path, []) == []
    assert (tmp_path / "curves.csv").read_text() == "step\n"


@pytest.mark.parametrize("step", [0, 100])
def test_a_metric_logged_once_does_not_take_the_curves_of_the_others(tmp_path: Path, step: int) -> None:
    points = [(step, "train/loss", 1 / step) for step in range(1, 101)]
    rows = curves_of(tmp_path, [*points, (step, "test/loss", 0.5)])
    assert len(rows) > 50


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    points = [(step, series, step / 7) for step in range(1, 50) for series in ("train/loss", "validation/f1")]
    curves_of(tmp_path, points)
    once = (tmp_path / "curves.csv").read_bytes()
    curves_of(tmp_path, points)
    assert (tmp_path / "curves.csv").read_bytes() == once
