"""Each runtime on real models: the same numbers, true facts, and a reason for what cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_once

from reproof.benchmark import runtimes
from reproof.benchmark.messages import Job

MODEL = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.a = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.b = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outer), nn.BatchNorm2d(outer)])
        same = stride == 1 and inner == outer
        self.skip = nn.Identity() if same else nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x):
        y = torch.relu(self.norms[0](self.a(x)))
        return torch.relu(self.norms[1](self.b(y)) + self.skip(x))

class ResNet(nn.Module):
    "Two blocks in each of four stages, as ResNet-18 has, with few channels."
    def __init__(self):
        super().__init__()
        sizes = [(8, 8, 1), (8, 16, 2), (16, 32, 2), (32, 64, 2)]
        self.stem = nn.Conv2d(3, 8, 3, 1, 1)
        self.blocks = nn.Sequential(*[b for i, o, s in sizes for b in (Block(i, o, s), Block(o, o, 1))])
        self.head = nn.Linear(64, 10)

    def forward(self, image):
        return self.head(self.blocks(torch.relu(self.stem(image))).mean((2, 3)))

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, left, right):
        return self.linear(left) - right, right.sum(1)

class Breaks(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        torch._dynamo.graph_break()
        return self.second(x)

class Inverts(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.linalg.inv(self.linear(x))

class Chooses(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x) if float(x.sum()) > 0 else x

def made(kind):
    def load(path):
        torch.manual_seed(0)
        return kind().eval()
    return load

resnet, two, breaks, inverts, chooses = (made(kind) for kind in (ResNet, Two, Breaks, Inverts, Chooses))

def broken(path):
    raise ValueError("no such layer")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "src").mkdir()
    (root / "src/model.py").write_text(MODEL)
    (root / "weights").write_text("")
    rng = np.random.default_rng(0)
    run_once.write_batches(root, *rng.normal(size=(2, 2, 3, 32, 32)).astype(np.float32))
    run_once.write_batches(root, *rng.normal(size=(2, 2, 4)).astype(np.float32), name="rows.npz")
    run_once.write_batches(root, *rng.normal(size=(2, 4, 4)).astype(np.float32), name="squares.npz")
    left, right = rng.normal(size=(2, 4)).astype(np.float32), rng.normal(size=(2, 3)).astype(np.float32)
    run_once.write_batches(root, {"right": right, "left": left}, name="pairs.npz")
    return root


def torch_job(project: Path, folder: Path, function: str, **changes: Any) -> Job:
    fields = {"runtime": "torch", "checkpoint": project / "weights", "loader": f"src/model.py:{function}"}
    return run_once.job(project, folder, **(fields | changes))


@pytest.fixture(scope="module")
def resnet(project: Path) -> Path:
    """The network as torch's own exporter writes it."""
    import torch

    namespace: dict[str, Any] = {}
    exec(compile(MODEL, "model.py", "exec"), namespace)
    path = project / "resnet.onnx"
    torch.onnx.export(
        namespace["resnet"](None),
        (torch.zeros(2, 3, 32, 32),),
        path,
        dynamo=True,
        external_data=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    return path


@pytest.fixture(scope="module")
def eager(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    return run_once.run(torch_job(project, tmp_path_factory.mktemp("eager"), "resnet"))


@pytest.mark.torch
def test_torch_torch_export_and_onnxruntime_agree_on_a_small_resnet(
    project: Path, resnet: Path, eager: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    told, expected = eager
    assert expected["0.0"].shape == (2, 10)
    exported_told, exported = run_once.run(
        torch_job(project, tmp_path / "e", "resnet", runtime="torch_export")
    )
    _, onnx_found = run_once.run(run_once.job(project, tmp_path / "o", onnx=resnet))
    for name, array in expected.items():
        np.testing.assert_allclose(exported[name], array, atol=1e-5)
        np.testing.assert_allclose(onnx_found[name], array, atol=1e-4)
    assert told["after"]["precision_actual"] == exported_told["after"]["precision_actual"] == "fp32"
    assert exported_told["after"]["options"]["strict"] is False


@pytest.mark.torch
def test_a_torch_cell_reads_back_what_it_does(eager: tuple[dict[str, Any], dict[str, Any]]) -> None:
    facts = eager[0]["after"]
    assert facts["providers_requested"] == facts["providers_actual"] == ["cpu"]
    assert (facts["threads_intra_op"], facts["threads_inter_op"], facts["omp_num_threads"]) == (1, 1, 1)
    assert {"cudnn_benchmark", "cuda_matmul_fp32_precision", "hip"} <= facts["options"].keys()
    assert "untested_by_us" not in facts["options"]
    assert set(eager[0]["vram"][1].values()) == {"the cell runs on the CPU"}
    assert eager[0]["device"]["median_ms"] is None
    assert "the CPU" in eager[0]["device"]["reason"]


@pytest.mark.torch
@pytest.mark.parametrize(("precision", "atol"), [("fp16", 2e-2), ("bf16", 2e-1)])
def test_halves_come_back_as_fp32_close_to_it(
    project: Path, eager: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, precision: str, atol: float
) -> None:
    told, found = run_once.run(torch_job(project, tmp_path, "resnet", precision=precision))
    assert told["after"]["precision_actual"] == precision
    assert found["0.0"].dtype == np.float32
    np.testing.assert_allclose(found["0.0"], eager[1]["0.0"], atol=atol)
    assert not np.array_equal(found["0.0"], eager[1]["0.0"])


@pytest.mark.torch
@pytest.mark.parametrize("runtime", ["torch", "torch_export"])
def test_several_inputs_go_in_by_name(project: Path, tmp_path: Path, runtime: str) -> None:
    job = torch_job(project, tmp_path, "two", runtime=runtime, batches=project / "pairs.npz")
    _, found = run_once.run(job)
    with np.load(project / "pairs.npz") as pairs:
        np.testing.assert_allclose(found["0.1"], pairs["0/right"].sum(1), rtol=1e-5)
    assert found["0.0"].shape == (2, 3)


@pytest.mark.torch
def test_an_exported_program_runs_as_it_is_and_says_which_shapes_it_takes(
    project: Path, tmp_path: Path
) -> None:
    import torch

    namespace: dict[str, Any] = {}
    exec(compile(MODEL, "model.py", "exec"), namespace)
    example = (torch.zeros(2, 4), torch.zeros(2, 3))
    torch.export.save(torch.export.export(namespace["two"](None), example), project / "two.pt2")
    for name, size, fits in (("pairs.npz", 2, True), ("more.npz", 5, False)):
        rng = np.random.default_rng(1)
        if not fits:
            arrays = {"left": rng.normal(size=(size, 4)), "right": rng.normal(size=(size, 3))}
            run_once.write_batches(project, {k: a.astype(np.float32) for k, a in arrays.items()}, name=name)
        folder = tmp_path / name
        fields = {"checkpoint": project / "two.pt2", "loader": None, "batches": project / name}
        for runtime in ("torch", "torch_export"):
            told, found = run_once.run(torch_job(project, folder, "", runtime=runtime, **fields))
            assert fits == ("0.0" in found), told
            assert fits or "does not take this input" in told["unavailable"]


@pytest.mark.torch
def test_torch_compile_counts_its_graph_breaks(project: Path, tmp_path: Path) -> None:
    fields = {"batches": project / "rows.npz"}
    _, expected = run_once.run(torch_job(project, tmp_path / "eager", "breaks", **fields))
    job = torch_job(project, tmp_path / "compiled", "breaks", runtime="torch_compile", **fields)
    told, found = run_once.run(job)
    assert "unavailable" not in told, told
    np.testing.assert_allclose(found["1.0"], expected["1.0"], atol=1e-5)
    before, after = told["before"]["options"], told["after"]["options"]
    assert (before["graph_breaks"], before["graphs"]) == (None, None)
    assert (after["graph_breaks"], after["graphs"]) == (1, 2)
    assert (after["fullgraph"], after["dynamic"], after["recompile_limit"]) == (False, False, 8)
    assert (job.folder / "inductor").is_dir()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("function", "changes", "words"),
    [
        ("resnet", {"device": "cuda"}, "sees no CUDA device"),
        ("resnet", {"device": "rocm"}, "sees no ROCm device"),
        ("resnet", {"device": "mps"}, "sees no MPS device"),
        ("resnet", {"device": "tensorrt"}, "torch has no tensorrt; onnxruntime has"),
        ("resnet", {"precision": "int8"}, "int8 is ONNX Runtime's dynamic quantisation here"),
        ("resnet", {"checkpoint": None}, "no checkpoint"),
        (
            "inverts",
            {"precision": "fp16", "batches": "squares.npz"},
            "cannot run the module in fp16 on cpu: .*Half",
        ),
        ("chooses", {"runtime": "torch_export", "batches": "rows.npz"}, "torch.export: .*data-dependent"),
    ],
)
def test_what_torch_cannot_do_has_a_reason(
    project: Path, tmp_path: Path, function: str, changes: dict[str, Any], words: str
) -> None:
    if "batches" in changes:
        changes = changes | {"batches": project / changes["batches"]}
    told, _ = run_once.run(torch_job(project, tmp_path, function, **changes))
    assert re.search(words, told["unavailable"], re.IGNORECASE), told


@pytest.mark.torch
def test_torch_compile_without_a_compiler_says_so(project: Path, tmp_path: Path) -> None:
    job = torch_job(project, tmp_path, "breaks", runtime="torch_compile", batches=project / "rows.npz")
    told, _ = run_once.run(job, CXX="no-such-compiler")
    assert re.match("torch.compile: .*No working C\\+\\+ compiler", told["unavailable"]), told


@pytest.mark.torch
def test_torchscript_is_neither_compiled_nor_exported(project: Path, tmp_path: Path) -> None:
    import torch

    torch.jit.script(torch.nn.Linear(4, 3)).save(str(project / "linear.ts"))
    fields = {"checkpoint": project / "linear.ts", "loader": None, "batches": project / "rows.npz"}
    told, found = run_once.run(torch_job(project, tmp_path, "", **fields))
    assert found["0.0"].shape == (2, 3), told
    for runtime in ("torch_compile", "torch_export"):
        told, _ = run_once.run(torch_job(project, tmp_path / runtime, "", runtime=runtime, **fields))
        assert "TorchScript" in told["unavailable"]


def test_every_runtime_has_the_five_functions() -> None:
    for name in ("torch", "torch_compile", "torch_export", "onnxruntime"):
        runtime = runtimes.get(name)  # type: ignore[arg-type]
        for function in ("import_package", "load", "facts", "vram_peaks", "device_times"):
            assert callable(getattr(runtime, function)), (name, function)


def test_a_reason_holds_no_folder_of_this_machine(tmp_path: Path) -> None:
    error = ValueError(f"Load model from {tmp_path}/models/a.onnx failed\nmore")
    assert runtimes.first_line(error, tmp_path) == "Load model from models/a.onnx failed"
    assert runtimes.first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
