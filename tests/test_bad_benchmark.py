"""What `reproof benchmark` cannot measure: rows `benchmark-…` of docs/reference/errors.md."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm
from bad_inputs import assert_told, contents, init_dvc, nothing_lost, stage_fails
from conftest import commit_all
from model_file_makers import exported, network, onnx_picture, port, save, scripted
from onnx import TensorProto, helper
from projects import ROOT
from safetensors.torch import save_file

from reproof import files
from reproof.benchmark import against

# The command itself, with rules short enough for a test, and a lock that no real benchmark holds.
COMMAND = """
from pathlib import Path
from reproof.benchmark import lock, settings
settings.QUICK = settings.Rules(warmup_min_seconds=0.02, warmup_cap_seconds=0.2, min_calls=40,
                                min_seconds=0.02, cap_seconds=5.0)
lock.PATH = Path({lock!r})
from reproof.cli import main
main()
"""
SUBJECT = {
    "onnx": "net.onnx",
    "checkpoint": None,
    "loader": None,
    "preprocess": None,
    "postprocess": None,
    "samples": None,
    "samples_array": None,
    "axes": {},
}
"""What benchmark.json says was measured."""


def reproof(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `reproof benchmark` in a folder, in which it leaves nothing behind."""
    tools = folder.parent / "tools"
    (tools / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "command.py").write_text(COMMAND.format(lock=str(tools / "lock")))
    before = sorted(contents(folder))
    with nothing_lost(folder):
        env = {"XDG_CACHE_HOME": str(tools / "cache")}
        done = warm.stage(folder, "benchmark", *arguments, "--quick", name="command", env=env)
    assert sorted(contents(folder)) == before
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder but for a model; no project, no Git."""
    (tmp_path / "here").mkdir()
    onnx_picture(tmp_path / "here" / "net.onnx")
    return tmp_path / "here"


# How it is called


def test_benchmark_of_what(folder: Path) -> None:
    assert_told("benchmark-of-what", reproof(folder))


def test_benchmark_against_and_a_model(folder: Path) -> None:
    assert_told("benchmark-against-and-a-model", reproof(folder, "net.onnx", "--against", "HEAD"))


def test_benchmark_regression_of_what(folder: Path) -> None:
    assert_told("benchmark-regression-of-what", reproof(folder, "net.onnx", "--fail-on-regression"))


def test_benchmark_pyperf_of_two(folder: Path) -> None:
    done = reproof(folder, "net.onnx", "--vs", "net.onnx", "--export-pyperf", "p.json")
    assert_told("benchmark-pyperf-of-two", done)


@pytest.mark.parametrize("text", ["1,two", "-1", "0.5", ""])
def test_benchmark_numbers_that_are_none(folder: Path, text: str) -> None:
    done = reproof(folder, "net.onnx", "--batch-sizes", text)
    assert_told("benchmark-numbers-that-are-none", done)


def test_benchmark_threads_of_none(folder: Path) -> None:
    assert_told("benchmark-threads-of-none", reproof(folder, "net.onnx", "--threads", "0"))


def test_benchmark_batch_size_twice(folder: Path) -> None:
    assert_told("benchmark-batch-size-twice", reproof(folder, "net.onnx", "--batch-sizes", "8,8"))


@pytest.mark.parametrize(
    ("option", "word"), [("--devices", "tpu"), ("--runtimes", "tflite"), ("--precisions", "int4")]
)
def test_benchmark_not_a_choice(folder: Path, option: str, word: str) -> None:
    assert_told("benchmark-not-a-choice", reproof(folder, "net.onnx", option, word))


def test_benchmark_repeats_of_none(folder: Path) -> None:
    assert_told("benchmark-repeats-of-none", reproof(folder, "net.onnx", "--repeats", "0"))


@pytest.mark.parametrize("axis", ["batch", "batch=many", "=3"])
def test_benchmark_axis_without_a_size(folder: Path, axis: str) -> None:
    assert_told("benchmark-axis-without-a-size", reproof(folder, "net.onnx", "--axis", axis))


def test_benchmark_output_into_a_folder(folder: Path) -> None:
    (folder / "results").mkdir()
    done = reproof(folder, "net.onnx", "--repeats", "1", "--output", "results")
    assert_told("benchmark-output-into-a-folder", done)


def test_benchmark_lock_of_somebody_else(folder: Path) -> None:
    (folder.parent / "tools" / "lock").mkdir(parents=True)
    assert_told("benchmark-lock-of-somebody-else", reproof(folder, "net.onnx"))


# Models


def test_benchmark_model_missing(folder: Path) -> None:
    assert_told("benchmark-model-missing", reproof(folder, "nett.onnx"))


def test_benchmark_model_a_folder(folder: Path) -> None:
    (folder / "models").mkdir()
    assert_told("benchmark-model-a-folder", reproof(folder, "models"))


def test_benchmark_model_broken(folder: Path) -> None:
    content = (folder / "net.onnx").read_bytes()
    (folder / "net.onnx").write_bytes(content[: len(content) // 2])
    assert_told("benchmark-model-broken", reproof(folder, "net.onnx"))


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt"])
def test_benchmark_of_weights_alone(folder: Path, name: str) -> None:
    weights = network().state_dict()
    (save_file if name.endswith("safetensors") else torch.save)(weights, folder / name)
    assert_told("benchmark-of-weights-alone", reproof(folder, name))


@pytest.mark.parametrize("make", [scripted, exported])
def test_benchmark_of_torch_without_samples(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "net.pt")
    assert_told("benchmark-of-torch-without-samples", reproof(folder, "net.pt"))


def test_benchmark_of_two_runtimes(folder: Path) -> None:
    scripted(folder / "net.pt")
    samples(folder, {"0": np.zeros((3, 8, 8), np.float32)})
    done = reproof(folder, "net.onnx", "--vs", "net.pt", "--samples", "samples.npz")
    assert_told("benchmark-of-two-runtimes", done)


def test_benchmark_of_a_sequence(folder: Path) -> None:
    """Of an input that is no tensor nobody knows what to make up."""
    given = helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None)
    nodes = [helper.make_node("SequenceLength", ["parts"], ["count"])]
    save(folder / "net.onnx", nodes, [given], [port("count", [], TensorProto.INT64)])
    assert_told("benchmark-of-a-sequence", reproof(folder, "net.onnx"))


# Samples


def samples(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez(folder / "samples.npz", **arrays)


def fed(slug: str, folder: Path, arrays: dict[str, Any] | None = None) -> None:
    if arrays is not None:
        samples(folder, arrays)
    assert_told(slug, reproof(folder, "net.onnx", "--samples", "samples.npz", "--repeats", "1"))


def test_benchmark_samples_missing(folder: Path) -> None:
    fed("benchmark-samples-missing", folder)


def test_benchmark_samples_that_are_none(folder: Path) -> None:
    (folder / "samples.npz").write_text("0,1,2\n")
    fed("benchmark-samples-that-are-none", folder)


def test_benchmark_samples_of_objects(folder: Path) -> None:
    fed("benchmark-samples-of-objects", folder, {"0": np.array([{"a": 1}], dtype=object)})


def test_benchmark_samples_of_one_array(folder: Path) -> None:
    fed("benchmark-samples-of-one-array", folder, {"x": np.zeros((4, 3, 8, 8), np.float32)})


def test_benchmark_samples_empty(folder: Path) -> None:
    fed("benchmark-samples-empty", folder, {})


def test_benchmark_samples_of_two_kinds(folder: Path) -> None:
    one = np.zeros((3, 8, 8), np.float32)
    fed("benchmark-samples-of-two-kinds", folder, {"0": one, "1/pixels": one})


def test_benchmark_samples_of_two_shapes(folder: Path) -> None:
    arrays = {str(n): np.zeros((3, 8, 8 + n), np.float32) for n in range(2)}
    samples(folder, arrays)
    done = reproof(folder, "net.onnx", "--samples", "samples.npz", "--batch-sizes", "2")
    assert_told("benchmark-samples-of-two-shapes", done)


# Cells that cannot be measured


def test_benchmark_samples_that_do_not_fit(folder: Path) -> None:
    fed("benchmark-samples-that-do-not-fit", folder, {"0": np.zeros((9, 9), np.float32)})


def test_benchmark_of_an_unknown_operator(folder: Path) -> None:
    nodes = [helper.make_node("Raytrace", ["x"], ["y"], domain="somebody.elses")]
    save(
        folder / "net.onnx",
        nodes,
        [port("x", ["n", 3])],
        [port("y", ["n", 3])],
        change=lambda model: model.opset_import.append(helper.make_opsetid("somebody.elses", 1)),
    )
    assert_told("benchmark-of-an-unknown-operator", reproof(folder, "net.onnx"))


def test_benchmark_of_another_batch(folder: Path) -> None:
    onnx_picture(folder / "net.onnx", batch=2)
    assert_told("benchmark-of-another-batch", reproof(folder, "net.onnx", "--batch-sizes", "3"))


def test_benchmark_without_the_device(folder: Path) -> None:
    assert_told("benchmark-without-the-device", reproof(folder, "net.onnx", "--devices", "mps"))


def test_benchmark_without_the_precision(folder: Path) -> None:
    assert_told("benchmark-without-the-precision", reproof(folder, "net.onnx", "--precisions", "fp16"))


def test_benchmark_of_more_threads(folder: Path) -> None:
    assert_told("benchmark-of-more-threads", reproof(folder, "net.onnx", "--threads", "9999"))


def test_benchmark_of_onnx_in_torch(folder: Path) -> None:
    assert_told("benchmark-of-onnx-in-torch", reproof(folder, "net.onnx", "--runtimes", "torch"))


def test_benchmark_axis_unknown(folder: Path) -> None:
    assert_told("benchmark-axis-unknown", reproof(folder, "net.onnx", "--axis", "depth=3"))


def test_benchmark_pyperf_into_no_folder(folder: Path) -> None:
    done = reproof(folder, "net.onnx", "--export-pyperf", "nowhere/p.json")
    assert_told("benchmark-pyperf-into-no-folder", done)


def test_benchmark_pyperf_of_nothing(folder: Path) -> None:
    done = reproof(folder, "net.onnx", "--devices", "mps", "--export-pyperf", "p.json")
    assert_told("benchmark-pyperf-of-nothing", done)


def test_benchmark_one_cell_of_two(folder: Path) -> None:
    """What could be measured is told, and the other row says why it was not."""
    done = reproof(folder, "net.onnx", "--repeats", "1", "--devices", "cpu,mps")
    assert_told("benchmark-one-cell-of-two", done)


# Against a recorded run


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project whose last commit, and whose workspace, holds a model and a benchmark of it."""
    onnx_picture(git_project / "net.onnx")
    init_dvc(git_project)
    record(git_project)
    commit_all(git_project, "A run")
    return git_project


