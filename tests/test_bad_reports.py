"""Documents that cannot be made: rows of the last section of docs/reference/errors.md."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bad_inputs import assert_recorded, assert_told, init_dvc, nothing_lost, stage_fails
from conftest import commit_all, run
from projects import ENV, ROOT, render
from stages import write
from warm import stage

from reproof import files

OLD = Path(__file__).parent / "old_records" / "0.1"
"""A whole record; it never changes."""
CRITERION = 'report: {{criteria: {{good: {{metric: evaluate.test.accuracy, operator: "{}", target: {}}}}}}}\n'


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project with a run in its workspace and its last commit, and the template's empty notes."""
    shutil.copytree(OLD, git_project / "results/latest")
    shutil.copytree(ROOT / "template" / "notes", git_project / "notes")
    init_dvc(git_project)
    commit_all(git_project, "A run")
    return git_project


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", *arguments, cwd=project, env=ENV, check=False)


def template(project: Path, body: str) -> None:
    """A template of the project's own, whose block of conclusions is this."""
    (project / "templates").mkdir(exist_ok=True)
    (project / "templates/experiment.md.jinja").write_text(
        '{% extends "reproof/experiment.md.jinja" %}\n'
        f"{{% block conclusions %}}\n{body}\n{{% endblock %}}\n"
    )


def another_run(project: Path) -> None:
    """The workspace's run under another id, committed."""
    path = project / "results/latest/meta.json"
    files.write_json(path, files.read_json(path) | {"run_id": "20300101-000000-abcdef"})
    commit_all(project, "Another run")


# Words


def test_report_note_not_utf8(project: Path) -> None:
    (project / "notes/analysis.md").write_bytes("## Summary\n\nGröße\n".encode("latin-1"))
    assert_told("report-note-not-utf8", reproof(project, "report", "--check"))


def test_report_note_front_matter(project: Path) -> None:
    (project / "notes/analysis.md").write_text("---\nrun: [1\n---\n\n## Summary\n\nIt works.\n")
    assert_told("report-note-front-matter", reproof(project, "report"))
    assert not (project / "reports").exists()


def test_report_note_about_another_run(project: Path) -> None:
    (project / "notes/analysis.md").write_text(
        "---\nrun: 20200101-000000-abcdef\n---\n\n## Summary\n\nIt works.\n"
    )
    assert_told("report-note-about-another-run", reproof(project, "report", "--check"))


# Templates


def test_report_template_unknown_name(project: Path) -> None:
    template(project, "{{ meta.run_idd }}")
    assert_told("report-template-unknown-name", reproof(project, "report"))
    assert not (project / "reports").exists()


def test_report_template_syntax(project: Path) -> None:
    template(project, "{{ meta.run_id")
    assert_told("report-template-syntax", reproof(project, "report"))


def test_report_template_unknown_filter(project: Path) -> None:
    template(project, "{{ meta.run_id | shout }}")
    assert_told("report-template-unknown-filter", reproof(project, "report"))


def test_report_template_extends_nothing(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates/experiment.md.jinja").write_text('{% extends "reproof/experimnt.md.jinja" %}\n')
    assert_told("report-template-extends-nothing", reproof(project, "report"))


# What is declared


def declared(project: Path, slug: str, block: str) -> None:
    with (project / "params.yaml").open("a") as params:
        params.write(block)
    write(project, "pass")
    stage_fails(slug, project)


def test_report_params_unknown_key(git_project: Path) -> None:
    declared(git_project, "report-params-unknown-key", "report:\n  autors: [Ada Lovelace]\n")


def test_report_params_wrong_operator(git_project: Path) -> None:
    declared(git_project, "report-params-wrong-operator", CRITERION.format("=>", 0.9))


def test_report_params_target_in_quotes(git_project: Path) -> None:
    declared(git_project, "report-params-target-in-quotes", CRITERION.format(">=", '"0.9"'))


def test_report_params_price_without_currency(git_project: Path) -> None:
    declared(git_project, "report-params-price-without-currency", "report:\n  price:\n    per_hour: 0.5\n")


def test_report_params_budget_of_nothing(git_project: Path) -> None:
    declared(git_project, "report-params-budget-of-nothing", "report:\n  budget: {hours: 0}\n")


def test_report_criterion_of_no_metric(project: Path) -> None:
    """What a stage records is known when it has run: the report says it, since no reader of params can."""
    path = project / "results/latest/config.yaml"
    metric = CRITERION.format(">=", 0.9).replace("accuracy", "acuracy")
    path.write_text(f"{path.read_text()}\n{metric}")
    done = reproof(project, "report")
    assert done.returncode == 0, done.stderr
    page = (project / "reports/experiment.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| good: ")]
    assert_recorded("report-criterion-of-no-metric", {"row": row})


# Other runs


def history(project: Path, slug: str, text: str) -> None:
    (project / "results/history.json").write_text(text)
    assert_told(slug, reproof(project, "report"))
    assert not (project / "reports").exists()


def test_history_that_is_none(project: Path) -> None:
    history(project, "history-that-is-none", '{"runs": ["20200101-000000-abcdef"]}')


def test_history_torn(project: Path) -> None:
    history(project, "history-torn", '{"schema_version": 1, "runs": {"20200101')


def test_history_of_a_newer_schema(project: Path) -> None:
    history(project, "history-of-a-newer-schema", '{"schema_version": 2, "runs": {}}')


# The commands


def test_report_strict(project: Path) -> None:
    assert_told("report-strict", reproof(project, "report", "--strict"))
    assert not (project / "reports").exists()


