"""One content, one digest, whatever carries it: arrays, folders, graphs."""

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
import pytest
from digest_files import WEIGHTS, npz, of
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("digest")


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
