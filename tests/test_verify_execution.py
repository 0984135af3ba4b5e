"""A run is executed again, from its commit alone: what comes out, what cannot come out, what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import commit_all
from projects import dvc, small_project
from test_verify_confinement import HAS_LANDLOCK
from verify_places import LATEST, changed, digests, edit, first_in_main, opened, state_of

from reproof.errors import ReproofError
from reproof.verify import landlock
from reproof.verify.errors import CannotVerify, RerunFailed
from reproof.verify.execution import Changes

BY_BOTH = pytest.mark.parametrize(
    "confinement",
    [
        pytest.param("landlock", marks=pytest.mark.skipif(not HAS_LANDLOCK, reason="no Landlock")),
        "hook alone",
    ],
    indirect=True,
)


@pytest.fixture
def confinement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With all that this system has, or as on one without Landlock."""
    if request.param == "hook alone":
        monkeypatch.setattr(landlock, "abi", lambda: None)
    return str(request.param)


def test_an_untouched_run_comes_out_the_same_again_and_again(data_run: Path) -> None:
    before = state_of(data_run)
    with opened(data_run) as ready:
        for number in (1, 2):
            done = ready.execute()
            assert done.number == number
            assert list(done.stages) == ["prepare", "train", "evaluate"]
            for name, record in done.stages.items():
                recorded = ready.run.stages[name]
                assert record["writes"] == recorded["writes"]
                assert record["reads"] == recorded["reads"]
                assert record["metrics"] == recorded["metrics"]
                assert record["verification"]["nonce"] == done.nonce
                assert record["verification"]["modules"] == []
                assert record["run_id"] != recorded["run_id"]
            same = (done.project / LATEST / "curves.csv").read_bytes()
            assert same == (data_run / LATEST / "curves.csv").read_bytes()
            assert done.wall_seconds >= sum(done.seconds.values())
        assert ready.place.timings.keys() >= {"worktree", "inputs", "hashing", "execution"}
    assert changed(before, state_of(data_run)) == []


@BY_BOTH
def test_the_confinement_is_told_as_it_is(data_run: Path, confinement: str) -> None:
    with opened(data_run, only=["prepare"]) as ready:
        done = ready.execute()
        digests(ready, {name: record["writes"] for name, record in done.stages.items()})
    expected = (
        f"landlock (ABI {landlock.abi()}) and audit hook" if confinement == "landlock" else "audit hook"
    )
    assert done.confinement == expected


COPIES = {
    "a path of the checkout": "import shutil; shutil.copytree({old!r}, stage.output('prepared'))",
    "numpy": "import numpy; numpy.load({old!r} + '/test.npz')",
    "the cache": "from pathlib import Path; next(Path({cache!r}).rglob('*.dir')).read_bytes()",
    "git": "import subprocess as s; s.run(['git', '-C', {top!r}, 'show', 'HEAD:params.yaml'], check=True)",
    "a link that was made before": "open('way/prepared/test.npz', 'rb')",
    "a module": "import sys; sys.path.insert(0, {top!r} + '/src'); sys.modules.pop('config'); import stray",
}


@BY_BOTH
@pytest.mark.parametrize("how", COPIES)
def test_no_stage_takes_its_results_from_where_they_were(data_copy: Path, confinement: str, how: str) -> None:
    code = COPIES[how].format(
        old=f"{data_copy}/prepared", cache=f"{data_copy}/.dvc/cache", top=str(data_copy)
    )
    if "link" in how:
        (data_copy / "way").symlink_to(data_copy)
    if how == "a module":
        (data_copy / "src" / "stray.py").write_text("")
        (data_copy / ".gitignore").open("a").write("/src/stray.py\n")
    edit(data_copy, "prepare.py", first_in_main(code))
    before = state_of(data_copy)
    with (
        opened(data_copy, only=["prepare"]) as ready,
        pytest.raises(RerunFailed, match="'prepare' failed") as told,
    ):
        ready.execute()
    if how not in ("a module",):
        assert str(data_copy) in str(told.value.found)
    assert changed(before, state_of(data_copy)) == []
    assert confinement


