"""Whatever bytes a run's files hold, reading ends with rows, never with a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded_runs import a_record, commit, experiment, git, repository

from reproof import excerpts, history, recorded
from reproof.history.snapshot import _row
from reproof.recorded import Run

RECORD = a_record(5)
READ = [name for name in RECORD if name.endswith(".json") or name == "config.yaml"]
SOME_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted(
    {*json.loads(RECORD["meta.json"]), *json.loads(RECORD["stages/train.json"]), "artefacts", "splits"}
)


def edited(data: bytes, at: int, put: bytes) -> bytes:
    """Bytes with some of them in another's place, as a torn write or a merge leaves them."""
    at %= len(data) + 1
    return data[:at] + put + data[at + len(put) :]


def read(record: dict[str, bytes], ids: dict[str, str] | None) -> Run | None:
    stages = [name[7:-5] for name in record if name.startswith("stages/")]
    problems: list[str] = []
    run = recorded.read(record.get, stages, ids=ids, problems=problems)
    assert all(isinstance(one, str) for one in problems)
    if run is not None:
        assert all(isinstance(value, int | float) for value in run.metrics.values())
        assert all(value is None or isinstance(value, int | float) for value in run.headline.values())
        json.dumps(_row(run), allow_nan=False)
    return run


@settings(max_examples=150)
@given(
    name=st.sampled_from(READ), data=st.binary(max_size=200), at=st.integers(0, 20_000), whole=st.booleans()
)
@example(name="meta.json", data=b"", at=0, whole=True)
@example(name="meta.json", data=b"\xff", at=1, whole=False)
@example(name="config.yaml", data=b"&a [*a]", at=0, whole=True)
def test_any_bytes_in_any_file(name: str, data: bytes, at: int, whole: bool) -> None:
    record = RECORD | {name: data if whole else edited(RECORD[name], at, data)}
    ids = {path: excerpts.blob_id(one) for path, one in record.items()}
    by_excerpt, by_files = read(record, ids), read(record, None)
    if name != "meta.json":  # an excerpt says what the files say, or is not believed
        assert by_excerpt == by_files


@settings(max_examples=150)
@given(
    name=st.sampled_from([name for name in READ if name.endswith(".json")]),
    values=st.dictionaries(st.sampled_from(KEYS), SOME_JSON, max_size=4),
)
def test_any_json_under_any_key(name: str, values: dict[str, Any]) -> None:
    record = RECORD | {name: json.dumps(json.loads(RECORD[name]) | values).encode("utf-8", "replace")}
    read(record, {path: excerpts.blob_id(one) for path, one in record.items()})
    read(record, None)


@settings(max_examples=150)
@given(
    values=st.dictionaries(
        st.sampled_from(["params", "metrics", "headline", "data", "model_digest", "reads"]), SOME_JSON
    )
)
def test_any_json_in_the_excerpt(values: dict[str, Any]) -> None:
    meta = json.loads(RECORD["meta.json"])
    record = RECORD | {"meta.json": json.dumps(meta | {"excerpt": meta["excerpt"] | values}).encode()}
    read(record, {path: excerpts.blob_id(one) for path, one in record.items()})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = repository(tmp_path_factory.mktemp("bytes") / "project")
    commit(folder, a_record(0), "refs/heads/main")
    return folder


@settings(max_examples=12)
@given(
    changes=st.dictionaries(
        st.sampled_from(READ), st.none() | st.binary(max_size=300) | SOME_JSON, max_size=5
    ),
    odd=st.text(
        st.characters(exclude_characters='/\n\0"\\', exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
    ),
)
def test_any_record_in_a_commit_is_a_row(project: Path, changes: dict[str, Any], odd: str) -> None:
    record = {**RECORD, f"x{odd}": b"1"}
    for name, value in changes.items():
        if value is None:
            del record[name]
        else:
            record[name] = value if isinstance(value, bytes) else json.dumps(value).encode("utf-8", "replace")
    experiment(project, record, "any", git(project, "rev-parse", "main"))
    fresh = history.read_rows(project, cache=False)
    row = fresh.find("any")
    assert row.run.run_id == "20260101-000005-000005" or row.warnings
    assert history.read_rows(project).rows == fresh.rows == history.read_rows(project).rows
    fresh.frame()
