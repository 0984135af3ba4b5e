"""`reproof publish` in a job, and the CI files that call it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from conftest import run
from forges import GITLAB_TOKEN, TOKEN, Fault, Holder, Server, github_env, gitlab_env, serving
from projects import ENV, ROOT
from pull_requests import RECORD, a_run, add_experiment, commit_run, reproof, with_params

BOT = Holder("github-actions[bot]", 41898282, is_bot=True, may_ask_who=False)
STRICT = "comparison:\n  metrics:\n    accuracy: {better: higher}\n  fail_on_regression: true\n"


@pytest.fixture
def project(small_copy: Path, record: RECORD) -> Path:
    """A branch with a run of its own; the base is origin/main, as in a job."""
    run("git", "update-ref", "refs/remotes/origin/main", "main", cwd=small_copy)
    run("git", "switch", "--quiet", "--create", "wider", cwd=small_copy)
    commit_run(small_copy, a_run(record, 1, lr=0.1), "Another rate")
    return small_copy


@pytest.fixture
def github() -> Iterator[Server]:
    with serving("github") as server:
        server.tokens[TOKEN] = BOT
        yield server


def publish(project: Path, env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = reproof(project, "publish", *arguments, env=env)
    for secret in (TOKEN, GITLAB_TOKEN):
        assert secret not in done.stdout + done.stderr
    return done


def test_the_summary_comes_first_and_then_the_comment(project: Path, github: Server, tmp_path: Path) -> None:
    command = ["reproof", "publish", "--output", "reports/pull_request.md"]
    done = run(*command, cwd=project, env={**ENV, **github_env(github, tmp_path)}, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"comment created: {github.comments[0]['html_url']}\n"
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("## ")
    assert "origin/main" in summary
    assert github.bodies()[0].replace("\r\n", "\n") == f"<!-- reproof:pull-request . -->\n{summary}"
    assert (project / "reports/pull_request.md").read_text() == summary
    again = publish(project, github_env(github, tmp_path))
    assert again.stdout.startswith("comment unchanged")


def test_the_summary_is_there_when_the_forge_refuses(project: Path, github: Server, tmp_path: Path) -> None:
    done = publish(project, github_env(github, tmp_path, GITHUB_TOKEN="x" * 20))
    assert done.returncode == 2
    assert "GitHub refuses the comment" in done.stderr
    assert (tmp_path / "summary.md").read_text().startswith("## ")


def test_a_forks_job_ends_well_with_a_notice(project: Path, github: Server, tmp_path: Path) -> None:
    github.tokens[TOKEN] = Holder("github-actions[bot]", 1, is_bot=True, may_write=False, may_ask_who=False)
    done = publish(project, github_env(github, tmp_path, fork=True))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "::notice title=Reproof::no comment: the token of a job for a fork may only read"
    )
    assert len(done.stdout.splitlines()) == 1
    assert (tmp_path / "summary.md").exists()


def test_gitlabs_job_token_leaves_the_report_in_the_log(project: Path) -> None:
    with serving("gitlab") as server:
        done = publish(project, gitlab_env(server))
        assert done.returncode == 0, done.stderr
        assert "notice: no comment (status 401 Unauthorized). GitLab's job token may not" in done.stderr
        assert done.stdout.startswith("## ")
        server.tokens[GITLAB_TOKEN] = Holder("ada", 3)
        done = publish(project, gitlab_env(server, GITLAB_TOKEN=GITLAB_TOKEN))
        assert done.stdout.startswith(
            "comment created: https://gitlab.example/ada/digits/-/merge_requests/7#note_"
        )


def test_a_regression_is_published_and_then_fails_the_job(
    project: Path, record: RECORD, github: Server, tmp_path: Path
) -> None:
    own = with_params(record, STRICT)
    commit_run(project, a_run(own, 10, accuracy=0.95), "The base")
    run("git", "update-ref", "refs/remotes/origin/main", "HEAD", cwd=project)
    for seed in range(1, 6):
        add_experiment(
            project, a_run(own, 10 + seed, seed=seed, accuracy=0.95 + 0.002 * seed), f"base-{seed}"
        )
        add_experiment(
            project, a_run(own, 20 + seed, seed=seed, lr=0.1, accuracy=0.9 + 0.003 * seed), f"head-{seed}"
        )
    commit_run(project, a_run(own, 20, lr=0.1, accuracy=0.9), "Worse")
    done = publish(project, github_env(github, tmp_path))
    assert done.returncode == 4
    assert "comment created" in done.stdout
    assert "regression: worse than origin/main: accuracy" in done.stderr
    assert "**This fails the job**" in github.bodies()[0]


def test_outside_ci_it_says_what_to_do(project: Path) -> None:
    done = publish(project, {})
    assert done.returncode == 2
    assert "not in a job of GitHub Actions or GitLab CI" in done.stderr


def test_the_token_is_in_no_command_line_and_no_file(project: Path, github: Server, tmp_path: Path) -> None:
    log = tmp_path / "commands"
    tools = tmp_path / "bin"
    tools.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (tools / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    (tools / "git").chmod(0o755)
    github.faults += [Fault(503), Fault(403, body=f'{{"message": "{TOKEN}"}}'.encode(), method="POST")]
    env = github_env(github, tmp_path) | {"PATH": f"{tools}:{ENV['PATH']}"}
    done = run("reproof", "publish", cwd=project, env=env, check=False)
    assert done.returncode == 2
    assert TOKEN not in done.stdout + done.stderr
    assert "rev-parse" in log.read_text() or "cat-file" in log.read_text()
    assert TOKEN not in log.read_text()
    holders = [path for path in (*project.rglob("*"), *tmp_path.iterdir()) if path.is_file()]
    assert [path for path in holders if TOKEN.encode() in path.read_bytes()] == []


# The CI files

FILES = {"github": ".github/workflows/experiment.yml", "gitlab": ".gitlab-ci.yml"}
RECIPES = {"training": ROOT / "template", "inference": ROOT / "template" / "inference"}


@pytest.fixture(scope="module", params=RECIPES)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The CI files of a recipe, filled by Jinja as Copier fills them, in a blink."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    top = tmp_path_factory.mktemp(request.param)
    found = {}
    for ci, name in FILES.items():
        kept = [path for path in RECIPES[request.param].rglob("*") if f"ci == '{ci}'" in str(path)]
        (source,) = [
            path
            for path in kept
            if path.is_file()
            and Path(name).name in path.name
            and "inference" not in path.relative_to(RECIPES[request.param]).parts
        ]
        text = source.read_text(encoding="utf-8")
        if source.suffix == ".jinja":
            text = environment.get_template(source.relative_to(ROOT).as_posix()).render()
        found[ci] = top / Path(name).name
        found[ci].write_text(text, encoding="utf-8")
    return found


def workflow(rendered: Mapping[str, Path]) -> Any:
    return yaml.safe_load(rendered["github"].read_text())


def pipeline(rendered: Mapping[str, Path]) -> Any:
    return yaml.safe_load(rendered["gitlab"].read_text())


@pytest.mark.parametrize(
    ("ci", "schema"), [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")]
)
def test_the_files_keep_to_the_forges_schemas(rendered: Mapping[str, Path], ci: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema")

    def check(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
        transform = ["--data-transform", "gitlab-ci"] if ci == "gitlab" else []
        return run(*command, *transform, path, cwd=path.parent, check=False)

    done = check(rendered[ci])
    assert done.returncode == 0, done.stdout
    wrong = rendered[ci].with_name("wrong.yml")
    wrong.write_text(rendered[ci].read_text().replace("timeout", "timeouts"))
    assert check(wrong).returncode == 1, "the schema is one that finds something"


def test_the_workflow_may_comment_and_no_more(rendered: Mapping[str, Path]) -> None:
    found = workflow(rendered)
    assert found["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in json.dumps(found[True]), "a fork's code never runs with our secrets"
    steps = found["jobs"]["run"]["steps"]
    assert next(step for step in steps if "checkout" in step.get("uses", ""))["with"]["fetch-depth"] == 0
    holding = [step["name"] for step in steps if "GITHUB_TOKEN" in step.get("env", {})]
    assert holding == ["Publish"], "other steps run the branch's code"
    scripts = [step["run"] for step in steps if "run" in step]
    assert not any("${{" in script for script in scripts), "no name of a branch becomes a command"
    names = [step["name"] for step in steps if "name" in step]
    assert names.index("Experiments") < names.index("Run") < names.index("Push") < names.index("Publish")


def test_shells_accept_the_scripts(rendered: Mapping[str, Path]) -> None:
    steps = workflow(rendered)["jobs"]["run"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    scripts.append("\n".join(pipeline(rendered)["experiment"]["script"]))
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def play(rendered: Mapping[str, Path], folder: Path, env: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run GitLab's script as its runner does, with commands that write down how they are called.

    A command fails with the code that the variable of its name holds.
    """
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    for name in ("make", "dvc", "reproof", "git"):
        code = f"${{{name.upper()}_CODE:-0}}"
        lines = ["#!/bin/sh", f'echo "{name} $*" >> {folder}/log']
        lines += ['[ "$1" = remote ] && echo storage && exit 0'] if name == "dvc" else []
        (bin_folder / name).write_text("\n".join([*lines, f"exit {code}", ""]))
        (bin_folder / name).chmod(stat.S_IRWXU)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").write_text("")
    script = "set -eo pipefail\n" + "\n".join(pipeline(rendered)["experiment"]["script"])
    variables = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "CI_PROJECT_ID": "1",
        "CI_DEFAULT_BRANCH": "main",
        **env,
    }
    done = run("bash", "-c", script, cwd=folder, env=variables, check=False)
    called = (folder / "log").read_text().splitlines()
    return done.returncode, [line for line in called if not line.startswith("dvc remote")]


def test_gitlabs_script_publishes_a_run_that_failed_and_fails(
    rendered: Mapping[str, Path], tmp_path: Path
) -> None:
    request = {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}
    shared = ["make setup", "make test", "git fetch --quiet origin +refs/exps/*:refs/exps/*"]
    pull, publishing = (
        "dvc pull --run-cache --allow-missing",
        "reproof publish --output reports/pull_request.md",
    )
    code, called = play(rendered, tmp_path / "well", request)
    assert (code, called) == (0, [*shared, pull, "dvc repro", publishing])
    code, called = play(rendered, tmp_path / "main", {"CI_COMMIT_BRANCH": "main"})
    assert (code, called) == (0, [*shared, pull, "dvc repro", "dvc push --run-cache", publishing])
    code, called = play(rendered, tmp_path / "regression", {**request, "REPROOF_CODE": "4"})
    assert (code, called[-1]) == (4, publishing)
    fork = {
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2",
        "CI_PROJECT_ID": "2",
    }
    code, called = play(rendered, tmp_path / "fork", {**fork, "DVC_CODE": "255"})
    assert (code, called) == (255, [*shared, "dvc repro", publishing]), (
        "no secrets, no pull; the failure is told"
    )
