"""`reproof benchmark`: one model, two, in and out of projects; what it prints, writes and ends with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import run
from onnx import TensorProto, helper

BACKEND = Path(onnx.__file__).parent / "backend" / "test" / "data"
# Rules short enough for a test, and a lock that no real benchmark holds.
COMMAND = """
from pathlib import Path
from reproof.benchmark import lock, settings
settings.QUICK = settings.Rules(warmup_min_seconds=0.02, warmup_cap_seconds=0.2, min_calls=40,
                                min_seconds=0.02, cap_seconds=5.0)
lock.PATH = Path({lock!r})
{more}
from reproof.cli import main
main()
"""


def reproof(folder: Path, *arguments: str, more: str = "", check: bool = True) -> Any:
    code = COMMAND.format(lock=str(folder / "lock"), more=more)
    env = {"XDG_CACHE_HOME": str(folder / "cache")}
    done = run(sys.executable, "-c", code, "benchmark", *arguments, cwd=folder, env=env, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder but for a model that nobody here made; no project, no Git."""
    (tmp_path / "relu.onnx").write_bytes((BACKEND / "simple/test_single_relu_model/model.onnx").read_bytes())
    return tmp_path


def two_inputs(path: Path) -> None:
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", "features"]) for n in ("x", "y/z")]
    out = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", "features"])
    graph = helper.make_graph([helper.make_node("Add", ["x", "y/z"], ["sum"])], "add", ports, [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def test_a_model_alone_gives_a_table_and_its_machine(folder: Path) -> None:
    done = reproof(folder, "relu.onnx", "--quick")
    head, row = done.stdout.splitlines()[:2]
    assert head.split()[:3] == ["cell", "median", "95%"]
    assert row.startswith("onnxruntime-cpu-fp32-b1-t1")
    assert row.split()[-1] in ("stable", "noisy")
    assert "fingerprint" in done.stdout
    assert "inputs: made up" in done.stdout
    assert "3/3 processes" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["cache", "lock", "relu.onnx"]


def test_json_is_the_whole_result_and_output_keeps_it(folder: Path) -> None:
    done = reproof(folder, "relu.onnx", "--quick", "--json", "--output", "out.json", "--repeats", "2")
    found = json.loads(done.stdout)
    assert found == json.loads((folder / "out.json").read_text())
    assert found["schema_version"] == 2
    assert found["subject"]["samples"] is None
    assert found["subject"]["onnx"] == "relu.onnx"
    (cell,) = found["cells"].values()
    assert cell["cell"]["input_shapes"] == {"x": [1, 2]}
    assert len(cell["stages"]["end_to_end"]["process_medians_ms"]) == 2
    assert str(folder) not in done.stdout


def test_a_fixed_batch_is_found_and_another_is_a_row_with_the_reason(folder: Path) -> None:
    source = BACKEND / "simple/test_sign_model/model.onnx"
    (folder / "sign.onnx").write_bytes(source.read_bytes())
    (shape,) = [
        [axis.dim_value for axis in port.type.tensor_type.shape.dim] for port in onnx.load(source).graph.input
    ]
    found = json.loads(reproof(folder, "sign.onnx", "--quick", "--json").stdout)
    assert list(found["cells"]) == [f"onnxruntime-cpu-fp32-b{shape[0]}-t1"]
    done = reproof(folder, "sign.onnx", "--quick", "--batch-sizes", "77", check=False)
    assert done.returncode == 2
    assert f"takes batches of {shape[0]} only" in done.stdout
    assert "no cell could be measured" in done.stderr


def test_several_inputs_are_fed_by_name(folder: Path) -> None:
    two_inputs(folder / "two.onnx")
    options = ("--quick", "--json", "--batch-sizes", "3", "--axis", "features=5", "--repeats", "1")
    found = json.loads(reproof(folder, "two.onnx", *options).stdout)
    (cell,) = found["cells"].values()
    assert cell["cell"]["input_shapes"] == {"x": [3, 5], "y/z": [3, 5]}
    assert found["subject"]["axes"] == {"features": 5}


def test_inputs_of_the_users_own(folder: Path) -> None:
    two_inputs(folder / "two.onnx")
    rng = np.random.default_rng(0)
    examples = {
        f"{i}/{name}": rng.normal(size=7).astype(np.float32) for i in range(4) for name in ("x", "y/z")
    }
    np.savez(folder / "inputs.npz", **examples)
    options = ("--quick", "--json", "--samples", "inputs.npz", "--batch-sizes", "2", "--repeats", "1")
    found = json.loads(reproof(folder, "two.onnx", *options).stdout)
    (cell,) = found["cells"].values()
    assert cell["cell"]["input_shapes"] == {"x": [2, 7], "y/z": [2, 7]}
    assert found["subject"]["samples"] == "inputs.npz"


def test_inputs_that_do_not_fit_fail_the_cell_with_the_reason(folder: Path) -> None:
    np.savez(folder / "inputs.npz", **{"0": np.zeros((9, 9), dtype=np.float32)})
    done = reproof(folder, "relu.onnx", "--quick", "--samples", "inputs.npz", check=False)
    assert done.returncode == 2
    assert "failed" in done.stdout


def test_two_models_give_a_ratio_with_its_interval(folder: Path) -> None:
    (folder / "sign.onnx").write_bytes((BACKEND / "simple/test_single_relu_model/model.onnx").read_bytes())
    done = reproof(folder, "relu.onnx", "--vs", "sign.onnx", "--quick", "--output", "c.json")
    assert "B / A" in done.stdout
    assert "A: relu.onnx   B: sign.onnx" in done.stdout
    found = json.loads((folder / "c.json").read_text())
    (cell,) = found["cells"].values()
    assert len(cell["ratio"]["pairs"]) == 3
    low, high = cell["ratio"]["ci95"]
    assert low <= cell["ratio"]["b_over_a"] <= high
    assert cell["decision"] in ("inconclusive", "a is faster", "b is faster")


def test_pyperf_reads_what_is_exported(folder: Path) -> None:
    reproof(folder, "relu.onnx", "--quick", "--export-pyperf", "p.json")
    shown = run(sys.executable, "-m", "pyperf", "show", "p.json", cwd=folder).stdout
    assert "Mean +- std dev" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "which model?"),
        (("relu.onnx", "--against", "HEAD"), "--against measures this project's own model"),
        (("relu.onnx", "--fail-on-regression"), "--fail-on-regression needs a recorded run"),
        (("relu.onnx", "--vs", "relu.onnx", "--export-pyperf", "p"), "--export-pyperf writes"),
        (("relu.onnx", "--batch-sizes", "1,two"), "not a list of whole numbers"),
        (("relu.onnx", "--devices", "tpu"), "--devices"),
        (("relu.onnx", "--runtimes", "tflite"), "--runtimes"),
        (("relu.onnx", "--threads", "0"), "--threads"),
        (("relu.onnx", "--axis", "batch"), "not the size of an axis"),
        (("absent.onnx",), "absent.onnx"),
        (("--against", "HEAD"), "no dvc.yaml here"),
    ],
)
def test_what_cannot_be_done_says_so(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = reproof(folder, *arguments, "--quick", check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (("slower", "noisy"), 4),
        (("noisy", "same"), 5),
        (("same", "faster", "inconclusive", None), 0),
    ],
)
def test_the_exit_code_of_a_regression(outcomes: tuple[str | None, ...], code: int) -> None:
    from reproof.benchmark.paired_schema import Comparison, PairedCell
    from reproof.cli import benchmark

    cells = {
        str(n): PairedCell(status="measured", reason=None, outcome=one)  # type: ignore[arg-type]
        for n, one in enumerate(outcomes)
    }
    assert benchmark._exit_code(Comparison.model_construct(cells=cells)) == code


def test_the_help_teaches(folder: Path) -> None:
    shown = run(
        sys.executable, "-c", "from reproof.cli import main; main()", "benchmark", "--help", cwd=folder
    )
    for word in ("--vs", "--against", "interleaved", "Ctrl-C keeps", "--export-pyperf"):
        assert word in shown.stdout