def record(project: Path, **changes: Any) -> None:
    (project / "results/latest").mkdir(parents=True, exist_ok=True)
    found = {
        "schema_version": 2,
        "subject": SUBJECT,
        "hardware": {"fingerprint": "of-another"},
        "provenance": {"model_digests": {}},
        "cells": {},
    }
    files.write_json(project / against.RECORD, found | changes)


def committed(project: Path, slug: str, write: Callable[[Path], Any], name: str = against.RECORD) -> None:
    """Commit a change of one file, which the workspace then does not have."""
    good = (project / name).read_bytes()
    write(project / name)
    commit_all(project, "Changed")
    (project / name).write_bytes(good)
    assert_told(slug, reproof(project, "--against", "HEAD"))


def test_benchmark_against_outside_a_project(folder: Path) -> None:
    assert_told("benchmark-against-outside-a-project", reproof(folder, "--against", "HEAD"))


def test_benchmark_against_an_unknown_revision(project: Path) -> None:
    assert_told("benchmark-against-an-unknown-revision", reproof(project, "--against", "gamic-piko"))


def test_benchmark_against_no_params(project: Path) -> None:
    (project / "params.yaml").unlink()
    assert_told("benchmark-against-no-params", reproof(project, "--against", "HEAD"))


def test_benchmark_against_a_bad_setting(project: Path) -> None:
    (project / "params.yaml").write_text("benchmark: {threads: [many]}\n")
    assert_told("benchmark-against-a-bad-setting", reproof(project, "--against", "HEAD"))


