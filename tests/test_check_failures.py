"""The report on a model that did not get through: what worked, what did not, and no number of another run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import brought_records as brought
import pytest
import seed_documents as seed

from reproof import files
from reproof.report import gaps

TIMES = re.compile(r"0\.0222|0\.0241|41,600|83\.2 MB")
"""Of the benchmark in the record."""
ANSWERS = re.compile(r"tabby|beagle")
"""Of the stage infer in the record."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return brought.write(tmp_path)


def succeed(inference: dict[str, Any]) -> None:
    """Every input answered."""
    inference["inputs"]["2"] |= {"status": "success", "reason": None, "summary": "fox 0.4"}
    inference |= {"succeeded": 3, "failed": 0}


def assert_whole(found: dict[str, str], document: str) -> None:
    """Also the report of a failed run has every section and field, and no placeholder is left in it."""
    assert [heading for heading in found if heading in seed.INFERENCE] == seed.INFERENCE
    assert {heading for heading in seed.INFERENCE if not found[heading].strip("- \n")} == set()
    assert seed.PLACEHOLDERS.findall(document) == []
    lacking = [
        (heading, field)
        for heading, fields in seed.INFERENCE_FIELDS.items()
        for field in fields
        if not (seed.field(found[heading], field) or seed.has_columns(found[heading], [field]))
    ]
    assert lacking == []


def of_failed(project: Path) -> tuple[dict[str, str], str]:
    documents = brought.rendered(project)
    found = seed.sections(documents["experiment.md"])
    assert_whole(found, documents["experiment.md"])
    return found, documents["experiment.md"] + documents["step-by-step.md"]


def test_a_model_that_cannot_be_read_fails_the_run_and_shows_nothing_of_the_last_one(project: Path) -> None:
    brought.fail(project, "examine", "a pickle that needs code: <b>os.system</b>", after=False)
    found, text = of_failed(project)
    assert "Status: **failed**" in found["Summary"]
    assert (
        "the stage examine failed: a pickle that needs code: &lt;b&gt;os.system&lt;/b&gt;" in found["Summary"]
    )
    assert "What worked: nothing was recorded" in found["Summary"]
    assert "Checkpoint: none was read" in found["Artifacts"]
    assert "**no**: the stage examine failed" in found["Conclusions"]
    assert "mend what stopped the stage examine, then run the rest: `dvc exp run`" in found["Conclusions"]
    assert "resnet50" not in text
    assert TIMES.findall(text) + ANSWERS.findall(text) == []
    assert not (project / "reports/figures/latency.svg").exists()


def test_a_file_that_the_failed_stage_left_counts_only_where_it_says_that_it_wrote_it(project: Path) -> None:
    brought.fail(project, "examine", "no runtime for it")
    found, text = of_failed(project)
    assert "(type: onnx, size: 102 MB" in found["Artifacts"]
    assert "the file was read (onnx," in found["Summary"]
    assert TIMES.findall(text) + ANSWERS.findall(text) == []


def test_a_run_that_failed_at_the_inputs_says_what_each_failed_on(project: Path) -> None:
    def nothing(inference: dict[str, Any]) -> None:
        for one in inference["inputs"].values():
            one |= {"status": "failed", "reason": "got 1 channel, wants 3", "outputs": None, "summary": None}
        inference |= {"succeeded": 0, "failed": 3, "outputs": {}}

    brought.change(project, "inference.json", nothing)
    brought.fail(project, "infer", "no input went through the model")
    found, text = of_failed(project)
    assert "Status: **failed**" in found["Summary"]
    assert "onnxruntime loaded it" in found["Summary"]
    assert found["Input → Output mapping (key examples)"].count("**failed**: got 1 channel, wants 3") == 3
    assert "**no**: the stage infer failed: no input went through the model" in found["Conclusions"]
    assert "invocation: none: no input went through the model" in found["Conclusions"]
    assert TIMES.findall(text) + ANSWERS.findall(text) == []


