"""Logs of a run, whatever is logged and wherever they were cut: what was written is read, nothing else."""

from __future__ import annotations

import csv
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproof import runlog
from reproof.errors import ReproofError

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_numbers = st.floats() | st.sampled_from(
    [5e-324, -0.0, 1.7976931348623157e308, 0.1 + 0.2, math.nan, -math.inf]
)
_calls = st.lists(
    st.tuples(
        st.integers(0, 2**53),
        st.sampled_from(["train", "validation", "test"]) | _text,
        st.dictionaries(_text, _numbers, max_size=3),
        st.none() | st.dictionaries(_text, _text, max_size=2),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


def written(folder: Path, calls: list[Any], dataset: str = "digits") -> Path:
    log = runlog.RunLog(folder, "20260131-120000-abcdef", dataset)
    for step, split, values, tags in calls:
        log.metrics(step, split, values, tags)
    log.close()
    return log.metrics_path


def number(record: Mapping[str, Any]) -> float:
    """The number that a record stands for."""
    flags = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
    assert (record["value"] is None) == ("flag" in record)
    return flags[record["flag"]] if record["value"] is None else float(record["value"])


def bits(value: float) -> bytes:
    return struct.pack("<d", math.nan if math.isnan(value) else value)


@given(_calls, _text)
def test_every_number_name_and_tag_is_read_as_it_was_logged(
    folder: Path, calls: list[Any], dataset: str
) -> None:
    found = list(runlog.read(written(folder, calls, dataset)))
    assert [
        (r["step"], r["split"], r["metric"], bits(number(r)), r["tags"], r["dataset"]) for r in found
    ] == [
        (step, split, name, bits(value), tags or {}, dataset)
        for step, split, values, tags in calls
        for name, value in values.items()
    ]


@given(_calls)
def test_every_line_is_json_that_any_reader_takes(folder: Path, calls: list[Any]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    data = written(folder, calls).read_bytes()
    assert data.count(b"\n") == sum(len(values) for _, _, values, _ in calls)
    for line in data.split(b"\n")[:-1]:
        assert json.loads(line, parse_constant=refuse)["schema_version"] == 1


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(_text, _plain, max_size=4), st.sampled_from(["config", "derived"]))
def test_params_are_read_as_they_were_logged(folder: Path, values: dict[str, Any], kind: str) -> None:
    log = runlog.RunLog(folder, "run", "digits")
    log.params(kind, values)
    log.close()
    (record,) = runlog.read(log.params_path)
    assert (record["kind"], record["params"]) == (kind, values)


@settings(max_examples=60)
@given(_calls, st.data())
def test_a_log_that_is_cut_anywhere_is_a_beginning_of_it(
    folder: Path, calls: list[Any], data: st.DataObject
) -> None:
    path = written(folder, calls)
    whole, records = path.read_bytes(), list(runlog.read(path))
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    assert list(runlog.read(path)) == records[: whole[:cut].count(b"\n")]


def test_a_log_is_a_beginning_of_itself_at_every_single_byte(folder: Path) -> None:
    path = written(folder, [(1, "train", {"löss": 0.1, "\u2028": math.nan}, {"é": "\U0001f600"})])
    whole, records = path.read_bytes(), list(runlog.read(path))
    assert len(records) == 2
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert list(runlog.read(path)) == records[: whole[:cut].count(b"\n")]


def is_record(line: bytes) -> bool:
    """Whether a line would be a record: the reference that the reader is held against."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("schema_version"), int)


CALLS = [(step, "train", {"loss": step / 3}, None) for step in range(1, 6)]
_junk = (
    st.binary(max_size=40)
    | st.sampled_from([b"", b"{}", b"[]", b"null", b'{"schema_version": null}', b"[" * 5000, b"\xff", b"NaN"])
    | st.text(max_size=20).map(lambda text: json.dumps({"schema_version": text}).encode())
).filter(lambda line: b"\n" not in line and not is_record(line))  # fmt: skip


@given(st.integers(0, 4), _junk)
def test_junk_in_the_middle_is_an_error_that_names_its_line(folder: Path, index: int, junk: bytes) -> None:
    path = written(folder, CALLS)
    lines = path.read_bytes().split(b"\n")
    lines[index] = junk
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(ReproofError, match=rf"metrics\.ndjson:{index + 1}: not a record"):
        list(runlog.read(path))


@given(st.integers(min_value=0), st.integers(0, 7))
def test_one_flipped_bit_gives_an_error_or_as_many_records_never_more(
    folder: Path, position: int, bit: int
) -> None:
    path = written(folder, CALLS)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(data)
    found = []
    try:
        for record in runlog.read(path):
            found.append(record)
    except ReproofError as error:
        assert "metrics.ndjson:" in str(error)  # noqa: PT017 (both ends are right)
    assert len(found) <= 5
    before = data[: position % len(data)].count(b"\n")
    assert [(r["step"], r["value"]) for r in found[:before]] == [(s, s / 3) for s in range(1, before + 1)]


# Curves.


def rows_of(folder: Path, calls: list[Any]) -> list[list[str]]:
    runlog.write_curves(written(folder, calls), folder / "curves.csv")
    with (folder / "curves.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream, strict=True))


@given(_calls)
def test_curves_of_any_log_are_a_table_without_an_empty_cell(folder: Path, calls: list[Any]) -> None:
    header, *rows = rows_of(folder, calls)
    assert header[0] == "step"
    assert len(rows) <= 1000
    assert len(set(header)) == len(header)
    for row in rows:
        assert len(row) == len(header)
        assert all(cell != "" and math.isfinite(float(cell)) for cell in row)


@settings(max_examples=15)
@given(st.integers(1, 3000), st.integers(1, 400), st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_curves_have_at_most_a_thousand_rows_and_keep_the_last(
    folder: Path, steps: int, every: int, value: float
) -> None:
    calls = [(step, "train", {"loss": value}, None) for step in range(1, steps + 1)]
    calls += [(step, "validation", {"loss": value}, None) for step in range(every, steps + 1, every)]
    rows = rows_of(folder, calls)[1:]
    assert 0 < len(rows) <= 1000
    assert int(rows[-1][0]) == (steps if steps // every < 2 else steps // every * every)
    slack = abs(value) * 1e-12
    assert all(abs(float(cell) - value) <= slack for row in rows for cell in row[1:])


@pytest.mark.parametrize(
    "line",
    [
        {"schema_version": 1},
        {"schema_version": 1, "value": 1.0, "split": "train", "metric": "loss"},
        {"schema_version": 1, "value": "high", "split": "train", "metric": "loss", "step": 1},
        {"schema_version": 1, "value": 1.0, "split": "train", "metric": "loss", "step": "one"},
        {"schema_version": 1, "value": [1.0], "split": None, "metric": {}, "step": 1},
    ],
)
def test_a_record_that_is_no_metric_is_an_error_and_leaves_the_curves(
    tmp_path: Path, line: dict[str, Any]
) -> None:
    rows = rows_of(tmp_path, CALLS)
    (tmp_path / "metrics.ndjson").write_text(json.dumps(line) + "\n")
    with pytest.raises(ReproofError, match=r"metrics\.ndjson"):
        runlog.write_curves(tmp_path / "metrics.ndjson", tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == rows
