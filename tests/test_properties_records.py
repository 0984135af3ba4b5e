"""Readers of records, whatever lies in their files: a value or an error of the user's, nothing else."""

from __future__ import annotations

import copy
import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from projects import dvc, small_project

from reproof import checkpoint, digest, files, params, record, registry, splits, state
from reproof.errors import ReproofError

STAGES = ("prepare", "train", "evaluate")

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("failed"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_odd = st.sampled_from(
    [
        b"",
        b"\0",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b"NaN",
        b"1e999",
        b'"\\ud800"',
        b"\xff\xfe",
        b"{}",
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


def value_or_error(read: Callable[[], Any]) -> Any:
    """What a reader gives; None where it ends with an error of the user's. Anything else fails the test."""
    try:
        return read()
    except ReproofError as error:
        assert str(error).strip()  # noqa: PT017 (both ends are right)
        return None


# JSON.


@given(st.binary(max_size=40) | _odd | _json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_json_or_an_error_that_names_the_file(folder: Path, data: bytes) -> None:
    path = folder / "any.json"
    path.write_bytes(data)
    try:
        value = files.read_json(path)
    except ReproofError as error:
        assert "any.json" in str(error)  # noqa: PT017 (both ends are right)
    else:
        files.write_json(path, value)
        assert files.read_json(path) == value


@given(
    st.dictionaries(st.sampled_from(["a.json", "b.json", ".c.tmp", "d.txt"]), st.binary(max_size=40) | _odd)
)
def test_the_registry_reads_what_is_an_entry_and_passes_over_the_rest(
    folder: Path, content: dict[str, bytes]
) -> None:
    entries = folder / "registry"
    entries.mkdir(exist_ok=True)
    for path in entries.iterdir():
        path.unlink()
    for name, data in content.items():
        (entries / name).write_bytes(data)
    (entries / "20260131-120000-abcdef.train.json").write_text('{"schema_version": 1, "status": "failed"}')
    (entries / "link.json").symlink_to(entries / "absent")
    assert {"schema_version": 1, "status": "failed"} in registry.entries(folder)
    (entries / "link.json").unlink()


# The record of a run.


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = small_project(tmp_path_factory.mktemp("run") / "project")
    dvc(project, "repro")
    return project / "results/latest"


class Config(params.RunParams):
    pass


CONFIG = b"seed: 0\nthreads: 1\nsummary: {accuracy: evaluate.test.accuracy}\n"


def summarized(results: Path) -> tuple[str, Any]:
    model = Config(seed=0, threads=1, summary={"accuracy": "evaluate.test.accuracy"})
    status = record.summarize(results, STAGES, CONFIG, model, None)
    return status, files.read_json(results / "summary.json")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in JSON data something could stand otherwise; lists of packages and the like but once."""
    yield path
    if isinstance(value, dict):
        for key in list(value)[:12]:
            yield from places(value[key], (*path, key))


@settings(max_examples=80)
@given(st.data())
def test_a_changed_record_of_a_stage_gives_a_status_or_an_error(results: Path, data: st.DataObject) -> None:
    path = results / "stages" / f"{data.draw(st.sampled_from(STAGES))}.json"
    own = path.read_bytes()
    try:
        changed: Any = json.loads(own)
        for _ in range(data.draw(st.integers(1, 3))):
            *above, last = data.draw(st.sampled_from([place for place in places(changed) if place]))
            holder = changed
            for key in above:
                holder = holder[key]
            if data.draw(st.booleans()):
                del holder[last]
            else:
                holder[last] = data.draw(_json)
        path.write_text(json.dumps(changed))
        found = value_or_error(lambda: summarized(results))
        if found is not None:
            assert found[0] in ("success", "partial", "failed", "in_progress")
            assert found[1]["status"] == found[0]
    finally:
        path.write_bytes(own)


@settings(max_examples=40)
@given(st.binary(max_size=40) | _odd | _json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_in_the_place_of_a_record_are_an_error(results: Path, data: bytes) -> None:
    path = results / "stages" / "train.json"
    own = path.read_bytes()
    try:
        path.write_bytes(data)
        with pytest.raises(ReproofError, match=r"train\.json"):
            summarized(results)
    finally:
        path.write_bytes(own)


def test_a_whole_record_is_a_success(results: Path) -> None:
    assert summarized(results)[0] == "success"


@given(st.binary(max_size=30) | _odd | _json.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_last_run_left_a_failure_is_marked(folder: Path, left: bytes) -> None:
    for name in ("summary.json", "meta.json"):
        (folder / name).write_bytes(left)
    record.mark(folder, "failed", error={"stage": "train", "message": "the disk is full"})
    assert files.read_json(folder / "summary.json")["status"] == "failed"
    assert files.read_json(folder / "meta.json")["error"]["message"] == "the disk is full"


# Files by their content.


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.arange(6.0), y=np.arange(6), ids=np.array(list("abcdef")))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(6.0))
    return stream.getvalue()


def parquet() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "score": [0.5, None]}), stream)
    return stream.getvalue()


def graph() -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    weight = numpy_helper.from_array(np.arange(2, dtype=np.float32), "w")
    made = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def training_state(folder: Path) -> bytes:
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(2)).sum().backward()
    optimizer.step()
    checkpoint.save_state(folder / "whole.safetensors", optimizer.state_dict(), {"epoch": 1})
    return (folder / "whole.safetensors").read_bytes()


@pytest.fixture(scope="module")
def wholes(folder: Path) -> dict[str, bytes]:
    return {
        ".json": b'{"a": [1, 2.5, null], "b": {"c": "d"}}',
        ".ndjson": b'{"step": 1, "value": 0.5}\n{"step": 2, "value": null}\n',
        ".npz": npz(),
        ".npy": npy(),
        ".parquet": parquet(),
        ".onnx": graph(),
        ".safetensors": training_state(folder),
    }


def garbled(data: st.DataObject, whole: bytes) -> bytes:
    """A file that was cut, had bytes changed, grew or is another thing altogether."""
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(whole)))
    return bytes(changed[:cut]) + data.draw(st.binary(max_size=8))


SUFFIXES = (".json", ".ndjson", ".npz", ".npy", ".parquet", ".onnx", ".safetensors")


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_has_a_digest_or_is_an_error(
    folder: Path, wholes: dict[str, bytes], suffix: str, data: st.DataObject
) -> None:
    path = folder / f"damaged{suffix}"
    path.write_bytes(garbled(data, wholes[suffix]))
    found = value_or_error(lambda: digest.digest(path))
    assert found is None or found.startswith("sha256:")


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40)
@given(st.binary(max_size=64) | _odd)
def test_any_bytes_under_a_known_name_have_a_digest_or_are_an_error(
    folder: Path, suffix: str, content: bytes
) -> None:
    path = folder / f"any{suffix}"
    path.write_bytes(content)
    value_or_error(lambda: digest.digest(path))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_split_is_a_split_or_an_error(
    folder: Path, wholes: dict[str, bytes], data: st.DataObject
) -> None:
    path = folder / "train.npz"
    path.write_bytes(garbled(data, wholes[".npz"]))
    found = value_or_error(lambda: splits.load(path))
    assert found is None or all(isinstance(part, np.ndarray) for part in (found.x, found.y, found.ids))


@settings(max_examples=120)
@given(st.data())
def test_a_damaged_checkpoint_is_a_state_or_an_error(
    folder: Path, wholes: dict[str, bytes], data: st.DataObject
) -> None:
    path = folder / "state.safetensors"
    path.write_bytes(garbled(data, wholes[".safetensors"]))
    value_or_error(lambda: checkpoint.load_weights(path))
    value_or_error(lambda: checkpoint.load_state(path))


@settings(max_examples=100)
@given(st.data())
def test_a_checkpoint_whose_description_was_changed_is_a_state_or_an_error(
    folder: Path, wholes: dict[str, bytes], data: st.DataObject
) -> None:
    # The tensors are whole, so that what is changed is read.
    whole = wholes[".safetensors"]
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    tree = json.loads(header["__metadata__"][state.KEY])
    changed = copy.deepcopy(tree)
    *above, last = data.draw(st.sampled_from([place for place in deep(changed) if place]))
    holder = changed
    for key in above:
        holder = holder[key]
    holder[last] = data.draw(_json | st.sampled_from([{"tensor": "t000000"}, {"tuple": []}, {"dict": [[1]]}]))
    header["__metadata__"][state.KEY] = json.dumps(changed)
    text = json.dumps(header).encode()
    path = folder / "described.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + whole[8 + length :])
    value_or_error(lambda: checkpoint.load_state(path))


def deep(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value[:6]) if isinstance(value, list) else ()
    )
    for key, item in inner:
        yield from deep(item, (*path, key))


def test_a_folder_with_a_name_that_is_no_text_has_a_digest(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.txt").write_text("x")
    assert digest.digest(tmp_path).startswith("sha256:")