def test_a_model_that_cannot_be_loaded_says_why_at_the_smoke_test(project: Path) -> None:
    smoke = {"status": "failed", "import_ms": 93.1, "load_ms": None, "reason": "opset 99 is not known"}
    brought.change(project, "inference.json", lambda i: i.update(smoke=smoke, inputs={}, succeeded=0))
    brought.fail(project, "infer", "the model cannot be loaded")
    found, _ = of_failed(project)
    assert "here: failed, import 93.1 ms: opset 99 is not known" in found["How to Run (Repro Commands)"]


def test_a_benchmark_that_broke_off_leaves_the_answers_and_no_times(project: Path) -> None:
    brought.change(project, "inference.json", succeed)
    brought.fail(project, "benchmark", "another benchmark runs on this machine", after=False)
    found, text = of_failed(project)
    assert "Status: **partial**" in found["Summary"]
    assert "**yes**: 3 of 3 inputs" in found["Conclusions"]
    assert "tabby 0.83" in found["Input → Output mapping (key examples)"]
    assert TIMES.findall(text) == []
    timing = found["End-to-end timing (default)"]
    assert (
        "| Total end-to-end | 36.8 | 36.5 | – | 2 inputs, once each, in one process; no benchmark |" in timing
    )
    assert "Throughput: not measured: no cell was" in found["Throughput / memory (if measured)"]
    assert "– Not measured" in found["User Metrics (Optional)"]


def test_a_run_in_progress_says_so(project: Path) -> None:
    def running(record: dict[str, Any]) -> dict[str, Any]:
        return record | {
            "run_id": "r9",
            "status": "in_progress",
            "end_time": None,
            "seconds": None,
            "writes": {},
        }

    brought.change(project, "stages/infer.json", running)
    brought.change(project, "meta.json", lambda _: {"run_id": "r9", "status": "in_progress", "error": None})
    (project / "results/latest/config.yaml").rename(project / "params.yaml")
    found, text = of_failed(project)
    assert "the stage infer has not ended" in found["Summary"]
    assert TIMES.findall(text) + ANSWERS.findall(text) == []


def test_inputs_that_were_made_up_are_said_to_be(project: Path) -> None:
    def made_up(inference: dict[str, Any]) -> None:
        succeed(inference)
        inference |= {"synthetic": True, "synthetic_reason": "inputs/ holds no file that the model takes"}
        for number, one in inference["inputs"].items():
            one |= {"file": f"synthetic-{number}", "source": "synthesized", "kind": "array", "sha256": None}

    brought.change(project, "inference.json", made_up)
    found = brought.sections(project)
    assert "Real inputs found: no" in found["Inputs discovery"]
    said = "yes (why: inputs/ holds no file that the model takes); they show that the model runs"
    assert f"Synthetic inputs used: {said}" in found["Inputs discovery"]
    assert "| `synthetic-0` | synthesized |" in found["Input inventory"]
    assert "no real input was run (inputs/ holds no file" in found["Summary"]
    assert "**yes**: 3 of 3 made-up inputs" in found["Conclusions"]
    assert "put real inputs into the folders" in found["Conclusions"]
    tutorial = (project / "tutorial/step-by-step.md").read_text()
    assert "No file is needed: the run found none and made 3 up" in tutorial
    assert "answers to real inputs" in {gap.part for gap in gaps(project, project / "results/latest")}


@pytest.mark.parametrize("kind", ["nan", "infinite"])
def test_outputs_that_are_no_numbers_are_never_a_success(project: Path, kind: str) -> None:
    def broken(inference: dict[str, Any]) -> None:
        succeed(inference)
        inference["outputs"]["logits"] |= {kind: 7, "min": None, "max": None, "mean": None}

    brought.change(project, "inference.json", broken)
    found = brought.sections(project)
    assert "**partially**" in found["Conclusions"]
    assert "values that are no finite numbers came out of logits" in found["Conclusions"]
    assert "**7 " in found["Outputs"] or "and 7 infinite values**" in found["Outputs"]


