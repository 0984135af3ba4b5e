"""Files of each kind beside each other: what is the same, what is close, what differs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import verify_pair as files
from onnx import TensorProto, helper, numpy_helper, save_model
from verify_changes import PREDICTIONS
from verify_pair import Pair

from reproof.verify import kinds, snapshot
from reproof.verify.kinds import Standing
from reproof.verify.levels import Verdict
from reproof.verify.tolerances import Tolerances


def test_predictions_in_another_order_are_the_same_predictions(both: Pair, tmp_path: Path) -> None:
    table = pq.read_table(both.made / PREDICTIONS)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), tmp_path / "turned.parquet")
    found = kinds.compare(both.recorded / PREDICTIONS, tmp_path / "turned.parquet", both.tolerances)
    assert found.standing is Standing.IDENTICAL
    shutil.copyfile(tmp_path / "turned.parquet", both.made / PREDICTIONS)
    assert both.outcome().verdict is Verdict.NUMERIC, "its bytes are others, so it is no bit match"


def graph(path: Path, weight: float, *, op: str = "Add", steps: int = 2) -> Path:
    tensors = [
        numpy_helper.from_array(np.full((2, 3), weight, np.float32), "w"),
        numpy_helper.from_array(np.array([steps], np.int64), "n"),
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    nodes = [helper.make_node(op, ["x", "w"], ["y"])]
    made = helper.make_graph(nodes, "g", value[:1], value[1:], tensors)
    save_model(helper.make_model(made, producer_name=path.stem), path)
    return path


@pytest.mark.parametrize(
    ("other", "expected", "words"),
    [
        ({"weight": 1.0}, Standing.IDENTICAL, "graph identical"),
        ({"weight": 1.0001}, Standing.CLOSE, "its weights differ"),
        ({"weight": 3.0}, Standing.DIFFERENT, "another model"),
        ({"weight": 1.0, "op": "Mul"}, Standing.DIFFERENT, "graph differs"),
        ({"weight": 1.0, "steps": 3}, Standing.DIFFERENT, "graph differs"),
    ],
)
def test_onnx_graphs_must_be_the_same_and_their_weights_close(
    tmp_path: Path, other: dict[str, float], expected: Standing, words: str
) -> None:
    one, two = graph(tmp_path / "one.onnx", 1.0), graph(tmp_path / "two.onnx", **other)  # type: ignore[arg-type]
    found = kinds.compare(one, two, Tolerances())
    assert found.standing is expected
    assert words in found.words


@pytest.mark.parametrize(
    ("name", "one", "other", "expected"),
    [
        ("a.json", '{"a": 1.0}', '{"a": 1.0005}', Standing.CLOSE),
        ("a.json", '{"a": 1.0}', '{"a": 1.1}', Standing.DIFFERENT),
        ("a.json", '{"a": [1, 2]}', '{"a": [1]}', Standing.DIFFERENT),
        ("a.json", '{"a": true}', '{"a": 1}', Standing.DIFFERENT),
        ("a.json", '{"a": "x"}', '{"a": "y"}', Standing.DIFFERENT),
        ("a.json", '{"a": 1, "runtime_seconds": 2}', '{"a": 1, "runtime_seconds": 9}', Standing.FOLLOWS),
        ("a.json", '{"a": 1, "mae_seconds": 2}', '{"a": 1, "mae_seconds": 9}', Standing.DIFFERENT),
        ("a.json", "{", "{}", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,b\n1.0001,x\n", Standing.CLOSE),
        ("a.csv", "a,b\n1,x\n", "a,b\n1,y\n", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,b\n1,x\n2,x\n", Standing.DIFFERENT),
        ("a.csv", "a,b\n1,x\n", "a,c\n1,x\n", Standing.DIFFERENT),
        ("a.joblib", "one", "two", Standing.DIFFERENT),
        ("a", "one", "two", Standing.DIFFERENT),
        ("a.svg", "<svg/>", "<svg />", Standing.FOLLOWS),
    ],
)
def test_files_are_compared_by_what_their_kind_can_tell(
    tmp_path: Path, name: str, one: str, other: str, expected: Standing
) -> None:
    for side, words in (("one", one), ("other", other)):
        (tmp_path / side).mkdir()
        (tmp_path / side / name).write_text(words)
    found = kinds.compare(tmp_path / "one" / name, tmp_path / "other" / name, Tolerances())
    assert found.standing is expected
    assert found.words


def test_brain_floats_are_compared_as_numbers(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    values = torch.linspace(1, 2, 16, dtype=torch.bfloat16)
    save_file({"w": values}, tmp_path / "one.safetensors")
    save_file({"w": values * 1.01}, tmp_path / "two.safetensors")
    found = kinds.compare(tmp_path / "one.safetensors", tmp_path / "two.safetensors", Tolerances())
    assert found.standing is Standing.CLOSE
    assert found.largest == pytest.approx(((values * 1.01).float() - values.float()).abs().max().item())


def test_the_md5_of_a_folder_is_that_of_dvc(tmp_path: Path) -> None:
    for name in ("b/two.txt", "a.txt", "b/one.txt", "ü.txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "data"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    import yaml

    out = yaml.safe_load((tmp_path / "data.dvc").read_text())["outs"][0]
    assert snapshot._md5(tmp_path / "data") == out["md5"]
    assert snapshot._md5(tmp_path / "data/a.txt") == files._out(tmp_path, "data/a.txt")["md5"]
