"""Cards of a run: what the Hub parses, what people read, and that nothing in them is made up."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from card_records import (
    DECLARED,
    EXAMPLE,
    HOSTILE,
    OPTIONAL,
    ROBUSTNESS,
    card,
    declare,
    edit,
    facts,
    nothing,
    read,
    regressor,
    remove,
    validated,
    version_2,
)
from conftest import commit_all, make_git_project, run
from huggingface_hub import EvalResult, ModelCard
from markdown_it import MarkdownIt
from onnx import TensorProto, helper

from reproof import onnx_export
from reproof.report import notes
from reproof.report.cards import data, hub, model

# The model card.


def test_the_hub_reads_every_score_of_the_test_split(tmp_path: Path) -> None:
    found = read(tmp_path)
    results = card(found, tmp_path).data.eval_results
    assert found.evaluation is not None
    assert all(isinstance(result, EvalResult) for result in results)
    test = found.evaluation["splits"]["test"]
    assert {result.metric_type: result.metric_value for result in results} == {
        "accuracy": test["accuracy"],
        "precision": test["precision"],
        "recall": test["recall"],
        "f1": test["f1"],
        "roc_auc": test["auc"],
        "loss": test["loss"],
    }
    assert {(r.task_type, r.dataset_name, r.dataset_type, r.dataset_split) for r in results} == {
        ("image-classification", "digits", "digits", "test")
    }


def test_what_was_declared_is_metadata_and_what_was_not_is_left_out(tmp_path: Path) -> None:
    declared = card(read(tmp_path, declare(**DECLARED)), tmp_path).data.to_dict()
    assert declared["license"] == "mit"
    assert declared["base_model"] == "acme/base"
    assert declared["tags"] == ["digits", "reproof"]
    assert declared["model-index"][0]["name"] == "Digits by a small network"
    without = card(read(tmp_path), tmp_path).data.to_dict()
    assert not {"license", "base_model", "datasets"} & set(without)
    assert without["library_name"] == "onnx"


@pytest.mark.parametrize(
    ("declared", "fields"),
    [
        (None, {}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC-BY-NC-SA-4.0", {"license": "cc-by-nc-sa-4.0"}),
        ("cc-by-nc-sa-5.0", {"license": "other", "license_name": "cc-by-nc-sa-5.0"}),
        ("Our own: see |LICENSE|", {"license": "other", "license_name": "our-own-see-license"}),
        (
            "https://x.org/l",
            {"license": "other", "license_name": "see-link", "license_link": "https://x.org/l"},
        ),
    ],
)
def test_a_licence_that_the_hub_does_not_know_is_called_other(
    declared: str | None, fields: dict[str, str]
) -> None:
    assert hub.license_fields(declared) == fields


def test_only_what_is_on_the_hub_is_named_as_something_on_the_hub() -> None:
    assert hub.dataset_id("https://huggingface.co/datasets/acme/digits/tree/main") == "acme/digits"
    assert hub.dataset_id("acme/digits") is None  # a folder, or a repository elsewhere
    assert hub.dataset_id("https://x.org/datasets/acme/digits") is None
    assert hub.model_id("https://huggingface.co/acme/base/") == "acme/base"
    assert hub.model_id("https://huggingface.co/datasets/acme/base") is None
    assert hub.model_id("a network of ours") is None


def test_a_newer_record_gives_intervals_baselines_and_robustness(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        edit("evaluation.json", version_2),
        edit("robustness.json", lambda _: ROBUSTNESS),
        declare(**DECLARED),
    )
    page = model.text(found, nothing(tmp_path))
    assert "accuracy 0.9741 (95% interval 0.9481 to 0.9889)" in page
    assert "| Accuracy | **0.9741** | 0.9481 to 0.9889 | 0.9666 |" in page
    assert (
        "the model minus the baseline: accuracy +0.0074 (−0.0111 to +0.0259); exact McNemar test p = 0.73"
        in page
    )
    assert "It speaks of two models, this one and another, not of the methods." in page
    assert (
        "expected calibration error 0.0123 (0.0094 would be chance alone, up to 0.0168 in 95 of 100 cases)"
        in page
    )
    assert "8 taken for 1 (2 examples, 7.7% of that class)" in page
    assert "| site \\| A | 130 | 0.9615 | 0.9200 to 0.9800 |" in page
    assert "| gaussian noise | 1 | 0.1 of the range | 0.9000 | 0.8600 to 0.9300 | −0.0741 |" in page
    assert "Adversarial examples: not measured: no gradients." in page
    assert "<https://archive.ics.uci.edu/dataset/80>" in page
    assert "Ada Lovelace, Charles Babbage. *Digits by a small network*. 2026." in page


def test_an_older_record_says_what_it_lacks_and_how_to_get_it(tmp_path: Path) -> None:
    page = model.text(read(tmp_path), nothing(tmp_path))
    assert "There are no intervals" in page
    assert "dvc repro --force --single-item evaluate" in page
    assert "this run had no stage robustness" in page
    assert "*not declared: `report.license` in params.yaml*" in page
    assert "*Not written yet: `notes/model.md`, Intended use*" in page
    assert "| majority | logistic |" in page
    assert "| Accuracy | **0.9741** | – | 0.1000 | 0.9741 |" in page


def test_a_skipped_robustness_gives_its_reason(tmp_path: Path) -> None:
    skipped = {"schema_version": 1, "status": "skipped", "reason": "robustness.enabled is false"}
    page = model.text(read(tmp_path, edit("robustness.json", lambda _: skipped)), nothing(tmp_path))
    assert page.count("robustness.enabled is false") == 2  # of factors, and of robustness


def test_a_regressor_has_its_own_metrics_and_no_classes(tmp_path: Path) -> None:
    quality = {"examples": 810, "feature_shape": "13", "feature_dtype": "float32"}
    found = read(tmp_path, edit("evaluation.json", regressor), facts("prepare", quality=quality))
    read_back = card(found, tmp_path)
    assert {r.metric_type: r.metric_value for r in read_back.data.eval_results} == {
        "rmse": 2.5,
        "mae": 1.75,
        "r_squared": 0.8125,
        "bias": -0.0625,
    }
    assert read_back.data.to_dict()["pipeline_tag"] == "tabular-regression"
    assert "| RMSE | **2.5000** | 2.2500 to 2.8750 |" in read_back.text
    assert "| predicted minus target | −4.5000 | 0.1250 | 4.2500 |" in read_back.text
    assert "By class" not in read_back.text


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_part_that_is_missing_leaves_a_sentence(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, remove(name))
    page = card(found, tmp_path)
    assert "None" not in page.text.replace("session.run(None", "")
    validated(data.croissant(found))
    if name == "evaluation.json":
        assert "It has not been evaluated" in page.text
        assert page.data.eval_results is None
    if name == "stages/export.json":
        assert "The model was not exported" in page.text
        assert page.data.library_name == "pytorch"
    if name == "benchmark.json":
        assert "Latency was not measured" in page.text


def test_a_run_that_failed_early_is_said_to_have_failed(tmp_path: Path) -> None:
    meta = {"schema_version": 1, "run_id": "20261120-132201-8f6406", "status": "failed"}
    early = meta | {"error": {"stage": "train", "message": "out of | memory"}}
    found = read(
        tmp_path,
        edit("meta.json", lambda _: early),
        edit(
            "summary.json",
            lambda _: {"status": "failed", "metrics": {}, "runtime_seconds": None, "end_time": None},
        ),
        *(remove(name) for name in OPTIONAL if name != "stages/prepare.json"),
    )
    page = card(found, tmp_path)
    assert "**The run's status is failed**: train: out of \\| memory." in page.text
    assert page.data.eval_results is None


def test_hostile_names_break_neither_metadata_nor_tables(tmp_path: Path) -> None:
    def rename(evaluation: dict[str, Any]) -> None:
        version_2(evaluation)
        evaluation["dataset"] = HOSTILE
        test = evaluation["splits"]["test"]
        test["per_class"] = {HOSTILE: test["per_class"]["0"], "b\r\n|": test["per_class"]["1"]}
        evaluation["baselines"] = {HOSTILE: evaluation["baselines"]["logistic"]}
        evaluation["confused"]["0"]["label"] = HOSTILE

    found = read(
        tmp_path,
        edit("evaluation.json", rename),
        edit("split_manifest.json", lambda manifest: manifest.update(dataset=HOSTILE, method=HOSTILE)),
        edit(
            "robustness.json", lambda _: ROBUSTNESS | {"groups": {HOSTILE: ROBUSTNESS["groups"]["site | A"]}}
        ),
        facts("train", layers={HOSTILE: HOSTILE}),
        facts("export", contract={"inputs": {HOSTILE: {"shape": "batch×2", "dtype": "tensor(float)"}}}),
        edit("meta.json", lambda meta: meta["experiment"].update(name=HOSTILE)),
        declare(
            title=HOSTILE,
            authors=[HOSTILE],
            tags=[HOSTILE, "- x: y"],
            license=HOSTILE,
            base_model=HOSTILE,
            dataset={
                "source": HOSTILE,
                "license": "https://x.org/a|b",
                "citation": HOSTILE,
                "target": HOSTILE,
            },
        ),
    )
    page = card(found, tmp_path)
    flat = " ".join(HOSTILE.split())
    assert page.data.tags == [flat, "- x: y", "reproof"]
    assert page.data.model_name == flat
    assert page.data.eval_results[0].dataset_name == flat
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page.text)
    assert "<script" not in html
    for table in html.split("<table>")[1:]:
        rows = table.split("</table>")[0].split("<tr>")[1:]
        cells = {row.count("<td") + row.count("<th") - row.count("<thead") for row in rows}
        assert len(cells) == 1, rows
    assert html.count("<h1>") == 1


def test_words_of_people_stand_in_the_card_and_say_which_run_they_are_about(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "model.md").write_text(
        "---\nrun: another\n---\n# Model\n\n## Intended use\n\nTo teach, **never** to grade.\n"
    )
    (folder / "data.md").write_text("# Data\n\n## Data description\n\nScans of forms, 1998.\n")
    page = model.text(read(tmp_path), notes.read(folder))
    assert "*Written about `another`, another run than this one:*\n\nTo teach, **never** to grade." in page
    assert "\nScans of forms, 1998.\n" in page
    assert "Not written yet: `notes/model.md`, Limitations" in page
    described = data.croissant(read(tmp_path), notes.read(folder))
    assert described["description"].startswith("Scans of forms, 1998.\n\n1,797 examples")


@pytest.mark.parametrize("name", ["input", 'odd "name"', "back\\slash"])
def test_the_lines_to_get_started_run_the_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / "results/latest/model.onnx"
    path.parent.mkdir(parents=True)
    ports = [
        helper.make_tensor_value_info(port, TensorProto.FLOAT, ["batch", 1, 8, 8])
        for port in (name, "output")
    ]
    graph = helper.make_graph([helper.make_node("Relu", [name], ["output"])], "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    found = read(tmp_path, facts("export", contract=onnx_export.contract(path)))
    page = model.text(found, nothing(tmp_path))
    lines = page.split("```python\n")[1].split("```")[0]
    assert "np.zeros((1, 1, 8, 8), np.float32)" in lines
    assert "does not hold" not in page
    done = run(sys.executable, "-c", lines + "\nprint(answer.shape)", cwd=tmp_path)
    assert done.stdout == "(1, 1, 8, 8)\n"


def test_without_the_contract_the_lines_ask_the_file_and_say_so(tmp_path: Path) -> None:
    page = model.text(read(tmp_path), nothing(tmp_path))
    lines = page.split("```python\n")[1].split("```")[0]
    compile(lines, "card", "exec")
    assert "entry.name: batch" in lines
    assert "of shape (1, 1, 8, 8)" in lines
    assert "This record does not hold the name and type of the model's input" in page


def test_no_secret_gets_into_a_card(tmp_path: Path) -> None:
    address = "https://ada:hunter22secret@x.org/data"
    found = read(tmp_path, declare(license=address, dataset={"source": address, "license": address}))
    both = model.text(found, nothing(tmp_path)) + json.dumps(data.croissant(found))
    assert "hunter22secret" not in both
    assert "https://x.org/data" in both


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (read(tmp_path / name, edit("evaluation.json", version_2)) for name in "ab")
    assert model.text(first, nothing(tmp_path)) == model.text(second, nothing(tmp_path))
    assert json.dumps(data.croissant(first)) == json.dumps(data.croissant(second))


# The commands.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_git_project(tmp_path / "project")
    shutil.copytree(EXAMPLE, folder / "results/latest", dirs_exist_ok=True)
    return folder


def reproof(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; from reproof.cli import main; sys.argv[0] = 'reproof'; main()"
    return run(sys.executable, "-c", command, *arguments, cwd=cwd, check=False)


def test_cards_are_printed_or_written_and_written_again(project: Path) -> None:
    printed = reproof("card", "model", cwd=project)
    assert printed.returncode == 0, printed.stderr
    assert ModelCard(printed.stdout).data.eval_results
    for _ in range(2):  # a card of ours may be replaced
        assert reproof("card", "model", "--output", "cards/model.md", cwd=project).returncode == 0
        assert reproof("card", "data", "-o", "cards/croissant.json", cwd=project).returncode == 0
    assert (project / "cards/model.md").read_text() == printed.stdout
    assert data.generated(json.loads((project / "cards/croissant.json").read_text()))


@pytest.mark.parametrize(("kind", "theirs"), [("model", "# My card\n"), ("data", '{"name": "mine"}\n')])
def test_a_file_of_yours_is_left_as_it_is(project: Path, kind: str, theirs: str) -> None:
    (project / "mine").write_text(theirs)
    done = reproof("card", kind, "--output", "mine", cwd=project)
    assert done.returncode == 2
    assert "not written by the command" in done.stderr
    assert (project / "mine").read_text() == theirs


def test_a_card_of_a_commit_is_of_the_run_that_it_holds(project: Path) -> None:
    commit = commit_all(project, "a run")
    shutil.rmtree(project / "results")
    missing = reproof("card", "model", cwd=project)
    assert missing.returncode == 2
    assert "no meta.json" in missing.stderr
    assert "20261120-132201-8f6406" in reproof("card", "model", commit, cwd=project).stdout
    described = json.loads(reproof("card", "data", "main", cwd=project).stdout)
    assert described["name"] == "digits"


def test_many_baselines_share_one_claim_and_a_small_p_value_is_a_bound(tmp_path: Path) -> None:
    def another(evaluation: dict[str, Any]) -> None:
        first = evaluation["baselines"]["logistic"]
        second = json.loads(json.dumps(first).replace("this one and logistic,", "this one and forest,"))
        second["comparison"]["mcnemar"]["p_value"] = 3e-12
        evaluation["baselines"]["forest"] = second
        evaluation["confused"]["0"]["examples"] = 1

    page = card(
        read(tmp_path, edit("evaluation.json", version_2), edit("evaluation.json", another)), tmp_path
    ).text
    assert page.count("It speaks of two models") == 1
    assert "exact McNemar test p < 0.0001" in page
    assert "8 taken for 1 (1 example, " in page


def test_leakage_is_told_in_examples_of_the_test_split(tmp_path: Path) -> None:
    def leaking(**counts: Any) -> str:
        def change(record: dict[str, Any]) -> None:
            record["facts"]["quality"] |= counts

        return card(read(tmp_path, edit("stages/prepare.json", change)), tmp_path).text

    counted = {"train": 2, "validation": 0, "test": 39}
    told = "39 of 270 test examples, 2 of 1,257 train examples also stand in another split (exact duplicates)"
    assert told in leaking(examples_in_other_splits=counted)
    none = dict.fromkeys(counted, 0)
    assert "no example is an exact duplicate of one in another" in leaking(examples_in_other_splits=none)
    older = leaking(duplicates_across={"train/test": 2, "validation/test": 1})
    assert "3 distinct examples shared by two splits" in older
