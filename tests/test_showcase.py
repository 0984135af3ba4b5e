"""The showcase is what it says: real Git, real DVC, and records like those that DVC's own runs leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import showcase
import yaml
from conftest import run
from projects import dvc
from showcase import GROUPS, Showcase
from showcase_commits import History
from showcase_records import LATEST

from reproof.history import Row, Rows, read_rows

LISTED = ("metrics.accuracy", "metrics.loss", "metrics.latency_ms")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Showcase:
    return showcase.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def rows(made: Showcase) -> Rows:
    return read_rows(made.root)


def git(folder: Path, *words: str) -> list[str]:
    return run("git", *words, cwd=folder).stdout.splitlines()


def held(made: Showcase, commit: str) -> dict[str, bytes]:
    """What Git holds of the run of a commit, but for what DVC writes into its own folder."""
    names = git(made.root, "ls-tree", "-r", "--name-only", commit, LATEST, "params.yaml", "dvc.lock")
    return {name: run("git", "show", f"{commit}:{name}", cwd=made.root).stdout.encode() for name in names}


# What is in it.


def test_it_has_branches_tags_a_squash_merge_and_forty_experiments(made: Showcase) -> None:
    branches = git(made.root, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    assert branches == ["main", "momentum", "steeper"]
    assert git(made.root, "tag") == ["v0.1", "v0.2", "wider-kept"]
    assert git(made.root, "cat-file", "-t", "v0.2") == ["tag"]
    assert len(git(made.root, "for-each-ref", "refs/exps/*/*/*")) == len(made.experiments) == 40
    squashed, kept = made.commits["squashed"], made.commits["kept"]
    assert git(made.root, "log", "-1", "--format=%s", squashed) == ["A wider hidden layer (#12)"]
    assert git(made.root, "diff", "--stat", squashed, kept) == []
    assert git(made.root, "branch", "--contains", kept) == []
    assert git(made.root, "status", "--porcelain") == []


def test_dvc_finds_nothing_to_do_on_main(made: Showcase) -> None:
    assert "up to date" in dvc(made.root, "status")


def test_dvc_holds_what_its_locks_name(made: Showcase) -> None:
    for name, commit in made.experiments.items():
        if name == showcase.OLDER:
            continue  # a record alone
        lock = yaml.safe_load(run("git", "show", f"{commit}:dvc.lock", cwd=made.root).stdout)
        outs = [one for stage in lock["stages"].values() for one in stage["outs"]]
        kept = [one["md5"] for one in outs if not one["path"].endswith((".json", ".yaml", ".csv"))]
        assert len(kept) == 3
        cache = made.root / ".dvc/cache/files/md5"
        assert [md5 for md5 in kept if not (cache / md5[:2] / md5[2:]).is_file()] == []


# Are its records like real ones?


def shape(value: Any) -> Any:
    """The keys of a record, at every depth; of what stands behind them only whether there is anything."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return value is not None


def test_the_fast_records_are_those_that_dvc_makes(made: Showcase, tmp_path: Path) -> None:
    really = held(made, made.experiments[showcase.EXECUTED])
    (tmp_path / "repo").mkdir()
    run("git", "init", "--quiet", cwd=tmp_path / "repo")
    history = History(tmp_path / "repo", tmp_path)
    history.commits["november"] = made.commits["november"]
    history.workshop("november")
    # Whose prepared data the next one takes over.
    history.run(None, {}, "november", changed={"data/digits.csv": "M"})
    fast = history.run(showcase.EXECUTED, {"model.hidden": 128}, "november")
    history.close()

    assert fast.keys() == really.keys() - {f"{LATEST}/.gitignore"}
    for name in (name for name in fast if name.endswith(".json")):
        assert shape(json.loads(fast[name])) == shape(json.loads(really[name])), name
    for name in (
        "evaluation.json",
        "split_manifest.json",
        "split_checksums.json",
        "curves.csv",
        "benchmark.json",
    ):
        assert fast[f"{LATEST}/{name}"] == really[f"{LATEST}/{name}"], name
    told, meant = (json.loads(one[f"{LATEST}/meta.json"]) for one in (fast, really))
    for key in (
        "seed",
        "params_digest",
        "experiment",
        "overrides",
        "overrides_against",
        "fingerprint",
        "packages",
    ):
        assert told[key] == meant[key], key
    assert told["git"]["code_tree"] == meant["git"]["code_tree"]
    first, second = (json.loads(one[f"{LATEST}/digests.json"]) for one in (fast, really))
    assert first == second
    first, second = (yaml.safe_load(one["dvc.lock"])["stages"] for one in (fast, really))
    for stage in ("prepare", "train", "evaluate", "benchmark"):
        lasting = [
            [one for one in lock[stage]["outs"] if "/stages/" not in one["path"]] for lock in (first, second)
        ]
        assert lasting[0] == lasting[1]
        assert first[stage]["deps"] == second[stage]["deps"]


