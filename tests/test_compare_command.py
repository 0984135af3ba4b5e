"""`reproof compare` on a believable history: real Git, real DVC, real runs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import showcase
from conftest import run

from reproof.history import read_rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> showcase.Showcase:
    return showcase.shared(tmp_path_factory)


def compare(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run("reproof", "compare", *arguments, cwd=root, check=check)


def groups(root: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    found = json.loads(compare(root, *arguments, "--format", "json").stdout)
    return {one["name"]: one for one in found["groups"]}


def test_the_first_screen_of_everything_names_the_best_and_says_that_it_really_is(
    made: showcase.Showcase,
) -> None:
    done = compare(made.root, "--all")
    first = " ".join(done.stdout.split("\n\n")[0].split())
    # The one run of hidden-128 is a little luckier; nobody is told that it is the better method.
    assert re.match(r"(hidden-128 has the best accuracy, [\d.]+, but of one run; .* it is )?momentum", first)
    assert "really better than november: +" in first
    assert "6 pairs" in first
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert "(diverged)" in done.stdout
    assert "torn" in done.stdout
    assert "baseline: november, the last one recorded here" in done.stderr


def test_a_bare_repository_is_compared_by_its_own_params(made: showcase.Showcase, tmp_path: Path) -> None:
    run("git", "clone", "--quiet", "--mirror", made.root.as_uri(), "bare.git", cwd=tmp_path)
    bare = tmp_path / "bare.git"
    assert compare(bare).stdout == compare(made.root).stdout
    single = json.loads(compare(bare, "main", "momentum", "--format", "json").stdout)
    assert "is not shown: one run a side, without an interval" in single["headline"]
    told = run("reproof", "diff", "main", "momentum", cwd=bare).stdout
    assert "train.momentum (none) → 0.7" in told
    assert "src/model.py (evaluate, train): changed step, fit" in told


def test_everything_grouped_judged_and_left_out(made: showcase.Showcase) -> None:
    found = groups(made.root, "--all")
    for name, members in showcase.GROUPS.items():
        assert {one["name"] for one in found[name]["runs"]} == set(members), name
    momentum = found["momentum"]["metrics"]["accuracy"]["verdict"]
    assert (momentum["kind"], momentum["test"], momentum["n"]) == ("better", "paired t", [6, 6])
    assert momentum["interval"][0] > 0
    assert found["gentle"]["metrics"]["accuracy"]["verdict"]["p_value"] is None
    assert "n = 3 cannot reach p < 0.05" in found["gentle"]["metrics"]["accuracy"]["verdict"]["reason"]
    assert found["bigbox"]["metrics"]["accuracy"]["verdict"]["kind"] == "same"
    assert found["bigbox"]["metrics"]["latency_ms"]["verdict"]["kind"] == "not comparable"
    assert found["wider"]["metrics"]["accuracy"]["verdict"]["reason"] == "other data"


def test_without_a_name_the_runs_of_this_commit_are_compared(made: showcase.Showcase) -> None:
    found = groups(made.root)
    assert set(found) == {"november", "bigbox", "hidden-128"}


def test_named_runs_are_two_models_and_other_seeds_are_told(made: showcase.Showcase) -> None:
    done = compare(made.root, "main", "momentum", "--format", "json")
    main, momentum = sorted(json.loads(done.stdout)["groups"], key=lambda one: one["name"])
    assert (main["name"], momentum["name"]) == ("main", "momentum")
    verdict = momentum["metrics"]["accuracy"]["verdict"]
    assert verdict["claim"] == "these two models"
    assert "shared test examples" in verdict["reason"]
    assert verdict["p_value"] is not None
    assert "5 other seeds of momentum" in done.stderr


def test_names_with_a_star_are_methods(made: showcase.Showcase) -> None:
    found = groups(made.root, "november-s*", "momentum-s*", "--baseline", "v0.2")
    assert found["momentum"]["n"] == 6
    assert found["momentum"]["metrics"]["loss"]["verdict"]["claim"] == "these two methods"


def test_questions_metrics_and_params(made: showcase.Showcase) -> None:
    found = groups(
        made.root, "--all", "--query", "params.train.lr < 0.15 and metrics.accuracy > 0.3", "--sort", "loss"
    )
    assert set(found) == {"lr-0.1", "november", "from-0.1"}
    assert found["november"]["n"] == 6  # the baseline, whole, though the question leaves it out
    only = groups(made.root, "lr-*", "--metric", "loss", "--by", "train.lr", "--baseline", "lr-0.2-s0")
    assert {one["params"]["train.lr"] for one in only.values()} == {0.1, 0.2, 0.3}
    assert all(set(one["metrics"]) == {"loss"} for one in only.values())


def test_the_baseline_of_a_branch_is_where_it_began(made: showcase.Showcase, tmp_path: Path) -> None:
    mine = made.copy(tmp_path / "repo")
    run("git", "checkout", "--quiet", "--force", "momentum", cwd=mine.root)
    found = json.loads(compare(mine.root, "--format", "json").stdout)
    assert {one["name"] for one in found["groups"]} >= {"momentum", "gentle"}
    base = next(one for one in found["groups"] if one["name"] == found["baseline"])
    assert base["runs"][0]["run_id"] == read_rows(made.root).find("main").run.run_id


def test_documents_are_written(made: showcase.Showcase, tmp_path: Path) -> None:
    markdown = tmp_path / "reports" / "comparison.md"
    done = compare(made.root, "--all", "--output", str(markdown))
    text = markdown.read_text(encoding="utf-8")
    assert re.search(r"comparison\.md: .*momentum.* really better than november", done.stdout)
    for name in ("effects", "parallel", "pareto"):
        assert f"(<comparison_figures/{name}.svg>)" in text
        assert (tmp_path / "reports" / "comparison_figures" / f"{name}.svg").stat().st_size > 500
    page = tmp_path / "comparison.html"
    compare(made.root, "--output", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    table = tmp_path / "all.csv"
    compare(made.root, "--all", "-o", str(table))
    assert table.read_text(encoding="utf-8").count("\n") == len(groups(made.root, "--all")) + 1


def test_nothing_is_written_into_the_working_tree(made: showcase.Showcase) -> None:
    before = run("git", "status", "--porcelain", "--ignored", cwd=made.root).stdout
    compare(made.root, "--all")
    assert run("git", "status", "--porcelain", "--ignored", cwd=made.root).stdout == before


def test_a_question_about_scores_that_picks_seeds_is_told(made: showcase.Showcase) -> None:
    asked = compare(made.root, "--all", "--query", "metrics.accuracy > 0.9").stdout
    assert "! --query chose seeds by what they scored, and left out others of" in asked
    assert "--query chose" not in compare(made.root, "--all", "--query", "params.train.lr > 0.15").stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "{}/all.xlsx"], "nothing is written as such a file"),
        (["-o", "{}/file/all.md"], "a file stands where a folder is to be"),
        (["-f", "md", "--figures", "{}/file"], "a file stands where a folder is to be"),
    ],
)
def test_where_nothing_can_be_written(
    made: showcase.Showcase, tmp_path: Path, options: list[str], told: str
) -> None:
    (tmp_path / "file").write_text("mine")
    done = compare(made.root, *(one.format(tmp_path) for one in options), check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "mine"
