"""What a verification brings: by hash, checked, from where nothing is changed; else it stops."""

from __future__ import annotations

import hashlib
import json
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
    state_of,
)

from reproof.errors import ReproofError
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.fetching import recorded_artefact

pytestmark = pytest.mark.usefixtures("temporary")


def test_inputs_are_brought_from_git_and_the_cache_and_hashed(data_run: Path) -> None:
    before = state_of(data_run)
    with opened(data_run) as ready:
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
    assert changed(before, state_of(data_run)) == []


def test_of_one_stage_the_others_outputs_are_inputs(data_run: Path) -> None:
    with opened(data_run, only=["evaluate"]) as ready:
        assert ready.plan.executed == ("evaluate",)
        assert {"prepared", f"{LATEST}/checkpoint"} <= set(ready.inputs.from_)
        assert (ready.place.project / LATEST / "checkpoint/weights.npz").is_file()
        assert not (ready.place.project / LATEST / "evaluation.json").exists()
        assert set(ready.inputs.contents) == set(ready.run.stages["evaluate"]["reads"])


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_corrupt_object_stops_it_and_stays_as_it_is(data_copy: Path, mode: int) -> None:
    wanted = hashlib.md5(POINTS.encode()).hexdigest()
    broken = data_copy / ".dvc/cache/files/md5" / wanted[:2] / wanted[2:]
    broken.chmod(0o644)
    broken.write_text(POINTS.replace("0", "1", 1))
    broken.chmod(mode)
    before = state_of(data_copy)
    with pytest.raises(CannotVerify, match="corrupt") as told, opened(data_copy):
        pass
    assert told.value.where == "data/raw/points.csv"
    assert wanted in str(told.value.expected)
    assert changed(before, state_of(data_copy)) == []


def test_a_corrupt_listing_of_a_folder_stops_it(data_copy: Path) -> None:
    for path in objects_of(data_copy):
        if path.name.endswith(".dir") and "points.csv" in path.read_text():
            path.chmod(0o644)
            path.write_text(path.read_text().replace("points.csv", "points.txt"))
    with pytest.raises(CannotVerify, match="corrupt"), opened(data_copy):
        pass


