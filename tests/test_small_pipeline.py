"""What Git, DVC and the record do together, on a pipeline without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import commit_all, run
from projects import ENV, dvc, executed, experiment, python, read, small_project


@pytest.fixture
def project(small_copy: Path) -> Path:
    return small_copy


def test_a_run_leaves_the_whole_record(small_run: Path) -> None:
    names = {path.name for path in (small_run / "results" / "latest").iterdir()}
    assert names >= {
        "config.yaml", "meta.json", "summary.json", "digests.json", "evaluation.json", "split_manifest.json",
        "split_checksums.json", "params.ndjson", "metrics.ndjson", "curves.csv", "checkpoint", "stages",
    }  # fmt: skip
    summary, meta = read(small_run, "summary.json"), read(small_run, "meta.json")
    assert summary.keys() == {"status", "metrics", "runtime_seconds", "end_time"}
    assert summary["status"] == meta["status"] == "success"
    assert 0.5 < summary["metrics"]["accuracy"] <= 1
    assert meta["run_id"] == read(small_run, "stages/train.json")["run_id"]
    assert meta["git"]["branch"] == "main", "though DVC detaches HEAD while it runs"
    assert (small_run / "results/latest/config.yaml").read_bytes() == (small_run / "params.yaml").read_bytes()
    digests = read(small_run, "digests.json")
    assert set(digests["artefacts"]) >= {
        "prepared",
        "results/latest/checkpoint",
        "results/latest/metrics.ndjson",
    }


def test_a_second_repro_runs_nothing(project: Path) -> None:
    assert executed(dvc(project, "repro")) == []
    assert run("git", "status", "--porcelain", cwd=project).stdout == ""


def test_dvc_draws_the_declared_plots_and_takes_no_record_for_one(small_run: Path) -> None:
    plots = json.loads(run("dvc", "plots", "show", "--json", cwd=small_run, env=ENV).stdout)
    assert not plots.get("errors")
    assert [name for name, drawn in plots["data"].items() if drawn] == ["results/latest/curves.csv"]


def test_an_override_in_exponent_form_is_a_number_and_is_recorded(project: Path) -> None:
    dvc(project, "exp", "run", "-S", "train.lr=0.00001")
    assert "lr: 1e-05" in (project / "params.yaml").read_text()
    assert read(project, "meta.json")["overrides"] == {"train.lr": {"from": 0.5, "to": 1e-05}}
    assert read(project, "summary.json")["status"] == "success"


def test_a_param_that_was_run_before_comes_back_from_the_run_cache(project: Path) -> None:
    first = read(project, "stages/train.json")
    assert "train" in executed(dvc(project, "exp", "run", "-S", "seed=1"))
    assert read(project, "stages/train.json")["run_id"] != first["run_id"]
    again = dvc(project, "exp", "run", "-S", "seed=0")
    assert "train" not in executed(again)
    assert "summarize" in executed(again)
    assert read(project, "stages/train.json") == first
    assert read(project, "meta.json")["run_id"] == first["run_id"]


def test_same_seed_gives_equal_digests_and_another_seed_does_not(project: Path, tmp_path: Path) -> None:
    other = small_project(tmp_path / "other")
    dvc(other, "exp", "run")
    same = {
        "prepared",
        "results/latest/checkpoint",
        "results/latest/metrics.ndjson",
        "results/latest/predictions.npz",
    }
    here, there = (read(folder, "digests.json")["artefacts"] for folder in (project, other))
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    dvc(other, "exp", "run", "-S", "seed=5")
    changed = read(other, "digests.json")["artefacts"]
    assert changed["results/latest/checkpoint"] != here["results/latest/checkpoint"]
    assert changed["prepared"] == here["prepared"]


def test_the_recorded_code_tree_is_that_of_the_experiments_commit(project: Path) -> None:
    from reproof import git, revisions

    script = project / "src" / "train.py"
    script.write_text(script.read_text().replace("Softmax regression", "Softmax regression, edited"))
    name = experiment(dvc(project, "exp", "run"))
    state = read(project, "meta.json")["git"]
    assert state["dirty"] is True
    assert state["changed"] == {"src/train.py": "M"}
    with git.open_repository(project) as repo:
        assert git.tree_of(repo, revisions.resolve(repo, name).commit, project) == state["code_tree"]
        assert git.tree_of(repo, "HEAD", project) != state["code_tree"]


@pytest.mark.parametrize("queued", [True, False], ids=["queue", "temp"])
def test_runs_in_a_workspace_of_their_own_use_the_code_that_was_there_then(
    project: Path, queued: bool
) -> None:
    script = project / "src" / "evaluate_model.py"
    ours = script.read_text()
    script.write_text(
        ours.replace('stage.metric(f"{name}.{metric}", value)', 'stage.metric(f"{name}.{metric}", 0.25)')
    )
    if queued:
        dvc(project, "exp", "run", "--queue", "-S", "seed=3", "--name", "apart")
        script.write_text(ours)
        dvc(project, "queue", "start")
        dvc(project, "queue", "logs", "--follow", "apart", check=False)
    else:
        dvc(project, "exp", "run", "--temp", "-S", "seed=3", "--name", "apart")
        script.write_text(ours)
    shown = json.loads(
        run("git", "show", "apart-ref:results/latest/summary.json", cwd=_with_ref(project)).stdout
    )
    assert shown["metrics"]["accuracy"] == 0.25
    assert read(project, "summary.json")["metrics"]["accuracy"] != 0.25


def _with_ref(project: Path) -> Path:
    """Give the experiment `apart` a tag that `git show` takes."""
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps", cwd=project).stdout.split()
    run("git", "tag", "apart-ref", next(ref for ref in refs if ref.endswith("/apart")), cwd=project)
    return project


def test_registry_entries_of_a_temporary_workspace_lie_in_the_main_repository(project: Path) -> None:
    from reproof import registry

    registry_folder = project / ".dvc" / "tmp" / "reproof"
    shutil.rmtree(registry_folder)
    dvc(project, "exp", "run", "--temp", "-S", "seed=4")
    entries = registry.entries(registry_folder)
    assert [entry["stage"] for entry in entries] == ["train", "evaluate", "summarize"]
    assert {entry["status"] for entry in entries} == {"success"}
    assert entries[0]["step"] == entries[0]["total_steps"] == 40
    assert entries[0]["workspace"] != str(project)


def test_a_failed_stage_says_so_at_once_and_success_comes_back_with_the_next_run(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(before.replace("steps: 40", "steps: many"))
    said = dvc(project, "repro", check=False)
    assert "params.yaml:7: train.steps: expected a valid integer; found str 'many'" in said
    assert read(project, "summary.json")["status"] == read(project, "meta.json")["status"] == "failed"
    assert read(project, "summary.json")["metrics"] == {}
    assert read(project, "meta.json")["error"]["stage"] == "train"
    (project / "params.yaml").write_text(before)
    dvc(project, "repro")
    assert read(project, "summary.json")["status"] == "success"


def test_a_run_travels_by_remote_and_is_exported_in_a_fresh_clone(project: Path, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    dvc(project, "remote", "add", "--default", "storage", str(storage))
    commit_all(project, "A remote")
    dvc(project, "push")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(project), str(clone), cwd=tmp_path)
    said = run("reproof", "export", "HEAD", "--json", cwd=clone, env=ENV).stdout
    exported = Path(json.loads(said)["folder"])
    assert exported.parent == clone / "results"
    assert json.loads((exported / "summary.json").read_text()) == read(project, "summary.json")
    assert (exported / "checkpoint/weights.npz").read_bytes() == (
        project / "results/latest/checkpoint/weights.npz"
    ).read_bytes()
    assert not (clone / "results/latest/checkpoint").exists(), "export leaves the workspace as it is"
    dvc(clone, "pull")
    assert executed(dvc(clone, "repro")) == []


def test_a_run_older_than_the_remote_is_exported_from_the_remote_too(project: Path, tmp_path: Path) -> None:
    dvc(project, "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    commit_all(project, "A remote")
    dvc(project, "push")
    run("git", "clone", "--quiet", str(project), str(tmp_path / "clone"), cwd=tmp_path)
    run("reproof", "export", "HEAD~1", "--output", "results/old", cwd=tmp_path / "clone", env=ENV)
    assert (tmp_path / "clone/results/old/checkpoint/weights.npz").exists()


def test_export_of_what_was_never_pushed_names_the_way_out_and_leaves_nothing(
    project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(project), str(clone), cwd=tmp_path)
    done = run("reproof", "export", "HEAD", cwd=clone, env=ENV, check=False)
    assert done.returncode == 2
    assert "dvc push" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (clone / "results").iterdir()] == ["latest"]


def test_export_refuses_a_folder_that_exists_and_a_revision_without_a_run(project: Path) -> None:
    run("reproof", "export", "HEAD", "--output", "results/mine", cwd=project, env=ENV)
    kept = (project / "results/mine/meta.json").read_bytes()
    again = run("reproof", "export", "HEAD", "--output", "results/mine", cwd=project, env=ENV, check=False)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert (project / "results/mine/meta.json").read_bytes() == kept
    none = run("reproof", "export", "HEAD~1", cwd=project, env=ENV, check=False)
    assert (none.returncode, "no run is recorded there" in none.stderr) == (2, True)


def test_the_config_of_an_exported_run_runs_again_beside_dvc(project: Path) -> None:
    name = experiment(dvc(project, "exp", "run", "-S", "seed=2"))
    run("git", "checkout", "--quiet", ".", cwd=project)
    dvc(project, "checkout")
    run("reproof", "export", name, cwd=project, env=ENV)
    kept = read(project, "summary.json")
    said = python(project, "src/train.py", "--config", f"results/{name}/config.yaml")
    folder = project / said.split("recorded in ")[1].split(";")[0]
    assert {path.name for path in folder.iterdir()} >= {
        "config.yaml",
        "meta.json",
        "summary.json",
        "checkpoint",
    }
    assert (folder / "checkpoint/weights.npz").read_bytes() == (
        project / "results" / name / "checkpoint/weights.npz"
    ).read_bytes()
    assert json.loads((folder / "summary.json").read_text())["status"] == "partial"
    assert read(project, "summary.json") == kept
    assert "Data and pipelines are up to date" in dvc(project, "status")


def test_every_stage_by_hand_leaves_what_dvc_keeps_as_it_is(project: Path) -> None:
    (project / "other.yaml").write_text((project / "params.yaml").read_text().replace("240", "120"))
    commit_all(project, "Another config")
    own = ["--config", "other.yaml", "--results", "results/other"]
    for script in ("prepare", "train", "evaluate_model", "summarize"):
        python(project, f"src/{script}.py", *own)
    record = json.loads((project / "results/other/meta.json").read_text())
    sizes = json.loads((project / "results/other/split_manifest.json").read_text())["sizes"]
    assert (record["status"], sum(sizes.values())) == ("success", 120)
    assert (project / "results/other/prepared/train.npz").exists()
    assert "Data and pipelines are up to date" in dvc(project, "status")


def test_export_refuses_what_a_corrupt_cache_gives(project: Path) -> None:
    weights = (project / "results/latest/checkpoint/weights.npz").read_bytes()
    held = [p for p in (project / ".dvc/cache").rglob("*") if p.is_file() and p.read_bytes() == weights]
    assert len(held) == 1
    held[0].chmod(0o644)
    with (project / "broken.npz").open("wb") as stream:
        np.savez(stream, weights=np.zeros((3, 3)))
    held[0].write_bytes((project / "broken.npz").read_bytes())
    held[0].chmod(0o444)
    done = run("reproof", "export", "HEAD", "-o", "results/x", cwd=project, env=ENV, check=False)
    assert done.returncode == 2
    assert "not what the run recorded" in done.stderr
    assert not (project / "results/x").exists()


def test_data_that_the_user_adds_is_used_tracked_and_recorded(project: Path) -> None:
    raw = project / "data" / "raw"
    raw.mkdir()
    rows = [f"{index % 3},{(index * 7) % 5},{index % 3}" for index in range(60)]
    (raw / "points.csv").write_text("\n".join(["x,y,label", *rows]) + "\n")
    dvc(project, "add", "data/raw")
    commit_all(project, "Our own data")
    assert executed(dvc(project, "repro"))[0] == "prepare"
    assert sum(read(project, "split_manifest.json")["sizes"].values()) == 60
    inputs = read(project, "digests.json")["inputs"]
    assert list(inputs) == ["data/raw/points.csv"]
    commit_all(project, "Run on it")
    dvc(project, "exp", "run", "--temp", "-S", "seed=9", "--name", "elsewhere")
    rows.append("9,9,1")
    (raw / "points.csv").write_text("\n".join(["x,y,label", *rows]) + "\n")
    assert executed(dvc(project, "repro"))[0] == "prepare", "changed data runs the pipeline again"
