"""The recipe inference on a network that nobody here made: from one .onnx file to the report."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import commit_all, run
from projects import ENV, dvc, executed, python, read
from recipe_projects import onnx_model, project_with, replace

STAGES = ["examine", "infer", "benchmark", "summarize", "report"]


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of ResNet-50, right after the copy and `dvc add`; for looking at, not for changing."""
    project = project_with(tmp_path_factory.mktemp("resnet") / "p", onnx_model("light/light_resnet50.onnx"))
    assert executed(dvc(project, "exp", "run")) == STAGES
    return project


@pytest.fixture
def again(resnet: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to change."""
    return Path(shutil.copytree(resnet, tmp_path / "p"))


def test_every_output_that_dvc_yaml_names_is_there(resnet: Path) -> None:
    stages = yaml.safe_load((resnet / "dvc.yaml").read_text())["stages"]
    listed = [entry for stage in stages.values() for kind in ("outs", "plots", "metrics")
              for entry in stage.get(kind, [])]  # fmt: skip
    names = [name for entry in listed for name in (entry if isinstance(entry, dict) else [entry])]
    assert len(names) > 20
    assert [name for name in names if not (resnet / name).exists()] == []
    assert "8 of 8 made-up inputs went through" in (resnet / "reports" / "experiment.md").read_text()


def test_a_model_with_a_fixed_batch_has_the_headline_numbers_and_is_told_what_was_left_out(
    resnet: Path,
) -> None:
    summary = read(resnet, "summary.json")
    assert summary["status"] == "success"
    assert summary["metrics"].keys() == {"succeeded", "latency_ms", "throughput"}
    cells = read(resnet, "benchmark.json")["cells"]
    assert list(cells) == ["onnxruntime-cpu-fp32-b1-t1"]
    assert (
        summary["metrics"]["latency_ms"]
        == cells["onnxruntime-cpu-fp32-b1-t1"]["stages"]["end_to_end"]["median_ms"]
    )
    facts = read(resnet, "stages/benchmark.json")["facts"]
    assert facts["latency_ms_of"] == "onnxruntime-cpu-fp32-b1-t1"
    assert "torch" in facts["left_out"]["runtimes"]
    assert "batches of 1 alone" in facts["left_out"]["batch_sizes"]


def test_the_record_names_the_model_by_its_digest_in_every_stage_that_read_it(resnet: Path) -> None:
    model = read(resnet, "examination.json")["model"]
    assert model["path"] == "models/light_resnet50.onnx"
    for stage in ("examine", "infer", "benchmark"):
        assert read(resnet, f"stages/{stage}.json")["reads"]["models/light_resnet50.onnx"] == model["digest"]
    assert read(resnet, "benchmark.json")["provenance"]["model_digests"] == {model["path"]: model["digest"]}
    assert model["digest"] in read(resnet, "digests.json")["inputs"].values()


def test_each_input_has_a_row_and_its_arrays_are_what_onnxruntime_gives(resnet: Path) -> None:
    import onnxruntime as ort

    rows = list(csv.DictReader((resnet / "outputs" / "results.csv").open()))
    assert [row["status"] for row in rows] == ["success"] * 8
    session = ort.InferenceSession(
        str(resnet / "models" / "light_resnet50.onnx"), providers=["CPUExecutionProvider"]
    )
    port = session.get_inputs()[0]
    with (
        np.load(resnet / "samples.npz") as samples,
        np.load(resnet / "outputs" / "arrays" / "3.npz") as given,
    ):
        wanted = session.run(None, {port.name: samples["3"].reshape(port.shape)})[0]
        np.testing.assert_allclose(next(iter(given.values())), wanted, atol=1e-6)


def test_no_document_or_record_holds_a_path_of_this_machine(resnet: Path) -> None:
    kept = ["plan.md", "reports/experiment.md", "tutorial/step-by-step.md"]
    kept += [f"results/latest/{name}.json" for name in ("examination", "inference", "benchmark", "digests")]
    assert [name for name in kept if str(resnet) in (resnet / name).read_text()] == []


def test_a_second_run_runs_nothing_and_the_first_can_be_committed(again: Path) -> None:
    assert executed(dvc(again, "repro")) == []
    commit_all(again, "First")
    assert executed(dvc(again, "repro")) == []
    assert dvc(again, "status").strip() == "Data and pipelines are up to date."
    assert not [
        name for name in run("git", "ls-files", cwd=again).stdout.split() if name.endswith((".onnx", ".npz"))
    ]


def test_a_completed_contract_and_real_pictures_run_again_what_depends_on_them(again: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, shape in (("wide", (40, 80, 3)), ("ta ll", (90, 30, 3))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(again / "inputs" / f"{name}.png")
    (again / "models" / "labels.txt").write_text("".join(f"label {n}\n" for n in range(1000)))
    replace(
        again / "contract.yaml",
        "modality: null", "modality: image", "colour: null", "colour: RGB",
        "  size: null", "  size: [224, 224]", "resize: null", "resize: crop",
        "scale: null", "scale: 255", "layout: null", "layout: CHW",
        "mean: null", "mean: [0.485, 0.456, 0.406]", "std: null", "std: [0.229, 0.224, 0.225]",
        "kind: null", "kind: classes", "softmax: null", "softmax: false",
        "labels: null", "labels: models/labels.txt",
    )  # fmt: skip
    assert executed(dvc(again, "exp", "run")) == STAGES
    record = read(again, "inference.json")
    assert [one["file"] for one in record["inputs"].values()] == ["inputs/ta ll.png", "inputs/wide.png"]
    assert not record["synthetic"]
    assert "label " in record["inputs"]["0"]["summary"]
    assert (again / record["inputs"]["0"]["picture"]).is_file()
    checks = read(again, "examination.json")["contract"]["checks"]
    assert checks["input.size"]["status"] == checks["output.labels"]["status"] == "fits"
    text = (again / "reports" / "experiment.md").read_text()
    assert "inputs/ta%20ll.png" in text
    assert "2 of 2 inputs went through" in text

    replace(again / "contract.yaml", "resize: crop", "resize: letterbox")
    assert {"examine", "infer", "benchmark"} <= set(executed(dvc(again, "repro")))
    replace(
        again / "params.yaml",
        "inference_targets: {}",
        'inference_targets: {fast: {metric: benchmark.latency_ms, operator: "<=", target: 1e9}}',
    )
    assert executed(dvc(again, "repro")) == ["summarize", "report"]
    assert "fast" in (again / "reports" / "experiment.md").read_text()


def test_a_preprocess_of_ones_own_is_what_infer_and_benchmark_run(again: Path) -> None:
    replace(
        again / "src" / "steps.py",
        "    return contract.preprocess(said, examples, inputs, root=ROOT)\n",
        "    return 0 * contract.preprocess(said, examples, inputs, root=ROOT)\n",
    )
    assert executed(dvc(again, "repro")) == STAGES[1:]
    found = read(again, "inference.json")["inputs"]
    assert len({one["summary"] for one in found.values()}) == 1
    assert read(again, "benchmark.json")["subject"]["preprocess"] == "src/steps.py:preprocess"


def test_a_stage_can_be_run_by_hand_into_a_folder_of_its_own(again: Path) -> None:
    commit_all(again, "First")
    for name in ("examine", "infer"):
        python(again, f"src/{name}.py", "--results", "results/mine")
    assert run("git", "status", "--porcelain", cwd=again).stdout == ""
    assert json.loads((again / "results" / "mine" / "inference.json").read_text())["succeeded"] == 8


def test_what_the_report_lacks_is_told(resnet: Path) -> None:
    told = run("reproof", "report", "--check", cwd=resnet, env=ENV, check=False).stdout
    assert "answers to real inputs" in told
    assert "input.modality" in told
    for note in ("notes/goals.md", "notes/analysis.md"):
        missing = next(line for line in told.splitlines() if note in line).partition(": ")[2].split(", ")
        headings = [f"## {name}" for name in missing]
        assert [h for h in headings if h not in (resnet / note).read_text()] == []
