"""Files that DVC holds of a run: out of its cache without it, out of a remote by it, always as recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import diff_runs as runs
import pytest
import yaml
from conftest import commit_all, run
from diff_runs import LATEST, run_of

from reproof import digest, files
from reproof.difference import held
from reproof.errors import ReproofError

ANSWERS = f"{LATEST}/predictions.parquet"
MAX = 1_000_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = runs.project(tmp_path / "project")
    runs.add(project, "a", run_of())
    runs.forget(project)
    return project


def recorded(project: Path, path: str) -> str:
    return str(files.read_json(project / LATEST / "digests.json")["artefacts"][path])


def head(project: Path) -> str:
    return run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()


def brought(project: Path, path: str = ANSWERS, *, expected: str | None = None, most: int = MAX) -> Path:
    destination = project.parent / f"brought{Path(path).suffix}"
    known = recorded(project, path) if expected is None else expected
    held.bring(project, head(project), path, known, destination, max_bytes=most)
    return destination


def test_what_lies_in_the_cache_is_brought_without_importing_dvc(project: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from reproof.difference import held; "
        f"held.bring(Path('.'), {head(project)!r}, {ANSWERS!r}, {recorded(project, ANSWERS)!r}, "
        "Path('../brought.parquet'), max_bytes=10**9); assert 'dvc' not in sys.modules"
    )
    run(sys.executable, "-c", command, cwd=project)
    assert digest.digest(project.parent / "brought.parquet") == recorded(project, ANSWERS)


def test_what_a_remote_alone_holds_is_brought_by_dvc(project: Path) -> None:
    shutil.move(project / ".dvc" / "cache", project.parent / "remote")
    with (project / ".dvc" / "config").open("a") as config:
        config.write(f"    remote = r\n['remote \"r\"']\n    url = {project.parent / 'remote'}\n")
    assert digest.digest(brought(project)) == recorded(project, ANSWERS)


def test_a_file_of_a_folder_is_found_through_the_folders_listing(project: Path) -> None:
    cache = project / ".dvc" / "cache" / "files" / "md5"
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    outs = lock["stages"]["prepare"]["outs"]
    listing = json.dumps([{"md5": out["md5"], "relpath": Path(out["path"]).name} for out in outs]).encode()
    md5 = hashlib.md5(listing).hexdigest()
    (cache / md5[:2]).mkdir(exist_ok=True)
    (cache / md5[:2] / f"{md5[2:]}.dir").write_bytes(listing)
    folder = {"path": "prepared", "hash": "md5", "md5": f"{md5}.dir", "size": 9, "nfiles": 2}
    lock["stages"]["prepare"]["outs"] = [folder]
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    declared = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(
        declared.replace("[prepared/train.npz, prepared/test.npz]", "[prepared]")
    )
    commit_all(project, "A folder")
    assert digest.digest(brought(project, "prepared/test.npz")) == recorded(project, "prepared/test.npz")


def test_other_content_is_refused_wherever_it_comes_from(project: Path) -> None:
    with pytest.raises(ReproofError, match="a file is not what the run recorded") as caught:
        brought(project, expected="sha256:" + "0" * 64)
    assert caught.value.where == f"{ANSWERS} at {head(project)[:10]}"


def test_more_than_is_wanted_is_not_fetched(project: Path) -> None:
    with pytest.raises(ReproofError, match="too large to be fetched for this"):
        brought(project, most=10)
    assert not (project.parent / "brought.parquet").exists()


@pytest.mark.parametrize(
    "out",
    [
        {"path": ANSWERS, "md5": "../../../../etc/passwd"},
        {"path": ANSWERS, "md5": 7},
        {"path": 7, "md5": "0" * 32},
        {"path": LATEST, "md5": f"{'0' * 32}.dir"},
        {},
    ],
)
def test_a_lock_that_leads_nowhere_leads_nowhere(project: Path, out: dict[str, object]) -> None:
    lock = {"schema": "2.0", "stages": {"evaluate": {"outs": [out]}}}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    commit_all(project, "Odd")
    assert held._cached(project, held._out(project, head(project), ANSWERS), ANSWERS) is None


@pytest.mark.parametrize("text", ["", "[", "- 1\n", "stages: 3\n", "stages: {a: 1, b: {outs: 2}}\n", "\t"])
def test_a_lock_that_is_none_says_nothing(project: Path, text: str) -> None:
    (project / "dvc.lock").write_text(text)
    commit_all(project, "Torn")
    assert held._out(project, head(project), ANSWERS) == {}
