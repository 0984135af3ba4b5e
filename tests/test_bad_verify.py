"""Records and certificates that cannot be believed: rows of docs/reference/errors.md about `verify`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from bad_inputs import assert_told, nothing_lost
from conftest import commit_all, make_git_project, run
from projects import ENV, dvc
from test_certificate import changed, verification

from reproof.verify import certificate

LATEST = Path("results/latest")


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", *arguments, cwd=project, env=ENV, check=False)


def replace(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


def edit_json(project: Path, name: str, key: str, **values: object) -> None:
    path = project / LATEST / name
    value = json.loads(path.read_text())
    value[key] = {**value[key], **values} if isinstance(value[key], dict) else values["to"]
    path.write_text(json.dumps(value))


def verify_committed(project: Path) -> subprocess.CompletedProcess[str]:
    commit_all(project, "Changed")
    return reproof(project, "verify")


def test_verify_unknown_revision(small_copy: Path) -> None:
    assert_told("verify-unknown-revision", reproof(small_copy, "verify", "gamic-piko"))


def test_verify_no_run(small_copy: Path) -> None:
    assert_told("verify-no-run", reproof(small_copy, "verify", "HEAD~1"))


def test_verify_run_failed(small_copy: Path) -> None:
    meta = {"schema_version": 1, "run_id": "20260128-221510-3fa9c1", "status": "failed"}
    meta["error"] = {"stage": "train", "message": "the loss is not a number at step 4"}  # type: ignore[assignment]
    (small_copy / LATEST / "meta.json").write_text(json.dumps(meta))
    assert_told("verify-run-failed", verify_committed(small_copy))


def test_verify_record_not_whole(small_copy: Path) -> None:
    (small_copy / LATEST / "stages" / "train.json").unlink()
    assert_told("verify-record-not-whole", verify_committed(small_copy))


def test_verify_metric_edited(small_copy: Path) -> None:
    edit_json(small_copy, "summary.json", "metrics", accuracy=0.999)
    assert_told("verify-metric-edited", verify_committed(small_copy))


def test_verify_params_changed(small_copy: Path) -> None:
    replace(small_copy, "params.yaml", "steps: 40", "steps: 400")
    assert_told("verify-params-changed", verify_committed(small_copy))


def test_verify_lock_edited(small_copy: Path) -> None:
    replace(small_copy, "dvc.lock", "lr: 0.5", "lr: 0.1")
    assert_told("verify-lock-edited", verify_committed(small_copy))


def test_verify_tolerance_widened(small_copy: Path) -> None:
    path = small_copy / "params.yaml"
    path.write_text(path.read_text() + "verify:\n  metrics: {absolute: 0.5}\n")
    dvc(small_copy, "repro", "summarize")
    assert_told("verify-tolerance-widened", verify_committed(small_copy))


def test_verify_code_uncommitted(small_copy: Path) -> None:
    script = small_copy / "src" / "train.py"
    committed = script.read_text()
    script.write_text(committed.replace("params.lr *", "1.5 * params.lr *"))
    dvc(small_copy, "repro")
    script.write_text(committed)
    assert_told("verify-code-uncommitted", verify_committed(small_copy))


def test_verify_code_changed(small_copy: Path) -> None:
    replace(small_copy, "src/train.py", "params.lr *", "1.5 * params.lr *")
    assert_told("verify-code-changed", verify_committed(small_copy))


def test_verify_data_changed(small_copy: Path) -> None:
    (small_copy / "data" / "more.csv").write_text("1,2,3\n")
    assert_told("verify-data-changed", verify_committed(small_copy))


def test_verify_shallow_clone(small_copy: Path, tmp_path: Path) -> None:
    (small_copy / "README.md").write_text("Other words.\n")
    commit_all(small_copy, "Words")
    run("git", "clone", "--quiet", "--depth", "1", small_copy.as_uri(), str(tmp_path / "clone"), cwd=tmp_path)
    assert_told("verify-shallow-clone", reproof(tmp_path / "clone", "verify"))


@pytest.fixture
def certified(small_copy: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A project, and a certificate of a bit match of its run."""
    return small_copy, certificate.write(verification(small_copy), tmp_path / "certificates")


def test_certificate_missing(small_copy: Path) -> None:
    assert_told("certificate-missing", reproof(small_copy, "certificate", "check", "nothing.json"))


def test_certificate_not_json(small_copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.json"
    path.write_text('{"_type":')
    assert_told("certificate-not-json", reproof(small_copy, "certificate", "show", str(path)))


def test_certificate_other_statement(small_copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "slsa.json"
    value = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"}
    path.write_text(json.dumps(value))
    assert_told("certificate-other-statement", reproof(small_copy, "certificate", "check", str(path)))


def test_certificate_newer(certified: tuple[Path, Path], tmp_path: Path) -> None:
    project, written = certified
    path = changed(written, tmp_path, "predicate", "schema_version", to=9)
    assert_told("certificate-newer", reproof(project, "certificate", "check", str(path)))


def test_certificate_not_whole(certified: tuple[Path, Path], tmp_path: Path) -> None:
    project, written = certified
    path = changed(written, tmp_path, "predicate", "metrics", to=None)
    assert_told("certificate-not-whole", reproof(project, "certificate", "check", str(path)))


def test_certificate_edited(certified: tuple[Path, Path], tmp_path: Path) -> None:
    project, written = certified
    keys = ("predicate", "metrics", "evaluate.test.accuracy", "found")
    path = changed(written, tmp_path, *keys, to=0.25)
    assert_told("certificate-edited", reproof(project, "certificate", "check", str(path)))


def test_certificate_of_another_repository(certified: tuple[Path, Path], tmp_path: Path) -> None:
    done = reproof(make_git_project(tmp_path / "another"), "certificate", "check", str(certified[1]))
    assert_told("certificate-of-another-repository", done)
