"""`reproof verify` as people call it: a real run, executed again by the real command."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from projects import ENV, dvc

from reproof.verify import interventions
from reproof.verify.factors import Factor

LATEST = Path("results/latest")


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("reproof", *arguments, cwd=project, env=ENV, check=False)


def verify(project: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what was printed as JSON, and what was said on standard error."""
    done = reproof(project, "verify", "--json", *arguments)
    return done.returncode, json.loads(done.stdout), done.stderr


def everything(project: Path) -> Mapping[str, str]:
    """Every file of a project with its content and mode, Git's and DVC's own too."""
    found = {}
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project).as_posix()
        if path.is_file() and not path.is_symlink():
            found[name] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        else:
            found[name] = str(path.readlink()) if path.is_symlink() else "folder"
    return found


def stages_that_ran(project: Path) -> dict[str, str]:
    return {
        path.stem: json.loads(path.read_text())["run_id"] for path in (project / LATEST / "stages").iterdir()
    }


def change(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


def record(project: Path) -> None:
    """Commit the code first, then the run that it makes: so nobody ran what was not committed."""
    commit_all(project, "Code")
    dvc(project, "repro")
    commit_all(project, "A run")


def test_an_untouched_run_is_a_bit_match_and_one_file_is_new(small_copy: Path) -> None:
    before = everything(small_copy)
    done = reproof(small_copy, "verify", "--require", "bit")
    assert done.returncode == 0, done.stdout + done.stderr
    after = everything(small_copy)
    (certificate,) = (name for name in after.keys() - before.keys() if name.endswith(".json"))
    assert certificate.startswith("results/verify/")
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {certificate, "results/verify"}

    labels = [line[:13].strip() for line in done.stdout.splitlines()]
    wanted = ["record", "inputs", "executed", "environment", "metrics", "artefacts", "took", "VERDICT"]
    assert [label for label in labels if label] == wanted
    assert f"VERDICT      BIT MATCH   certificate {certificate}" in done.stdout
    assert "executed     prepare train evaluate" in done.stdout
    assert "verify: train" in done.stderr
    assert reproof(small_copy, "certificate", "check", certificate).returncode == 0


def test_repetitions_are_compared_and_nothing_is_left_to_explain(small_copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    arguments = ("--repeats", "2", "--explain", "--require", "bit", "-o", str(folder))
    code, told, _ = verify(small_copy, *arguments)
    assert (code, told["verdict"]) == (0, "BIT MATCH")
    assert told["control"] == {"runs": 2, "differing": []}
    assert told["causes"] == []
    assert [path.name for path in folder.iterdir()] == [Path(told["certificate"]).name]
    assert not (small_copy / "results/verify").exists()
    said = json.loads(Path(told["certificate"]).read_text())["predicate"]
    assert (said["verdict"], said["level"], said["met"]) == ("BIT MATCH", "bit", True)
    assert said["control"]["runs"] == 2


def test_racy_code_is_no_bit_match_and_its_artefacts_are_named(small_copy: Path) -> None:
    noisy = "np.random.normal(size=(3, 3)) + 1e-9 * np.random.default_rng().normal(size=(3, 3))"
    change(small_copy, "src/train.py", "weights = np.random.normal(size=(3, 3))", f"weights = {noisy}")
    record(small_copy)
    code, told, _ = verify(small_copy, "--repeats", "2", "--require", "bit")
    assert (code, told["verdict"]) == (1, "NUMERIC MATCH")
    assert "results/latest/checkpoint" in told["control"]["differing"]
    assert told["reasons"][0].startswith("A ≠ A  racy")
    assert told["divergence"]["step"] == 1


def test_fresh_seeds_answer_whether_the_finding_holds(small_copy: Path) -> None:
    """Which seeds they are follows from the commit, another in each run of this test: so either may come."""
    code, told, _ = verify(small_copy, "--new-seed", "3")
    replication = told["replication"]
    assert len(set(replication["seeds"])) == 3
    judged = {metric["name"]: metric for metric in replication["metrics"]}
    assert len(set(judged["loss"]["values"])) == 3, "fresh seeds gave other numbers, so they were really used"
    for metric in judged.values():
        low, high = metric["interval"]
        assert metric["inside"] is (low <= metric["recorded"] <= high)
    holds = all(metric["inside"] for metric in judged.values())
    assert (code, told["verdict"]) == ((0, "STATISTICAL MATCH") if holds else (1, "DIFFERENT"))
    said = json.loads((small_copy / told["certificate"]).read_text())["predicate"]
    assert (said["level"], said["required"]) == ("statistical" if holds else None, "statistical")


def test_a_seed_that_was_picked_by_its_result_is_outside(small_copy: Path) -> None:
    """A script that does better with the recorded seed than seeds do."""
    change(
        small_copy,
        "src/evaluate_model.py",
        "accuracy = float(",
        "accuracy = (stage.params.seed == 0) * 0.5 + float(",
    )
    record(small_copy)
    code, told, _ = verify(small_copy, "--new-seed", "3", "--stage", "evaluate")
    assert (code, told["verdict"]) == (1, "DIFFERENT")
    assert "lies outside" in told["reasons"][0]


def test_one_stage_alone_is_executed_and_the_certificate_says_so(small_copy: Path) -> None:
    code, told, _ = verify(small_copy, "--stage", "train", "--require", "bit")
    assert (code, told["verdict"], told["executed"]) == (0, "BIT MATCH", ["train"])
    assert {line["stage"] for line in told["artefacts"]} == {"train"}
    assert {line["name"].split(".")[0] for line in told["metrics"]} == {"train"}
    assert told["left_out"].keys() >= {"prepare", "evaluate"}
    said = json.loads((small_copy / told["certificate"]).read_text())["predicate"]
    assert list(said["executed"]) == ["train"]


def test_a_result_of_the_moment_is_different_and_says_where(small_copy: Path) -> None:
    change(
        small_copy,
        "src/evaluate_model.py",
        "found[name] = {",
        'loss += __import__("time").time() % 7\n        found[name] = {',
    )
    record(small_copy)
    done = reproof(small_copy, "verify", "HEAD")
    assert done.returncode == 1
    assert "VERDICT      DIFFERENT   (numeric was required)" in done.stdout
    assert "because      evaluate." in done.stdout
    assert "tolerance 0.00" in done.stdout


def test_a_stage_that_fails_when_it_runs_again_ends_with_4_and_its_words(small_copy: Path) -> None:
    """It needs what only the author's folder has: a file that Git does not hold and no stage declares."""
    raising = 'if not __import__("os").path.exists("charm"):\n        raise ReproofError("no luck today")'
    change(small_copy, "src/train.py", "params =", f"{raising}\n    params =")
    change(
        small_copy,
        "src/train.py",
        "from reproof import files",
        "from reproof.errors import ReproofError\nfrom reproof import files",
    )
    (small_copy / ".git/info/exclude").write_text("charm\n")
    (small_copy / "charm").touch()
    record(small_copy)
    code, told, said = verify(small_copy)
    assert (code, told["verdict"], told["exit_code"]) == (4, "UNVERIFIABLE", 4)
    assert "'train'" in told["error"]["what"]
    assert "no luck today" in said
    assert not (small_copy / "results/verify").exists()


@pytest.mark.parametrize("rev", ["nothing-here", "HEAD~1"])
def test_without_a_recorded_run_nothing_can_be_verified(small_copy: Path, rev: str) -> None:
    before = everything(small_copy)
    code, told, said = verify(small_copy, rev)
    assert (code, told["verdict"], told["exit_code"]) == (3, "UNVERIFIABLE", 3)
    assert told["error"]["what"] in said
    assert everything(small_copy) == before


def test_an_edited_record_is_refused_before_anything_runs(small_copy: Path) -> None:
    summary = small_copy / LATEST / "summary.json"
    held = json.loads(summary.read_text())
    held["metrics"] = dict.fromkeys(held["metrics"], 0.999)
    summary.write_text(json.dumps(held))
    commit_all(small_copy, "Better")
    code, told, said = verify(small_copy)
    assert (code, told["exit_code"]) == (5, 5)
    assert "contradicts itself" in told["error"]["what"]
    assert "verify: train" not in said, "no stage was executed"


TRAIN_WITH_TORCH = '''\
"""A small network in torch; which instructions the author's processor had, no variable tells."""

import os

if os.environ.pop("OF_THE_AUTHOR", None):
    os.environ |= {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}

from config import Config

from reproof import splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    import numpy as np
    import torch

    torch.backends.cpu.get_cpu_capability()
    torch.nn.functional.conv2d(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 3, 3))
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"):
        os.environ.pop(name, None)  # as if it were another machine, and not a setting
    data = splits.load(stage.input("prepared/train.npz"))
    x, y = torch.from_numpy(np.c_[data.x, np.ones(len(data.x), np.float32)]).float(), torch.from_numpy(data.y)
    first, second = torch.nn.Linear(3, 256), torch.nn.Linear(256, 3)
    model = torch.nn.Sequential(first, torch.nn.Softmax(1), second)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    log = stage.log("clouds")
    for step in range(1, stage.params.train.steps + 1):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.metrics(step, "train", {"loss": loss.item()})
    log.close()
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    folder = stage.output("results/latest/checkpoint")
    folder.mkdir(exist_ok=True)
    from safetensors.numpy import save_file

    save_file(weights, folder / "model.safetensors")
    np.savez(folder / "weights.npz", weights=np.zeros((3, 3)))
    from reproof import runlog

    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))
    stage.metric("train.loss", loss.item())


if __name__ == "__main__":
    run_stage("train", main, Config, torch=True)
'''


def test_a_record_of_another_instruction_set_is_explained_by_limiting_this_one(small_copy: Path) -> None:
    import torch

    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("this processor has no AVX512 to be limited")
    (small_copy / "src/train.py").write_text(TRAIN_WITH_TORCH)
    commit_all(small_copy, "Code")
    (limit,), _ = interventions.possible([Factor("ISA", "isa", "AVX2", "AVX512")])
    names = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")  # these no record holds
    recorded = {name: value for name in names if (value := limit.changes.env.get(name))}
    run("dvc", "repro", cwd=small_copy, env={**ENV, **recorded, "OF_THE_AUTHOR": "yes"})
    commit_all(small_copy, "A run")
    code, told, _ = verify(small_copy, "--explain")
    assert (code, told["verdict"]) == (0, "NUMERIC MATCH")
    factors = {one["name"]: one for one in told["environment"]}
    assert (factors["ISA"]["recorded"], factors["ISA"]["here"]) == ("AVX2", "AVX512")
    weights = next(line for line in told["artefacts"] if line["path"].endswith("checkpoint"))
    assert (weights["standing"], 0 < weights["largest"] < 1e-2) == ("close", True)
    assert told["divergence"]["metric"] == "train.loss"
    causes = {cause["factor"]: cause for cause in told["causes"]}
    assert causes["ISA"]["status"] == "confirmed"
    assert causes["ISA"]["words"] == "this machine limited to AVX2 reproduces the record"