def test_what_the_cache_lacks_comes_from_the_remote(data_copy: Path, tmp_path: Path) -> None:
    dvc(data_copy, "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    dvc(data_copy, "push")
    forget_cache(data_copy)
    before = state_of(data_copy), state_of(tmp_path / "store")
    with opened(data_copy) as ready:
        assert ready.inputs.from_["data"] == "git+remote"
        checkpoint = recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint")
        assert checkpoint is not None
        assert (checkpoint / "weights.npz").read_bytes() == (
            data_copy / LATEST / "checkpoint/weights.npz"
        ).read_bytes()
    assert (state_of(data_copy), state_of(tmp_path / "store")) == before


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_corrupt_remote_stops_it(data_copy: Path, tmp_path: Path, mode: int) -> None:
    dvc(data_copy, "remote", "add", "--default", "--local", "store", str(tmp_path / "store"))
    dvc(data_copy, "push")
    forget_cache(data_copy)
    wanted = hashlib.md5(POINTS.encode()).hexdigest()
    broken = tmp_path / "store/files/md5" / wanted[:2] / wanted[2:]
    broken.chmod(0o644)
    broken.write_text(POINTS.replace("0", "1", 1))
    broken.chmod(mode)
    with pytest.raises(CannotVerify, match=r"corrupt|missing") as told, opened(data_copy):
        pass
    assert "data/raw" in str(told.value.where)
    assert broken.read_text() == POINTS.replace("0", "1", 1)


def test_other_data_under_the_same_name_contradicts_the_record(data_copy: Path) -> None:
    (data_copy / "data/raw/points.csv").chmod(0o644)
    (data_copy / "data/raw/points.csv").write_text(POINTS + "1,1,1\n")
    dvc(data_copy, "add", "data/raw")
    commit_all(data_copy, "More data, and no new run")
    with pytest.raises(Contradiction, match="not the one that the run read") as told, opened(data_copy):
        pass
    assert told.value.where == "data/raw/points.csv"


def test_a_lock_that_names_other_data_than_the_dvc_file(data_copy: Path) -> None:
    lock = yaml.safe_load((data_copy / "dvc.lock").read_text())
    pipeline = yaml.safe_load((data_copy / "dvc.yaml").read_text())
    pipeline["stages"]["prepare"]["deps"].append("data/raw")
    lock["stages"]["prepare"]["deps"].append({"path": "data/raw", "hash": "md5", "md5": "0" * 32 + ".dir"})
    (data_copy / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    (data_copy / "dvc.lock").write_text(yaml.safe_dump(lock))
    commit_all(data_copy, "Edited")
    with pytest.raises(Contradiction, match="other data than the run was given"), opened(data_copy):
        pass


def test_data_in_git_that_was_changed_contradicts_the_record(data_copy: Path) -> None:
    record = data_copy / LATEST / "stages/prepare.json"
    told = json.loads(record.read_text())
    told["reads"]["data/README.md"] = "sha256:" + "0" * 64
    record.write_text(json.dumps(told))
    commit_all(data_copy, "Edited")
    with pytest.raises(Contradiction, match="not the one that the run read") as error, opened(data_copy):
        pass
    assert error.value.where == "data/README.md"


def test_data_that_nobody_committed_is_missing(data_copy: Path) -> None:
    record = data_copy / LATEST / "stages/prepare.json"
    told = json.loads(record.read_text())
    told["reads"]["secret.csv"] = "sha256:" + "0" * 64
    record.write_text(json.dumps(told))
    commit_all(data_copy, "Edited")
    with pytest.raises(CannotVerify, match="neither in the commit nor in DVC"), opened(data_copy):
        pass


def test_files_that_nobody_committed_in_a_folder_that_was_read(data_copy: Path) -> None:
    record, lock = data_copy / LATEST / "stages/prepare.json", data_copy / "dvc.lock"
    told, locked = json.loads(record.read_text()), yaml.safe_load(lock.read_text())
    told["reads"]["data"] = "sha256:" + "0" * 64
    next(dep for dep in locked["stages"]["prepare"]["deps"] if dep["path"] == "data")["nfiles"] = 9
    record.write_text(json.dumps(told))
    lock.write_text(yaml.safe_dump(locked))
    commit_all(data_copy, "Edited")
    with pytest.raises(CannotVerify, match="not the one that the run read") as error, opened(data_copy):
        pass
    assert "nobody committed" in str(error.value.hint)


def test_hashes_of_an_old_dvc_are_named(data_copy: Path) -> None:
    path = data_copy / "data/raw.dvc"
    path.write_text(path.read_text().replace("  hash: md5\n", ""))
    commit_all(data_copy, "As DVC 2 wrote it")
    with pytest.raises(CannotVerify, match="old DVC"), opened(data_copy):
        pass


def test_a_listing_that_leads_out_of_its_folder_is_refused(data_copy: Path, temporary: Path) -> None:
    data = hashlib.md5(b"evil").hexdigest()
    listing = json.dumps([{"md5": data, "relpath": "../../../../evil"}]).encode()
    name = hashlib.md5(listing).hexdigest()
    for md5, content in ((data, b"evil"), (f"{name}.dir", listing)):
        target = data_copy / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    entry = {"outs": [{"md5": f"{name}.dir", "size": 4, "nfiles": 1, "hash": "md5", "path": "raw"}]}
    (data_copy / "data/raw.dvc").write_text(yaml.safe_dump(entry))
    commit_all(data_copy, "A listing with a way out")
    with pytest.raises(CannotVerify), opened(data_copy):
        pass
    assert not list(temporary.rglob("evil"))
    assert not (temporary.parent / "evil").exists()


class TestRecordedArtefact:
    """What the run recorded, to compare with."""

    def test_from_git_and_from_the_cache(self, data_run: Path) -> None:
        before = state_of(data_run)
        with opened(data_run) as ready:
            for path in (
                f"{LATEST}/curves.csv",
                f"{LATEST}/checkpoint/weights.npz",
                f"{LATEST}/metrics.ndjson",
            ):
                found = recorded_artefact(ready.run, ready.place, ready.plan, path)
                assert found is not None, path
                assert found.read_bytes() == (data_run / path).read_bytes()
                assert found.is_relative_to(ready.place.recorded)
            folder = recorded_artefact(ready.run, ready.place, ready.plan, "prepared")
            assert folder is not None
            assert {path.name for path in folder.iterdir()} == {"train.npz", "validation.npz", "test.npz"}
        assert changed(before, state_of(data_run)) == []

    def test_one_file_of_a_folder_and_then_the_folder(self, data_run: Path) -> None:
        with opened(data_run) as ready:
            assert recorded_artefact(ready.run, ready.place, ready.plan, "prepared/test.npz")
            folder = recorded_artefact(ready.run, ready.place, ready.plan, "prepared")
            assert folder is not None
            assert len(list(folder.iterdir())) == 3

    def test_none_where_nobody_has_it(self, data_copy: Path) -> None:
        weights = (data_copy / LATEST / "checkpoint/weights.npz").read_bytes()
        md5 = hashlib.md5(weights).hexdigest()
        (data_copy / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
        with opened(data_copy) as ready:
            assert recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint") is None
            assert recorded_artefact(ready.run, ready.place, ready.plan, "no/such/file") is None

    def test_a_corrupt_one_is_as_good_as_none(self, data_copy: Path) -> None:
        weights = (data_copy / LATEST / "checkpoint/weights.npz").read_bytes()
        md5 = hashlib.md5(weights).hexdigest()
        broken = data_copy / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        broken.chmod(0o644)
        broken.write_bytes(weights[:-1] + b"x")
        broken.chmod(0o444)
        with opened(data_copy) as ready:
            for _ in range(2):
                assert recorded_artefact(ready.run, ready.place, ready.plan, f"{LATEST}/checkpoint") is None
        assert broken.read_bytes() == weights[:-1] + b"x"

    def test_no_path_leads_out(self, data_run: Path) -> None:
        with opened(data_run) as ready, pytest.raises(ReproofError, match="leads out"):
            recorded_artefact(ready.run, ready.place, ready.plan, "../../etc/passwd")
