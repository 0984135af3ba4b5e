"""The commands over the showcase, as a person types them: is the first screen the answer, and is it true?"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import pytest
import showcase
from conftest import run
from projects import ENV, dvc
from showcase import Showcase

from reproof.history import read_rows

MAX_CHARACTERS = 60_000


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Showcase:
    """A copy in which the open pull request is checked out."""
    made = showcase.shared(tmp_path_factory).copy(tmp_path_factory.mktemp("branch") / "repo")
    run("git", "checkout", "--quiet", "momentum", cwd=made.root)
    dvc(made.root, "checkout", "--quiet")
    return made


def reproof(made: Showcase, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run("reproof", *words, cwd=made.root, env=ENV, check=check)


def flat(text: str) -> str:
    return " ".join(text.split())


# compare


def test_the_first_screen_says_which_is_best_and_whether_it_really_is(branch: Showcase) -> None:
    said = reproof(branch, "compare").stdout
    first = flat(said)[:200]
    assert first.startswith("momentum has the best accuracy: 0.9")
    assert "really better than november" in first
    assert "95% interval" in first
    lines = said.splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) <= 40  # a screen
    assert re.search(r"^momentum +6 ", said, flags=re.M)
    assert re.search(r"^november \* +6 ", said, flags=re.M)
    assert re.search(r"^gentle +3 .*inconclusive", said, flags=re.M)
    assert "n = 3 cannot reach p < 0.05" in flat(said)
    assert "wider" not in said  # of another baseline
    assert re.search(r"other code|states of the code", flat(said))


def test_of_a_method_with_itself_on_another_machine_only_the_timing_is_not_comparable(
    branch: Showcase,
) -> None:
    found = json.loads(reproof(branch, "compare", "november-*", "bigbox-*", "--format", "json").stdout)
    (bigbox,) = (group for group in found["groups"] if group["name"] == "bigbox")
    assert {name: one["verdict"]["kind"] for name, one in bigbox["metrics"].items()} == {
        "accuracy": "same",
        "loss": "same",
        "latency_ms": "not comparable",
    }


def test_everything_is_compared_and_nothing_is_lost(branch: Showcase) -> None:
    done = reproof(branch, "compare", "--all", "--baseline", "main", "--format", "json")
    found = json.loads(done.stdout)
    groups = {group["name"]: group for group in found["groups"]}
    assert groups.keys() == {*showcase.GROUPS, showcase.OLDER}
    for name, group in groups.items():
        assert group["n"] == len(showcase.GROUPS.get(name, (showcase.OLDER,))), name
    metrics = {name: group["metrics"] for name, group in groups.items()}
    assert metrics["momentum"]["accuracy"]["verdict"]["kind"] == "better"
    assert metrics["wider"]["accuracy"]["verdict"]["kind"] == "not comparable"  # other data
    assert metrics["wider"]["latency_ms"]["verdict"]["kind"] != "not comparable"  # the same machine
    told = json.dumps(found)
    assert showcase.FAILED in told
    assert showcase.TORN in told


def test_the_means_are_those_of_the_runs(branch: Showcase) -> None:
    rows = read_rows(branch.root)
    found = json.loads(reproof(branch, "compare", "--all", "--format", "json").stdout)
    for group in found["groups"]:
        for metric, spread in group["metrics"].items():
            values = [rows.find(name).run.headline[metric] for name in showcase.GROUPS.get(group["name"], ())]
            if values:
                assert spread["mean"] == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_a_question_gives_the_runs_of_which_it_holds_as_columns_for_a_spreadsheet(branch: Showcase) -> None:
    question = "params.train.momentum > 0.6 and metrics.accuracy > 0.9"
    words = ("--all", "--baseline", "main", "--query", question, "--format", "csv")
    listed = {
        line["run"]: line for line in csv.DictReader(io.StringIO(reproof(branch, "compare", *words).stdout))
    }
    meant = {
        run.seed
        for run in (row.run for row in read_rows(branch.root).rows)
        if (run.params.get("train.momentum") or 0) > 0.6 and (run.headline.get("accuracy") or 0) > 0.9
    }
    assert {int(seed) for seed in listed["momentum"]["seeds"].split()} == meant
    assert len(meant) >= 4
    (base,) = listed.keys() - {"momentum"}
    assert (base[:8], listed[base]["baseline"]) == ("november", "yes")
    assert listed["momentum"]["params.train.momentum"] == "0.7"
    assert float(listed["momentum"]["accuracy"]) > 0.9


def test_as_markdown_its_links_lead_somewhere(branch: Showcase, tmp_path: Path) -> None:
    reproof(branch, "compare", "--all", "--baseline", "main", "--output", str(tmp_path / "comparison.md"))
    text = (tmp_path / "comparison.md").read_text()
    assert "really better than november" in flat(text)
    links = re.findall(r"\]\(<?([^)>\s#]+)", text)
    assert any(link.endswith(".svg") for link in links)
    assert [link for link in links if "://" not in link and not (tmp_path / link).exists()] == []


# diff


def difference(branch: Showcase, a: str, b: str) -> str:
    return reproof(branch, "diff", a, b).stdout


def test_diff_says_first_what_probably_matters(branch: Showcase) -> None:
    said = difference(branch, "main", "momentum")
    first = said.splitlines()[0]
    for words in ("same data", "train.momentum (none) → 0.7", "step", "fit", "src/model.py"):
        assert words in first, words
    assert "these two models" in said


def test_diff_of_one_run_on_two_machines_names_threads_packages_and_machine(branch: Showcase) -> None:
    said = difference(branch, "november-s1", "bigbox-s1")
    head = flat("\n".join(said.splitlines()[:6]))
    for words in ("same code", "numpy 2.4 → 2.3", "threads 1 → 2", "bit for bit"):
        assert words in head, words
    assert "Xeon" in said
    assert "AVX2" in said


def test_diff_of_two_versions_of_the_data_counts_who_came_and_went(branch: Showcase) -> None:
    said = difference(branch, "wider-s0", "november-s0")
    assert "data" in said.splitlines()[0]
    before, after = ids(branch, "wider-s0"), ids(branch, "november-s0")
    came, went = after - before, before - after
    assert (len(came), len(went)) == (497, 3)
    for split in ("train", "validation", "test"):
        own = {name for name, where in came if where == split}
        assert re.search(rf"\b{len(own)}\b", said), split


def ids(branch: Showcase, name: str) -> set[tuple[str, str]]:
    commit = branch.experiments[name]
    text = run("git", "show", f"{commit}:results/latest/split_manifest.json", cwd=branch.root).stdout
    return {(one, split) for split, listed in json.loads(text)["ids"].items() for one in listed}


def test_diff_of_a_run_and_itself_says_so(branch: Showcase) -> None:
    said = difference(branch, "momentum", "momentum-s0")
    assert said.startswith("one run: both names stand for ")


# pr-report and commit


def test_the_report_of_a_pull_request_answers_and_fits(branch: Showcase, tmp_path: Path) -> None:
    done = reproof(
        branch, "pr-report", "--base", "origin/main", "--check", "--output", str(tmp_path / "r.md")
    )
    text = (tmp_path / "r.md").read_text()
    assert done.returncode == 0
    assert len(text) <= MAX_CHARACTERS
    head = flat(text[:1500])
    assert "better" in head.lower()
    for words in ("accuracy", "loss", "latency_ms", "train.momentum", "src/model.py"):
        assert words in text, words
    assert text.count("<details>") == text.count("</details>")
    assert str(branch.root) not in text


def test_a_run_that_is_worse_fails_where_params_say_so(branch: Showcase, tmp_path: Path) -> None:
    mine = branch.copy(tmp_path / "repo")
    run("git", "checkout", "--quiet", "-b", "worse", mine.commits["first"], cwd=mine.root)
    run("git", "update-ref", "refs/remotes/origin/main", mine.commits["first"], cwd=mine.root)
    dvc(mine.root, "exp", "apply", "lr-0.1-s0")
    params = mine.root / "params.yaml"
    params.write_text(
        params.read_text().replace("comparison:\n", "comparison:\n  fail_on_regression: true\n")
    )
    run("git", "commit", "--quiet", "--all", "--message", "A lower learning rate", cwd=mine.root)
    worse = reproof(mine, "pr-report", "--check", check=False)
    assert worse.returncode == 4, worse.stdout
    assert "worse" in worse.stdout.lower()


def test_an_experiment_becomes_a_commit_that_names_its_run(branch: Showcase, tmp_path: Path) -> None:
    mine = branch.copy(tmp_path / "repo")
    reproof(mine, "commit", "momentum-s3", "-m", "The third seed")
    text = run("git", "log", "-1", "--format=%(trailers:unfold)", cwd=mine.root).stdout
    told = dict(line.split(": ", 1) for line in text.splitlines() if line)
    meant = read_rows(mine.root).find("momentum-s3").run
    assert told["Run-Id"] == meant.run_id
    assert told["Experiment"] == "momentum-s3"
    assert told["Metrics"].startswith(f"accuracy={meant.headline['accuracy']!r} ")
    assert run("git", "status", "--porcelain", cwd=mine.root).stdout == ""
    assert "up to date" in dvc(mine.root, "status")
