"""No secret of the user's gets into what a run leaves behind: planted everywhere, then searched for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import planted
import pytest
from conftest import PARAMS, commit_all, run
from projects import ENV, make_quick, read, render, small_project
from stages import record, stage, write

from reproof import params, redact
from reproof.benchmark import launcher
from reproof.errors import ReproofError

Places = Mapping[str, set[str]]

# What a script may record; each part has a secret of its own.
RECORDS = """\
    log = stage.log("clouds")
    log.params("derived", {"tracker": os.environ["DERIVED_TOKEN"]})
    log.metrics(0, "train", {"loss": 1.0}, {"tracker": os.environ["TAG_TOKEN"]})
    stage.fact("tracker", {"login": ["as", os.environ["FACT_TOKEN"]]})
    stage.missing("upload", f"the store refused {os.environ['MISSING_TOKEN']}")
"""
# What libraries quote when they fail: values as they are, escaped, encoded, in headers, cut off.
FAILS = """\
    import base64, json, threading, urllib.parse
    everything = dict(os.environ)
    quoted = [json.dumps(everything), repr(everything), urllib.parse.quote(str(everything))]
    header = base64.b64encode(b"ada:" + os.environ["PGPASSWORD"].encode()).decode()
    quoted.append(f"Authorization: Basic {header}")
    quoted.append(f"cannot reach {os.environ['DATABASE_URL']} " + os.environ["SSH_PRIVATE_KEY"])
    try:
        raise ValueError(os.environ["CAUSE_TOKEN"])
    except ValueError as cause:
        raise RuntimeError("\\n".join([*quoted, os.environ["ERROR_TOKEN"]])) from cause
