"""The command: help that teaches, one clear message for a mistake, and nothing heavy before it is needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import typer
from conftest import PARAMS, commit_all, run

from reproof import __version__, digest, file_names
from reproof.cli import app

HEAVY = ("torch", "pandas", "dvc", "onnxruntime", "onnx", "sklearn", "pyarrow", "transformers", "copier")


def reproof(*arguments: str | Path, cwd: Path, **env: str) -> tuple[int, str, str]:
    """Run the command in a process of its own; return exit code, standard output and standard error."""
    command = "import sys; from reproof.cli import main; sys.argv[0] = 'reproof'; main()"
    done = run(sys.executable, "-c", command, *arguments, cwd=cwd, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def commands(
    group: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


# Help.


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_has_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert len((command.help or "").split()) >= 5, "a sentence at least"
    for parameter in command.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    code, out, _ = reproof("--help", cwd=tmp_path, COLUMNS="200")
    assert code == 0
    assert all(path[0] in out for path in COMMANDS if path)
    assert "2 something you can mend" in out


def test_help_of_a_command_shows_how_it_is_called(tmp_path: Path) -> None:
    code, out, _ = reproof("export", "--help", cwd=tmp_path, COLUMNS="200")
    assert code == 0
    assert "reproof export main" in out


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert reproof("--version", cwd=tmp_path) == (0, f"reproof {__version__}\n", "")


def imported_by(code: str, cwd: Path) -> set[str]:
    """The top-level packages that a process has loaded at its end."""
    script = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *{{name.partition(".")[0] for name in sys.modules}}))
{code}
"""
    out = run(sys.executable, "-c", script, cwd=cwd).stdout
    return set(out.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.argv = ['reproof', '--help']; from reproof.cli import main; main()",
        "import sys; sys.argv = ['reproof', 'export', '--help']; from reproof.cli import main; main()",
        "import reproof.stage",
        "import reproof.checkpoint, reproof.onnx_export, reproof.splits, reproof.evaluation, reproof.record",
    ],
    ids=[
        "reproof --help",
        "reproof export --help",
        "reproof.stage",
        "what stage scripts import at their top",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(tmp_path: Path, code: str) -> None:
    loaded = imported_by(code, tmp_path)
    assert "reproof" in loaded
    assert loaded.isdisjoint(HEAVY)


# Mistakes.


@pytest.mark.parametrize(
    "arguments", [["digest"], ["exprot"], ["export", "main", "--outptu", "x"], ["--nonsense"]]
)
def test_a_wrong_call_ends_with_code_2_and_says_what_is_wrong(tmp_path: Path, arguments: list[str]) -> None:
    code, out, error = reproof(*arguments, cwd=tmp_path)
    assert code == 2
    assert out == ""
    assert "Error" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digest", "absent.onnx"], "absent.onnx: no such file"),
        (["export", "main"], "no dvc.yaml here or in any folder above"),
    ],
)
def test_what_the_user_can_mend_ends_with_code_2_and_one_message(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, out, error = reproof(*arguments, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert message in error
    assert error.count("error:") == 1
    assert "Traceback" not in error


# digest and lock.


def test_digest_prints_what_the_library_computes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.arange(3))
    (tmp_path / "b.json").write_text("{}")
    code, out, _ = reproof("digest", "a.npz", "b.json", cwd=tmp_path)
    assert code == 0
    assert out.splitlines() == [f"{digest.digest(tmp_path / name)}  {name}" for name in ("a.npz", "b.json")]
    code, out, _ = reproof("digest", "a.npz", "--json", cwd=tmp_path)
    assert json.loads(out) == {"a.npz": digest.digest(tmp_path / "a.npz")}


def test_lock_writes_the_file_and_says_how_many_packages(tmp_path: Path) -> None:
    code, out, _ = reproof("lock", "--output", "my.lock", cwd=tmp_path)
    pins = [line for line in (tmp_path / "my.lock").read_text().splitlines() if not line.startswith("#")]
    assert (code, out) == (0, f"my.lock: {len(pins)} packages\n")


# export.


@pytest.fixture
def recorded(git_project: Path) -> Path:
    """A project whose HEAD holds a recorded run, small enough for Git alone, and that DVC knows."""
    run(sys.executable, "-m", "dvc", "init", "--quiet", cwd=git_project)
    results = git_project / "results/latest"
    results.mkdir(parents=True)
    (results / "config.yaml").write_text(PARAMS)
    (results / "meta.json").write_text('{"run_id": "20260131-120000-abcdef", "status": "success"}')
    (results / "summary.json").write_text('{"status": "success", "metrics": {}}')
    commit_all(git_project, "A run")
    return git_project


def test_a_recorded_run_is_written_to_a_folder_of_its_own(recorded: Path) -> None:
    commit = run("git", "rev-parse", "HEAD", cwd=recorded).stdout.strip()
    (recorded / "results/latest/summary.json").write_text("changed since\n")
    code, out, error = reproof("export", "main", cwd=recorded)
    assert (code, error) == (0, "")
    folder = recorded / "results/20260131-120000-abcdef"
    assert f"results/{folder.name}: run {folder.name} (success) of commit {commit[:10]}" in out
    assert (folder / "config.yaml").read_text() == PARAMS
    assert json.loads((folder / "summary.json").read_text())["status"] == "success"
    assert (recorded / "results/latest/summary.json").read_text() == "changed since\n"
    assert sorted(path.name for path in (recorded / "results").iterdir()) == [folder.name, "latest"]

    code, out, error = reproof("export", "main", cwd=recorded)  # a second time: what is there stays
    assert (code, out) == (2, "")
    assert "this folder exists already" in error


def test_an_exported_run_can_be_named_and_told_to_machines(recorded: Path) -> None:
    (recorded / "src").mkdir()
    code, out, _ = reproof(
        "export", "HEAD", "--output", "../results/baseline", "--json", cwd=recorded / "src"
    )
    found = json.loads(out)
    assert code == 0
    assert Path(found["folder"]).resolve() == recorded / "results/baseline"
    assert (found["run_id"], found["status"], found["files"]) == ("20260131-120000-abcdef", "success", 3)


def test_a_revision_without_a_run_is_an_error_that_leaves_nothing(recorded: Path) -> None:
    first = run("git", "rev-list", "--max-parents=0", "HEAD", cwd=recorded).stdout.strip()
    code, _, error = reproof("export", first, cwd=recorded)
    assert code == 2
    assert "no run is recorded there" in error
    assert [path.name for path in (recorded / "results").iterdir()] == ["latest"]


def test_an_unknown_revision_is_an_error(git_project: Path) -> None:
    code, _, error = reproof("export", "gamic-pika", cwd=git_project)
    assert code == 2
    assert error.startswith("error: no such revision: 'gamic-pika'\n")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("gamic-pika", "gamic-pika"),
        ("20260131-120000-abcdef", "20260131-120000-abcdef"),
        ("sweep/lr=0.1", "sweep-lr-0.1"),
        ("..", "run-"),
        ("../../etc", "etc"),
        ("latest", "run-latest"),
        ("Latest.", "run-Latest"),
        ("CON", "run-CON"),
        ("nul.txt", "run-nul.txt"),
        ("verify", "run-verify"),
        ("history.json", "run-history.json"),
        ("", "run-"),
        ("é" * 300, "é" * 100),
    ],
)
def test_any_name_of_a_run_is_one_legal_folder(name: str, folder: str) -> None:
    assert file_names.of_run(name) == folder


def test_two_names_that_differ_only_in_signs_do_not_share_a_folder_silently(recorded: Path) -> None:
    for name in ("a=b", "a-b"):
        ref = f"refs/exps/ab/{'0' * 38}/{name}"
        run(
            "git",
            "update-ref",
            ref,
            run("git", "rev-parse", "HEAD", cwd=recorded).stdout.strip(),
            cwd=recorded,
        )
    assert reproof("export", "a-b", cwd=recorded)[0] == 0
    code, _, error = reproof("export", "a=b", cwd=recorded)
    assert code == 2
    assert "exists already" in error
