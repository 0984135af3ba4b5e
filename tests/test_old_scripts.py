"""Scripts that people copied long ago run on today's library: the names that they import are a stable API.

`copier update` never touches src/, so a project keeps the scripts it was made with. tests/old_projects/
holds those of each version whose imports changed; they are frozen and never edited.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import commit_all
from projects import dvc, make_quick, read, render

OLD = sorted(path for path in (Path(__file__).parent / "old_projects").iterdir() if path.is_dir())


@pytest.mark.torch
@pytest.mark.parametrize("old", OLD, ids=lambda path: path.name)
def test_old_scripts_run_on_the_library_of_today(tmp_path: Path, old: Path) -> None:
    project = render(tmp_path / "project")
    shutil.rmtree(project / "src")
    shutil.copytree(old / "src", project / "src")
    shutil.copy(old / "pipeline.yaml", project / "dvc.yaml")
    shutil.copy(old / "params.yaml", project / "params.yaml")
    make_quick(project)
    commit_all(project, "As it was")
    dvc(project, "repro")
    assert read(project, "summary.json")["status"] == "success"
    assert (project / "reports" / "experiment.md").exists()
