"""Rows of history: each record once, with all its names, and with a warning where it cannot be read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from conftest import commit_all
from recorded_runs import LATEST, a_record, as_of_today, commit, experiment, git, repository

from reproof import excerpts, history, record_values, recorded
from reproof.errors import ReproofError
from reproof.history import Row, Rows


def rows_of(folder: Path) -> Rows:
    """All rows, read without a cache, then with a new and with a filled one."""
    found = history.read_rows(folder, cache=False)
    for _ in range(2):
        assert history.read_rows(folder).rows == found.rows
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose branch main holds the run 0."""
    folder = repository(tmp_path / "project")
    commit(folder, a_record(0), "refs/heads/main")
    return folder


def names(rows: Rows) -> list[str]:
    return [row.name for row in rows.rows]


# What there is.


def test_experiments_commits_branches_tags_and_remote_branches_are_rows(
    project: Path, tmp_path: Path
) -> None:
    first = git(project, "rev-parse", "main")
    second = commit(project, a_record(1), "refs/heads/main", parent=first, time=1_800_000_100)
    git(project, "tag", "-a", "v1", "-m", "One", first)
    side = commit(project, a_record(2), "refs/heads/side", parent=first)
    on_first = experiment(project, a_record(3), "exp-a", first)
    on_second = experiment(project, a_record(4), "exp-b", second)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "project", "clone")
    git(clone, "fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    found = rows_of(clone)
    assert found.notices == ()
    told = {row.name: (row.kind, row.names, row.commits, row.baselines, row.branches) for row in found.rows}
    everywhere = ("main", "origin/main", "origin/side", "v1")
    assert told == {
        "v1": ("commit", ("v1",), (first,), (), everywhere),
        "main": ("commit", ("main", "origin/main", "workspace"), (second,), (), ("main", "origin/main")),
        "origin/side": ("commit", ("origin/side",), (side,), (), ("origin/side",)),
        "exp-a": ("experiment", ("exp-a",), (on_first,), (first,), everywhere),
        "exp-b": ("experiment", ("exp-b",), (on_second,), (second,), ("main", "origin/main")),
    }
    assert [row.run.seed for row in found.rows] == [0, 1, 2, 3, 4]
    assert found.find("exp-a").run.headline["accuracy"] == 0.503
    assert found.find("exp-a").run.branch == "main"


def test_identical_records_are_one_row_with_all_their_names(project: Path) -> None:
    first = git(project, "rev-parse", "main")
    second = commit(project, None, "refs/heads/main", parent=first, message="Without a run")
    one = experiment(project, a_record(7), "first", first, time=1_800_000_001)
    two = experiment(project, a_record(7), "second", second, time=1_800_000_002)
    squashed = commit(project, a_record(7), "refs/heads/main", parent=second, time=1_800_000_003)
    git(project, "tag", "best", squashed)
    (row,) = [row for row in rows_of(project).rows if row.run.seed == 7]
    assert row.names == ("first", "second", "best", "main")
    assert (row.commits, row.baselines) == ((one, two, squashed), (first, second))
    assert row.run.commit == one


def test_a_report_drawn_again_is_no_other_run_and_another_evaluation_is_one(project: Path) -> None:
    parent = git(project, "rev-parse", "main")
    again = a_record(0) | {"stages/report.json": b'{"run_id": "later"}'}
    redrawn = commit(project, again, "refs/heads/main", parent=parent, time=1_800_000_100)
    assert [row.commits for row in rows_of(project).rows] == [(parent, redrawn)]
    other = as_of_today(a_record(0) | {"evaluation.json": b'{"other": 1}'})
    assert len({*other.items()} - {*a_record(0).items()}) == 1
    evaluated = commit(project, other, "refs/heads/side", parent=redrawn)
    assert [row.commits for row in rows_of(project).rows] == [(parent, redrawn), (evaluated,)]


def test_commits_of_a_deleted_branch_are_seen_from_its_tag_and_its_experiments(project: Path) -> None:
    main = git(project, "rev-parse", "main")
    tagged = commit(project, a_record(1), "refs/heads/gone", parent=main)
    last = commit(project, a_record(2), "refs/heads/gone", parent=tagged)
    git(project, "tag", "kept", tagged)
    git(project, "update-ref", "-d", "refs/heads/gone")
    assert [row.run.seed for row in rows_of(project).rows] == [0, 1]
    experiment(project, a_record(3), "exp", last)
    found = rows_of(project)
    assert [row.run.seed for row in found.rows] == [0, 1, 2, 3]
    assert [row.branches for row in found.rows] == [("main", "kept"), ("kept",), (), ()]
    assert found.rows[2].name == found.rows[2].run.run_id


def test_a_run_that_a_merge_passed_over_is_a_row(project: Path) -> None:
    main = git(project, "rev-parse", "main")
    side = commit(project, a_record(1), "refs/heads/side", parent=main)
    git(project, "checkout", "--quiet", "main")
    git(project, "merge", "--quiet", "-s", "ours", "-m", "Ours", side)
    git(project, "branch", "-D", "side")
    assert [row.run.seed for row in rows_of(project).rows] == [0, 1]


def test_tags_of_tags_files_and_folders_are_no_hindrance(project: Path) -> None:
    git(project, "tag", "-a", "inner", "-m", "1", "main")
    git(project, "tag", "-a", "outer", "-m", "2", "inner")
    git(project, "tag", "a-file", "main:params.yaml")
    git(project, "tag", "a-folder", "main:results")
    git(project, "tag", "-a", "told-of-a-file", "-m", "3", "main:params.yaml")
    found = rows_of(project)
    assert [row.names for row in found.rows] == [("inner", "outer", "main")]
    assert found.notices == ()


# The workspace.


def test_the_workspace_is_a_name_of_its_commit_until_a_byte_differs(project: Path) -> None:
    git(project, "reset", "--quiet", "--hard", "main")
    assert [row.names for row in rows_of(project).rows] == [("main", "workspace")]
    path = project / LATEST / "summary.json"
    path.write_bytes(path.read_bytes().replace(b'"accuracy": 0.5', b'"accuracy": 0.75'))
    one, two = rows_of(project).rows
    assert {(row.kind, row.names) for row in (one, two)} == {
        ("commit", ("main",)),
        ("workspace", ("workspace",)),
    }
    own = one if one.kind == "workspace" else two
    assert own.run.headline["accuracy"] == 0.75
    assert (own.commits, own.files) == ((), {})
    assert history.blob(project, own, "summary.json") == path.read_bytes()
    assert history.blob(project, own, "../../.git/config") is None
    assert history.blob(project, own, "none.json") is None


def test_a_workspace_that_only_begins_or_holds_no_record_is_told_of(project: Path) -> None:
    path = project / LATEST / "meta.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 1, "run_id": null, "status": "in_progress"}')
    assert names(rows_of(project)) == ["main"]
    path.write_text("torn {")
    found = rows_of(project).find("workspace")
    assert (found.run.status, found.warnings) == ("unknown", ("meta.json is no JSON object",))


def test_files_of_a_record_are_read_by_row(project: Path) -> None:
    row = rows_of(project).find("main")
    assert history.blob(project, row, "evaluation.json") == a_record(0)["evaluation.json"]
    assert history.blob(project, row, "stages/train.json") == a_record(0)["stages/train.json"]
    assert history.blob(project, row, "model.onnx") is None


# What cannot be read.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "meta.json is no JSON object"),
        (b"[]", "meta.json is no JSON object"),
        (b"\xff{", "meta.json is no JSON object"),
        (b'{"run_id": 7, "status": "success"}', "meta.json names no run"),
        (b"[" * 9999, "meta.json is no JSON object"),
    ],
)
def test_a_malformed_meta_json_is_a_row_with_a_warning(project: Path, text: bytes, said: str) -> None:
    main = git(project, "rev-parse", "main")
    broken = experiment(project, a_record(5) | {"meta.json": text}, "broken", main)
    found = rows_of(project)
    row = found.find("broken")
    assert (row.run.commit, row.run.status, row.run.run_id, row.warnings) == (broken, "unknown", "", (said,))
    assert row.run.params["seed"] == 5
    assert len(found.rows) == 2
    assert "1 run whose record cannot be read: broken" in found.notices[0]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("summary.json", None, "summary.json is missing"),
        ("summary.json", b"{", "summary.json is no JSON object"),
        ("digests.json", b"[1]", "digests.json is no JSON object"),
        ("config.yaml", None, "config.yaml is missing"),
        ("config.yaml", b"a: [", "config.yaml cannot be read"),
        ("stages/train.json", None, "stages/train.json is missing"),
        ("stages/train.json", b"<<<<<<< HEAD\n", "stages/train.json is no JSON object"),
    ],
)
def test_a_file_that_is_missing_or_torn_is_a_warning(
    project: Path, name: str, data: bytes | None, said: str
) -> None:
    record = {path: one for path, one in a_record(5).items() if path != name}
    record |= {name: data} if data is not None else {}
    experiment(project, record, "odd", git(project, "rev-parse", "main"))
    row = rows_of(project).find("odd")
    assert said in row.warnings
    assert (row.run.status, row.run.seed) == ("success", 5)


