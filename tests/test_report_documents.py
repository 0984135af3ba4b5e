"""Documents of runs that are older, smaller, hostile or of another kind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import seed_documents as seed
from documents import NEW, OLD, change, example_project, html_of, rendered
from projects import dvc

from reproof import files
from reproof.errors import ReproofError
from reproof.report import gaps


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return example_project(tmp_path)


def test_a_record_of_an_older_version_renders_whole(project: Path) -> None:
    shutil.rmtree(project / "results/latest")
    shutil.copytree(OLD, project / "results/latest")
    pages = rendered(project)
    found = seed.sections(pages["experiment.md"])
    assert {heading for heading in seed.EXPERIMENT if not found[heading].strip("- \n")} == set()
    assert "| logistic | 0.9741 |" in found["5.1 Quantitative Results"]
    assert "`Conv2d`" not in pages["experiment.md"]
    assert "| Conv2d |" in found["3.2 Model Specifications"]
    assert "no stage robustness" in found["7. Robustness"]
    assert seed.PLACEHOLDERS.findall(pages["experiment.md"] + pages["inference.md"]) == []
    lacking = {gap.part for gap in gaps(project, project / "results/latest")}
    assert {"robustness", "intervals, comparison with baselines, calibration"} <= lacking


def test_a_run_that_failed_renders_what_it_has(project: Path) -> None:
    latest = project / "results/latest"
    for name in ("evaluation.json", "benchmark.json", "robustness.json", "examples.png"):
        (latest / name).unlink()
    for stage in ("evaluate", "benchmark", "robustness"):
        (latest / f"stages/{stage}.json").unlink()

    def fail(meta: dict[str, Any]) -> None:
        meta |= {"status": "failed", "error": {"stage": "evaluate", "message": "a|b <b>`x`"}}
        meta["missing"] = {"evaluate": "the stage has not run"}

    change(project, "meta.json", fail)
    change(project, "summary.json", lambda s: s | {"status": "failed", "metrics": {"accuracy": None}})
    page = rendered(project)["experiment.md"]
    assert "**The run failed** in the stage evaluate: a\\|b &lt;b&gt;\\`x\\`" in page
    found = seed.sections(page)
    assert "The stage evaluate has left no results." in found["5.1 Quantitative Results"]
    assert "The stage benchmark has left no results." in found["8.2 Inference Speed"]
    assert "the stage has not run" in found["What Could Not Be Measured"]


def test_a_skipped_stage_is_a_stated_reason(project: Path) -> None:
    reason = "robustness.enabled is false in params.yaml"
    change(project, "robustness.json", lambda _: {"schema_version": 1, "status": "skipped", "reason": reason})
    page = rendered(project)["experiment.md"]
    found = seed.sections(page)
    for heading in ("7.1 Cross-Dataset Evaluation", "7.2 Adversarial Robustness", "6.3 Feature Importance"):
        assert found[heading].strip("- \n") == f"Not measured: the stage was skipped; {reason}."


def test_a_regressor_has_its_own_metrics(project: Path) -> None:
    scores = {"examples": 50, "rmse": 1.5, "mae": 1.1, "r2": 0.8, "bias": -0.02}
    near = {"intervals": {"rmse": [1.2, 1.9], "r2": [0.7, 0.86]}, "intervals_missing": {}}
    worst = {"0": {"id": "e1", "target": 3.0, "predicted": 9.5, "error": 6.5}}
    evaluation = {
        "schema_version": 2, "task": "regression", "dataset": "prices", "classes": None,
        "bootstrap": {"method": "BCa", "resamples": 2000, "seed": 0, "confidence": 0.95},
        "splits": {"train": scores, "test": scores | near},
        "baselines": {"mean": {"description": "always the mean", "splits": {"test": scores | {"rmse": 3.0}},
            "comparison": {"split": "test", "claim": "Two models.", "mcnemar": None,
                "mcnemar_missing_reason": "a regressor has no right or wrong answers",
                "differences": {"rmse": {"difference": -1.5, "interval": [-2.0, -1.0],
                    "missing_reason": None}}}}},
        "calibration": None, "confused": {}, "hardest": worst, "easiest": worst,
    }  # fmt: skip
    change(project, "evaluation.json", lambda _: evaluation)
    change(project, "robustness.json", lambda _: {"schema_version": 1, "status": "skipped", "reason": "x"})
    pages = rendered(project)
    found = seed.sections(pages["experiment.md"])
    assert "| **this model** | 1.5000 (1.2000 to 1.9000) |" in found["5.1 Quantitative Results"]
    assert seed.has_columns(found["5.1 Quantitative Results"], ["Model", "RMSE", "MAE", "R²", "Bias"])
    assert "exact McNemar" not in found["5.2 Statistical Significance"]
    assert found["5.3 Per-Class Performance"] == "A regressor has no classes."
    assert "| `e1` | 3 | 9.5 | 6.5 |" in found["Failure Cases"]
    assert "on these examples the model is better" in found["Key Findings"]
    assert "| `e1` of `prepared/test.npz` | 9.5 | target 3 |" in pages["inference.md"]


HOSTILE = "a|b`c`\n<img src=x onerror=alert(1)>](javascript:alert(2))**"


def test_hostile_names_break_no_table_and_inject_nothing(project: Path) -> None:
    def rename(evaluation: dict[str, Any]) -> None:
        test = evaluation["splits"]["test"]
        for part in ("per_class", "confusion_matrix"):
            test[part] = {HOSTILE if name == "3" else name: held for name, held in test[part].items()}
        evaluation["baselines"][HOSTILE] = evaluation["baselines"].pop("majority")
        evaluation["hardest"]["0"] |= {"id": HOSTILE, "label": HOSTILE}
        evaluation["dataset"] = HOSTILE

    change(project, "evaluation.json", rename)
    change(project, "split_manifest.json", lambda m: m | {"dataset": HOSTILE})
    change(project, "summary.json", lambda s: s | {"metrics": {HOSTILE: 0.5} | s["metrics"]})

    def name(meta: dict[str, Any]) -> None:
        meta["experiment"]["name"], meta["git"]["pull_request"] = HOSTILE, HOSTILE
        meta["links"] |= {HOSTILE: "https://x.org/a|b>c"}
        meta["missing"] = {HOSTILE: HOSTILE}

    change(project, "meta.json", name)
    plain = shutil.copytree(NEW, project / "plain" / "results" / "latest")
    shutil.copytree(project / "notes", project / "plain" / "notes")
    pages, normal = rendered(project), rendered(project / "plain")
    assert plain.exists()
    for document in ("experiment.md", "inference.md"):
        html = html_of(pages[document].partition("\n---\n")[2])
        assert "<img src=x" not in html
        assert 'href="javascript:' not in html
        assert html.count("<table>") == html_of(normal[document].partition("\n---\n")[2]).count("<table>")
        widths = [row.count("<td") for row in html.split("<tr>") if "<td" in row]
        assert set(widths) <= {1, 2, 3, 4, 5, 6, 7, 8}
    page = (project / "reports" / "index.html").read_text()
    assert "<img src=x" not in page


def test_words_of_the_run_make_the_document_final(project: Path) -> None:
    run_id = files.read_json(NEW / "meta.json")["run_id"]
    words = "".join(f"## {name}\n\nDone.\n\n" for name in ("Summary", "Recommendations", "Conclusions"))
    (project / "notes/analysis.md").write_text(f"---\nrun: {run_id}\n---\n\n{words}")
    assert "**Status**: Final; the run: **success**" in rendered(project)["experiment.md"]
    (project / "notes/analysis.md").write_text(f"---\nrun: another\n---\n\n{words}")
    page = rendered(project)["experiment.md"]
    assert "**Status**: Draft (not written: Summary, Recommendations, Conclusions)" in page
    assert page.count("*Written about `another`, another run than this one:*") == 3
    lacking = [gap for gap in gaps(project, project / "results/latest") if "another" in gap.reason]
    assert {gap.part for gap in lacking} == {"Summary", "Recommendations", "Conclusions"}


@pytest.mark.parametrize("stage", ["train", "evaluate_model"])
def test_a_stage_that_really_failed_leaves_a_report_without_the_last_runs_numbers(
    small_copy: Path, stage: str
) -> None:
    accuracy = files.read_json(small_copy / "results/latest/summary.json")["metrics"]["accuracy"]
    script = small_copy / "src" / f"{stage}.py"
    broken = script.read_text().replace("import reproof.pinned", "import reproof.pinned", 1)
    at = broken.index("def main(")
    body = broken.index(":\n", broken.index(")", at)) + 2
    script.write_text(broken[:body] + "    raise RuntimeError('it broke')\n" + broken[body:])
    assert "it broke" in dvc(small_copy, "repro", check=False)
    page = rendered(small_copy)["experiment.md"]
    assert "the run: **failed**" in page
    assert "it broke" in page
    assert f"{accuracy:.4f}" not in page
    assert "not written yet" not in page
    lacking = {gap.part for gap in gaps(small_copy, small_copy / "results/latest") if gap.kind == "measured"}
    assert {"evaluate", "benchmark"} <= lacking


def test_an_accuracy_is_only_told_apart_where_the_exact_test_agrees(project: Path) -> None:
    def few(evaluation: dict[str, Any], p: float) -> None:
        comparison = evaluation["baselines"]["logistic"]["comparison"]
        comparison["differences"]["accuracy"] |= {"difference": 0.011, "interval": [0.0037, 0.0296]}
        comparison["mcnemar"] = {"only_model": 3, "only_baseline": 0, "p_value": p}

    change(project, "evaluation.json", lambda e: few(e, 0.25))
    found = seed.sections(rendered(project)["experiment.md"])["Key Findings"]
    assert "exact McNemar p = 0.25: these examples do not tell the two models apart" in found
    change(project, "evaluation.json", lambda e: few(e, 0.001))
    found = seed.sections(rendered(project)["experiment.md"])["Key Findings"]
    assert "exact McNemar p = 0.001: on these examples the model is better" in found


def test_robustness_names_the_examples_that_it_was_measured_on(project: Path) -> None:
    sample = {"examples": 30, "value": 0.6, "interval": [0.42, 0.75]}
    change(project, "robustness.json", lambda r: r | {"examples": 9000, "sample": sample})
    found = seed.sections(rendered(project)["experiment.md"])["7. Robustness"]
    assert "on 30 test examples, drawn from 9000; as they are: 0.6000 (0.4200 to 0.7500)" in found


@pytest.mark.parametrize(
    ("name", "value"),
    [("robustness.json", {}), ("summary.json", {}), ("evaluation.json", {}), ("benchmark.json", {})],
)
def test_an_empty_file_is_as_good_as_none(project: Path, name: str, value: Any) -> None:
    change(project, name, lambda _: value)
    assert seed.PLACEHOLDERS.findall(rendered(project)["experiment.md"]) == []


def test_a_file_of_another_kind_is_named(project: Path) -> None:
    (project / "results/latest/evaluation.json").write_text("[]")
    with pytest.raises(ReproofError, match=r"evaluation\.json: not a record"):
        rendered(project)


def test_params_of_any_kind_are_shown(project: Path) -> None:
    path = project / "results/latest/config.yaml"
    path.write_text(path.read_text().replace("batch_size: 32", "batch_size: auto"))
    assert "585 steps of auto examples" in rendered(project)["experiment.md"]


def test_no_block_is_glued_to_the_one_before(project: Path) -> None:
    config = project / "results/latest/config.yaml"
    assert "words: " in config.read_text(), "the example declares a limit in words"
    for page in rendered(project).values():
        lines = page.split("\n")
        assert [line for line in lines if re.search(r"[^\s|>(]- (?:\*\*|Data)|\S\*\*To get", line)] == []
        assert re.findall(r"^- .*\n\*\*", page, flags=re.MULTILINE) == []