@pytest.mark.skipif(not HAS_LANDLOCK, reason="no Landlock")
@pytest.mark.parametrize("before_python", [True, False])
def test_no_program_of_a_stage_does_either(data_copy: Path, before_python: bool) -> None:
    copy = f"old=$(echo {data_copy}/prepare)d; cp -r $old prepared"
    if before_python:
        pipeline = yaml.safe_load((data_copy / "dvc.yaml").read_text())
        pipeline["stages"]["prepare"]["cmd"] = f"{copy}; python src/prepare.py"
        (data_copy / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        commit_all(data_copy, "A copy")
    else:
        edit(data_copy, "prepare.py", first_in_main(f"import os; assert os.system({copy!r}) == 0"))
    with opened(data_copy, only=["prepare"]) as ready:
        if before_python:  # `cp` fails, and the stage makes it itself
            digests(ready, {name: record["writes"] for name, record in ready.execute().stages.items()})
            assert "Permission denied" in (ready.place.folder / "attempts/1/log").read_text()
        else:
            with pytest.raises(RerunFailed):
                ready.execute()


@BY_BOTH
def test_a_later_execution_reaches_nothing_of_an_earlier_one(data_copy: Path, confinement: str) -> None:
    code = (
        "import os, pathlib\n"
        "top = pathlib.Path.cwd().parents[1]\n"
        "kept = [pathlib.Path.home() / 'left.txt', pathlib.Path(os.environ['TMPDIR']) / 'left.txt']\n"
        "names = ('.', 'data/raw', '.git', '.dvc/tmp')\n"
        "kept += [pathlib.Path(name) / 'left.txt' for name in names]\n"
        "assert not any(path.exists() for path in kept), kept\n"
        "for path in kept: path.parent.mkdir(exist_ok=True); path.write_text('left')\n"
        "with open('src/train.py', 'a') as f: f.write('# changed')\n"
        "with open('data/raw/points.csv', 'a') as f: pass\n"
        "pathlib.Path('data/raw/unused.csv').unlink()\n"
        "for other in ('attempts/1/outputs/prepared/test.npz', 'recorded', 'pristine', 'cache', 'canary'):\n"
        "    try:\n"
        "        (top / other).read_bytes()\n"
        "    except (PermissionError, FileNotFoundError):\n"
        "        continue\n"
        "    except IsADirectoryError:\n"
        "        raise SystemExit(f'{other} can be opened')\n"
        "    raise SystemExit(f'{other} can be read')\n"
    )
    edit(data_copy, "prepare.py", first_in_main(code))
    with opened(data_copy, only=["prepare"]) as ready:
        for _ in range(3):
            done = ready.execute()
            digests(ready, {name: record["writes"] for name, record in done.stages.items()})
            assert (done.project / "prepared/test.npz").is_file()
    assert confinement


def test_the_users_environment_is_not_the_stages(data_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(data_copy, "train.py", first_in_main("import os; stage.fact('environment', dict(os.environ))"))
    for name in (
        "LR",
        "SECRET_TOKEN",
        "PYTHONPATH",
        "REPROOF_RESUME",
        "OMP_NUM_THREADS",
        "DVC_STAGE",
    ):
        monkeypatch.setenv(name, "5")
    monkeypatch.setenv("TZ", "Europe/Vienna")
    with opened(data_copy, only=["train"]) as ready:
        done = ready.execute(Changes(env={"ATEN_CPU_CAPABILITY": "avx2", "MKL_NUM_THREADS": None}))
    found = done.stages["train"]["facts"]["environment"]
    assert not found.keys() & {"LR", "SECRET_TOKEN"}
    assert (found["REPROOF_RESUME"], found["TZ"], found["ATEN_CPU_CAPABILITY"]) == (
        "0",
        "Europe/Vienna",
        "avx2",
    )
    assert (found["OMP_NUM_THREADS"], found["PYTHONHASHSEED"], found["DVC_STAGE"]) == ("1", "0", "train")
    assert found["HOME"] == str(ready.place.inside / "home")


def test_changed_params_are_those_of_one_execution(data_run: Path) -> None:
    with opened(data_run, only=["train"]) as ready:
        other = ready.execute(Changes(params={"seed": 7, "train.lr": 0.25}))
        assert other.stages["train"]["pinned"]["seed"] == 7
        assert other.stages["train"]["overrides"]["train.lr"] == {"from": 0.5, "to": 0.25}
        assert other.stages["train"]["writes"] != ready.run.stages["train"]["writes"]
        digests(ready, {"train": ready.execute().stages["train"]["writes"]})


def test_resume_state_of_the_authors_is_neither_used_nor_touched(data_copy: Path) -> None:
    edit(
        data_copy,
        "train.py",
        lambda text: text.replace(
            "    x = np.c_",
            "    class Part:\n"
            "        def state_dict(self): return {'weights': weights}\n"
            "        def load_state_dict(self, state): weights[:] = state['weights']\n"
            "    resume = stage.resume(model=Part())\n"
            "    assert resume.position is None, resume.position\n"
            "    x = np.c_",
        ).replace("        log.metrics(", "        resume.here(step)\n        log.metrics("),
    )
    left = data_copy / ".dvc/tmp/reproof/resume/train-0123456789abcde"
    left.mkdir(parents=True)
    (left / "about.json").write_text("{}")
    before = state_of(data_copy)
    with opened(data_copy, only=["train"]) as ready:
        assert ready.execute().stages["train"]["resume"] == {
            "continued": None,
            "saves": 0,
            "save_seconds": 0.0,
        }
    assert changed(before, state_of(data_copy)) == []


def test_a_stage_that_fails_is_named_with_its_words(data_copy: Path) -> None:
    edit(data_copy, "train.py", first_in_main("raise ValueError('the loss is not a number')"))
    with opened(data_copy) as ready, pytest.raises(RerunFailed, match="'train' failed") as told:
        ready.execute()
    assert "the loss is not a number" in str(told.value.found)
    assert str(ready.place.folder) not in str(told.value)


def test_a_stage_that_does_nothing_fails(data_copy: Path) -> None:
    edit(
        data_copy,
        "evaluate_model.py",
        lambda text: text.replace('run_stage("evaluate", main, Config)', "pass"),
    )
    with opened(data_copy, only=["evaluate"]) as ready, pytest.raises(RerunFailed):
        ready.execute()


def test_an_old_record_is_no_proof(data_copy: Path) -> None:
    record = json.loads((data_copy / LATEST / "stages/evaluate.json").read_text())
    (data_copy / "kept").mkdir()
    for name in ("predictions.npz", "evaluation.json", "stages/evaluate.json"):
        shutil.copy(data_copy / LATEST / name, data_copy / "kept" / Path(name).name)
    (data_copy / ".gitignore").open("a").write("!/kept/*\n")
    script = (
        "import os, pathlib, shutil\n"
        "os.makedirs('results/latest/stages', exist_ok=True)\n"
        "for name in ('predictions.npz', 'evaluation.json'): shutil.copy(f'kept/{name}', 'results/latest')\n"
        "shutil.copy('kept/evaluate.json', 'results/latest/stages')\n"
    )
    (data_copy / "src/evaluate_model.py").write_text(script)
    commit_all(data_copy, "It copies what it kept")
    unproved = pytest.raises(CannotVerify, match="did not prove that it ran")
    with opened(data_copy, only=["evaluate"]) as ready, unproved as told:
        ready.execute()
    assert told.value.found == "a record without one"
    # With the nonce put in, it is still the record of another execution.
    forged = script + (
        "import json\npath = pathlib.Path('results/latest/stages/evaluate.json')\n"
        "told = json.loads(path.read_text())\n"
        "nonce = os.environ['REPROOF_VERIFY_NONCE']\n"
        "told['verification'] = {'nonce': nonce, 'guarded': True, 'modules': []}\n"
        "path.write_text(json.dumps(told))\n"
    )
    (data_copy / "src/evaluate_model.py").write_text(forged)
    commit_all(data_copy, "It forges the nonce")
    unproved = pytest.raises(CannotVerify, match="not this execution's")
    with opened(data_copy, only=["evaluate"]) as ready, unproved:
        ready.execute()
    assert record["stage"] == "evaluate"


def test_code_from_a_path_that_was_allowed_is_still_not_the_commits(data_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/helper.py").write_text("x = 1\n")
    edit(
        data_copy,
        "prepare.py",
        first_in_main(f"import sys; sys.path.append({str(tmp_path / 'elsewhere')!r}); import helper"),
    )
    unproved = pytest.raises(CannotVerify, match="neither the commit's nor an installed package's")
    with opened(data_copy, only=["prepare"]) as ready, unproved as told:
        ready.execute(allow_read=[tmp_path / "elsewhere"])
    assert told.value.where == str(tmp_path / "elsewhere/helper.py")


def test_data_elsewhere_can_be_allowed_and_is_told(data_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.txt").write_text("0.5")
    path = str(tmp_path / "weights.txt")
    edit(data_copy, "prepare.py", first_in_main(f"stage.fact('start', open({path!r}).read())"))
    with opened(data_copy, only=["prepare"]) as ready:
        with pytest.raises(RerunFailed) as told:
            ready.execute()
        assert f"--allow-read {path}" in str(told.value.hint)
        done = ready.execute(allow_read=[tmp_path / "weights.txt"])
    assert done.allowed == (path,)
    assert done.stages["prepare"]["facts"]["start"] == "0.5"


@pytest.mark.parametrize("folder", ["", "results", ".dvc/cache", ".git", "no/such"])
def test_old_results_cannot_be_allowed(data_run: Path, folder: str) -> None:
    with opened(data_run, only=["prepare"]) as ready, pytest.raises(ReproofError) as told:
        ready.execute(allow_read=[data_run / folder])
    assert str(told.value.where).startswith("--allow-read ")


def test_what_a_stage_asks_for_and_does_not_need_is_told(data_copy: Path) -> None:
    code = f"try: open({str(data_copy / 'README.md')!r})\nexcept OSError: pass"
    edit(data_copy, "prepare.py", first_in_main(code))
    with opened(data_copy, only=["prepare"]) as ready:
        done = ready.execute()
    assert str(data_copy / "README.md") in done.refused["prepare"]


def test_the_stage_record_has_nothing_of_it_outside_a_verification(data_run: Path) -> None:
    for path in (data_run / LATEST / "stages").iterdir():
        assert "verification" not in json.loads(path.read_text())
    assert os.environ.get("REPROOF_VERIFY_NONCE") is None


def test_a_dependency_elsewhere_has_to_be_the_one_of_the_run(tmp_path: Path) -> None:
    table = tmp_path / "elsewhere" / "table.csv"
    table.parent.mkdir()
    table.write_text("1,2\n")
    project = small_project(tmp_path / "project")
    pipeline = yaml.safe_load((project / "dvc.yaml").read_text())
    pipeline["stages"]["prepare"]["deps"].append(str(table))
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    edit(project, "prepare.py", first_in_main(f"stage.fact('table', open({str(table)!r}).read())"))
    dvc(project, "repro")
    commit_all(project, "A run")
    with opened(project, only=["prepare"]) as ready:
        assert ready.plan.stages["prepare"].external == (table,)
        assert ready.execute().stages["prepare"]["facts"]["table"] == "1,2\n"
        table.write_text("1,3\n")
        with pytest.raises(CannotVerify, match="not the one that the run read") as told:
            ready.execute()
    assert told.value.where == str(table)
