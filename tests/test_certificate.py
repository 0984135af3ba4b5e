"""Certificates: Statements that bear their own verdict, and agree with the repository or are refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from certified import IN_TOTO, a_little_more_loss, changed, much_more_loss, verification, wrong
from conftest import commit_all, run
from projects import ENV, ROOT

from reproof.errors import ReproofError
from reproof.verify import (
    certificate,
    certificate_check,
    certificate_show,
    certificates,
    evidence,
    recorded_run,
    snapshot,
    statement,
    statistics,
)
from reproof.verify.errors import CannotVerify
from reproof.verify.levels import Level, Verdict


@pytest.fixture(scope="module")
def project(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with its run, for this file alone."""
    return Path(shutil.copytree(small_run, tmp_path_factory.mktemp("certified") / "project"))


@pytest.fixture(scope="module")
def written(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of a bit match."""
    return certificate.write(verification(project), tmp_path_factory.mktemp("certificates"))


def test_a_certificate_is_an_in_toto_statement(written: Path) -> None:
    value = json.loads(written.read_text())
    jsonschema.validate(value, IN_TOTO)
    assert value["predicateType"] == "urn:reproof:verification:v1"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value | {"subject": []}, IN_TOTO)


def test_its_subjects_are_the_commit_the_record_and_the_artefacts(project: Path, written: Path) -> None:
    subjects = {one["name"]: one["digest"] for one in json.loads(written.read_text())["subject"]}
    commit = run("git", "rev-parse", "HEAD", cwd=project).stdout.strip()
    assert {"gitCommit": commit} in subjects.values()
    # A file's hash is called sha256 only where it is the hash of the file's bytes.
    summary = project / "results" / "latest" / "summary.json"
    assert (
        subjects["results/latest/summary.json"]["sha256"] == hashlib.sha256(summary.read_bytes()).hexdigest()
    )
    digests = json.loads((project / "results" / "latest" / "digests.json").read_text())
    checkpoint = subjects["results/latest/checkpoint"]
    assert checkpoint == {
        "reproofContentSha256": digests["artefacts"]["results/latest/checkpoint"].removeprefix("sha256:")
    }


def test_a_valid_one_passes_every_check(project: Path, written: Path) -> None:
    found = certificate_check.check(project, written)
    assert found.wrong == ()
    assert len(found.found) > 40
    assert found.statement.predicate.verdict == "BIT MATCH"
    assert found.statement.predicate.met


def test_its_name_tells_run_verdict_and_time(written: Path, project: Path) -> None:
    name = recorded_run.load(project, "HEAD").name
    assert written.name.startswith(f"{name}-bit-match-2")
    assert written.name.endswith("Z.json")


def test_two_in_one_second_are_two_files(project: Path, tmp_path: Path) -> None:
    found = verification(project)
    paths = {certificate.write(found, tmp_path) for _ in range(3)}
    assert len(paths) == 3


def test_no_path_of_the_users_is_in_it(written: Path, project: Path) -> None:
    text = written.read_text()
    assert str(Path.home()) not in text
    assert str(project) not in text
    assert "~/secret.csv" in text
    assert "ada@example.org" not in text


FORGED: dict[str, tuple[list[str | int], Any, str]] = {
    "a verdict": (["predicate", "verdict"], "NUMERIC MATCH", "does not go with the level"),
    "a level": (["predicate", "level"], "numeric", "does not go with the level"),
    "that it was met": (["predicate", "met"], False, "met is False"),
    "the relation": (["predicate", "relation"], "reproduced", "the operator is the run's author"),
    "the operator": (["predicate", "operator", "is_author"], False, "is_author is False"),
    "the author": (["predicate", "operator", "author_email_sha256"], "0" * 64, "the run's author"),
    "the machine": (["predicate", "machine", "recorded"], ["aaaaaaaaaaaa"], "machine: recorded"),
    "another commit of the same length": (["predicate", "run", "run_id"], "20260101-000000-abcdef", "run_id"),
    "the code tree": (["predicate", "run", "code_tree"], "0" * 40, "code_tree"),
    "a recorded metric": (
        ["predicate", "metrics", "evaluate.test.accuracy", "recorded"],
        0.5,
        "metrics.evaluate.test.accuracy: recorded",
    ),
    "a found metric": (
        ["predicate", "metrics", "evaluate.test.accuracy", "found"],
        0.5,
        "are called identical",
    ),
    "the tolerance": (
        ["predicate", "metrics", "evaluate.test.accuracy", "allowed"],
        0.5,
        "the tolerance that the run declared",
    ),
    "a metric's standing": (
        ["predicate", "metrics", "evaluate.test.loss", "standing"],
        "close",
        "for a bit match",
    ),
    "an artefact's digest": (
        ["predicate", "artefacts", "results/latest/checkpoint", "recorded"],
        "sha256:" + "0" * 64,
        "artefacts.results/latest/checkpoint: recorded",
    ),
    "an artefact that was found": (
        ["predicate", "artefacts", "results/latest/checkpoint", "found"],
        "sha256:" + "0" * 64,
        "called identical, with other digests",
    ),
    "the metrics left out": (["predicate", "metrics"], {}, "that the certificate leaves out"),
    "the artefacts left out": (["predicate", "artefacts"], {}, "that the certificate leaves out"),
    "nothing executed": (["predicate", "executed"], {}, "no stage was executed"),
    "a nonce": (
        ["predicate", "executed", "train", "nonce_sha256"],
        "0" * 64,
        "do not prove that one execution",
    ),
    "the beginning": (["predicate", "started"], "2999-01-01T00:00:00.000000Z", "began before"),
    "a time before the run": (["predicate", "started"], "2000-01-01T00:00:00.000000Z", "started after"),
    "the subject's commit": (["subject", 0, "digest", "gitCommit"], "0" * 40, "subject: the commit"),
    "a subject's digest": (
        ["subject", 1, "digest", "sha256"],
        "0" * 64,
        "subject results/latest/config.yaml",
    ),
    "a subject's name": (["subject", 5, "name"], "results/latest/other", "no executed stage wrote it"),
    "the splits": (["predicate", "splits_identical"], False, "the splits are others"),
    "the control": (["predicate", "control", "differing"], ["x"], "differs from run to run"),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_edited_certificate_is_not_valid(project: Path, written: Path, tmp_path: Path, name: str) -> None:
    keys, value, told = FORGED[name]
    assert told in wrong(project, changed(written, tmp_path, *keys, to=value))


def test_a_stage_that_was_skipped_in_silence_is_missed(project: Path, tmp_path: Path) -> None:
    found = verification(project, lambda stages: stages.pop("train"))
    path = certificate.write(found, tmp_path)
    assert "executed: train: neither executed nor left out" in wrong(project, path)


def test_one_of_another_repository_cannot_be_checked(
    written: Path, tmp_path: Path, git_project: Path
) -> None:
    with pytest.raises(CannotVerify, match="no such revision"):
        certificate_check.check(git_project, written)


def test_a_record_that_was_edited_since_makes_it_invalid(project: Path, tmp_path: Path) -> None:
    """A certificate of a commit whose record contradicts itself is worth nothing, whatever it says."""
    other = Path(shutil.copytree(project, tmp_path / "project"))
    path = other / "results" / "latest" / "summary.json"
    path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.9'))
    commit_all(other, "Edited")
    made = certificate.write(replace(verification(project), run=recorded_run.load(other, "HEAD")), tmp_path)
    assert "the record itself: summary.json: metrics.accuracy" in wrong(other, made)


def test_levels_go_by_what_was_compared(project: Path, tmp_path: Path) -> None:
    close = verification(project, a_little_more_loss)
    assert close.verdict is Verdict.NUMERIC
    path = certificate.write(close, tmp_path)
    assert wrong(project, path) == ""
    said = statement.read(path).predicate
    assert not said.met
    assert said.level == "numeric"

    far = verification(project, much_more_loss)
    assert far.verdict is Verdict.DIFFERENT
    path = certificate.write(far, tmp_path)
    assert wrong(project, path) == ""
    assert statement.read(path).predicate.level is None
    # Called a numeric match, it is refused: the numbers themselves do not bear it.
    value = json.loads(path.read_text())
    value["predicate"] |= {"verdict": "NUMERIC MATCH", "level": "numeric"}
    value["predicate"]["metrics"]["evaluate.test.loss"]["standing"] = "close"
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(value))
    assert "evaluate.test.loss" in wrong(project, forged)


def test_a_statistical_match_takes_seeds_that_bear_it(project: Path, tmp_path: Path) -> None:
    whole = verification(project)
    metrics = snapshot.of_record(whole.run, whole.run.measured).metrics
    near = [{name: (value or 0.0) + d for name, value in metrics.items()} for d in (-0.01, 0.0, 0.02)]
    replication = statistics.replicate(whole.run.params["summary"], metrics, (7, 8, 9), near, {})
    found = replace(
        whole, verdict=Verdict.STATISTICAL, required=Level.STATISTICAL, outcome=None, replication=replication
    )
    path = certificate.write(found, tmp_path)
    assert wrong(project, path) == ""
    for keys, value, told in (
        (("metrics", 0, "recorded"), 2.0, "is not what the seeds predict"),
        (("metrics", 1, "values"), [5.0, 5.1, 5.2], "is not what the seeds predict"),
        (("seeds",), [7, 7, 7], "without 3 fresh seeds"),
        (("metrics",), [], "without 3 fresh seeds and a metric"),
    ):
        edited = changed(path, tmp_path, "predicate", "replication", *keys, to=value)
        assert told in wrong(project, edited)
    less = [json.loads(path.read_text())["predicate"]["replication"]["metrics"][0]]
    edited = changed(path, tmp_path, "predicate", "replication", "metrics", to=less)
    assert "replication: the headline metrics" in wrong(project, edited)


def test_reproduced_takes_another_operator_and_another_machine() -> None:
    here = {"recorded": ["aaa"], "here": "aaa"}
    there = {"recorded": ["aaa", "bbb"], "here": "ccc"}
    assert evidence.related(False, there)[0] == "reproduced"
    assert evidence.related(True, there) == ("repeated", "the operator is the run's author")
    assert evidence.related(False, here) == ("repeated", "the machine is the run's")
    assert evidence.related(None, there) == ("repeated", "the operator is not known")
    assert evidence.related(False, {"recorded": ["unknown"], "here": "ccc"})[0] == "repeated"
    assert evidence.related(False, {"recorded": [], "here": "ccc"})[0] == "repeated"


def test_a_signed_envelope_is_read(project: Path, written: Path, tmp_path: Path) -> None:
    payload = base64.b64encode(written.read_bytes()).decode()
    envelope = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": payload,
        "signatures": [{"sig": "x"}],
    }
    for name, value in (("envelope", envelope), ("bundle", {"dsseEnvelope": envelope})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(value))
        assert wrong(project, path) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not a certificate"),
        ("{}", "not a certificate of a verification"),
        ('{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x"}', "not a certificate of a"),
        (
            '{"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:reproof:verification:v1", '
            '"predicate": {"schema_version": 2}}',
            "a newer schema",
        ),
        (
            '{"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:reproof:verification:v1", '
            '"subject": [], "predicate": {"schema_version": 1}}',
            "not a whole certificate",
        ),
        ('{"payloadType": "application/vnd.in-toto+json", "payload": "%%"}', "an envelope"),
    ],
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ReproofError, match=told):
        statement.read(path)


def test_the_best_one_of_each_run(project: Path, written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "verify"
    folder.mkdir()
    bit = Path(shutil.copy(written, folder / "bit.json"))
    certificate.write(verification(project, a_little_more_loss), folder)
    certificate.write(verification(project, much_more_loss), folder)
    changed(
        written, folder, "predicate", "relation", to="reproduced"
    )  # contradicts itself: counts for nothing
    (folder / "torn.json").write_text('{"_type":')
    run_id = recorded_run.load(project, "HEAD").run.run_id
    best = certificates.best(folder)
    assert list(best) == [run_id]
    assert best[run_id].level is Level.BIT
    assert best[run_id].verdict is Verdict.BIT
    assert best[run_id].relation == "repeated"
    assert best[run_id].file == bit
    assert best[run_id].certificates == 3
    assert (
        certificates.best([path for path in folder.iterdir() if "different" in path.name])[run_id].level
        is None
    )
    assert certificates.best(tmp_path / "nothing") == {}


def test_it_is_shown_without_a_repository(written: Path) -> None:
    text = "\n".join(certificate_show.lines(statement.read(written)))
    assert "verdict      BIT MATCH; bit was required" in text
    assert "executed     prepare train evaluate" in text
    assert "left out     summarize: the record is not executed" in text
    assert "control      A = A  identical" in text
    assert "metrics      7 identical (library's tolerances)" in text
    assert "CONTRADICTS" not in text


def test_the_command_checks_and_shows(project: Path, written: Path, tmp_path: Path) -> None:
    done = run("reproof", "certificate", "check", str(written), cwd=project, env=ENV)
    assert done.stdout.startswith("valid: BIT MATCH of ")
    told = json.loads(
        run("reproof", "certificate", "check", str(written), "--json", cwd=project, env=ENV).stdout
    )
    assert told["valid"] is True
    assert told["wrong"] == []

    forged = changed(written, tmp_path, "predicate", "met", to=False)
    done = run("reproof", "certificate", "check", str(forged), cwd=project, env=ENV, check=False)
    assert done.returncode == 1
    assert "met is False" in done.stdout
    done = run("reproof", "certificate", "check", "nothing.json", cwd=project, env=ENV, check=False)
    assert done.returncode == 2
    assert "no such certificate" in done.stderr
    lost = changed(written, tmp_path, "predicate", "run", "commit", to="0" * 40)
    done = run("reproof", "certificate", "check", str(lost), cwd=project, env=ENV, check=False)
    assert done.returncode == 3
    assert "no such revision" in done.stderr
    assert "BIT MATCH" in run("reproof", "certificate", "show", str(written), cwd=tmp_path, env=ENV).stdout


def test_every_field_is_in_the_reference(written: Path) -> None:
    page = (ROOT / "docs" / "reference" / "certificate.md").read_text()
    named = set(re.findall(r"^\| `([^`]+)` \|", page, flags=re.M))
    value = json.loads(written.read_text())
    blocks = {name.partition(".")[0] for name in named if "." in name}
    assert blocks == {"run", "record", "inputs", "tolerances", "environment", "machine", "operator"}
    fields = {
        f"{key}.{inner}" if key in blocks else key
        for key, item in value["predicate"].items()
        for inner in (item if key in blocks else [""])
    }
    assert fields | set(value) | {"gitCommit", "sha256", "gitBlob", "reproofContentSha256"} == named