def whole(project: Path) -> None:
    """A run in which nothing is missing."""

    def measured(benchmark: dict[str, Any]) -> None:
        cells = benchmark["cells"]
        benchmark["cells"] = {name: cell for name, cell in cells.items() if cell["status"] == "measured"}

    brought.change(project, "inference.json", succeed)
    brought.change(project, "benchmark.json", measured)


def test_success_is_every_input_and_every_cell(project: Path) -> None:
    whole(project)
    assert "Status: **success**" in brought.sections(project)["Summary"]


def test_without_a_stable_cell_the_first_is_recommended_and_called_noisy(project: Path) -> None:
    def noisy(benchmark: dict[str, Any]) -> None:
        for cell in benchmark["cells"].values():
            if cell["status"] == "measured":
                cell["verdict"] |= {"status": "noisy", "reasons": {"psi": "30% of the time"}}

    brought.change(project, "benchmark.json", noisy)
    found = brought.sections(project)
    assert "0.0215 to 0.0231 ms), **noisy** (the matrix says why)" in found["Conclusions"]
    assert "| warm; 50,990 calls; **noisy** |" in found["End-to-end timing (default)"]
    assert "**noisy** (the matrix says why)" in found["Throughput / memory (if measured)"]
    assert found["Benchmark matrix"].count("**noisy**: psi 30% of the time") == 3


def test_another_precision_is_never_recommended_over_a_stable_fp32_cell(project: Path) -> None:
    def fast(benchmark: dict[str, Any]) -> None:
        times = benchmark["cells"]["onnxruntime-cpu-int8-b1-t1"]["stages"]["end_to_end"]
        times |= {"median_ms": 0.001, "mean_ms": 0.001}

    brought.change(project, "benchmark.json", fast)
    assert "of the benchmark, `onnxruntime-cpu-fp32-b1-t1`" in brought.sections(project)["Conclusions"]


def test_a_runtime_that_computed_in_another_precision_is_told(project: Path) -> None:
    def other(benchmark: dict[str, Any]) -> None:
        benchmark["cells"]["onnxruntime-cpu-int8-b1-t1"]["cell"]["precision_actual"] = "fp32"

    brought.change(project, "benchmark.json", other)
    assert "stable; computed in fp32 |" in brought.sections(project)["Benchmark matrix"]


@pytest.mark.parametrize("name", ["examination", "inference", "benchmark"])
def test_a_record_without_one_of_its_files_renders(project: Path, name: str) -> None:
    (project / f"results/latest/{name}.json").unlink()
    documents = brought.rendered(project)
    assert_whole(seed.sections(documents["experiment.md"]), documents["experiment.md"])


@pytest.mark.parametrize("name", ["examination", "inference"])
def test_a_record_that_holds_nulls_alone_renders(project: Path, name: str) -> None:
    path = project / f"results/latest/{name}.json"
    nulls = dict.fromkeys(files.read_json(path))
    brought.change(project, f"{name}.json", lambda _: nulls | {"schema_version": 1})
    documents = brought.rendered(project)
    assert_whole(seed.sections(documents["experiment.md"]), documents["experiment.md"])


def test_weights_without_a_graph_say_why_there_is_none(project: Path) -> None:
    reason = "weights alone: the graph is the code of src/model.py"
    bare = {"graph": None, "graph_reason": reason, "inputs": None, "outputs": None, "ports_reason": reason}
    brought.change(project, "examination.json", lambda e: e | bare)
    found = brought.sections(project)
    assert f"| Graph | none: {reason} |" in found["Artifacts"]
    assert "| Parameters | 25,557,032 in 267 tensors" in found["Artifacts"]
    assert f"The file does not tell: {reason}." in found["Inputs"]
    lacking = {gap.part: gap.reason for gap in gaps(project, project / "results/latest")}
    assert lacking["graph"] == reason
