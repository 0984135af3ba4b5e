"""Documents of runs that are older, smaller, hostile or of another kind; and templates of a project's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seed_documents as seed
from markdown_it import MarkdownIt
from projects import dvc

from reproof import files
from reproof.errors import ReproofError
from reproof.report import gaps, render, render_all

ROOT = Path(__file__).parents[1]
OLD = Path(__file__).parent / "old_records" / "0.1"
NEW = ROOT / "reports" / "example" / "results" / "latest"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The committed example's record, with the template's empty notes."""
    shutil.copytree(NEW, tmp_path / "results" / "latest")
    shutil.copytree(ROOT / "template" / "notes", tmp_path / "notes")
    return tmp_path


def change(project: Path, name: str, edit: Callable[[Any], Any]) -> None:
    path = project / "results" / "latest" / name
    held = files.read_json(path)
    edited = edit(held)
    files.write_json(path, held if edited is None else edited)


def rendered(project: Path) -> dict[str, str]:
    written = render_all(project, project / "results/latest", project / "reports")
    return {path.name: path.read_text() for path in written if path.suffix == ".md"}


def html_of(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


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


def test_a_template_of_the_projects_own_changes_one_section(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / "experiment.md.jinja").write_text(
        '{% extends "reproof/experiment.md.jinja" %}\n'
        "{% block conclusions %}\n## 9. Ours\n\n{{ meta.run_id | code }}\n{% endblock %}\n"
    )
    found = seed.sections(rendered(project)["experiment.md"])
    assert found["9. Ours"].strip("- \n") == f"`{files.read_json(NEW / 'meta.json')['run_id']}`"
    assert "9.1 Summary" not in found
    assert "8.1 Model Size" in found


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% if %}", "Expected an expression"),
        ("\n\n{{ nothing }}", "'nothing' is undefined"),
        ('{% include "gone.md" %}', "gone.md"),
        ("{{ 1 + 'x' }}", "unsupported operand"),
    ],
)
def test_a_mistake_in_a_projects_template_is_named_and_the_last_report_stays(
    project: Path, template: str, said: str
) -> None:
    before = rendered(project)
    (project / "templates").mkdir()
    (project / "templates" / "experiment.md.jinja").write_text(template)
    with pytest.raises(ReproofError, match="a template of this project cannot be filled") as caught:
        rendered(project)
    assert said in str(caught.value)
    assert f"templates/experiment.md.jinja:{template.count(chr(10)) + 1}" in str(caught.value)
    assert (project / "reports" / "experiment.md").read_text() == before["experiment.md"]
    assert (project / "reports" / "figures" / "loss.svg").exists()


def test_the_stage_of_older_projects_writes_the_one_report_that_they_declare(project: Path) -> None:
    render(project, project / "results/latest", project / "reports/experiment.md")
    assert {path.name for path in (project / "reports").iterdir()} == {"experiment.md", "figures"}


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


def test_other_runs_come_from_the_history_file_alone(project: Path) -> None:
    from reproof import history

    own = history.of_results(project / "results/latest")
    assert own is not None
    row = json.loads(json.dumps(own.__dict__, default=str))
    runs = {
        own.run_id: row,
        "r1": row | {"run_id": "r1", "seed": 1, "params": row["params"] | {"seed": 1}, "experiment": "one",
                     "headline": row["headline"] | {"accuracy": 0.9}},
        "r2": row | {"run_id": "r2", "params": row["params"] | {"train.lr": 0.5}, "experiment": "steep",
                     "metrics": row["metrics"] | {"evaluate.test.accuracy": 0.5}},
    }  # fmt: skip
    files.write_json(project / "results/history.json", {"schema_version": 1, "written_at": "x", "runs": runs})
    found = seed.sections(rendered(project)["experiment.md"])
    here = own.metrics["evaluate.test.accuracy"]
    change = f"{0.5 - here:+.4f}".replace("-", "−")
    row_shown = f"| `train.lr` = 0.5 (here 0.002) | 0.5000 | {here:.4f} | {change} | 1: {own.seed} |"
    assert row_shown in found["6.1 Ablation Study"]
    assert "choose by validation" in found["6.1 Ablation Study"]
    assert "Over 2 seeds" in found["5.2 Statistical Significance"]
    assert "| `latency_ms` (timing) |" in found["5.2 Statistical Significance"]
    assert "timings vary with the machine" in found["5.2 Statistical Significance"]
    assert "`steep`" in found["A. Hyperparameter Search"]
    assert "`one`" in found["A. Hyperparameter Search"]
    assert not [gap for gap in gaps(project, project / "results/latest") if "history" in gap.reason]


