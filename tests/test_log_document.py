"""`reproof log`: the document itself, with every heading and field of the seed, whatever its runs hold."""

from __future__ import annotations

import json
import re
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from logs import LATEST, edited, linked, log, of_example, statuses, titles
from many_runs import add_runs, with_params
from markdown_it import MarkdownIt
from projects import ENV

from reproof.report import training_report, web

TRACKIO = "https://ada-trackio.hf.space/?project=p&write_token=abcdef123456&sidebar=hidden"
# What the seed asks for (shared/seeds/003): headings, table columns, and the words of the status.
HEADINGS = ["Base Model & Dataset", "Run Status", "Training Parameters", "Run Logs", "Trackio Logs"]
LAST_HEADING = "Experiment Evaluations"
COLUMNS = ["Run Title", "Benchmark", "Score", "Evaluation Job Link", "Model Link"]
STATUSES = ["Success", "Failure", "In Progress", "Completed"]


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
        html = MarkdownIt("commonmark").render(web.linked(value, "x"))
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
    assert done.stdout == "training_reports/main.md, training_reports/main.html: 1 run (1 Success)\n"
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
