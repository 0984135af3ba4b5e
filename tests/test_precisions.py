"""ONNX models in other precisions: real conversions, and the refusal of those that would compute in fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import run_once
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from reproof.benchmark import bfloat16, compute_types, precisions
from reproof.benchmark.cells import Cell
from reproof.benchmark.runtimes import Unavailable, onnxruntime

CPU = "CPUExecutionProvider"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def cell(precision: str) -> Cell:
    return Cell.model_validate(
        {"runtime": "onnxruntime", "device": "cpu", "precision": precision, "batch_size": 1, "threads": 1}
    )


def write(path: Path, nodes: list[Any], weights: dict[str, Any], *, out: list[Any], opset: int = 18) -> Path:
    """Write a model from `x`, shape (batch, 3, 8, 8), to `y`."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    return path


def conv_net(path: Path, opset: int = 18) -> Path:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = {"k": rng.normal(size=(4, 3, 3, 3)), "w": rng.normal(size=(4 * 36, 5))}
    return write(path, nodes, weights, out=["batch", 5], opset=opset)


def test_fp16_on_the_cpu_is_refused_where_it_would_be_fp32_with_casts(tmp_path: Path) -> None:
    source, target = conv_net(tmp_path / "net.onnx"), tmp_path / "fp16.onnx"
    with pytest.raises(Unavailable) as caught:
        precisions.convert(source, cell("fp16"), target)
    assert str(caught.value) == (
        f"the model in fp16 would compute in fp32: {CPU} has no fp16 kernel for Conv, MatMul"
    )
    stored = {tensor.data_type for tensor in onnx.load(target).graph.initializer}
    assert stored == {TensorProto.FLOAT16}  # the file says fp16; only the optimised graph tells the truth


def test_fp16_counts_where_the_kernels_are(tmp_path: Path) -> None:
    # The CPU has a kernel of its own for Max in fp16, and the file's types stay.
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    source = write(tmp_path / "relu.onnx", nodes, {}, out=["batch", 3, 8, 8])
    facts = precisions.convert(source, cell("fp16"), tmp_path / "fp16.onnx")
    assert (facts["converted_percent"], facts["kept"]) == (100, None)
    job = run_once.job(tmp_path, tmp_path, onnx=tmp_path / "fp16.onnx", precision="fp16", conversion=facts)
    model = onnxruntime.load(job)
    assert onnxruntime.facts(model, job).precision_actual == "fp16"
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    found = model.run(x)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.maximum(x, 0).astype(np.float16), atol=0)


def test_int8_quantises_and_is_read_back(tmp_path: Path) -> None:
    source, target = conv_net(tmp_path / "net.onnx"), tmp_path / "int8.onnx"
    before = sorted(tmp_path.iterdir())
    facts = precisions.convert(source, cell("int8"), target)
    assert sorted(tmp_path.iterdir()) == sorted([*before, target])
    assert (facts["compute_nodes"], facts["converted_percent"], facts["kept"]) == (2, 100, None)
    assert (facts["bytes_before"], facts["bytes_after"]) == (source.stat().st_size, target.stat().st_size)
    job = run_once.job(tmp_path, tmp_path, onnx=target, precision="int8", conversion=facts)
    model = onnxruntime.load(job)
    read = onnxruntime.facts(model, job)
    assert read.precision_actual == "int8"
    assert read.options["conversion_converted_percent"] == 100
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    plain = onnxruntime.load(run_once.job(tmp_path, tmp_path, onnx=source)).run(x)
    difference = np.abs(np.asarray(model.run(x)) - np.asarray(plain)).max()
    assert 0 < difference < 0.1 * np.abs(np.asarray(plain)).max()


def test_int8_names_what_it_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Transpose", ["m"], ["t"]),
        helper.make_node("Einsum", ["m", "t"], ["y"], equation="ij,jk->ik"),
    ]
    source = write(tmp_path / "n.onnx", nodes, {"w": rng.normal(size=(192, 5))}, out=["batch", "batch"])
    facts = precisions.convert(source, cell("int8"), tmp_path / "int8.onnx")
    assert (facts["converted_percent"], facts["kept"]) == (50, "1 × Einsum")


