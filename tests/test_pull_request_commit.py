"""`reproof commit`: what it commits, what Git reads back of it, and the trees that it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bad_inputs import nothing_lost
from conftest import commit_all, run
from hypothesis import given
from hypothesis import strategies as st
from pull_requests import RECORD, a_run, add_experiment, edited, lay, reproof

from reproof import git, history
from reproof.errors import ReproofError
from reproof.pull_request import commit as committing
from reproof.pull_request import trailers
from reproof.recorded import Run


def commit(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return reproof(project, "commit", *arguments)


def read_back(project: Path) -> dict[str, str]:
    """The trailers of HEAD as Git itself reads them."""
    message = run("git", "log", "-1", "--format=%B", cwd=project).stdout
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        cwd=project,
        input=message,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def status(project: Path) -> str:
    return run("git", "status", "--porcelain", cwd=project).stdout


def test_an_experiment_is_applied_and_committed(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, seed=3, lr=0.1, accuracy=0.97), "lr-0.1")
    before = run("git", "rev-parse", "HEAD", cwd=small_copy).stdout.strip()
    done = commit(small_copy, "lr-0.1", "-m", "A lower rate (#12)", "-m", "#12 asked for it.")
    assert done.returncode == 0, done.stderr
    found = read_back(small_copy)
    assert found.keys() == {"Run-Id", "Experiment", "Params-Digest", "Data-Digest", "Metrics"}
    assert found["Run-Id"] == json.loads((small_copy / "results/latest/meta.json").read_text())["run_id"]
    assert found["Experiment"] == "lr-0.1"
    assert found["Metrics"] == "accuracy=0.97 loss=0.3"
    own = history.of_results(small_copy / "results/latest")
    assert own
    assert found["Params-Digest"] == trailers.params_digest(own)
    assert found["Data-Digest"] == own.data
    message = run("git", "log", "-1", "--format=%B", cwd=small_copy).stdout
    assert message.startswith("A lower rate (#12)\n\n#12 asked for it.\n\nRun-Id: ")
    assert status(small_copy) == ""
    assert run("git", "rev-parse", "HEAD~1", cwd=small_copy).stdout.strip() == before
    experiment = "refs/exps/*/*/lr-0.1"
    ref = run("git", "for-each-ref", "--format=%(refname)", experiment, cwd=small_copy).stdout.strip()
    assert run("git", "diff", "--stat", "HEAD", ref, cwd=small_copy).stdout == "", "the commit holds its tree"


def test_what_dvc_exp_run_left_here_is_the_experiments_own(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1, accuracy=0.97), "lr-0.1")
    run("dvc", "exp", "apply", "lr-0.1", cwd=small_copy)
    assert status(small_copy) != ""
    assert commit(small_copy, "lr-0.1", "-m", "A lower rate").returncode == 0
    assert status(small_copy) == ""
    assert read_back(small_copy)["Metrics"] == "accuracy=0.97 loss=0.3"


def test_a_first_run_is_committed_by_its_name_also_after_another_one(small_run: Path) -> None:
    project = small_run.parent / "first"
    shutil.copytree(small_run, project)
    start = run("git", "rev-list", "--max-parents=0", "HEAD", cwd=project).stdout.strip()
    run("git", "checkout", "--quiet", "-B", "main", start, cwd=project)
    for name, rate in (("slow", "0.1"), ("fast", "0.7")):
        run("dvc", "exp", "run", "-n", name, "-S", f"train.lr={rate}", cwd=project)
    (project / "reports").mkdir(exist_ok=True)
    (project / "reports/mine.md").write_text("Mine.\n")
    assert commit(project, "slow", "-m", "The slow one").returncode == 0
    assert status(project) == "?? reports/\n"
    assert "lr: 0.1" in run("git", "show", "HEAD:params.yaml", cwd=project).stdout
    assert read_back(project)["Experiment"] == "slow"


def test_the_run_of_the_workspace_is_committed(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, seed=3, accuracy=0.97))
    done = commit(small_copy, "-m", "Another seed", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["commit"] == run("git", "rev-parse", "HEAD", cwd=small_copy).stdout.strip()
    assert made["trailers"] == read_back(small_copy)
    assert made["branch"] == "main"
    assert status(small_copy) == ""


def test_code_that_ran_belongs_to_the_run(small_copy: Path, record: RECORD) -> None:
    script = small_copy / "src/train.py"
    script.write_text(script.read_text() + "# wider\n")
    (small_copy / "src/new.py").write_text("new = 1\n")
    state = git.code_state(small_copy)
    assert state.dirty
    meta = json.loads(record["meta.json"])["git"] | {"code_tree": state.code_tree}
    lay(small_copy, edited(a_run(record, 1, accuracy=0.97), {"meta.json": {"git": meta}}))
    assert commit(small_copy, "-m", "Wider").returncode == 0
    assert status(small_copy) == ""
    assert "src/new.py" in run("git", "show", "--stat", "HEAD", cwd=small_copy).stdout


def test_signed_off_messages_keep_their_line_and_old_trailers_give_way(
    small_copy: Path, record: RECORD
) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    message = "Again\n\nRun-Id: an older one\nSigned-off-by: Ada <ada@example.org>"
    assert commit(small_copy, "-m", message).returncode == 0
    found = read_back(small_copy)
    assert found["Signed-off-by"] == "Ada <ada@example.org>"
    assert found["Run-Id"] != "an older one"
    assert run("git", "log", "-1", "--format=%B", cwd=small_copy).stdout.count("Run-Id") == 1


def test_notes_written_since_stay_and_a_second_experiment_of_the_baseline_goes_on_top(
    small_copy: Path, record: RECORD
) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "one")
    add_experiment(small_copy, a_run(record, 2, lr=0.2), "two")
    assert commit(small_copy, "one", "-m", "One").returncode == 0
    (small_copy / "notes").mkdir()
    (small_copy / "notes/analysis.md").write_text("What we saw.\n")
    commit_all(small_copy, "Notes")
    done = commit(small_copy, "two", "-m", "Two")
    assert done.returncode == 0, done.stderr
    assert (small_copy / "notes/analysis.md").read_text() == "What we saw.\n"
    assert read_back(small_copy)["Experiment"] == "two"
    assert "lr: 0.2" in (small_copy / "params.yaml").read_text()
    assert status(small_copy) == ""


def test_a_project_in_a_folder_of_a_repository(small_copy: Path, record: RECORD, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    shutil.rmtree(small_copy / ".git")
    small_copy.rename(top / "ours")
    (top / "other.txt").write_text("Another project.\n")
    run("git", "init", "--quiet", cwd=top)
    commit_all(top, "Start")
    lay(top / "ours", a_run(record, 1, accuracy=0.97))
    assert commit(top / "ours", "-m", "Ours").returncode == 0
    assert status(top) == ""
    lay(top / "ours", a_run(record, 2, accuracy=0.98))
    (top / "other.txt").write_text("Changed.\n")
    done = commit(top / "ours", "-m", "Ours")
    assert done.returncode == 2
    assert "found: other.txt" in done.stderr


# What is refused: nothing is changed then


def refuses(project: Path, expected: str, experiment: str | None = None, message: str = "x") -> str:
    """Check that a commit is refused, and that the tree, the index and HEAD stay as they are."""
    before = (status(project), run("git", "rev-parse", "HEAD", cwd=project, check=False).stdout)
    with nothing_lost(project), pytest.raises(ReproofError) as caught:
        committing.commit(project, experiment, [message])
    assert expected in str(caught.value)
    assert (status(project), run("git", "rev-parse", "HEAD", cwd=project, check=False).stdout) == before
    return str(caught.value)


def test_a_dirty_tree_is_not_applied_on(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    (small_copy / "data/README.md").write_text("Edited.\n")
    told = refuses(small_copy, "the tree holds changes that are no part of the run", "lr-0.1")
    assert "found: data/README.md" in told


def test_a_staged_file_is_dirt_as_well(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    (small_copy / "extra.txt").write_text("Staged.\n")
    run("git", "add", "extra.txt", cwd=small_copy)
    refuses(small_copy, "found: extra.txt", "lr-0.1")


def test_untracked_files_stay_where_they_are(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    (small_copy / "scratch.txt").write_text("Mine.\n")
    assert commit(small_copy, "lr-0.1", "-m", "x").returncode == 0
    assert status(small_copy) == "?? scratch.txt\n"


def test_an_untracked_file_that_would_be_lost(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, {**a_run(record, 1, lr=0.1), "extra.json": b"{}"}, "lr-0.1")
    (small_copy / "results/latest/extra.json").write_text("Mine.\n")
    refuses(small_copy, "found: results/latest/extra.json", "lr-0.1")


def test_code_that_did_not_run(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    script = small_copy / "src/train.py"
    script.write_text(script.read_text() + "# since\n")
    told = refuses(small_copy, "not the code that the run")
    assert "found: src/train.py" in told


def test_params_that_did_not_run(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    (small_copy / "params.yaml").write_text(
        (small_copy / "params.yaml").read_text().replace("seed: 0", "seed: 9")
    )
    refuses(small_copy, "params.yaml is not what this run was given")


@pytest.mark.parametrize("state", ["failed", "in_progress"])
def test_a_run_that_did_not_end_well(small_copy: Path, record: RECORD, state: str) -> None:
    lay(small_copy, edited(a_run(record, 1), {"meta.json": {"status": state}}))
    refuses(small_copy, "the run has not ended well")
    run("git", "checkout", "--quiet", ".", cwd=small_copy)
    add_experiment(small_copy, edited(a_run(record, 2), {"meta.json": {"status": state}}), "broken")
    refuses(small_copy, "the run has not ended well", "broken")


def test_nothing_new(small_copy: Path) -> None:
    refuses(small_copy, "the last commit holds this run already")


def test_no_run(git_project: Path) -> None:
    refuses(git_project, "no run is recorded there")


def test_a_name_that_is_no_experiment(small_copy: Path) -> None:
    refuses(small_copy, "main: not an experiment", "main")
    refuses(small_copy, "no such revision: 'gone'", "gone")


def test_other_code_since_the_experiment(small_copy: Path, record: RECORD) -> None:
    add_experiment(small_copy, a_run(record, 1, lr=0.1), "lr-0.1")
    (small_copy / "src/new.py").write_text("new = 1\n")
    commit_all(small_copy, "Code")
    refuses(small_copy, "the code has changed since this experiment", "lr-0.1")


def test_no_branch(small_copy: Path, record: RECORD) -> None:
    run("git", "checkout", "--quiet", "--detach", cwd=small_copy)
    lay(small_copy, a_run(record, 1))
    refuses(small_copy, "HEAD is on no branch")


def test_in_the_middle_of_a_merge(small_copy: Path, record: RECORD) -> None:
    run("git", "switch", "--quiet", "--create", "side", "HEAD~1", cwd=small_copy)
    (small_copy / "side.txt").write_text("side\n")
    commit_all(small_copy, "Side")
    run("git", "switch", "--quiet", "main", cwd=small_copy)
    run("git", "merge", "--quiet", "--no-commit", "--no-ff", "side", cwd=small_copy)
    refuses(small_copy, "a merge is not finished")


def test_no_message(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1))
    refuses(small_copy, "a commit needs a message", message="  \n ")


def test_a_hook_that_refuses_is_told_and_nothing_is_lost(small_copy: Path, record: RECORD) -> None:
    lay(small_copy, a_run(record, 1, accuracy=0.97))
    hook = small_copy / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'the linter is not content' >&2\nexit 1\n")
    hook.chmod(0o755)
    with nothing_lost(small_copy):
        done = commit(small_copy, "-m", "x")
    assert done.returncode == 2
    assert "Git does not commit" in done.stderr
    assert "the linter is not content" in done.stderr


# Trailers


def line_of(**values: object) -> dict[str, str]:
    return trailers.of_run(Run(run_id="20260101-000000-aaaaaa", **values))  # type: ignore[arg-type]


def test_what_a_record_lacks_is_left_out() -> None:
    assert line_of() == {"Run-Id": "20260101-000000-aaaaaa"}
    assert line_of(headline={"accuracy": None, "f1": 0.1 + 0.2})["Metrics"] == "f1=0.30000000000000004"


def test_the_digest_of_params_is_of_those_that_stages_compute_from() -> None:
    own = line_of(params={"seed": 0, "train.lr": 0.1})["Params-Digest"]
    documents = {
        "report.title": "A",
        "links.model": "x",
        "summary.f1": "y",
        "comparison.metrics.f1.better": "higher",
    }
    assert line_of(params={"train.lr": 0.1, "seed": 0, **documents})["Params-Digest"] == own
    assert line_of(params={"seed": 1, "train.lr": 0.1})["Params-Digest"] != own
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", own)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(name=WORDS, metric=WORDS)
def test_no_name_makes_a_trailer_of_its_own(name: str, metric: str) -> None:
    made = line_of(experiment=name, headline={metric: 1.0})
    assert made.keys() <= {"Run-Id", "Experiment", "Metrics"}
    assert all(len(value.splitlines()) == 1 and value == value.strip() for value in made.values())


@pytest.mark.parametrize(
    "message",
    [
        "One line",
        "Two\n\nparagraphs",
        "A: looks like one",
        "With\n\n---\n\na line of dashes",
        "Ünïcode – ✓\n\n# hash",
    ],
)
def test_git_reads_back_what_was_written(git_project: Path, message: str) -> None:
    names = line_of(experiment="a: b\nRun-Id: forged", headline={"f1 score": 0.5})
    whole = trailers.added(message, names, git_project)
    assert {name: [value] for name, value in names.items()} == {
        name: values for name, values in trailers.parsed(whole, git_project).items() if name in names
    }
    assert names["Experiment"] == "a: b Run-Id: forged"
    assert names["Metrics"] == "f1_score=0.5"
    assert whole.startswith(message.replace("\n---", "\n ---"))  # Git's own reading would end there
    read = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        cwd=git_project, input=whole, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [f"{name}: {value}" for name, value in names.items()] == read.stdout.splitlines()
