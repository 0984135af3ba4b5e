"""`reproof log`: every run of a line of work, in Git or not yet, in a document that no name can break."""

from __future__ import annotations

import json
import re
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from kills import kill, start, wait_for
from many_runs import add_runs, record_of, with_params
from markdown_it import MarkdownIt
from projects import ENV, dvc, read

from reproof import registry
from reproof.dvc import private_folder
from reproof.errors import ReproofError
from reproof.registry import Heartbeat
from reproof.report import training_report, web
from reproof.report.file_names import slug

LATEST = "results/latest"
TRACKIO = "https://ada-trackio.hf.space/?project=p&write_token=abcdef123456&sidebar=hidden"

# What the seed asks for (shared/seeds/003): headings, table columns, and the words of the status.
HEADINGS = ["Base Model & Dataset", "Run Status", "Training Parameters", "Run Logs", "Trackio Logs"]
LAST_HEADING = "Experiment Evaluations"
COLUMNS = ["Run Title", "Benchmark", "Score", "Evaluation Job Link", "Model Link"]
STATUSES = ["Success", "Failure", "In Progress", "Completed"]


def log(project: Path, experiment: str | None = None) -> str:
    return training_report.write(project, experiment).markdown.read_text()


def titles(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^## `+(.+?)`+ - `(.+?)` - `(.+?)`$", text, flags=re.MULTILINE)


def statuses(text: str) -> list[str]:
    return [status for _, _, status in titles(text)]


def edited(record: dict[str, bytes], name: str, **values: Any) -> dict[str, bytes]:
    return record | {name: json.dumps(json.loads(record[name]) | values).encode()}


def of_example() -> dict[str, bytes]:
    return record_of(Path(__file__).parent / "old_records" / "0.1")


def linked(record: dict[str, bytes], **links: str) -> dict[str, bytes]:
    """The record of a run whose params.yaml has links, as meta.json then has them."""
    recorded = json.loads(record["meta.json"])["links"]
    return edited(record, "meta.json", links=recorded | links)


# What the seed asks for.


def test_every_heading_column_and_field_of_the_seed_is_there_and_filled(git_project: Path) -> None:
    record = linked(
        of_example(),
        job={"kind": "github", "id": "1", "url": "https://github.com/a/b/actions/runs/1"},
        trackio=TRACKIO,
        evaluation="https://huggingface.co/jobs/a/b/runs/1",
        model="https://huggingface.co/a/digits",
    )
    declared = {"base_model": "Qwen/Qwen2.5-0.5B", "dataset": {"source": "trl-lib/Capybara"}}
    record = with_params(record, report=declared)
    add_runs(git_project, record, 2)
    text = log(git_project, "sweep")
    for heading in HEADINGS:
        assert re.search(rf"^#+ {heading}$\n\n\S", text, flags=re.MULTILINE), heading
    assert f"| {' | '.join(COLUMNS)} |" in text
    assert all(status in text for status in STATUSES)  # in the line that says how ours map to them
    assert "[Base Model](<https://huggingface.co/Qwen/Qwen2.5-0.5B>)" in text
    assert "[Dataset](<https://huggingface.co/datasets/trl-lib/Capybara>): digits" in text
    assert titles(text) == [
        ("sweep-0000", "2026-01-01 00:00:00", "Success"),
        ("sweep-0001", "2026-01-01 00:01:00", "Success"),
    ]
    assert "| Parameter | Value |" in text
    assert "| `train.lr` | 0.001 |" in text
    assert "| `seed` | 1 |" in text
    assert "\n[Run Logs](<https://github.com/a/b/actions/runs/1>)\n" in text
    row = text[text.index(LAST_HEADING) :]
    assert "| digits, test: accuracy | 0.9" in row
    assert "| [Evaluation Job Link](<https://huggingface.co/jobs/a/b/runs/1>) |" in row
    assert "| [Model Link](<https://huggingface.co/a/digits>) |" in row


def test_a_section_begins_for_every_new_pair_of_base_model_and_dataset(git_project: Path) -> None:
    plain = of_example()
    add_runs(git_project, plain, 1)
    letters = with_params(plain, data={"name": "letters"})
    based = with_params(plain, report={"base_model": "a/base"})
    add_runs(git_project, letters, 1, first=1)
    add_runs(git_project, based, 2, first=2)
    text = log(git_project, "sweep")
    sections = text.split("# Base Model & Dataset\n")[1:]
    assert [len(titles(section)) for section in sections] == [1, 1, 2]
    assert "Dataset: digits;" in sections[0]
    assert "Dataset: letters;" in sections[1]
    assert "[Base Model](<https://huggingface.co/a/base>): a/base" in sections[2]


def test_our_four_statuses_are_the_seeds(git_project: Path) -> None:
    for number, status in enumerate(["success", "partial", "failed", "in_progress"]):
        record = edited(
            of_example(), "meta.json", status=status, error={"stage": "train", "message": "no | more"}
        )
        commit_all(git_project, f"Baseline {number}")
        path = git_project / LATEST / "meta.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, data in record.items():
            (git_project / LATEST / name).parent.mkdir(exist_ok=True)
            (git_project / LATEST / name).write_bytes(data)
        path.write_bytes(edited(record, "meta.json", run_id=f"run-{number}")["meta.json"])
    commit_all(git_project, "Last")
    text = log(git_project)
    assert statuses(text) == ["Success", "Completed", "Failure", "In Progress"]
    assert "said: no \\| more" in text


# Runs that Git does not hold.


def test_a_run_is_in_progress_then_a_failure_and_run_again_a_success(small_copy: Path) -> None:
    """With real processes: killed in the training, and run again under the same name."""
    process = start(small_copy, "dvc", "exp", "run", "--name", "long", "-S", "train.steps=3000000")
    try:
        wait_for(
            lambda: any(e["experiment"] == "long" and "dataset" in e for e in entries(small_copy)), process
        )
        text = log(small_copy)
        assert statuses(text) == ["Success", "In Progress"]
        assert "| `train.steps` | 3000000 |" in text
        assert "The stage `train` runs" in text
        assert re.search(r"Process `\d+` on the machine", text)
    finally:
        kill(process)
    text = log(small_copy)
    assert statuses(text) == ["Success", "Failure"]
    assert "ended without a word" in text
    run("git", "checkout", "--quiet", ".", cwd=small_copy)
    dvc(small_copy, "exp", "run", "--name", "long", "-S", "train.steps=50")
    text = log(small_copy)
    assert [(name, status) for name, _, status in titles(text)][1:] == [
        ("long", "Failure"),
        ("long", "Success"),
    ]
    assert titles(log(small_copy, "long"))[-1][2] == "Success"


def entries(project: Path) -> list[dict[str, Any]]:
    return registry.entries(private_folder(project))


def entry(project: Path, number: int, stage: str = "train", status: str | None = None, **facts: Any) -> None:
    """An execution in the registry, as a stage leaves it; without a status it died."""
    first = {
        "run_id": f"20300101-00000{number}-aaaaaa",
        "stage": stage,
        "experiment": "resumed",
        "workspace": str(project),
        "start_time": f"2030-01-01T00:00:0{number}.000000Z",
        "lock": "none",
    }
    beat = Heartbeat(private_folder(project), first | facts)
    beat.know(
        params={"seed": 3, "train.lr": 0.5},
        baseline=run("git", "rev-parse", "HEAD", cwd=project).stdout.strip(),
    )
    beat.end(status or "in_progress", None if status != "failed" else "token=abcdef123456 | <b>full</b>")


def test_a_killed_run_from_which_another_went_on_is_that_one(small_copy: Path) -> None:
    entry(small_copy, 1)
    assert statuses(log(small_copy, "resumed")) == ["Failure"]
    entry(small_copy, 2, continues="20300101-000001-aaaaaa", experiment="resumed-2")
    text = log(small_copy, "resumed")
    assert [name for name, _, _ in titles(text)] == ["resumed-2"]
    path = small_copy / LATEST / "meta.json"
    meta = json.loads(path.read_text())
    train = read(small_copy, "stages/train.json")
    continued = {"continued": {"run_id": "20300101-000002-aaaaaa", "step": 7}}
    (small_copy / LATEST / "stages/train.json").write_text(json.dumps(train | {"resume": continued}))
    path.write_text(json.dumps(meta | {"run_id": "20300101-000003-aaaaaa"}))
    commit_all(small_copy, "Went on to the end")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It went on from where `20300101-000002-aaaaaa` was killed." in text


def test_stages_of_one_run_are_one_run_and_a_stage_again_is_the_next(small_copy: Path) -> None:
    for number, stage in enumerate(["prepare", "train", "evaluate"]):
        entry(small_copy, number, stage, "success" if stage != "evaluate" else "failed")
    entry(small_copy, 5, "train")
    text = log(small_copy, "resumed")
    assert statuses(text) == ["Failure", "Failure"]
    assert "| `train.lr` | 0.5 |" in text
    assert "said: token=\\*\\*\\* \\| &lt;b&gt;full&lt;/b&gt;" in text


def test_what_ended_well_and_was_overwritten_is_no_row_but_the_workspaces_own_is(small_copy: Path) -> None:
    entry(small_copy, 1, "train", "success", start_time="2020-01-01T00:00:00.000000Z")
    entry(small_copy, 2, "summarize", "success")
    assert len(titles(log(small_copy))) == 1
    dvc(small_copy, "repro", "--force", "--single-item", "train")
    dvc(small_copy, "repro")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It is in no commit yet." in text
    commit_all(small_copy, "Committed")
    text = log(small_copy)
    assert statuses(text) == ["Success", "Success"]
    assert "It is in no commit yet." not in text


@pytest.mark.parametrize(
    "torn", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 1, "run_id": 3, "stage": []}']
)
def test_a_torn_entry_is_passed_over(small_copy: Path, torn: str) -> None:
    folder = private_folder(small_copy) / "registry"
    (folder / "20990101-000000-aaaaaa.train.json").write_text(torn)
    assert statuses(log(small_copy)) == ["Success"]