@pytest.mark.parametrize(
    ("version", "said"), [(0, "older"), (None, "older"), ("1", "older"), (7, "newer schema (7)")]
)
def test_another_schema_is_a_warning(project: Path, version: object, said: str) -> None:
    record = a_record(5, schema_version=version)
    experiment(project, record, "other", git(project, "rev-parse", "main"))
    row = rows_of(project).find("other")
    assert said in row.warnings[0]
    assert row.run.headline["accuracy"] == 0.505


def test_an_experiment_without_a_record_is_a_row(project: Path) -> None:
    main = git(project, "rev-parse", "main")
    bare = experiment(project, None, "bare", main)
    row = rows_of(project).find("bare")
    assert (row.commits, row.baselines, row.run.branch) == ((bare,), (main,), "main")
    assert row.warnings == (f"it holds no {LATEST}/meta.json",)


def test_a_failed_run_is_told_by_its_own_params_and_stages(project: Path) -> None:
    main = git(project, "rev-parse", "main")
    failed = {
        "meta.json": json.dumps(
            {
                "schema_version": 1,
                "run_id": "r-1",
                "status": "failed",
                "error": {"stage": "train", "message": "m"},
            }
        ).encode()
    }
    stale = {name: data for name, data in a_record(0).items() if name != "meta.json"}
    for number in (1, 2):  # the same record beside other params is another run
        params = b"seed: %d\ntrain: {lr: 0.5}\n" % number
        experiment(project, stale | failed, f"failed-{number}", main, params=params)
    found = rows_of(project)
    for number in (1, 2):
        run = found.find(f"failed-{number}").run
        assert (run.status, run.seed, run.params["train.lr"]) == ("failed", number, 0.5)
        assert (run.metrics, run.headline, run.model_digest) == ({}, {}, None)