def test_benchmark_against_without_one_here(project: Path) -> None:
    (project / against.RECORD).unlink()
    assert_told("benchmark-against-without-one-here", reproof(project, "--against", "HEAD"))


def test_benchmark_against_without_one_there(project: Path) -> None:
    assert_told("benchmark-against-without-one-there", reproof(project, "--against", "HEAD~1"))


def test_benchmark_against_a_torn_record(project: Path) -> None:
    committed(
        project, "benchmark-against-a-torn-record", lambda path: path.write_text('{"schema_version": 2')
    )


def test_benchmark_against_no_record(project: Path) -> None:
    def write(_path: Path) -> None:
        record(project, subject={"onnx": 7})

    committed(project, "benchmark-against-no-record", write)


def test_benchmark_against_a_record_that_leads_out(project: Path) -> None:
    def write(_path: Path) -> None:
        record(project, subject=SUBJECT | {"onnx": "../../etc/passwd"})

    committed(project, "benchmark-against-a-record-that-leads-out", write)


def test_benchmark_against_another_machine(project: Path) -> None:
    """The model is held by nobody any more, and the numbers are of another kind of machine."""
    committed(project, "benchmark-against-another-machine", Path.unlink, "net.onnx")


def test_benchmark_preset_that_is_none(git_project: Path) -> None:
    """`dvc exp run -S benchmark=fast` in a project of the inference recipe."""
    template = ROOT / "template" / "inference"
    shutil.copytree(template / "src", git_project / "src")
    shutil.copy(template / "contract.yaml", git_project)
    text = (template / "params.yaml").read_text()
    block = text[text.index("benchmark:\n") : text.index("# The headline metrics")]
    (git_project / "params.yaml").write_text(text.replace(block, "benchmark: fast\n"))
    stage_fails("benchmark-preset-that-is-none", git_project, name="examine", runner=warm.stage)