# What an experiment is.


def test_an_experiment_is_a_branch_or_the_beginning_of_names(git_project: Path) -> None:
    add_runs(git_project, of_example(), 3)
    assert len(titles(log(git_project))) == 3
    assert (git_project / "training_reports" / "main.md").is_file()
    assert len(titles(log(git_project, "sweep"))) == 3
    assert len(titles(log(git_project, "sweep-0001"))) == 1
    run("git", "checkout", "--quiet", "-b", "other/line", cwd=git_project)
    commit_all(git_project, "On")
    assert len(titles(log(git_project))) == 3
    assert (git_project / "training_reports" / "other-line.md").is_file()
    for unknown in ("swee", "sweep-000", "none", "", "../../x", "-x"):
        with pytest.raises(ReproofError) as caught:
            log(git_project, unknown or "*")
        assert "sweep-0000" in str(caught.value.found)
        assert "main" in str(caught.value.found)


def test_without_a_branch_or_a_run_it_says_so(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="no run on this branch yet"):
        log(git_project)
    run("git", "checkout", "--quiet", "--detach", cwd=git_project)
    with pytest.raises(ReproofError, match="no run on this branch yet"):
        log(git_project)  # DVC detaches HEAD while it runs an experiment
    run("git", "branch", "second", cwd=git_project)
    with pytest.raises(ReproofError, match="2 branches are at the commit") as caught:
        log(git_project)
    assert caught.value.found == "main, second"


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", "CON", "ä" * 300, "…", "x" * 500, "", "a\0b", ".git", "nul.md"]
)
def test_a_name_becomes_one_of_a_file(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", found)
    assert len(found) <= 64
    assert found.upper() not in ("CON", "NUL", "NUL.MD")


# Form.

HOSTILE = "a|b`c`<script>alert(1)</script>![x](y)\n## `x` - `y` - `Success`"


def test_hostile_words_stay_words(git_project: Path) -> None:
    record = edited(of_example(), "meta.json", error={"stage": HOSTILE, "message": HOSTILE}, status="failed")
    record = linked(
        record, trackio=f"https://x.org/{HOSTILE}", model=f"javascript:{HOSTILE}", evaluation=HOSTILE
    )
    record = with_params(
        record,
        data={"name": HOSTILE},
        report={"base_model": HOSTILE, "dataset": {"source": HOSTILE}},
        train={HOSTILE: HOSTILE},
    )
    record = edited(record, "summary.json", metrics={"accuracy": 0.5, HOSTILE: 0.5})
    add_runs(git_project, record, 1)
    written = training_report.write(git_project, "sweep")
    text = written.markdown.read_text()
    assert len(titles(text)) == 1
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    rows = [line for line in text[text.index(LAST_HEADING) :].splitlines() if line.startswith("| `")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    page = written.html.read_text()
    assert "<script>alert" not in page
    assert "<iframe" not in page


def test_trackio_is_a_link_in_markdown_and_a_frame_in_the_page_and_no_token_is_in_either(
    git_project: Path,
) -> None:
    add_runs(git_project, linked(of_example(), trackio=TRACKIO), 2)
    written = training_report.write(git_project, "sweep")
    text, page = written.markdown.read_text(), written.html.read_text()
    assert (
        "\n[Trackio Logs](<https://ada-trackio.hf.space/?project=p&write_token=***&sidebar=hidden>)\n" in text
    )
    assert "<iframe" not in text
    assert page.count("<iframe") == 2
    assert "https://ada-trackio.hf.space" in page
    assert "abcdef123456" not in text + page
    assert "None: no `links.trackio`" not in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://x.org/a b", None),
        ("https://x.org/ä?q=|`<>\\", "https://x.org/%C3%A4?q=%7C%60%3C%3E%5C"),
        ("https://ada:secret@x.org/a", "https://x.org/a"),
        ("https://x.org/100%", "https://x.org/100%25"),
        ("https://x.org/a;b&lt;", "https://x.org/a%3Bb&lt%3B"),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://x.org:99999999/a", None),
        ("https://ex ample.org", None),
        ("//x.org/a", None),
        ("https://[::1]/", None),
        ("https://x'.org/", None),
        (None, None),
        ({"url": "https://x.org"}, None),
    ],
)
def test_only_what_every_reader_takes_for_the_same_address_is_a_link(
    value: Any, expected: str | None
) -> None:
    found = web.address(value)
    assert found == expected
    if found:
        html = MarkdownIt("commonmark").render(web.link("x", value))
        assert f'href="{found.replace("&", "&amp;")}"' in html


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"kind": "slurm", "id": "77", "url": None}, "Slurm job `77`"),
        ({"kind": "huggingface", "id": "6f", "url": None}, "Hugging Face job `6f`"),
        ({"kind": "local", "id": "1234", "url": None}, "Process `1234` on the machine that ran it"),
        ({"kind": "gitlab", "id": "5", "url": ""}, "GitLab job `5`"),
        (None, "Not recorded"),
    ],
)
def test_the_job_is_a_link_or_its_number(git_project: Path, job: Any, words: str) -> None:
    record = edited(of_example(), "meta.json", links={"job": job} if job else {})
    record["stages/train.json"] = edited(record, "stages/train.json", job=None)["stages/train.json"]
    add_runs(git_project, record, 1)
    assert re.search(rf"### Run Logs\n\n{re.escape(words)}", log(git_project, "sweep"))


