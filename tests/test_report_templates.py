"""Where documents are written, and by which templates: those of a project's own, and mistakes in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import seed_documents as seed
from documents import NEW, ROOT, assert_links_lead_somewhere, example_project, rendered

from reproof import files
from reproof.errors import ReproofError
from reproof.report import render, render_all


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return example_project(tmp_path)


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
