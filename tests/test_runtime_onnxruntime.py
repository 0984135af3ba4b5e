"""ONNX Runtime on models that the onnx package carries: same outputs, true facts, no silent fallback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import run_once
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from reproof.benchmark.runtimes import Unavailable, onnxruntime
from reproof.errors import ReproofError

BACKEND = Path(onnx.__file__).parent / "backend/test/data"


def test_onnxruntime_gives_what_the_models_of_onnx_were_recorded_with(tmp_path: Path) -> None:
    seen, refused = 0, {}
    for folder in sorted([*(BACKEND / "simple").iterdir(), *(BACKEND / "pytorch-operator").iterdir()]):
        inputs, outputs = (recorded(folder, kind) for kind in ("input", "output"))
        if inputs is None or outputs is None:
            continue
        job = run_once.job(tmp_path, tmp_path, onnx=folder / "model.onnx", batch_size=first_axis(folder))
        try:
            model = onnxruntime.load(job)
        except Unavailable as reason:
            refused[folder.name] = str(reason)
            continue
        names = [node.name for node in model.session.get_inputs()]
        found = model.run(dict(zip(names, inputs, strict=True)))
        for ours, theirs in zip(found if isinstance(found, tuple) else (found,), outputs, strict=True):
            if theirs.dtype.kind in "OSU":
                assert ours.astype(str).tolist() == theirs.astype(str).tolist(), folder.name
            else:
                np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6, err_msg=folder.name)
        if len(names) == 1:
            again = model.run(inputs[0])
            assert repr(again) == repr(found)
        seen += 1
    assert seen > 25
    words = "Could not find an implementation for Gemm(6) node"
    assert words in refused["test_operator_addmm"]
    assert "ONNXRuntimeError" not in refused["test_operator_addmm"]


def recorded(folder: Path, kind: str) -> list[Any] | None:
    """The arrays of the model's first test data; None where one is a sequence."""
    arrays = []
    for path in sorted(
        (folder / "test_data_set_0").glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1])
    ):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
        except DecodeError:
            return None
        arrays.append(numpy_helper.to_array(tensor))
    return arrays


def first_axis(folder: Path) -> int:
    graph = onnx.load(folder / "model.onnx").graph
    shapes = [value.type.tensor_type.shape.dim for value in graph.input]
    return next((dims[0].dim_value for dims in shapes if len(dims) and dims[0].dim_value), 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_reads_threads_and_provider_back(tmp_path: Path, threads: int) -> None:
    job = run_once.job(tmp_path, tmp_path, onnx=concat(), batch_size=2, threads=threads)
    facts = onnxruntime.facts(onnxruntime.load(job), job)
    assert (facts.threads_intra_op, facts.threads_inter_op) == (threads, 1)
    assert facts.providers_requested == facts.providers_actual == ["CPUExecutionProvider"]
    assert facts.precision_actual == "fp32"
    assert "untested_by_us" not in facts.options


def concat() -> Path:
    """A model of the onnx package with two inputs, of 2 × 3 each."""
    return BACKEND / "pytorch-operator/test_operator_concat2/model.onnx"


def test_one_array_for_several_inputs_is_told_apart(tmp_path: Path) -> None:
    model = onnxruntime.load(run_once.job(tmp_path, tmp_path, onnx=concat(), batch_size=2))
    with pytest.raises(ReproofError, match="one array for a model with several inputs"):
        model.run(np.zeros((2, 3), dtype=np.float32))


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino", "rocm", "mps"])
def test_a_provider_that_is_not_there_is_a_reason(tmp_path: Path, device: str) -> None:
    import onnxruntime as ort

    names = onnxruntime._PROVIDERS[device]  # type: ignore[index]
    if set(names) & set(ort.get_available_providers()):
        pytest.skip("this machine has it")
    with pytest.raises(Unavailable, match=f"has no {names[0]}"):
        onnxruntime.load(run_once.job(tmp_path, tmp_path, onnx=concat(), device=device))


def test_a_provider_that_takes_no_node_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime as ort

    # Every wheel for Linux has this one. It takes no ordinary node: all run on the CPU, and nothing says so.
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this onnxruntime has no provider that leaves all nodes to the CPU")
    monkeypatch.setitem(onnxruntime._PROVIDERS, "cuda", ("AzureExecutionProvider",))
    conv = BACKEND / "pytorch-operator/test_operator_conv/model.onnx"
    job = run_once.job(tmp_path, tmp_path, onnx=conv, batch_size=20, device="cuda")
    with pytest.raises(ReproofError, match="leaves computing to another one") as caught:
        onnxruntime.load(job)
    assert "1 × Conv on CPUExecutionProvider" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"half a model" * 9])
def test_a_file_that_is_no_model_is_an_error_and_no_row_of_this_machine(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ReproofError, match="cannot read the model") as caught:
        onnxruntime.load(run_once.job(tmp_path, tmp_path, onnx=path))
    assert str(tmp_path) not in str(caught.value)


def test_a_fixed_batch_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="takes batches of 2 only"):
        onnxruntime.load(run_once.job(tmp_path, tmp_path, onnx=concat(), batch_size=7))