"""


def dvc_exp_run(project: Path, *arguments: str) -> str:
    """Run an experiment with everything planted in its environment; return what it printed."""
    done = run("dvc", "exp", "run", *arguments, cwd=project, env={**ENV, **planted.ENVIRONMENT}, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Places, Path]:
    """A project after a run that recorded what it should not, its report, and a run that failed."""
    project = small_project(tmp_path_factory.mktemp("secrets") / "project")
    script = project / "src" / "train.py"
    own = script.read_text()
    script.write_text("import os\n" + own.replace('    log = stage.log("clouds")\n', RECORDS))
    evaluate = project / "src" / "evaluate_model.py"
    evaluate.write_text(evaluate.read_text().replace('"schema_version": 1,', '"dataset": "clouds",'))
    planted.plant(project)
    commit_all(project, "A script that records too much")
    printed = [dvc_exp_run(project)]
    assert read(project, "summary.json")["status"] == "partial"
    draw = (
        "from pathlib import Path; from reproof.report import render\n"
        "render(Path(), Path('results/latest'), Path('reports/experiment.md'))"
    )
    printed.append(run("python", "-c", draw, cwd=project, env={**ENV, **planted.ENVIRONMENT}).stdout)
    commit_all(project, "The run")
    script.write_text("import os\n" + own.replace('    log = stage.log("clouds")\n', FAILS))
    printed.append(dvc_exp_run(project))
    assert "RuntimeError" in printed[-1]
    assert read(project, "stages/train.json")["error"]["type"] == "RuntimeError"
    return planted.places(project, *printed), project


@pytest.mark.parametrize("name", planted.NAMES)
def test_a_secret_is_only_where_the_user_put_it(small: tuple[Places, Path], name: str) -> None:
    assert small[0][name] == planted.HOLDERS.get(name, set())


def test_what_stands_around_a_secret_is_kept(small: tuple[Places, Path]) -> None:
    record = read(small[1], "stages/train.json")
    assert "cannot reach postgresql://db.example.org/runs" in record["error"]["message"]
    assert record["code"]["remote"] == "https://git.example.org/project.git"
    assert record["job"]["url"] == "https://gitlab.example.org/jobs/1?private_token=***"
    assert "Log in with" in (small[1] / "reports/experiment.md").read_text()


@pytest.mark.torch
def test_the_whole_pipeline_leaves_no_secret_in_models_tables_or_reports(tmp_path: Path) -> None:
    project = render(tmp_path / "project")
    make_quick(project)
    planted.plant(project)
    commit_all(project, "Plant")
    printed = dvc_exp_run(project)
    commit_all(project, "The run")
    assert {"model.onnx", "predictions.parquet", "benchmark.json", "checkpoint"} <= {
        path.name for path in (project / "results/latest").iterdir()
    }
    assert (project / "reports/experiment.md").exists()
    found = planted.places(project, printed)
    assert {name: where for name, where in found.items() if where} == planted.HOLDERS


def test_the_search_sees_text_arrays_archives_tables_and_commits(git_project: Path) -> None:
    import numpy as np
    import pandas as pd

    words = [planted.secret("FACT")]
    np.savez_compressed(git_project / "a.npz", words=np.array(words))
    pd.DataFrame({"words": words}).to_parquet(git_project / "b.parquet", compression="zstd")
    (git_project / "c.txt").write_text(words[0])
    commit_all(git_project, "Leak")
    (git_project / "c.txt").unlink()
    found = planted.places(git_project, f"so much: {words[0]}")
    assert found["FACT"] == {"a.npz", "b.parquet", ".git", "(printed)"}


# By hand.


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("raise ReproofError('no login', found=os.environ['MENDABLE_TOKEN'])", "MENDABLE"),
        ("raise RuntimeError(os.environ['ERROR_TOKEN'])", "ERROR"),
        ("raise RuntimeError('x' * 4000 + os.environ['ERROR_TOKEN'] + '\\n' * 60)", "ERROR"),
        ("raise RuntimeError('\\n' * 30 + os.environ['SSH_PRIVATE_KEY'] + '\\n' * 35)", "SSH_PRIVATE_KEY"),
        (
            "import threading\n"
            "def fails(): raise OSError(os.environ['THREAD_TOKEN'])\n"
            "thread = threading.Thread(target=fails); thread.start(); thread.join()",
            "THREAD",
        ),
    ],
)
def test_what_a_stage_fails_with_shows_no_secret(git_project: Path, body: str, name: str) -> None:
    write(git_project, body)
    done = stage(git_project, env=planted.ENVIRONMENT)
    assert done.returncode != 0
    assert record(git_project)["status"] == "failed"
    assert planted.places(git_project, done.stdout, done.stderr)[name] == set()


def test_the_last_words_of_a_benchmarks_process_show_no_piece_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", planted.secret("FACT"))
    (tmp_path / "log.txt").write_text("x" * 285 + planted.secret("FACT"))  # across the place of the cut
    job = SimpleNamespace(folder=tmp_path, root=tmp_path)
    assert planted.mark("FACT") not in launcher._reason("exit code 1", job)


def test_a_command_shows_no_secret_of_the_remote_that_it_cannot_reach(tmp_path: Path) -> None:
    project = small_project(tmp_path / "project")
    dvc_exp_run(project)
    commit_all(project, "Run")
    planted.plant(project)
    run("rm", "-r", ".dvc/cache", cwd=project)
    # No server is there, and no name is looked up.
    address = f"http://dvc:{planted.secret('DVC_REMOTE')}@127.0.0.1:9/store"
    run("dvc", "remote", "modify", "--local", "store", "url", address, cwd=project, env=ENV)
    done = run("reproof", "export", "HEAD", cwd=project, env={**ENV, **planted.ENVIRONMENT}, check=False)
    assert done.returncode == 2
    found = planted.places(project, done.stdout, done.stderr)
    assert {name: where for name, where in found.items() if "(printed)" in where} == {}


# Params: Git and every run keep the file byte for byte, so what does not belong there is refused.


@pytest.mark.parametrize(
    "line",
    [
        "links: {model: 'https://ada:{}@host.example.org/m'}",
        "links: {board: 'https://host.example.org/?project=p&write_token={}'}",
        "links: {data: 'https://bucket.example.org/x?X-Amz-Signature={}'}",
        "# the store is s3://key:{}@bucket/path",
        "clip: 1.0  # psql postgresql://ada:{}/@db/runs",
        "links: {hub: hf_{}abcdefghijk}",
    ],
)
def test_a_credential_in_the_params_is_refused_by_its_line_and_not_repeated(
    git_project: Path, line: str
) -> None:
    write(git_project, "Path('began').touch()")
    (git_project / "params.yaml").write_text(PARAMS + line.replace("{}", planted.secret("FACT")) + "\n")
    done = stage(git_project)
    assert done.returncode == 2
    assert "params.yaml:5: a credential in the params" in done.stderr
    assert planted.places(git_project, done.stdout, done.stderr)["FACT"] == {"params.yaml"}


def test_the_value_of_a_secret_variable_in_the_params_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", planted.secret("FACT"))
    (tmp_path / "params.yaml").write_text(PARAMS + f"links: {{key: {planted.secret('FACT')}}}\n")
    with pytest.raises(ReproofError, match=r"params\.yaml:5: a credential[\s\S]*variable WANDB_API_KEY"):
        params.load(tmp_path / "params.yaml", params.RunParams, shown="params.yaml")


@pytest.mark.parametrize(
    "line",
    [
        "links: {board: 'https://host.example.org/runs?page=2&sort=key#top'}",
        "links: {code: 'https://ada@host.example.org/ada/code.git'}",
        "links: {code: 'ssh://git@host.example.org/code.git'}",
        "links: {model: 'https://huggingface.co/org/sk-learn-tokenizer-for-secret-santa'}",
        "# see https://host.example.org:8443/@ada, and tokens: 512",
    ],
)
def test_an_address_without_a_credential_is_welcome_in_the_params(tmp_path: Path, line: str) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS + line + "\n")
    assert params.load(tmp_path / "params.yaml", params.RunParams).model.seed == 0


def test_a_plain_word_in_a_secret_variable_refuses_no_params(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_MODE", "evaluate.accuracy")
    (tmp_path / "params.yaml").write_text(PARAMS)
    assert params.load(tmp_path / "params.yaml", params.RunParams).model.seed == 0


def test_an_error_of_the_users_holds_no_secret_whoever_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", planted.secret("FACT"))
    error = ReproofError(
        f"denied for {os.environ['HF_TOKEN']}", where=f"https://a:{planted.secret('ERROR')}@host/x",
        expected=planted.secret("FACT"), found=planted.secret("FACT"), hint=planted.secret("FACT"),
    )  # fmt: skip
    for text in (str(error), repr(error), *map(str, vars(error).values())):
        assert planted.mark("FACT") not in text
        assert planted.mark("ERROR") not in text
    assert redact.HIDDEN in str(error)
