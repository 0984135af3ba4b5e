"""What an execution may read: the environment, and not the repository."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from reproof.verify import reach


def test_a_repository_below_a_system_folder_is_hidden_and_all_beside_it_is_not(tmp_path: Path) -> None:
    for name in ("opt/work/project", "opt/work/other", "opt/tools/bin", "place/hook", "place/inside"):
        (tmp_path / name).mkdir(parents=True)
    found = list(reach._without(str(tmp_path / "opt"), [str(tmp_path / "opt/work/project")]))
    assert found == [str(tmp_path / "opt/tools"), str(tmp_path / "opt/work/other")]


def test_an_environment_in_the_repository_is_allowed_and_the_repository_is_not() -> None:
    repository = Path(sys.prefix).parent
    lists = reach.of(Path("/nowhere"), Path("/nowhere/hook"), [repository])
    assert os.path.realpath(sys.prefix) in lists.read
    assert not any(os.path.realpath(repository) == path for path in lists.read)


def test_of_an_environment_that_is_the_repositorys_folder_only_its_own_parts_are_allowed(
    tmp_path: Path,
) -> None:
    assert os.path.realpath(sys.prefix) not in reach.prefixes([os.path.realpath(sys.prefix)])
    assert f"{os.path.realpath(sys.prefix)}/lib" in reach.prefixes([os.path.realpath(sys.prefix)])


def test_the_project_itself_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, info in (("editable", {"editable": True}), ("copied", {})):
        package = tmp_path / "site" / f"my_{kind}-1.0.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-{kind}\nVersion: 1.0\n")
        address = (tmp_path / "project with space").as_uri()
        (package / "direct_url.json").write_text(json.dumps({"url": address, "dir_info": info}))
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert reach.own_packages(tmp_path / "project with space") == ["my-copied", "my-editable"]
    assert reach.own_packages(tmp_path / "another") == []


def test_a_search_path_into_the_repository_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "src").mkdir(parents=True)
    assert reach.own_search_paths(tmp_path / "project") == []
    monkeypatch.syspath_prepend(tmp_path / "project" / "src")
    assert reach.own_search_paths(tmp_path / "project") == [str(tmp_path / "project" / "src")]
    monkeypatch.setenv("PYTHONPATH", f"/other{os.pathsep}{tmp_path / 'project' / 'src'}")
    assert reach.own_search_paths(tmp_path / "project") == [], "stages are started without it"
