"""What a verification brings: by hash, checked, from where nothing is changed; else it stops."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import commit_all
from projects import dvc
from verify_places import (
    LATEST,
    POINTS,
    changed,
    forget_cache,
    objects_of,
    opened,
    shared_project,
    state_of,
)

from reproof.errors import ReproofError
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.fetching import recorded_artefact


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded project, for looking at."""
    return shared_project(tmp_path_factory)


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to change."""
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files in a folder of the test's own: nothing of it is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_inputs_are_brought_from_git_and_the_cache_and_hashed(made: Path) -> None:
    before = state_of(made)
    with opened(made) as ready:
        found = ready.inputs
        assert found.from_["data"] == "cache+git"
        assert found.from_["src/train.py"] == "git"
        assert found.from_["data/raw/points.csv"] == "cache"
        points = f"sha256:{hashlib.sha256(POINTS.encode()).hexdigest()}"
        assert found.digests["data/raw/points.csv"] == points
        assert found.contents == {"data/raw/points.csv": points}
        assert found.files == len(found.digests)
        assert found.bytes == sum((ready.place.project / name).stat().st_size for name in found.digests)
        assert set(found.digests) >= {"data/raw/unused.csv", "data/README.md", "src/prepare.py"}
        assert ready.plan.executed == ("prepare", "train", "evaluate")
        assert not (ready.place.project / "prepared").exists()
    assert changed(before, state_of(made)) == []


def test_of_one_stage_the_others_outputs_are_inputs(made: Path) -> None:
    with opened(made, only=["evaluate"]) as ready:
        assert ready.plan.executed == ("evaluate",)
        assert {"prepared", f"{LATEST}/checkpoint"} <= set(ready.inputs.from_)
        assert (ready.place.project / LATEST / "checkpoint/weights.npz").is_file()
        assert not (ready.place.project / LATEST / "evaluation.json").exists()
        assert set(ready.inputs.contents) == set(ready.run.stages["evaluate"]["reads"])


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_corrupt_object_stops_it_and_stays_as_it_is(project: Path, mode: int) -> None:
    wanted = hashlib.md5(POINTS.encode()).hexdigest()
    broken = project / ".dvc/cache/files/md5" / wanted[:2] / wanted[2:]
    broken.chmod(0o644)
    broken.write_text(POINTS.replace("0", "1", 1))
    broken.chmod(mode)
    before = state_of(project)
    with pytest.raises(CannotVerify, match="corrupt") as told, opened(project):
        pass
    assert told.value.where == "data/raw/points.csv"
    assert wanted in str(told.value.expected)
    assert changed(before, state_of(project)) == []


def test_a_corrupt_listing_of_a_folder_stops_it(project: Path) -> None:
    for path in objects_of(project):
        if path.name.endswith(".dir") and "points.csv" in path.read_text():
            path.chmod(0o644)
            path.write_text(path.read_text().replace("points.csv", "points.txt"))
    with pytest.raises(CannotVerify, match="corrupt"), opened(project):
        pass


def test_what_the_cache_lacks_comes_from_the_remote(project: Path, tmp_path: Path) -> None:
    dvc(project, "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    dvc(project, "push")
    forget_cache(project)
    before = state_of(project), state_of(tmp_path / "store")
    with opened(project) as ready:
        assert ready.inputs.from_["data"] == "git+remote"
        checkpoint = recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint")
        assert checkpoint is not None
        assert (checkpoint / "weights.npz").read_bytes() == (
            project / LATEST / "checkpoint/weights.npz"
        ).read_bytes()
    assert (state_of(project), state_of(tmp_path / "store")) == before


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_corrupt_remote_stops_it(project: Path, tmp_path: Path, mode: int) -> None:
    dvc(project, "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    dvc(project, "push")
    forget_cache(project)
    wanted = hashlib.md5(POINTS.encode()).hexdigest()
    broken = tmp_path / "store/files/md5" / wanted[:2] / wanted[2:]
    broken.chmod(0o644)
    broken.write_text(POINTS.replace("0", "1", 1))
    broken.chmod(mode)
    with pytest.raises(CannotVerify, match=r"corrupt|missing") as told, opened(project):
        pass
    assert "data/raw" in str(told.value.where)
    assert broken.read_text() == POINTS.replace("0", "1", 1)


def test_other_data_under_the_same_name_contradicts_the_record(project: Path) -> None:
    (project / "data/raw/points.csv").chmod(0o644)
    (project / "data/raw/points.csv").write_text(POINTS + "1,1,1\n")
    dvc(project, "add", "data/raw")
    commit_all(project, "More data, and no new run")
    with pytest.raises(Contradiction, match="not the one that the run read") as told, opened(project):
        pass
    assert told.value.where == "data/raw/points.csv"


def test_a_lock_that_names_other_data_than_the_dvc_file(project: Path) -> None:
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    pipeline = yaml.safe_load((project / "dvc.yaml").read_text())
    pipeline["stages"]["prepare"]["deps"].append("data/raw")
    lock["stages"]["prepare"]["deps"].append({"path": "data/raw", "hash": "md5", "md5": "0" * 32 + ".dir"})
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    commit_all(project, "Edited")
    with pytest.raises(Contradiction, match="other data than the run was given"), opened(project):
        pass


def test_data_in_git_that_was_changed_contradicts_the_record(project: Path) -> None:
    record = project / LATEST / "stages/prepare.json"
    told = json.loads(record.read_text())
    told["reads"]["data/README.md"] = "sha256:" + "0" * 64
    record.write_text(json.dumps(told))
    commit_all(project, "Edited")
    with pytest.raises(Contradiction, match="not the one that the run read") as error, opened(project):
        pass
    assert error.value.where == "data/README.md"


def test_data_that_nobody_committed_is_missing(project: Path) -> None:
    record = project / LATEST / "stages/prepare.json"
    told = json.loads(record.read_text())
    told["reads"]["secret.csv"] = "sha256:" + "0" * 64
    record.write_text(json.dumps(told))
    commit_all(project, "Edited")
    with pytest.raises(CannotVerify, match="neither in the commit nor in DVC"), opened(project):
        pass


def test_files_that_nobody_committed_in_a_folder_that_was_read(project: Path) -> None:
    record, lock = project / LATEST / "stages/prepare.json", project / "dvc.lock"
    told, locked = json.loads(record.read_text()), yaml.safe_load(lock.read_text())
    told["reads"]["data"] = "sha256:" + "0" * 64
    next(dep for dep in locked["stages"]["prepare"]["deps"] if dep["path"] == "data")["nfiles"] = 9
    record.write_text(json.dumps(told))
    lock.write_text(yaml.safe_dump(locked))
    commit_all(project, "Edited")
    with pytest.raises(CannotVerify, match="not the one that the run read") as error, opened(project):
        pass
    assert "nobody committed" in str(error.value.hint)


def test_hashes_of_an_old_dvc_are_named(project: Path) -> None:
    path = project / "data/raw.dvc"
    path.write_text(path.read_text().replace("  hash: md5\n", ""))
    commit_all(project, "As DVC 2 wrote it")
    with pytest.raises(CannotVerify, match="old DVC"), opened(project):
        pass


def test_a_listing_that_leads_out_of_its_folder_is_refused(project: Path, temporary: Path) -> None:
    data = hashlib.md5(b"evil").hexdigest()
    listing = json.dumps([{"md5": data, "relpath": "../../../../evil"}]).encode()
    name = hashlib.md5(listing).hexdigest()
    for md5, content in ((data, b"evil"), (f"{name}.dir", listing)):
        target = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    entry = {"outs": [{"md5": f"{name}.dir", "size": 4, "nfiles": 1, "hash": "md5", "path": "raw"}]}
    (project / "data/raw.dvc").write_text(yaml.safe_dump(entry))
    commit_all(project, "A listing with a way out")
    with pytest.raises(CannotVerify), opened(project):
        pass
    assert not list(temporary.rglob("evil"))
    assert not (temporary.parent / "evil").exists()


class TestRecordedArtefact:
    """What the run recorded, to compare with."""

    def test_from_git_and_from_the_cache(self, made: Path) -> None:
        before = state_of(made)
        with opened(made) as ready:
            for path in (
                f"{LATEST}/curves.csv",
                f"{LATEST}/checkpoint/weights.npz",
                f"{LATEST}/metrics.ndjson",
            ):
                found = recorded_artefact(ready.run, ready.place, ready.plan, path)
                assert found is not None, path
                assert found.read_bytes() == (made / path).read_bytes()
                assert found.is_relative_to(ready.place.recorded)
            folder = recorded_artefact(ready.run, ready.place, ready.plan, "prepared")
            assert folder is not None
            assert {path.name for path in folder.iterdir()} == {"train.npz", "validation.npz", "test.npz"}
        assert changed(before, state_of(made)) == []

    def test_one_file_of_a_folder_and_then_the_folder(self, made: Path) -> None:
        with opened(made) as ready:
            assert recorded_artefact(ready.run, ready.place, ready.plan, "prepared/test.npz")
            folder = recorded_artefact(ready.run, ready.place, ready.plan, "prepared")
            assert folder is not None
            assert len(list(folder.iterdir())) == 3

    def test_none_where_nobody_has_it(self, project: Path) -> None:
        weights = (project / LATEST / "checkpoint/weights.npz").read_bytes()
        md5 = hashlib.md5(weights).hexdigest()
        (project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
        with opened(project) as ready:
            assert recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint") is None
            assert recorded_artefact(ready.run, ready.place, ready.plan, "no/such/file") is None

    def test_a_corrupt_one_is_as_good_as_none(self, project: Path) -> None:
        weights = (project / LATEST / "checkpoint/weights.npz").read_bytes()
        md5 = hashlib.md5(weights).hexdigest()
        broken = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        broken.chmod(0o644)
        broken.write_bytes(weights[:-1] + b"x")
        broken.chmod(0o444)
        with opened(project) as ready:
            for _ in range(2):
                assert recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint") is None
        assert broken.read_bytes() == weights[:-1] + b"x"

    def test_no_path_leads_out(self, made: Path) -> None:
        with opened(made) as ready, pytest.raises(ReproofError, match="leads out"):
            recorded_artefact(ready.run, ready.place, ready.plan, "../../etc/passwd")