def test_a_model_with_nothing_to_quantise_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "r.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, out=["batch", 3, 8, 8])
    with pytest.raises(Unavailable, match="nothing in the model to quantise"):
        precisions.convert(source, cell("int8"), tmp_path / "int8.onnx")


def test_weights_beside_the_model_are_read_and_counted(tmp_path: Path) -> None:
    source = conv_net(tmp_path / "net.onnx")
    size = source.stat().st_size
    onnx.save(onnx.load(source), source, save_as_external_data=True, location="net.bin", size_threshold=0)
    facts = precisions.convert(source, cell("int8"), tmp_path / "int8.onnx")
    assert isinstance(facts["bytes_before"], int)
    assert facts["bytes_before"] > 0.9 * size > source.stat().st_size
    assert isinstance(facts["bytes_after"], int)
    assert facts["bytes_after"] < 0.6 * facts["bytes_before"]


def test_bf16_is_refused_on_the_cpu_in_the_words_of_onnxruntime(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"^{CPU} cannot run the model in bf16: .*(Conv|MatMul)"):
        precisions.convert(conv_net(tmp_path / "net.onnx"), cell("bf16"), tmp_path / "bf16.onnx")


@pytest.mark.parametrize("opset", [13, 18, 22])
def test_bf16_retyped_gives_nearly_the_same(tmp_path: Path, opset: int) -> None:
    source = conv_net(tmp_path / "net.onnx", opset)
    model = bfloat16.converted(onnx.load(source))
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.BFLOAT16}
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (expected,) = ReferenceEvaluator(onnx.load(source)).run(None, {"x": x})
    (found,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_bf16_of_a_graph_within_a_graph_is_refused(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "body",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body),
    ]
    source = write(tmp_path / "if.onnx", nodes, {}, out=["batch", 3, 8, 8])
    with pytest.raises(Unavailable, match="If holds a graph of its own"):
        precisions.convert(source, cell("bf16"), tmp_path / "bf16.onnx")


def test_a_device_without_its_provider_has_a_reason(tmp_path: Path) -> None:
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has it")
    there = cell("fp16").model_copy(update={"device": "cuda"})
    with pytest.raises(Unavailable, match="has no CUDAExecutionProvider"):
        precisions.convert(conv_net(tmp_path / "net.onnx"), there, tmp_path / "fp16.onnx")


def test_a_model_that_the_converter_does_not_expect_is_unavailable(tmp_path: Path) -> None:
    # Its weights are computed, not stored: a light version of a real network, out of the onnx package.
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_squeezenet.onnx"
    with pytest.raises(Unavailable, match=r"cannot be converted to int8: .*initializer") as caught:
        precisions.convert(light, cell("int8"), tmp_path / "int8.onnx")
    assert str(tmp_path) not in str(caught.value)


def test_types_go_through_branches_and_mixed_nodes_count_as_the_wider(tmp_path: Path) -> None:
    def branch(name: str, to: int) -> Any:
        return helper.make_graph(
            [
                helper.make_node("Cast", ["x"], [f"{name}c"], to=to),
                helper.make_node("MatMul", [f"{name}c", f"{name}c"], [f"{name}m"]),
                helper.make_node("Cast", [f"{name}m"], [name], to=TensorProto.FLOAT),
            ],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )

    graph = helper.make_graph(
        [
            helper.make_node(
                "If",
                ["which"],
                ["y"],
                then_branch=branch("half", TensorProto.FLOAT16),
                else_branch=branch("full", TensorProto.DOUBLE),
            )
        ],
        "net",
        [
            helper.make_tensor_value_info("which", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 3]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    found = {(node.operator, node.type) for node in compute_types._nodes(graph, {})}
    assert {("MatMul", "fp16"), ("MatMul", "fp64")} <= found
    assert compute_types._widest(["fp16", "fp32", "bf16"]) == "fp32"


@pytest.mark.torch
@pytest.mark.parametrize("name", ["light_resnet50", "light_squeezenet"])
def test_real_networks_are_refused_in_fp16_on_the_cpu(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unavailable, match=r"would compute in fp32: .* no fp16 kernel for .*Conv"):
        precisions.convert(LIGHT / f"{name}.onnx", cell("fp16"), tmp_path / "fp16.onnx")
