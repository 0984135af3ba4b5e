"""`reproof diff` as people call it: text, Markdown, JSON; runs of every kind, and records that are broken."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diff_runs as runs
import pytest
from conftest import commit_all, run
from diff_runs import LATEST, answers, run_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reproof import history
from reproof.cli import app
from reproof.comparison import rules_of
from reproof.difference import documents
from reproof.difference.whole import Difference, between

OLD = Path(__file__).parent / "old_records" / "0.1"
Diff = Callable[..., str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the runs `a`, and `b`: other packages, threads and weights, and fewer right answers."""
    project = runs.project(tmp_path_factory.mktemp("command") / "project")
    runs.add(project, "a", run_of())
    worse = {"train": answers(60, 5, first=1000), "test": answers(seed=1, right=0.6)}
    made = run_of(weights="other", answers=worse)
    made.meta["packages"] |= {"numpy": "2.4.6", "attrs": "26.0"}
    made.meta["pinned"]["threads"] = made.meta["pinned"]["torch"]["threads"] = made.params["threads"] = 8
    runs.add(project, "b", made)
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


@pytest.fixture
def diff(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Diff:
    """Call the command in the project; return what it printed."""

    def called(*arguments: str) -> str:
        monkeypatch.chdir(project)
        capsys.readouterr()
        app(["diff", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    return called


def compared(project: Path, a: str, b: str) -> Difference:
    rows = history.read_rows(project)
    return between(project, rows.find(a), rows.find(b), rules_of(run_of().params))


def test_the_command_says_first_what_probably_matters(project: Path) -> None:
    command = "from reproof.cli import main; main()"
    done = run(sys.executable, "-c", command, "diff", "a", "b", cwd=project)
    lines = done.stdout.splitlines()
    assert lines[0] == "same code, data and params; numpy 2.3 → 2.4, threads 2 → 8"
    assert re.fullmatch(
        r"accuracy 0\.\d{4} → 0\.\d{4} \(−0\.\d{4}; 95% −0\.\d{4} to −0\.\d{4}\): worse: "
        r"these two models, on 200 shared test examples",
        lines[1],
    )
    test = next(line for line in lines if line.startswith("test: of 200 shared test examples, "))
    assert "(exact McNemar, p" in test
    assert "  numpy 2.3.1 → 2.4.6" in lines
    assert "  also attrs 25.1 → 26.0" in lines
    assert "  threads 2 → 8" in lines
    assert done.stderr == ""


def test_the_second_run_is_by_default_the_workspaces(diff: Diff) -> None:
    assert json.loads(diff("a", "--json"))["b"]["names"][:2] == ["b", "main"]


def test_json_has_every_part_and_the_numbers_in_full(diff: Diff) -> None:
    found = json.loads(diff("a", "b", "--json"))
    assert found["headline"] == "same code, data and params; numpy 2.3 → 2.4, threads 2 → 8"
    (accuracy, *_) = found["metrics"]
    assert (accuracy["name"], accuracy["full"], accuracy["is_headline"]) == (
        "accuracy",
        "evaluate.test.accuracy",
        True,
    )
    verdict = accuracy["verdict"]
    assert (verdict["kind"], verdict["claim"]) == ("worse", "these two models")
    assert verdict["difference"] == pytest.approx(accuracy["b"] - accuracy["a"])
    shared = found["models"]["splits"]["test"]
    alone = shared["mcnemar"]["only_second"] - shared["mcnemar"]["only_first"]
    assert alone / shared["examples"] == pytest.approx(verdict["difference"])
    assert found["artefacts"]["same_model"] is False
    assert found["environment"]["same_machine"] is True
    assert set(found["code"]["modules"]) == {"numpy", "sklearn"}
    assert json.loads(diff("a", "b", "--format", "json")) == found


def test_the_other_way_round_the_signs_turn(diff: Diff) -> None:
    there, back = (json.loads(diff(*names, "--json"))["metrics"] for names in (("a", "b"), ("b", "a")))
    for one, other in zip(there, back, strict=True):
        assert (one["name"], one["a"], one["b"]) == (other["name"], other["b"], other["a"])
        if (difference := one["verdict"]["difference"]) is not None:
            assert other["verdict"]["difference"] == pytest.approx(-difference)
    assert (there[0]["verdict"]["kind"], back[0]["verdict"]["kind"]) == ("worse", "better")


def cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_markdown_has_whole_tables_and_nothing_that_a_forge_strips(diff: Diff) -> None:
    text = diff("a", "b", "--format", "md")
    assert text.splitlines()[0] == "# a → b"
    assert text.splitlines()[2].startswith("**same code, data and params; numpy 2.3 → 2.4, threads 2 → 8.**")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M)
    assert len(tables) == 3
    for table in tables:
        assert len({cells(line) for line in table.splitlines()}) == 1, table
    assert set(re.findall(r"<(/?\w+)", text)) == {"details", "/details", "summary", "/summary"}
    assert "\n\n\n" not in text
    assert "| accuracy |" in text


def test_names_and_values_cannot_become_markdown_or_break_a_table(project: Path) -> None:
    made = run_of()
    made.params["train"]["lr"] = "a|b <script>alert(1)</script> `x` [y](z)"
    made.params["summary"]["odd|name"] = "evaluate.test.f1"
    made.code["src/a|b.py"] = "x = 1\n"
    runs.add(project, "c", made)
    text = documents.as_markdown(compared(project, "a", "c"))
    assert "<script" not in text
    for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M):
        assert len({cells(line) for line in table.splitlines()}) == 1, table


def test_a_document_can_stand_in_another_one(project: Path) -> None:
    text = documents.as_markdown(compared(project, "a", "b"), level=3)
    assert re.findall(r"^(#+) ", text, flags=re.M) == ["###", "####", "####"]


def test_a_template_of_the_projects_own_takes_our_place(diff: Diff, project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates" / "difference.md.jinja").write_text("{{ headline | text }}!\n")
    assert diff("a", "b", "--format", "md") == "same code, data and params; numpy 2.3 → 2.4, threads 2 → 8!\n"


@pytest.mark.parametrize(("name", "begins"), [("d.md", "# a → b"), ("d.json", "{"), ("d.txt", "same code")])
def test_a_file_is_written_in_the_form_that_its_name_says(
    diff: Diff, project: Path, name: str, begins: str
) -> None:
    assert diff("a", "b", "--output", f"reports/{name}") == f"reports/{name}: a and b\n"
    assert (project / "reports" / name).read_text().startswith(begins)


def test_no_secret_and_no_control_character_of_a_record_is_printed(project: Path, diff: Diff) -> None:
    made = run_of()
    made.params["train"]["source"] = "https://ada:hunter22@example.org/x"
    made.params["train"]["odd"] = "\x1b[31mred\x07"
    made.meta["packages"]["numpy"] = "2.4\x1b[2J"
    runs.add(project, "c", made)
    for arguments in ((), ("--json",), ("--format", "md")):
        text = diff("a", "c", *arguments)
        assert "hunter22" not in text
        assert "\x1b" not in text


def test_a_run_that_is_not_there_is_named_with_those_that_are_near(project: Path) -> None:
    command = "from reproof.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "diff", "a", "nothing"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no such run: 'nothing'")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# Records that nobody looks after any more.

UNKNOWN = {
    "split_checksums.json": "not known: data",
    "digests.json": "not known: the record of c has no digests",
    "config.yaml": "not known: params",
}


def test_a_record_of_an_older_schema_is_compared_as_far_as_it_goes(project: Path) -> None:
    shutil.rmtree(project / LATEST)
    shutil.copytree(OLD, project / LATEST)
    commit_all(project, "Old")
    run("git", "tag", "old", cwd=project)
    found = compared(project, "a", "old")
    text = documents.as_text(found)
    assert "test" in {one.name for one in found.data.splits}
    assert found.environment.same_machine is True
    assert "Traceback" not in text
    (accuracy,) = [line for line in found.metrics.headline if line.name == "accuracy"]
    assert accuracy.verdict.kind == "not comparable"
    assert accuracy.verdict.reason.startswith("measured on other examples")


def test_of_a_run_that_failed_nothing_of_the_run_before_is_told(project: Path) -> None:
    meta = json.loads((project / LATEST / "meta.json").read_text())
    error = {"stage": "train", "message": "the loss is not a number"}
    torn = {"run_id": "20260102-000000-cccccc", "status": "failed", "error": error}
    (project / LATEST / "meta.json").write_text(json.dumps(torn))
    commit_all(project, "Failed")
    run("git", "tag", "failed", cwd=project)
    assert meta["status"] == "success"
    found = compared(project, "a", "failed")
    text = documents.as_text(found)
    assert "warning: failed failed in the stage train: the loss is not a number" in text
    assert found.artefacts.same_model is None
    assert found.data.same is None
    assert found.metrics.models.splits == {}
    assert {line.verdict.kind for line in found.metrics.headline} == {"not comparable"}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'{"run_id": 7}'])
