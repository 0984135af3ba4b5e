"""A record is checked before anything runs: what was edited after the run, and what was never committed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import commit_all, run
from projects import dvc, experiment, small_project

from reproof.verify import record_check, recorded_run
from reproof.verify.checks.checked import Checked
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.levels import Exit

LATEST = Path("results/latest")
Edit = Callable[[Path], None]


def checked(project: Path, rev: str = "HEAD") -> list[Checked]:
    return record_check.check(recorded_run.load(project, rev))


def edit_json(name: str, change: Callable[[Any], None]) -> Edit:
    """An edit of one JSON file of the record, as by hand."""

    def edit(project: Path) -> None:
        path = project / LATEST / name
        value = json.loads(path.read_text())
        before = json.dumps(value)
        change(value)
        assert json.dumps(value) != before
        path.write_text(json.dumps(value, indent=2))

    return edit


def replace(name: str, old: str, new: str) -> Edit:
    """An edit of one text file."""

    def edit(project: Path) -> None:
        text = (project / name).read_text()
        assert old in text
        (project / name).write_text(text.replace(old, new))

    return edit


def in_lock(stage: str, change: Callable[[Any], None]) -> Edit:
    """An edit of what dvc.lock says of a stage."""

    def edit(project: Path) -> None:
        path = project / "dvc.lock"
        lock = yaml.safe_load(path.read_bytes())
        change(lock["stages"][stage])
        path.write_text(yaml.safe_dump(lock, sort_keys=False))

    return edit


def both(*edits: Edit) -> Edit:
    def edit(project: Path) -> None:
        for one in edits:
            one(project)

    return edit


def _better(value: Any) -> None:
    value["metrics"]["accuracy"] = 0.999


def _better_everywhere(value: Any) -> None:
    value["metrics"]["test.accuracy"] = 0.999


def _md5_of(kind: str, path: str) -> Callable[[Any], None]:
    def change(stage: Any) -> None:
        entry = next(one for one in stage[kind] if one["path"] == path)
        entry["md5"] = "0" * 32 + entry["md5"][32:]

    return change


def _set(*keys: str, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


def _drop_member(value: Any) -> None:
    value["ids"]["test"].pop()


def _wider_later(project: Path) -> None:
    """Tolerances that the params get after the numbers are known; the record is made anew around them."""
    path = project / "params.yaml"
    path.write_text(path.read_text() + "verify:\n  metrics: {absolute: 0.5}\n")
    dvc(project, "repro", "summarize")


EDITED = {
    "a headline metric": (edit_json("summary.json", _better), "summary.json: metrics.accuracy"),
    "a metric of a stage": (
        edit_json("stages/evaluate.json", _better_everywhere),
        "evaluation.json: test.accuracy",
    ),
    "a metric wherever it stands, but for dvc.lock": (
        both(
            edit_json("stages/evaluate.json", _better_everywhere),
            edit_json("summary.json", _better),
            edit_json("evaluation.json", _set("splits", "test", "accuracy", to=0.999)),
        ),
        "dvc.lock: evaluate: results/latest/stages/evaluate.json",
    ),
    "a score in evaluation.json": (
        edit_json("evaluation.json", _set("splits", "validation", "loss", to=0.01)),
        "evaluation.json: validation.loss",
    ),
    "a member of a split": (
        edit_json("split_manifest.json", _drop_member),
        "split_manifest.json: ids of test",
    ),
    "a split's checksum": (
        edit_json("split_checksums.json", _set("splits", "test", to="sha256:" + "0" * 64)),
        "results/latest/split_checksums.json: as prepare wrote it",
    ),
    "an input's digest": (
        edit_json("digests.json", _set("artefacts", "prepared", to="sha256:" + "0" * 64)),
        "digests.json: artefacts.prepared",
    ),
    "what a stage read": (
        edit_json(
            "stages/evaluate.json", _set("reads", "results/latest/checkpoint", to="sha256:" + "0" * 64)
        ),
        "results/latest/checkpoint: as train wrote it, as evaluate read it",
    ),
    "the run id": (edit_json("meta.json", _set("run_id", to="20260101-000000-abcdef")), "meta.json: run_id"),
    "the seed": (edit_json("meta.json", _set("seed", to=7)), "meta.json: seed"),
    "a package": (edit_json("meta.json", _set("packages", "numpy", to="1.0")), "meta.json: packages"),
    "the machine": (edit_json("meta.json", _set("fingerprint", to="0" * 12)), "meta.json: fingerprint"),
    "the code tree": (edit_json("meta.json", _set("git", "code_tree", to="0" * 40)), "git.code_tree"),
    "the runtime": (edit_json("summary.json", _set("runtime_seconds", to=1.0)), "runtime_seconds"),
    "the status of a stage": (
        edit_json("meta.json", _set("stages", "train", "status", to="partial")),
        "meta.json: stages.train.status",
    ),
    "params.yaml": (replace("params.yaml", "steps: 40", "steps: 400"), "config.yaml = params.yaml"),
    "params.yaml and config.yaml": (
        both(
            replace("params.yaml", "steps: 40", "steps: 400"),
            replace("results/latest/config.yaml", "steps: 40", "steps: 400"),
        ),
        "dvc.lock: train: params.yaml: train",
    ),
    "a command in dvc.lock": (
        in_lock("train", _set("cmd", to="python src/other.py")),
        "dvc.lock: train: cmd",
    ),
    "a param in dvc.lock": (
        in_lock("train", _set("params", "params.yaml", "seed", to=9)),
        "dvc.lock: train: params.yaml: seed",
    ),
    "a dependency taken out of dvc.lock": (
        in_lock("train", lambda stage: stage["deps"].pop()),
        "dvc.lock: train: the paths of deps",
    ),
    "what a stage made, in dvc.lock": (
        in_lock("prepare", _md5_of("outs", "prepared")),
        "dvc.lock: train: prepared, as prepare left it",
    ),
    "an output that Git holds": (
        replace("results/latest/curves.csv", "\n", "\n0"),
        "results/latest/curves.csv: as train wrote it",
    ),
    "code in dvc.lock alone": (
        in_lock("train", _md5_of("deps", "src/train.py")),
        "dvc.lock: train: src/train.py",
    ),
    "the tolerances, and the record made anew": (_wider_later, "widened after the run"),
}


@pytest.mark.parametrize("name", EDITED)
def test_what_was_edited_after_the_run_is_named(small_copy: Path, name: str) -> None:
    edit, place = EDITED[name]
    edit(small_copy)
    commit_all(small_copy, "Edited")
    with pytest.raises(Contradiction) as caught:
        checked(small_copy)
    assert place in str(caught.value)
    assert caught.value.code is Exit.CONTRADICTION


def test_an_untouched_record_agrees_and_says_what_it_could_not_look_at(small_run: Path) -> None:
    found = checked(small_run)
    assert all(one.ok is not False for one in found)
    assert sum(one.ok is True for one in found) > 150
    unknown = {one.what: one.reason for one in found if one.ok is None}
    assert unknown["prepared: as prepare wrote it"] == "DVC holds it"
    # What Git holds is never among them.
    assert not any("evaluation.json" in what or "src/" in what for what in unknown)


def test_nothing_of_the_workspace_is_looked_at(small_copy: Path) -> None:
    edit_json("summary.json", _better)(small_copy)
    (small_copy / "src" / "train.py").unlink()
    (small_copy / "scratch.py").write_text("1\n")
    before = run("git", "status", "--porcelain", cwd=small_copy).stdout
    checked(small_copy)
    assert run("git", "status", "--porcelain", cwd=small_copy).stdout == before


def test_an_experiment_with_an_exponent_agrees(small_copy: Path) -> None:
    name = experiment(dvc(small_copy, "exp", "run", "-S", "train.lr=0.00001", "-S", "seed=3"))
    run("git", "checkout", "--quiet", "--force", "HEAD", cwd=small_copy)
    found = recorded_run.load(small_copy, name)
    assert found.name == name
    assert found.params["train"]["lr"] == 1e-05
    assert all(one.ok is not False for one in record_check.check(found))


def test_a_project_in_a_subfolder_agrees(tmp_path: Path) -> None:
    top = tmp_path / "mono"
    project = small_project(top / "projects" / "one")
    (project / ".git").rename(top / ".git")
    commit_all(top, "One of many projects")
    dvc(project, "repro")
    commit_all(top, "Run")
    found = recorded_run.load(project, "HEAD")
    assert found.prefix == "projects/one/"
    assert all(one.ok is not False for one in record_check.check(found))


def test_windows_line_ends_are_no_contradiction(small_copy: Path) -> None:
    """Git may keep a file with other line ends than those that DVC hashed."""
    run("git", "config", "core.autocrlf", "true", cwd=small_copy)
    (small_copy / "data" / "README.md").write_bytes(b"Points.\r\nMore of them.\r\n")
    dvc(small_copy, "repro")
    commit_all(small_copy, "From Windows")
    run_ = recorded_run.load(small_copy, "HEAD")
    assert run_.get("data/README.md") == b"Points.\nMore of them.\n"
    assert all(one.ok is not False for one in record_check.check(run_))


def test_code_that_was_never_committed_cannot_be_verified(small_copy: Path) -> None:
    script = small_copy / "src" / "train.py"
    committed = script.read_text()
    script.write_text(committed.replace("params.lr *", "1.5 * params.lr *"))
    dvc(small_copy, "repro")
    script.write_text(committed)
    commit_all(small_copy, "Results of other code")
    with pytest.raises(CannotVerify, match=r"code of train.*src/train\.py") as caught:
        checked(small_copy)
    assert caught.value.code is Exit.CANNOT_VERIFY


def test_a_helper_that_was_never_committed_cannot_be_verified(small_copy: Path) -> None:
    """Nobody declares it, so dvc.lock has no hash of it: the code tree alone shows it."""
    (small_copy / "src" / "helper.py").write_text("FACTOR = 2\n")
    dvc(small_copy, "repro", "--force")
    (small_copy / "src" / "helper.py").unlink()
    commit_all(small_copy, "Without the helper")
    with pytest.raises(CannotVerify, match=r"src/helper\.py: uncommitted when it ran"):
        checked(small_copy)


def test_code_that_was_changed_after_the_run_cannot_be_verified(small_copy: Path) -> None:
    script = small_copy / "src" / "train.py"
    script.write_text(script.read_text() + "# better\n")
    commit_all(small_copy, "Better")
    with pytest.raises(CannotVerify, match=r"src/train\.py: changed after it ran"):
        checked(small_copy)


def test_words_that_were_changed_after_the_run_do_not_matter(small_copy: Path) -> None:
    (small_copy / "README.md").write_text("Other words.\n")
    commit_all(small_copy, "Words")
    found = checked(small_copy)
    assert any(one.ok and one.what.startswith("code of train: it ran at") for one in found)


def test_a_file_that_no_stage_declares_is_told_of(small_copy: Path) -> None:
    (small_copy / "src" / "helper.py").write_text("FACTOR = 2\n")
    commit_all(small_copy, "A helper")
    told = {one.what: one for one in checked(small_copy)}["code of train"]
    assert told.ok is None
    assert "src/helper.py" in str(told)


def test_a_file_that_git_holds_and_a_stage_read_has_its_digest(small_copy: Path) -> None:
    raw = small_copy / "data" / "raw" / "points.csv"
    raw.parent.mkdir()
    rows = [f"{i % 7},{i % 5},{i % 3}" for i in range(90)]
    raw.write_text("x,y,label\n" + "\n".join(rows) + "\n")
    dvc(small_copy, "repro")
    commit_all(small_copy, "Other data")
    assert any(
        one.what == "data/raw/points.csv: as prepare read it" and one.ok for one in checked(small_copy)
    )
    raw.write_text("x,y,label\n" + "\n".join(reversed(rows)) + "\n")
    commit_all(small_copy, "Changed under the same name")
    with pytest.raises(Contradiction, match=r"data/raw/points\.csv: as prepare read it"):
        checked(small_copy)


def test_a_folder_that_changed_after_the_run_cannot_be_verified(small_copy: Path) -> None:
    (small_copy / "data" / "more.csv").write_text("1,2,3\n")
    commit_all(small_copy, "More data")
    with pytest.raises(CannotVerify, match=r"dvc\.lock: prepare: data"):
        checked(small_copy)


def test_a_shallow_clone_says_what_it_lacks(small_copy: Path, tmp_path: Path) -> None:
    (small_copy / "README.md").write_text("Other words.\n")
    commit_all(small_copy, "Words")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "--depth", "1", small_copy.as_uri(), str(clone), cwd=tmp_path)
    with pytest.raises(CannotVerify, match="git fetch --unshallow"):
        checked(clone)


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("results/latest/stages/train.json", "stages/train.json"),
        ("results/latest/config.yaml", "config.yaml"),
        ("results/latest/digests.json", "digests.json"),
        ("dvc.lock", "dvc.lock"),
        ("results/latest/meta.json", "no run is recorded there"),
    ],
)
def test_a_record_that_lacks_a_part_cannot_be_verified(small_copy: Path, lost: str, named: str) -> None:
    (small_copy / lost).unlink()
    commit_all(small_copy, "Lost")
    with pytest.raises(CannotVerify) as caught:
        checked(small_copy)
    assert named in str(caught.value)


@pytest.mark.parametrize("status", ["failed", "in_progress"])
def test_a_run_that_did_not_end_cannot_be_verified(small_copy: Path, status: str) -> None:
    edit_json("summary.json", _set("status", to=status))(small_copy)
    commit_all(small_copy, "Not ended")
    with pytest.raises(CannotVerify, match=f"(?s)did not come to its end.*{status}"):
        checked(small_copy)


def test_no_such_commit(small_run: Path) -> None:
    with pytest.raises(CannotVerify, match="no such revision"):
        checked(small_run, "0" * 40)


def test_names_that_lead_out_are_not_read(small_copy: Path) -> None:
    """Git's own commands make no such tree, and others can."""

    def tree(*entries: tuple[str, str, str]) -> str:
        path = small_copy / ".git" / "tree"
        path.write_bytes(b"".join(f"{m} {n}\0".encode() + bytes.fromhex(i) for m, n, i in entries))
        made = run("git", "hash-object", "-t", "tree", "-w", "--literally", str(path), cwd=small_copy)
        return made.stdout.strip()

    listed = [
        line.split(None, 3) for line in run("git", "ls-tree", "HEAD", cwd=small_copy).stdout.splitlines()
    ]
    own = [(mode.lstrip("0"), name, object_id) for mode, _, object_id, name in listed]
    inner = tree(("100644", "evil.json", own[-1][2] if own[-1][0] == "100644" else own[0][2]))
    top = tree(("40000", "..", inner), *own)
    commit = run("git", "commit-tree", "-m", "x", top, cwd=small_copy).stdout.strip()
    found = recorded_run.load(small_copy, commit).files
    assert "params.yaml" in found
    assert not any("evil" in name for name in found)