# What the library reads, and what DVC shows.


@pytest.fixture(scope="module")
def shown(made: Showcase) -> dict[str, dict[str, Any]]:
    """What `dvc exp show` says of each experiment and of each branch's tip."""
    found = json.loads(dvc(made.root, "exp", "show", "--json", "-A"))
    every = {}
    for commit in found:
        every[commit["rev"]] = commit["data"]
        for one in commit["experiments"] or []:
            every[one["name"]] = one["revs"][0]["data"]
    return every


def test_every_experiment_that_dvc_shows_is_a_row_with_the_same_numbers(
    rows: Rows, shown: dict[str, dict[str, Any]], made: Showcase
) -> None:
    compared = 0
    for name in shown.keys() & made.experiments.keys() - {showcase.TORN}:
        row = rows.find(name)
        summary = shown[name]["metrics"][f"{LATEST}/summary.json"]["data"]
        assert row.run.status == summary["status"], name
        assert row.run.headline == summary.get("metrics", {}), name
        assert row.run.runtime_seconds == summary.get("runtime_seconds"), name
        params = shown[name]["params"]["params.yaml"]["data"]
        if row.run.status != "failed" or row.run.params:
            assert row.run.params["train.lr"] == params["train"]["lr"], name
            assert row.run.seed == params["seed"], name
        compared += 1
    assert compared >= 30


def test_every_experiment_is_a_row_under_its_name(rows: Rows, made: Showcase) -> None:
    assert {name for row in rows.rows for name in row.names} >= made.experiments.keys()
    for name, commit in made.experiments.items():
        assert rows.find(name) is rows.find(commit)


def test_what_many_commits_hold_is_one_row_with_all_names(rows: Rows, made: Showcase) -> None:
    first = rows.find("lr-0.2-s0")
    assert first is rows.find("v0.1")
    assert {made.commits["first"], made.experiments["lr-0.2-s0"]} <= set(first.commits)
    wider = rows.find("wider-s0")
    assert wider is rows.find(made.commits["squashed"])
    assert wider is rows.find("wider-kept")
    main = rows.find("main")
    assert {"november-s0", "v0.2", "main", "workspace"} <= set(main.names)
    assert rows.find("momentum") is rows.find("momentum-s0")
    assert rows.find("steeper") is rows.find("lr-0.3-s0")


def test_a_row_knows_its_baselines_and_branches(rows: Rows, made: Showcase) -> None:
    assert rows.find("gentle-s1").baselines == (made.commits["momentum"],)
    assert "momentum" in rows.find("gentle-s1").branches
    assert {"main", "momentum"} <= set(rows.find("november-s3").branches)
    on_main = {row.name for row in rows.of_baseline()}
    assert {"bigbox-s2", "november-s4", showcase.EXECUTED, showcase.FAILED} <= on_main
    assert not on_main & {"momentum-s1", "wider-s1", "lr-0.1-s0"}


def broken(rows: Rows, made: Showcase, name: str) -> Row:
    found = [row for row in rows.rows if made.experiments[name] in row.commits]
    assert len(found) == 1
    return found[0]


def test_what_failed_is_old_or_torn_is_a_row_and_no_crash(rows: Rows, made: Showcase) -> None:
    failed = broken(rows, made, showcase.FAILED)
    assert (failed.run.status, failed.run.headline) == ("failed", {})
    assert failed.run.error is not None
    assert "not a number" in failed.run.error["message"]
    older = broken(rows, made, showcase.OLDER)
    assert (older.run.status, round(older.run.headline["accuracy"] or 0, 4)) == ("success", 0.9741)
    assert broken(rows, made, showcase.TORN).warnings


def test_seeds_of_a_group_share_all_but_the_seed_and_the_machines_differ(rows: Rows) -> None:
    for group, names in GROUPS.items():
        runs = [rows.find(name).run for name in names]
        assert [one.seed for one in runs] == list(range(len(names))), group
        assert len({json.dumps({**one.params, "seed": None}, sort_keys=True) for one in runs}) == 1, group
        assert len({(one.code_tree, one.data, one.fingerprint) for one in runs}) == 1, group
    runs = {group: rows.find(names[0]).run for group, names in GROUPS.items()}
    assert len({one.data for one in runs.values()}) == 2
    assert len({one.fingerprint for one in runs.values()}) == 2
    assert len({one.code_tree for one in runs.values()}) == 4