def test_a_meta_that_is_none_leaves_all_open(project: Path, data: bytes) -> None:
    (project / LATEST / "meta.json").write_bytes(data)
    commit = commit_all(project, "Torn")
    rows = history.read_rows(project)
    row = next((one for one in rows.rows if commit in one.commits), None)
    assert row is not None
    found = between(project, rows.find("a"), row, rules_of({}))
    assert not found.is_one_run
    assert not between(project, row, row, rules_of({})).is_one_run
    assert "not known" in documents.as_text(found)
    assert json.loads(documents.as_json(found))["artefacts"]["same_model"] is None
    assert documents.as_markdown(found)


@pytest.mark.parametrize("name", [*UNKNOWN, "split_manifest.json", "benchmark.json", "summary.json"])
def test_a_record_without_a_file_is_compared_by_the_others(project: Path, name: str) -> None:
    runs.add(project, "c", run_of(drop=(name,)))
    text = documents.as_text(compared(project, "a", "c"))
    assert UNKNOWN.get(name, "same ") in text


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, width=16)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_record_holds_is_compared(first: Path, data: st.DataObject) -> None:
    """Any JSON in place of any part of any file."""
    import dataclasses

    from reproof.difference import artefacts, environment, parameters, sides
    from reproof.difference import data as splits
    from reproof.difference.contents import Contents

    row = history.read_rows(first).find("a") if not ROWS else ROWS[0]
    ROWS.append(row)
    own = sides.side(first, row)
    attribute = data.draw(st.sampled_from(["meta", "digests", "manifest", "checksums", "benchmark"]))
    held = dict(getattr(own, attribute))
    key = data.draw(st.sampled_from(sorted(held)))
    inner = held[key]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        held[key] = {**inner, data.draw(st.sampled_from(sorted(inner))): data.draw(VALUES)}
    else:
        held[key] = data.draw(VALUES)
    odd = dataclasses.replace(own, **{attribute: held})
    contents = Contents(first)
    for pair in ((own, odd), (odd, own)):
        found = [
            parameters.compare(*pair),
            splits.compare(*pair, contents),
            environment.compare(*pair, ["numpy"]),
            artefacts.compare(*pair),
        ]
        json.dumps([dataclasses.asdict(one) for one in found])


ROWS: list[Any] = []
