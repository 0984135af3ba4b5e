"""Tables and text are compared by what they hold; a file that is cut short or another thing has no digest."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from digest_files import WEIGHTS, npz, of
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from reproof import digest
from reproof.errors import ReproofError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digest")


# Files that are not whole.


def parquet(table: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


TABLE = pa.table({"id": ["a", "b", "c"], "score": [0.5, 0.25, 1.0], "rank": [3, None, 1]})


def test_a_safetensors_file_cut_anywhere_is_an_error(folder: Path) -> None:
    whole = save(WEIGHTS)
    for length in range(len(whole)):
        with pytest.raises(ReproofError, match=r"cut short|not a readable"):
            of(folder / "cut.safetensors", whole[:length])


def test_a_safetensors_file_with_more_than_it_declares_is_an_error(folder: Path) -> None:
    with pytest.raises(ReproofError, match="cut short"):
        of(folder / "more.safetensors", save(WEIGHTS) + b"\0")


@given(
    st.recursive(
        st.none() | st.integers(-9, 99) | st.sampled_from(["F32", "w"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["w", "dtype", "shape", "data_offsets", "__metadata__"]), inner)
        ),
    ),
    st.binary(max_size=16),
)
def test_any_header_of_a_safetensors_file_gives_a_digest_or_an_error(
    folder: Path, header: object, body: bytes
) -> None:
    text = json.dumps(header).encode()
    try:
        found = of(folder / "odd.safetensors", struct.pack("<Q", len(text)) + text + body)
    except ReproofError as error:
        assert "odd.safetensors" in str(error)  # noqa: PT017 (both ends are right; a traceback is not)
    else:
        assert found.startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.npz", npz(WEIGHTS)),
        ("a.npz", npz(WEIGHTS, compressed=True)),
        ("a.parquet", parquet(TABLE)),
        ("a.json", b'{"a": [1, 2]}'),
        ("a.ndjson", b'{"a": 1}\n{"a": 2, "tags": {"kind": "long"}}\n'),
    ],
    ids=["npz", "compressed npz", "parquet", "json", "ndjson"],
)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_a_file_that_is_cut_short_is_an_error_that_names_it(
    tmp_path: Path, name: str, data: bytes, part: float
) -> None:
    with pytest.raises(ReproofError, match=rf"{name}: not a readable {Path(name).suffix} file"):
        of(tmp_path / name, data[: int(len(data) * part)])


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy", ".parquet", ".json", ".onnx"])
@pytest.mark.parametrize(
    "data", [b"<html>404</html>", b"\xff\x00" * 20, b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_file_that_is_not_what_its_name_says_is_an_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    with pytest.raises(ReproofError, match=rf"a\{suffix}"):
        of(tmp_path / f"a{suffix}", data)


def test_a_single_array_under_the_name_of_an_archive_is_an_error(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    with pytest.raises(ReproofError, match=r"a\.npz"):
        of(tmp_path / "a.npz", stream.getvalue())


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"a\.npz[\s\S]*never loaded"):
        of(tmp_path / "a.npz", npz({"a": np.array([{}], dtype=object)}))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"absent\.onnx: no such file"):
        digest.digest(tmp_path / "absent.onnx")


# Tables and text.


@pytest.mark.parametrize(
    "data",
    [
        parquet(TABLE, compression="zstd"),
        parquet(TABLE, row_group_size=1, use_dictionary=False),
        parquet(TABLE.select(["rank", "score", "id"])),
        parquet(TABLE.replace_schema_metadata({"classes": "[]"})),
        parquet(pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])),
    ],
)
def test_how_a_table_is_stored_does_not_count(tmp_path: Path, data: bytes) -> None:
    assert of(tmp_path / "other.parquet", data) == of(tmp_path / "a.parquet", parquet(TABLE))


@pytest.mark.parametrize(
    "table",
    [
        TABLE.set_column(0, "id", [["a", "b", "d"]]),
        TABLE.set_column(1, "score", [[0.5, 0.25, 1.0000000000000002]]),
        TABLE.set_column(2, "rank", [[3, 0, 1]]),
        TABLE.set_column(2, "rank", [[3, None, None]]),
        TABLE.set_column(1, "score", [pa.array([0.5, 0.25, 1.0], pa.float32())]),
        TABLE.rename_columns(["id", "points", "rank"]),
        TABLE.take([1, 0, 2]),
        TABLE.slice(0, 2),
    ],
)
def test_what_a_table_holds_counts(tmp_path: Path, table: pa.Table) -> None:
    assert of(tmp_path / "other.parquet", parquet(table)) != of(tmp_path / "a.parquet", parquet(TABLE))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a": 1, "b": 2}', b'{\n  "b": 2,\n  "a": 1\n}\n', True),
        (b'{"a": 1e5}', b'{"a": 100000.0}', True),
        (b'{"a": "\\u00e9"}', '{"a": "é"}'.encode(), True),
        (b"[1, 2]", b"[2, 1]", False),
        (b'{"a": null}', b"{}", False),
        (b'{"a": 1}', b'{"a": "1"}', False),
        (b'{"a": 0.1}', b'{"a": 0.10000000000000002}', False),
    ],
)
def test_json_is_compared_by_its_values(tmp_path: Path, one: bytes, other: bytes, same: bool) -> None:
    assert (of(tmp_path / "1.json", one) == of(tmp_path / "2.json", other)) is same


def test_json_with_a_number_that_json_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"a\.json"):
        of(tmp_path / "a.json", b'{"loss": NaN}')


def test_a_log_is_compared_without_its_time_and_run(tmp_path: Path) -> None:
    def log(time: str, run: str, values: list[float]) -> bytes:
        lines = ({"timestamp": time, "run_id": run, "step": i, "value": v} for i, v in enumerate(values))
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    path = tmp_path / "metrics.ndjson"
    expected = of(path, log("noon", "one", [1.0, 2.0]))
    assert of(path, log("night", "two", [1.0, 2.0])) == expected
    assert of(path, log("noon", "one", [2.0, 1.0])) != expected
    assert of(path, log("noon", "one", [1.0])) != expected


@pytest.mark.parametrize("line", [b"[1]\n", b"3\n", b"null\n", b'"text"\n'])
def test_a_log_with_a_line_that_is_no_record_is_an_error(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ReproofError, match=r"a\.ndjson"):
        of(tmp_path / "a.ndjson", b'{"a": 1}\n' + line)


@given(st.binary(), st.binary())
def test_other_files_are_compared_by_their_bytes(folder: Path, one: bytes, other: bytes) -> None:
    assert (of(folder / "one.txt", one) == of(folder / "other.csv", other)) is (one == other)