def with_history(project: Path, *changes: dict[str, Any]) -> dict[str, str]:
    """The sections of the experiment beside runs that differ from this one's as given; `params` are added."""
    from reproof import history

    own = history.of_results(project / "results/latest")
    assert own is not None
    row = json.loads(json.dumps(own.__dict__, default=str))
    runs = {own.run_id: row}
    for number, change in enumerate(changes):
        added = {key: row[key] | change[key] for key in ("params", "metrics") if key in change}
        runs[f"r{number}"] = row | change | added | {"run_id": f"r{number}"}
    files.write_json(project / "results/history.json", {"schema_version": 1, "written_at": "x", "runs": runs})
    return seed.sections(rendered(project)["experiment.md"])


def test_an_ablation_over_several_seeds_subtracts(project: Path) -> None:
    metric = "evaluate.test.accuracy"
    changes = [
        {"seed": number, "params": {"seed": number, **params}, "metrics": {metric: value}}
        for params, values in (({}, (0.90, 0.92)), ({"train.lr": 0.5}, (0.80, 0.86)))
        for number, value in enumerate(values, start=11)
    ]
    part = with_history(project, *changes)["6.1 Ablation Study"]
    (row,) = [line for line in part.splitlines() if line.startswith("| `train.lr` = 0.5")]
    _, theirs, own, change, seeds = (cell.strip() for cell in row.strip("|").split("|"))
    assert (theirs.split(" ± ")[0], own.split(" ± ")[0], seeds) == ("0.8300", "0.9100", "2: 11, 12")
    found = re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", change.replace("−", "-"))
    assert found
    mean, low, high = map(float, found.groups())
    assert mean == pytest.approx(float(theirs.split()[0]) - float(own.split()[0]))
    assert low < mean < high
    assert (low + high) / 2 == pytest.approx(mean, abs=1e-4)


def test_where_no_other_run_counts_it_says_how_many_there_are_and_why(project: Path) -> None:
    found = with_history(project, {"code_tree": "other"}, {"status": "failed", "seed": 7})
    held = "results/history.json holds 2 other runs, 1 of them failed or in progress; none"
    assert (
        f"{held} has this code, data and params with another seed." in found["5.2 Statistical Significance"]
    )
    assert f"{held} of this code and data differs from this run" in found["6.1 Ablation Study"]
    assert f"{held} has this code and data." in found["A. Hyperparameter Search"]


def test_a_section_that_no_note_has_is_named(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / "experiment.md.jinja").write_text('{{ note("Sumary") }}')
    with pytest.raises(ReproofError, match="did you mean 'Summary'"):
        rendered(project)


def test_links_lead_to_the_record_from_wherever_documents_are_written(project: Path, tmp_path: Path) -> None:
    record = shutil.copytree(project / "results/latest", tmp_path / "elsewhere" / "record-of-git")
    (record / "checkpoint").mkdir()
    shutil.move(project / "results/latest", project / "results/by-hand")
    by_hand, far = project / "results/by-hand", project / "out" / "deep"
    for results, folder in ((by_hand, by_hand / "reports"), (by_hand, far)):
        render_all(project, results, folder)
        assert_links_lead_somewhere(folder / "experiment.md")
        assert (folder / "index.html").read_text().count("data:image/png") == 2
    outside = tmp_path.parent / f"{tmp_path.name}-project"
    shutil.copytree(ROOT / "template" / "notes", outside / "notes")
    render_all(outside, record, outside / "reports")
    assert_links_lead_somewhere(outside / "reports" / "experiment.md")
    assert (outside / "reports" / "record" / "samples.png").exists()
    assert not (outside / "reports" / "record" / "checkpoint").exists()
    assert (outside / "reports" / "index.html").read_text().count("data:image/png") == 2


def assert_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(<?([^)>#\s]+)", document.read_text())
    local = [link for link in links if "://" not in link and "/src/" not in link]
    assert len(local) > 10
    assert [link for link in local if not (document.parent / link).exists()] == []


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


def test_a_record_beside_the_output_is_never_one_that_is_soon_gone(project: Path, tmp_path: Path) -> None:
    far = tmp_path.parent / f"{tmp_path.name}-far"
    record = Path(shutil.copytree(project / "results/latest", far / "passing"))
    render_all(project, record, far / "reports")
    shutil.rmtree(record)
    assert_links_lead_somewhere(far / "reports" / "experiment.md")


def test_somebodys_folder_called_record_stays(project: Path, tmp_path: Path) -> None:
    mine = project / "out" / "deep" / "record" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(ReproofError, match="a folder that is no run's record"):
        render_all(project, project / "results/latest", project / "out" / "deep")
    assert mine.read_text() == "mine"


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