def test_report_without_a_run(git_project: Path) -> None:
    assert_told("report-without-a-run", reproof(git_project, "report"))


def test_report_of_no_run(project: Path) -> None:
    assert_told("report-of-no-run", reproof(project, "report", "HEAD~1"))


def test_report_unknown_revision(project: Path) -> None:
    assert_told("report-unknown-revision", reproof(project, "report", "gamic-piko"))


def test_report_figures_of_others(project: Path) -> None:
    (project / "talk/figures").mkdir(parents=True)
    (project / "talk/figures/mine.svg").write_text("<svg/>")
    assert_told("report-figures-of-others", reproof(project, "report", "--output", "talk"))


def test_card_model_over_your_own(project: Path) -> None:
    (project / "card.md").write_text("# Mine\n")
    assert_told("card-model-over-your-own", reproof(project, "card", "model", "-o", "card.md"))


def test_card_data_over_your_own(project: Path) -> None:
    (project / "croissant.json").write_text('{"name": "mine"}')
    assert_told("card-data-over-your-own", reproof(project, "card", "data", "-o", "croissant.json"))


def test_record_without_title(project: Path) -> None:
    assert_told("record-without-title", reproof(project, "record"))


def test_record_with_an_empty_title(project: Path) -> None:
    assert_told("record-with-an-empty-title", reproof(project, "record", "--title", " "))


def test_record_over_your_own(project: Path) -> None:
    (project / "experiments").mkdir()
    (project / "experiments/first.md").write_text("# Mine\n")
    done = reproof(project, "record", "--title", "First", "-o", "experiments/first.md")
    assert_told("record-over-your-own", done)


def test_record_over_that_of_another_run(project: Path) -> None:
    reproof(project, "record", "--title", "First", "-o", "experiments/first.md")
    another_run(project)
    done = reproof(project, "record", "--title", "First", "-o", "experiments/first.md")
    assert_told("record-over-that-of-another-run", done)


def test_record_of_several_without_saying_so(project: Path) -> None:
    done = reproof(project, "record", "HEAD", "HEAD~1", "--title", "Two")
    assert_told("record-of-several-without-saying-so", done)


def test_record_of_one_run_twice(project: Path) -> None:
    done = reproof(project, "record", "--runs", "HEAD", "main", "--title", "Two")
    assert_told("record-of-one-run-twice", done)


def test_record_without_a_run(git_project: Path) -> None:
    assert_told("record-without-a-run", reproof(git_project, "record", "--title", "None"))


def test_log_unknown_experiment(project: Path) -> None:
    assert_told("log-unknown-experiment", reproof(project, "log", "gamic-piko"))


def test_log_of_a_branch_without_runs(git_project: Path) -> None:
    init_dvc(git_project)
    assert_told("log-of-a-branch-without-runs", reproof(git_project, "log"))


def test_log_on_no_branch(project: Path) -> None:
    run("git", "branch", "other", cwd=project)
    run("git", "checkout", "--quiet", "--detach", cwd=project)
    assert_told("log-on-no-branch", reproof(project, "log"))


# Robustness, by the template's own scripts


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered project with a table of two columns, split, and some model: it is never asked."""
    import onnx
    from onnx import TensorProto, helper

    project = render(tmp_path_factory.mktemp("bad-reports") / "project")
    table(project, "data/raw/table.csv")
    stage(project, name="prepare", check=True)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 2]) for n in ("input", "output")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["output"])], "g", ports[:1], ports[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, project / "results/latest/model.onnx")
    return project


@pytest.fixture
def measurable(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "project"))


def table(project: Path, path: str, columns: str = "x,y", classes: str = "ab") -> None:
    """A table of 60 rows, no two alike."""
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    cells = columns.count(",") + 1
    lines = [
        f"{','.join(str(row + cell) for cell in range(cells))},{classes[row % len(classes)]}"
        for row in range(60)
    ]
    (project / path).write_text(f"{columns},label\n" + "\n".join(lines) + "\n")


def robustness_fails(slug: str, project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    stage_fails(slug, project, name="robustness", runner=stage)


def second(slug: str, project: Path) -> None:
    robustness_fails(slug, project, "second_data: null", "second_data: data/other")


def test_robustness_two_strengths(measurable: Path) -> None:
    robustness_fails(
        "robustness-two-strengths", measurable, "strengths: {}", "strengths: {fgsm: [0.01, 0.02]}"
    )


def test_robustness_unknown_corruption(measurable: Path) -> None:
    new = "strengths: {fog: [0.1, 0.2, 0.3]}"
    robustness_fails("robustness-unknown-corruption", measurable, "strengths: {}", new)


def test_robustness_second_data_missing(measurable: Path) -> None:
    second("robustness-second-data-missing", measurable)


def test_robustness_second_data_of_other_classes(measurable: Path) -> None:
    table(measurable, "data/other/table.csv", classes="ac")
    second("robustness-second-data-of-other-classes", measurable)


def test_robustness_second_data_of_other_features(measurable: Path) -> None:
    table(measurable, "data/other/table.csv", columns="x,y,z")
    second("robustness-second-data-of-other-features", measurable)


def test_robustness_second_data_of_other_columns(measurable: Path) -> None:
    table(measurable, "data/other/table.csv", columns="y,x")
    second("robustness-second-data-of-other-columns", measurable)


def test_data_group_with_a_hole(measurable: Path) -> None:
    text = "x,y,group,label\n1,2,north,a\n2,3,,b\n"
    (measurable / "data/raw/table.csv").write_text(text)
    stage_fails("data-group-with-a-hole", measurable, name="prepare", runner=stage)
