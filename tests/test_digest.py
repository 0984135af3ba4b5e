"""One content, one digest, whatever carries it; and a file that is cut short has none."""

from __future__ import annotations

import io
import json
import os
import struct
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as nps
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from reproof import digest
from reproof.errors import ReproofError

DTYPES = ["bool", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]
_arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: nps.arrays(dtype, nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
_named = st.dictionaries(
    st.text("abcxyz._0123456789é", min_size=1, max_size=8).filter(lambda name: not name.startswith("_")),
    _arrays,
    min_size=1,
    max_size=4,
)
WEIGHTS = {
    "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layer.bias": np.zeros(2, np.float32),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digest")


def of(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return digest.digest(path)


def npz(named: dict[str, Any], *, compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **named)
    return stream.getvalue()


# Arrays.


@given(_named)
def test_the_same_arrays_have_one_digest_in_every_file(folder: Path, named: dict[str, Any]) -> None:
    expected = digest.arrays(named)
    backwards = dict(reversed(named.items()))
    assert digest.arrays(backwards) == expected
    assert of(folder / "a.safetensors", save(named)) == expected
    assert of(folder / "a.safetensors", save(backwards, metadata={"format": "np", "step": "7"})) == expected
    assert of(folder / "a.npz", npz(named)) == expected
    assert of(folder / "a.npz", npz(backwards, compressed=True)) == expected


def test_complex_numbers_have_one_digest_in_every_file(folder: Path) -> None:
    named = {"phase": np.array([1 + 2j, -1j], np.complex64)}
    assert of(folder / "c.safetensors", save(named)) == of(folder / "c.npz", npz(named))


@given(_arrays.filter(lambda array: array.size > 0), st.data())
def test_one_changed_bit_changes_the_digest(array: Any, data: st.DataObject) -> None:
    raw = bytearray(array.tobytes())
    position = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[position // 8] ^= 1 << position % 8
    other = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    assert digest.arrays({"a": other}) != digest.arrays({"a": array})


@pytest.mark.parametrize(
    "other",
    [
        {"v": np.zeros((2, 3), "f4")},
        {"w": np.zeros((3, 2), "f4")},
        {"w": np.zeros(6, "f4")},
        {"w": np.zeros((2, 3), "i4")},
        {"w": np.zeros((2, 3), "f4"), "v": np.zeros(0, "f4")},
        {"w": np.full((2, 3), -0.0, "f4")},
        {},
    ],
)
def test_name_shape_type_and_number_of_arrays_count(other: dict[str, Any]) -> None:
    assert digest.arrays(other) != digest.arrays({"w": np.zeros((2, 3), "f4")})


def test_how_an_array_lies_in_memory_does_not_count() -> None:
    array = np.arange(12, dtype="<f4").reshape(3, 4)
    padded = np.zeros((6, 8), "<f4")
    padded[::2, ::2] = array
    expected = digest.arrays({"w": array})
    for other in (array.astype(">f4"), np.asfortranarray(array), padded[::2, ::2]):
        assert digest.arrays({"w": other}) == expected


def test_two_sixteen_bit_types_with_the_same_bytes_differ(folder: Path) -> None:
    def file(dtype: str) -> bytes:
        header = json.dumps({"w": {"dtype": dtype, "shape": [2], "data_offsets": [0, 4]}}).encode()
        return struct.pack("<Q", len(header)) + header + b"\x00\x3f\x80\x3f"

    assert of(folder / "b.safetensors", file("BF16")) != of(folder / "b.safetensors", file("F16"))


def test_tensors_longer_than_a_chunk_are_read_whole(folder: Path) -> None:
    long = {"a": np.arange(700_000, dtype="f4"), "b": np.ones(3, "f4")}
    assert of(folder / "long.safetensors", save(long)) == digest.arrays(long)
    long["a"][-1] += 1
    assert of(folder / "long2.safetensors", save(long)) != digest.digest(folder / "long.safetensors")


def test_an_array_of_python_objects_is_refused() -> None:
    with pytest.raises(ReproofError, match="Python objects"):
        digest.arrays({"ids": np.array(["a", None], dtype=object)})


def test_strings_have_a_digest() -> None:
    assert digest.arrays({"ids": np.array(["a", "b"])}) != digest.arrays({"ids": np.array(["a", "c"])})


@pytest.mark.parametrize("array", [np.array("text"), np.array(["2026-01-31"], "M8[D]"), np.array([b"x"])])
def test_a_single_array_file_has_a_digest(folder: Path, array: Any) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    assert of(folder / "a.npy", stream.getvalue()) == digest.arrays({"": array})


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
    with pytest.raises(ReproofError, match=r"a\.npz.*\n.*[Oo]bject arrays"):
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


# Folders.


def test_a_folder_is_the_files_in_it_with_their_names(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, ("b.json", "deep/a.txt")), (second, ("deep/a.txt", "b.json"))):
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("{}")
    (second / "b.json").write_text("{ }\n")  # the same value
    (second / ".gitignore").write_text("/b.json\n")  # DVC writes these beside its outputs
    expected = digest.digest(first)
    assert digest.digest(second) == expected
    (second / "b.json").rename(second / "c.json")
    assert digest.digest(second) != expected


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    # DVC's cache holds files under names without a suffix, and may link to them.
    held = tmp_path / "cache" / "ab" / "cdef0123"
    held.parent.mkdir(parents=True)
    held.write_bytes(save(WEIGHTS))
    link = tmp_path / "model.safetensors"
    link.symlink_to(held)
    assert digest.digest(link) == digest.arrays(WEIGHTS)


def test_a_folder_with_a_broken_file_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(ReproofError, match=r"torn\.json"):
        digest.digest(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_a_file_name_cannot_imitate_another_folder(tmp_path: Path) -> None:
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.mkdir()
    odd.mkdir()
    for name in ("a", "b"):
        (plain / name).write_text("")
    (odd / "a\nb").write_text("")
    assert digest.digest(plain) != digest.digest(odd)


# Graphs.


def model(weight: float = 1.0) -> onnx.ModelProto:
    """Two layers, one of them inside a branch, so that a graph lies within the graph."""
    weights = numpy_helper.from_array(np.array([[weight, 2.0], [3.0, 4.0]], np.float32), "w")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inner = helper.make_graph([helper.make_node("Relu", ["h"], ["r"])], "inner", [], [
        helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    ])  # fmt: skip
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="layer"),
        helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner),
    ]
    yes = numpy_helper.from_array(np.array(True), "yes")
    graph = helper.make_graph(nodes, "main", [value], [result], [weights, yes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_metadata_and_doc_strings_of_a_graph_do_not_count(tmp_path: Path) -> None:
    noisy = model()
    noisy.producer_name, noisy.producer_version, noisy.doc_string = "pytorch", "2.13", "made by Ada"
    layer, branch = noisy.graph.node
    noisy.graph.doc_string = layer.doc_string = noisy.graph.initializer[0].doc_string = (
        "/home/ada/model.py:12"
    )
    for holder in (noisy, noisy.graph, layer, noisy.graph.input[0], branch.attribute[0].g.node[0]):
        holder.metadata_props.add(key="stack_trace", value="/home/ada/model.py, line 12")
    plain = of(tmp_path / "a.onnx", model().SerializeToString())
    assert of(tmp_path / "noisy.onnx", noisy.SerializeToString()) == plain


def test_one_weight_of_a_graph_counts(tmp_path: Path) -> None:
    nearly = float(np.nextafter(np.float32(1), np.float32(2)))
    one = of(tmp_path / "one.onnx", model().SerializeToString())
    assert of(tmp_path / "other.onnx", model(nearly).SerializeToString()) != one


def test_weights_beside_the_graph_are_part_of_it(tmp_path: Path) -> None:
    inside = of(tmp_path / "inside.onnx", model().SerializeToString())
    outside = tmp_path / "outside.onnx"
    onnx.save_model(model(), outside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    assert digest.digest(outside) == inside
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ReproofError, match=r"outside\.onnx"):
        digest.digest(outside)


def test_a_graph_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    whole = model().SerializeToString()
    with pytest.raises(ReproofError, match=r"a\.onnx: not an ONNX model, or cut short"):
        of(tmp_path / "a.onnx", whole[: len(whole) // 2])


def test_an_empty_file_is_no_graph(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"a\.onnx"):
        of(tmp_path / "a.onnx", b"")