# The excerpt.


def test_a_run_read_from_the_excerpt_is_that_of_the_files(small_run: Path) -> None:
    meta = json.loads((small_run / LATEST / "meta.json").read_text())
    get, stages = record_values.files_of(small_run / LATEST)
    left = [name for name in stages if name not in record_values.NOT_STAGES]
    own = history.of_results(small_run / LATEST)
    assert own is not None
    (row,) = rows_of(small_run).rows
    places = ("commit", "branch")
    assert dataclasses.replace(row.run, commit=None) == own
    asked: list[str] = []

    def watched(name: str) -> bytes | None:
        asked.append(name)
        return get(name)

    copied = excerpts.excerpt_in(meta, row.files)
    assert copied is not None
    run_only = recorded.of_meta(meta, watched, left, copied=copied)
    assert asked == []
    assert run_only == own
    assert run_only.metrics["evaluate.test.accuracy"] == own.headline["accuracy"]
    assert row.run.params == own.params != {}
    assert [getattr(row.run, name) for name in places] == [row.run.commit, "main"]


@pytest.mark.parametrize("name", ["summary.json", "config.yaml", "stages/evaluate.json", "digests.json"])
def test_an_excerpt_of_other_files_is_not_believed(small_copy: Path, name: str) -> None:
    path = small_copy / LATEST / name
    before = rows_of(small_copy).rows[0].run
    if name == "config.yaml":
        path.write_text(path.read_text().replace("lr: 0.5", "lr: 0.25"))
    elif name == "digests.json":
        path.write_text(json.dumps({"artefacts": {f"{LATEST}/checkpoint": "sha256:other"}}))
    else:
        found = json.loads(path.read_text())
        metric = "accuracy" if name == "summary.json" else "test.accuracy"
        path.write_text(json.dumps(found | {"metrics": found["metrics"] | {metric: 0.125}}))
    commit_all(small_copy, "Edited")
    after = next(row.run for row in rows_of(small_copy).rows if "main" in row.names)
    changed = [
        one.name for one in dataclasses.fields(after) if getattr(before, one.name) != getattr(after, one.name)
    ]
    expected = {"summary.json": "headline", "config.yaml": "params", "digests.json": "model_digest"}
    assert set(changed) - {"commit", "experiment", "baseline"} == {expected.get(name, "metrics")}


