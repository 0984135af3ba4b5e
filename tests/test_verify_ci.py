"""The CI files that run a recorded run again: what may sign, what is said of it, what becomes of a name."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from conftest import run
from projects import ROOT

RECIPES = {"training": "template", "inference": "template/inference"}
GITHUB = "{% if ci == 'github' %}.github{% endif %}/workflows/verify.yml.jinja"
GITLAB = {"training": "{% if ci == 'gitlab' %}.gitlab-ci.yml{% endif %}"}
GITLAB["inference"] = f"{GITLAB['training']}.jinja"


@pytest.fixture(scope="module", params=RECIPES)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of both forges, filled by Jinja as Copier fills them."""
    loader = jinja2.FileSystemLoader(ROOT)
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    top = tmp_path_factory.mktemp(request.param)
    found = {}
    for forge, name in (("github", GITHUB), ("gitlab", GITLAB[request.param])):
        source = f"{RECIPES[request.param]}/{name}"
        text = (ROOT / source).read_text()
        if name.endswith(".jinja"):
            text = environment.get_template(source).render()
        found[forge] = top / f"{forge}.yml"
        found[forge].write_text(text)
    return found


def of(files: Mapping[str, Path], forge: str) -> Any:
    return yaml.safe_load(files[forge].read_text())


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_files_keep_to_the_forges_schemas(files: Mapping[str, Path], forge: str) -> None:
    pytest.importorskip("check_jsonschema")
    schema = "vendor.github-workflows" if forge == "github" else "vendor.gitlab-ci"
    transform = ["--data-transform", "gitlab-ci"] if forge == "gitlab" else []
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *transform, files[forge]]
    done = run(*command, cwd=files[forge].parent, check=False)
    assert done.returncode == 0, done.stdout


def test_only_the_job_that_runs_no_code_of_the_repository_may_sign(files: Mapping[str, Path]) -> None:
    found = of(files, "github")
    assert found["permissions"] == {"contents": "read"}
    assert set(found[True]) == {"schedule", "workflow_dispatch"}, "never for a fork"
    runs, signs = found["jobs"]["run"], found["jobs"]["sign"]
    assert "permissions" not in runs, "it has the workflow's, which reads"
    assert signs["permissions"] == {"id-token": "write", "attestations": "write"}
    assert not any("checkout" in step.get("uses", "") for step in signs["steps"])
    scripts = [step["run"] for job in (runs, signs) for step in job["steps"] if "run" in step]
    assert not any("${{" in script for script in scripts), "nothing that is typed in becomes a command"
    pipeline = of(files, "gitlab")
    assert "id_tokens" not in pipeline["verify"]
    assert pipeline["sign-verification"]["variables"]["GIT_STRATEGY"] == "none"


def test_a_schedule_of_gitlabs_verifies_and_does_not_run_the_experiment(files: Mapping[str, Path]) -> None:
    pipeline = of(files, "gitlab")
    first = pipeline["experiment"]["rules"][0]
    assert first == {"if": '$CI_PIPELINE_SOURCE == "schedule"', "when": "never"}
    assert {"if": '$CI_PIPELINE_SOURCE == "schedule"'} in pipeline["verify"]["rules"]


def test_shells_accept_the_scripts(files: Mapping[str, Path]) -> None:
    scripts = [
        step["run"] for job in of(files, "github")["jobs"].values() for step in job["steps"] if "run" in step
    ]
    scripts += ["\n".join(of(files, "gitlab")[name]["script"]) for name in ("verify", "sign-verification")]
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def play(files: Mapping[str, Path], folder: Path, code: int, **env: str) -> tuple[int, str, str]:
    """Run the step `Verify` of GitHub's as its runner does; return its code, what was called, its output."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "reproof").write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/log\nmkdir -p {folder}/verify\n'
        f"[ {code} = 3 ] || echo '{{}}' > {folder}/verify/exp-bit.json\necho VERDICT\nexit {code}\n"
    )
    (bin_folder / "git").write_text("#!/bin/sh\nexit ${GIT_CODE:-0}\n")
    for path in bin_folder.iterdir():
        path.chmod(stat.S_IRWXU)
    (folder / "log").touch()
    step = next(one for one in of(files, "github")["jobs"]["run"]["steps"] if one.get("id") == "verify")
    variables = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}", "RUNNER_TEMP": str(folder), "REV": "HEAD",
        "REQUIRE": "numeric", "SEEDS": "0", "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }  # fmt: skip
    (folder / "output").touch()
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    done = run(*command, cwd=folder, env={**variables, **env}, check=False)
    return done.returncode, (folder / "log").read_text(), (folder / "output").read_text()


def test_the_step_ends_as_the_verification_does_and_names_the_certificate(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    code, called, output = play(files, tmp_path / "well", 0)
    asked = f"verify --require numeric --repeats 2 --explain --output {tmp_path}/well/verify -- HEAD\n"
    assert (code, called, output) == (0, asked, "certificate=exp-bit.json\n")
    assert "VERDICT" in (tmp_path / "well" / "summary").read_text()
    code, _, output = play(files, tmp_path / "differs", 1)
    assert (code, output) == (1, "certificate=exp-bit.json\n"), "a run that differs has a certificate too"
    code, called, _ = play(files, tmp_path / "seeds", 0, SEEDS="5", REV="--json; echo pwned")
    assert called == f"verify --new-seed 5 --output {tmp_path}/seeds/verify -- --json; echo pwned\n"
    code, called, output = play(files, tmp_path / "new", 0, GITHUB_EVENT_NAME="schedule", GIT_CODE="1")
    assert (code, called, output) == (0, "", ""), "a project without a run has nothing to verify yet"
    code, _, output = play(files, tmp_path / "cannot", 3)
    assert code == 3
    assert output in ("", "certificate=\n")


def test_what_is_signed_are_the_certificate_and_the_files_of_the_record(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    if shutil.which("jq") is None:
        pytest.skip("needs jq, which GitHub's runners have")
    subjects = [
        {"name": "commit of exp", "digest": {"gitCommit": "a" * 40}},
        {"name": "results/latest/meta.json", "digest": {"sha256": "b" * 64, "gitBlob": "c" * 40}},
        {"name": "results/latest/checkpoint", "digest": {"reproofContentSha256": "d" * 64}},
    ]
    statement = {
        "_type": "x",
        "predicateType": "https://example.org/p",
        "predicate": {"verdict": "BIT MATCH"},
    }
    (tmp_path / "exp.json").write_text(json.dumps({**statement, "subject": subjects}))
    step = next(one for one in of(files, "github")["jobs"]["sign"]["steps"] if one.get("id") == "subjects")
    env = {"CERTIFICATE": "exp.json", "GITHUB_OUTPUT": str(tmp_path / "output")}
    run("bash", "-eo", "pipefail", "-c", step["run"], cwd=tmp_path, env=env)
    own = run("sha256sum", "exp.json", cwd=tmp_path).stdout
    assert (tmp_path / "subjects.txt").read_text() == f"{own}{'b' * 64}  results/latest/meta.json\n"
    assert json.loads((tmp_path / "predicate.json").read_text()) == statement["predicate"]
    assert (tmp_path / "output").read_text() == "type=https://example.org/p\n"