def test_a_score_has_its_interval_where_the_evaluation_measured_one(git_project: Path) -> None:
    evaluation = json.loads(of_example()["evaluation.json"])
    evaluation["splits"]["test"]["intervals"] = {"accuracy": [0.91, 0.97], "loss": None}
    add_runs(git_project, edited(of_example(), "evaluation.json", **evaluation), 1)
    text = log(git_project, "sweep")
    assert re.search(r"\| digits, test: accuracy \| 0\.9\d+ \(0\.9100 to 0\.9700\) \|", text)
    assert re.search(r"\| digits, test: loss \| 0\.\d+ \|", text)


def test_written_twice_it_is_the_same_bytes(small_copy: Path) -> None:
    first = training_report.write(small_copy)
    before = first.markdown.read_bytes(), first.html.read_bytes()
    time.sleep(0.01)
    second = training_report.write(small_copy)
    assert (second.markdown.read_bytes(), second.html.read_bytes()) == before


def test_the_command_says_what_it_wrote(small_copy: Path) -> None:
    done = run("reproof", "log", cwd=small_copy, env=ENV)
    assert done.stdout == "training_reports/main.md, training_reports/main.html: 1 runs (1 Success)\n"
    found = json.loads(run("reproof", "log", "main", "--json", cwd=small_copy, env=ENV).stdout)
    assert found["files"] == ["training_reports/main.md", "training_reports/main.html"]
    assert [one["status"] for one in found["runs"]] == ["success"]
    done = run("reproof", "log", "nothing", cwd=small_copy, env=ENV, check=False)
    assert done.returncode == 2
    assert "known here: branches: main; experiments: " in done.stderr


def test_sixty_runs_are_sixty_titles_in_the_order_of_their_start(git_project: Path) -> None:
    names = add_runs(git_project, of_example(), 60)
    found = titles(log(git_project, "sweep"))
    assert [name for name, _, _ in found] == names


def test_five_hundred_runs_take_at_most_five_seconds(git_project: Path) -> None:
    """Of processor time: other tests run beside this one."""
    add_runs(git_project, of_example(), 500)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("reproof", "log", "sweep", cwd=git_project, env=ENV)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