# Names.


def test_a_row_is_found_by_every_name(project: Path) -> None:
    first = git(project, "rev-parse", "main")
    second = commit(project, a_record(1), "refs/heads/main", parent=first, message="Second")
    third = commit(
        project, a_record(1), "refs/heads/main", parent=second, message="No other run", params=b"a: 1\n"
    )
    named = experiment(project, a_record(2), "exp-lr-2", first)
    git(project, "tag", "v1", first)
    git(project, "symbolic-ref", "HEAD", "refs/heads/main")
    found = rows_of(project)
    seeds = {
        "main": 1, "HEAD": 1, "HEAD~1": 1, "HEAD~2": 0, "v1": 0, "main^^": 0, second[:8]: 1, third: 1,
        "exp-lr-2": 2, named[:10]: 2, found.rows[0].run.run_id: 0, found.rows[2].run.run_id[:17]: 2,
    }  # fmt: skip
    assert {name: found.find(name).run.seed for name in seeds} == seeds
    with pytest.raises(ReproofError, match="no such run: 'exp-lr-1'") as told:
        found.find("exp-lr-1")
    assert "exp-lr-2" in str(told.value)
    for odd in ("", "--all", "-h", "no\0", "x" * 5000, "HEAD:params.yaml"):
        with pytest.raises(ReproofError, match="no such run"):
            found.find(odd)


def test_a_commit_without_a_run_and_a_name_of_two_are_refused(project: Path) -> None:
    first = git(project, "rev-parse", "main")
    empty = commit(project, None, "refs/heads/main", parent=first, message="Nothing")
    experiment(project, a_record(1), "twice", first)
    experiment(project, a_record(2), "twice", empty)
    found = rows_of(project)
    with pytest.raises(ReproofError, match="no run is recorded there"):
        found.find("main")
    with pytest.raises(ReproofError, match="2 runs are called 'twice'"):
        found.find("twice")


def test_the_rows_of_a_baseline_are_its_run_its_experiments_and_the_workspace(project: Path) -> None:
    first = git(project, "rev-parse", "main")
    second = commit(project, a_record(1), "refs/heads/main", parent=first)
    git(project, "reset", "--quiet", "--hard", "main")
    experiment(project, a_record(2), "on-first", first)
    experiment(project, a_record(3), "on-second", second)
    path = project / LATEST / "meta.json"
    path.write_bytes(a_record(4)["meta.json"])
    found = rows_of(project)
    assert {row.name for row in found.of_baseline()} == {"main", "on-second", "workspace"}
    assert {row.run.seed for row in found.of_baseline("HEAD~1")} == {0, 2, 4}
    assert {row.kind for row in found.of_baseline("none")} == {"workspace"}


# The table.


def test_the_table_is_typed(project: Path) -> None:
    import pandas as pd

    main = git(project, "rev-parse", "main")
    for number in (1, 2):
        experiment(project, a_record(number), f"exp-{number}", main)
    experiment(project, a_record(3) | {"meta.json": b"{"}, "broken", main)
    table = rows_of(project).frame()
    assert len(table) == 4
    kinds = {name: str(kind) for name, kind in table.dtypes.items()}
    assert (kinds["run_id"], kinds["seed"], kinds["runtime_seconds"]) == ("string", "Int64", "float64")
    assert kinds["start_time"].endswith("UTC]")
    assert kinds["metrics.accuracy"] == kinds["metrics.evaluate.test.accuracy"] == "float64"
    assert (kinds["params.train.lr"], kinds["params.train.epochs"]) == ("float64", "Int64")
    table = table.set_index("name")
    assert table.loc["exp-2", "metrics.accuracy"] == 0.502
    assert table.loc["exp-2", "start_time"] == pd.Timestamp("2026-01-01T00:00:02Z")
    assert pd.isna(table.loc["broken", "metrics.accuracy"])
    assert list(table.query("`params.seed` > 1 and `metrics.accuracy` > 0.5").index) == ["exp-2"]


def test_the_table_of_no_runs_has_its_columns() -> None:
    table = Rows(()).frame()
    assert (len(table), str(table["seed"].dtype)) == (0, "Int64")
    assert str(Rows((Row(recorded.Run("r"), "commit"),)).frame()["start_time"].dtype).endswith("UTC]")
