"""`reproof record`: a run, or several, as a document that stays; filled, or saying why not."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import planted
import pytest
from conftest import commit_all, run
from many_runs import add_runs, record_of, with_params
from markdown_it import MarkdownIt
from projects import ENV, dvc, read

from reproof import record as records
from reproof import run_experiment
from reproof.errors import ReproofError
from reproof.report import experiment_record, previous_record

LATEST = "results/latest"
EXAMPLE = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"

# What the seed asks for (shared/seeds/002): the fields of its head, its sections, and what each holds.
HEAD = ["Date", "Owner(s)", "Related PRs / Issues", "Run IDs", "Seed(s)"]
SECTIONS = {
    "Goals": ["**Question.** Does it learn?", "**Hypothesis.** It does."],
    "Configuration": [
        "**CLI invocation:** `python src/train.py`",
        "**Config snapshot:**",
        "**Derived parameters:**",
    ],
    "Data & Provenance": ["**Datasets:** digits; source: [", "**Checksums:**", "**Input revisions:** commit"],
    "Results": ["| Accuracy |", "results/latest/metrics.ndjson", "[tensorboard](<https://tb.x.org/>)"],
    "Analysis": ["It learned.", "### Comparison with the previous record", "### Comparison with baselines"],
    "Follow-ups": ["**Immediate.** More seeds.", "**Longer-term.**", "**Documentation or code.**"],
    "Artifacts": [
        "`results/latest/params.ndjson`",
        "`results/latest/metrics.ndjson`",
        "`results/latest/model.onnx`",
    ],
}
NEVER = [
    "{{",
    "}}",
    "{%",
    "<short title>",
    "YYYY",
    "<name",
    "TODO",
    "example.com",
    "codex_ml",
    "Finding 1",
    "None",
]


def write(project: Path, title: str = "A record", *revisions: str, **options: Any) -> str:
    return experiment_record.write(project, title, revisions, **options).path.read_text()


def section(text: str, name: str) -> str:
    return re.split(r"^## ", text.split(f"\n## {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def edit(project: Path, name: str, **values: Any) -> None:
    path = project / LATEST / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def example(git_project: Path) -> Path:
    """A project whose workspace holds the record of a run of digits, with all that a person can add."""
    dataset = {"source": "https://x.org/digits", "license": "CC-BY-4.0"}
    declared = {"authors": ["Ada Lovelace"], "dataset": dataset}
    for name, data in with_params(record_of(EXAMPLE), report=declared).items():
        (git_project / LATEST / name).parent.mkdir(parents=True, exist_ok=True)
        (git_project / LATEST / name).write_bytes(data)
    meta = read(git_project, "meta.json")
    links = meta["links"] | {"issue": "https://github.com/a/b/issues/7", "tensorboard": "https://tb.x.org/"}
    edit(
        git_project,
        "meta.json",
        links=links,
        git=meta["git"] | {"pull_request": "12", "remote": "git@github.com:a/b.git"},
    )
    notes = git_project / "notes"
    notes.mkdir()
    (notes / "goals.md").write_text(
        "# Goals\n\n## Research question\n\nDoes it learn?\n\n## Hypothesis\n\nIt does.\n"
    )
    (notes / "analysis.md").write_text(
        f"---\nrun: {meta['run_id']}\n---\n\n## Summary\n\nIt learned.\n\n## Short-term\n\nMore seeds.\n"
    )
    commit_all(git_project, "A run")
    return git_project


# What the seed asks for.


def test_every_section_and_field_of_the_seed_is_there_and_filled(example: Path) -> None:
    text = write(example, "Digits at last")
    assert "\n# Experiment: Digits at last\n" in text
    for field in HEAD:
        assert re.search(rf"^- \*\*{re.escape(field)}:\*\* \S", text, flags=re.MULTILINE), field
    for name, parts in SECTIONS.items():
        for part in parts:
            assert part in section(text, name), (name, part)
    for word in NEVER:
        assert word not in text, word
    assert f"- **Date:** {read(example, 'meta.json')['start_time'][:10]} (UTC" in text
    assert "- **Owner(s):** Ada Lovelace" in text
    assert "[#12](<https://github.com/a/b/pull/12>), [issue](<https://github.com/a/b/issues/7>)" in text
    assert "| `train.lr` | 0.002 |" in text
    assert "licence: CC-BY-4.0" in text
    assert f"train `{read(example, 'split_checksums.json')['splits']['train']}`" in text


@pytest.fixture
def bare(small_copy: Path) -> Path:
    return small_copy


def test_what_nobody_declared_or_wrote_is_explained(bare: Path) -> None:
    text = write(bare)
    for said in (
        "not declared: `report.authors` in params.yaml",
        "none known: CI tells the pull request",
        "*Not written yet: notes/goals.md, Research question*",
        "source: not declared (`report.dataset.source` in params.yaml)",
        "none declared: TensorBoard, MLflow",
        "There is no record of an earlier run in `experiments/`.",
        "No baseline was measured in this run.",
    ):
        assert said in text, said
    for word in NEVER:
        assert word not in text, word


def test_its_name_has_the_date_of_the_run_and_a_short_slug(bare: Path) -> None:
    written = experiment_record.write(bare, "Tökén baseline: 2 layers!")
    start = read(bare, "meta.json")["start_time"][:10]
    assert written.path == bare / "experiments" / f"{start}_token_baseline_2_layers.md"
    assert written.runs[0].commit == run("git", "rev-parse", "HEAD", cwd=bare).stdout.strip()


def test_of_a_revision_it_is_what_it_was_in_the_workspace(bare: Path) -> None:
    first = write(bare)
    path = next((bare / "experiments").iterdir())
    dvc(bare, "exp", "run", "--name", "other", "-S", "train.lr=0.25")
    assert write(bare, "A record", "main") == first
    assert write(bare, "Another", "other") == write(bare, "Another")
    assert "| `train.lr` | 0.25 | set for this run; at the commit it is 0.5 |" in write(
        bare, "Another", "other"
    )
    assert path.read_text() == first
    with pytest.raises(ReproofError, match="no such revision"):
        write(bare, "x", "nothing")
    with pytest.raises(ReproofError, match="no run is recorded there"):
        write(bare, "x", "main~1")


def test_artefacts_have_digest_size_and_who_holds_them(bare: Path) -> None:
    found = dict(
        re.findall(r"^\| `(.+?)` \| (.+) \|$", section(write(bare), "Artifacts"), flags=re.MULTILINE)
    )
    digests = read(bare, "digests.json")["artefacts"]
    assert found[f"{LATEST}/checkpoint"].split(" | ")[0] == f"`{digests[f'{LATEST}/checkpoint']}`"
    assert found[f"{LATEST}/checkpoint"].endswith("| DVC")
    assert found[f"{LATEST}/evaluation.json"].endswith("| Git")
    assert found[f"{LATEST}/metrics.ndjson"].endswith("| DVC")
    assert "–" not in "".join(found.values())
    assert "prepared/train.npz" not in found


def test_written_twice_it_is_the_same_bytes(bare: Path) -> None:
    first = write(bare)
    time.sleep(0.01)
    assert write(bare) == first


# Beside other records.


def test_it_is_compared_with_the_record_before(bare: Path) -> None:
    write(bare, "First")
    dvc(bare, "exp", "run", "-S", "train.lr=0.001")
    text = write(bare, "Second | one")
    part = section(text, "Analysis")
    assert re.search(
        r"The record before this one is \[First\]\(<20\d\d-\d\d-\d\d_first\.md>\), of run `", part
    )
    assert re.search(
        r"\| `evaluate.test.loss` \| 0\.\d+ \| 1\.\d+ \| \+1\.\d+ \| neither run alone tells", part
    )
    assert "[Second" not in section(
        write(bare, "First", "main"), "Analysis"
    )  # a later record is none before it


def front(**changes: Any) -> previous_record.Front:
    fields = {
        "path": Path("x.md"),
        "title": "x",
        "started": "2026",
        "run": "r",
        "runs": ("r",),
        "data": "d",
        "fingerprint": "f",
        "metrics": {"evaluate.test.accuracy": 0.9, "benchmark.a.latency_ms": 2.0},
        "intervals": {"evaluate.test.accuracy": (0.88, 0.92), "benchmark.a.latency_ms": (1.9, 2.1)},
    }
    return previous_record.Front(**(fields | changes))


@pytest.mark.parametrize(
    ("previous", "metric", "here", "interval", "said"),
    [
        ({}, "evaluate.test.accuracy", 0.91, (0.89, 0.93), "overlap: it may be chance"),
        (
            {},
            "evaluate.test.accuracy",
            0.99,
            (0.97, 1.0),
            "do not overlap: these two models differ, one seed",
        ),
        ({}, "evaluate.test.accuracy", 0.9, (0.88, 0.92), "no difference"),
        ({}, "evaluate.test.accuracy", 0.99, None, "neither run alone tells its spread"),
        ({"data": "other"}, "evaluate.test.accuracy", 0.99, (0.97, 1.0), "other data"),
        ({"fingerprint": "other"}, "evaluate.test.accuracy", 0.91, (0.89, 0.93), "overlap: it may be chance"),
        ({"fingerprint": "other"}, "benchmark.a.latency_ms", 1.0, (0.9, 1.1), "another machine"),
        ({"data": None}, "benchmark.a.latency_ms", 1.0, (0.9, 1.1), "over processes do not overlap"),
    ],
)
def test_a_difference_says_no_more_than_it_can(
    previous: dict[str, Any], metric: str, here: float, interval: Any, said: str
) -> None:
    from reproof.recorded import Run

    own = {metric: interval} if interval else {}
    own_run = Run("n", data="d", fingerprint="f")
    (found,) = previous_record.differences(front(**previous), own_run, {metric: here}, own)
    assert said in found.said


def test_foreign_files_in_the_folder_are_passed_over(bare: Path) -> None:
    folder = bare / "experiments"
    folder.mkdir()
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "broken.md").write_text("---\nrun: [\n---\n")
    (folder / "binary.md").write_bytes(b"---\nrun: \xff\n---\n")
    (folder / "bomb.md").write_text("---\na: &a [x]\nb: &b [*a, *a]\nrun: 7\n---\n")
    (folder / "odd.md").write_text(
        "---\nrun: old\nstarted: '2000'\nmetrics: [1]\nintervals: x\nruns: 3\n---\n"
    )
    (folder / "folder.md").mkdir()
    text = write(bare)
    assert "The record before this one is [odd](<odd.md>), of run `old`." in text
    assert "The two have no metric in common." in text


def test_the_front_matter_is_for_machines(bare: Path) -> None:
    title = 'A "title": with [odd] {things} & a token=abcdef123456 # \u2028'
    path = experiment_record.write(bare, title).path
    found = previous_record.read(path)
    assert found is not None
    meta = read(bare, "meta.json")
    assert (found.run, found.runs, found.started) == (meta["run_id"], (meta["run_id"],), meta["start_time"])
    assert found.title.startswith('A "title": with [odd] {things} & a token=*** #')
    assert (
        found.metrics["evaluate.test.accuracy"] == read(bare, "evaluation.json")["splits"]["test"]["accuracy"]
    )
    assert "abcdef123456" not in path.read_text()


# Several runs.


def test_runs_that_differ_in_seed_alone_have_a_mean(bare: Path) -> None:
    for seed in (1, 2):
        dvc(bare, "exp", "run", "--name", f"seed-{seed}", "-S", f"seed={seed}")
    text = write(bare, "Seeds", "seed-1", "main", "seed-2")
    part = section(text, "Results")
    runs = part.split("Their artefacts")[0]
    rows = re.findall(r"^\| `(\d{8}-\d{6}-\w{6})` \| `(.+?)` \|", runs, flags=re.MULTILINE)
    assert len(rows) == 3
    assert rows[0][1] == "seed-1"
    assert re.search(r"\| \*\*mean ± SD\*\* \| \| \| 3 seeds \|.*\*\*0\.\d{4} ± 0\.\d{4}\*\*", part)
    assert "They differ in their seed alone" in part
    assert "| Run ID | `checkpoint` | `metrics.ndjson` |" in part
    assert "- **Seed(s):** 1, 0, 2" in text
    assert "the first is the primary one" in text
    found = previous_record.read(next((bare / "experiments").glob("*_seeds.md")))
    assert found is not None
    assert len(found.runs) == 3
    assert found.run == found.runs[0]
    with pytest.raises(ReproofError, match="the same run is named twice"):
        write(bare, "Twice", "seed-1", "seed-1")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"config": True}, "they do not differ in their seed alone"),
        ({"status": "partial"}, "not all of them ended well"),
    ],
)
def test_other_runs_have_none_and_it_says_why(git_project: Path, change: dict[str, Any], why: str) -> None:
    record = record_of(EXAMPLE)
    add_runs(git_project, record, 1)
    if "config" in change:
        record = with_params(record, train={"epochs": 99})
    else:
        record["meta.json"] = json.dumps(json.loads(record["meta.json"]) | change).encode()
    add_runs(git_project, record, 1, first=1)
    text = write(git_project, "Two", "sweep-0000", "sweep-0001")
    assert f"No mean over them: {why}." in text
    assert "mean ± SD" not in text
    assert ("| `train.epochs` |" in section(text, "Results")) == ("config" in change)


# Runs that did not end well.


def test_a_failed_run_says_what_failed_and_has_no_number_of_the_run_before(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bare / "src" / "evaluate_model.py"
    path.write_text(
        path.read_text().replace("    found, predictions =", "    raise OSError('disk | full')\n    found =")
    )
    commit_all(bare, "Breaks")
    monkeypatch.chdir(bare)
    monkeypatch.setenv("PATH", ENV["PATH"])
    assert run_experiment.run(bare, ["--name", "broken", "-S", "train.lr=0.25"]) != 0
    text = write(bare, "Broken", "broken")
    assert write(bare, "Broken") == text  # the workspace's own
    assert "- **Status:** failed" in text
    assert "- [ ] The stage `evaluate` failed: disk \\| full" in text
    assert "No headline metric: the run did not come as far as `summarize`." in text
    assert "The stage evaluate has left no results." in text
    assert "| `train.lr` | 0.25 |" in text
    assert "(train 144, validation 48, test 48)" in text  # prepare has run before it
    assert not re.search(r"\| 0\.\d{4} \|", section(text, "Results"))


def test_a_run_that_failed_before_its_params_were_read_is_a_record_too(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare)
    monkeypatch.setenv("PATH", ENV["PATH"])
    assert run_experiment.run(bare, ["--name", "none", "-S", "data.examples=3"]) != 0
    text = write(bare, "None")
    assert "- **Status:** failed" in text
    assert "The stage `prepare` failed: " in text
    assert "No manifest of the splits was recorded." in text


def test_a_run_in_progress_and_a_partial_one_say_so(bare: Path) -> None:
    edit(bare, "meta.json", status="partial", missing={"benchmark": "no | GPU"})
    edit(bare, "summary.json", status="partial")
    text = write(bare)
    assert "- **Status:** partial: what did not end well stands under Follow-ups" in text
    assert "- [ ] Not measured: `benchmark`, no \\| GPU" in text
    records.mark(bare / LATEST, "in_progress", run_id="20300101-000000-aaaaaa")
    text = write(bare, "Now")
    assert "- **Status:** in_progress" in text
    assert "no commit holds this run yet" in text
    assert "0.8" not in section(text, "Results")


def test_without_a_run_it_says_how_to_make_one(git_project: Path) -> None:
    with pytest.raises(ReproofError, match="no run is recorded here") as caught:
        write(git_project)
    assert "dvc exp run" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("meta.json", "{", "not JSON"),
        ("meta.json", "[]", "no record of a run"),
        ("meta.json", '{"run_id": "x", "stages": {}}', "no record of a run"),
        ("evaluation.json", "{", "not JSON"),
        ("config.yaml", "a: [", "not valid YAML"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_as_the_user_knows_it(
    bare: Path, name: str, text: str, said: str
) -> None:
    (bare / LATEST / name).write_text(text)
    commit_all(bare, "Broken")
    for revisions, place in (((), f"{LATEST}/{name}"), (("main",), f"{LATEST}/{name}")):
        with pytest.raises(ReproofError, match=said) as caught:
            write(bare, "x", *revisions)
        assert str(caught.value.where).startswith(place)
        assert ("of main" in str(caught.value.where)) == bool(revisions)


def test_no_secret_of_the_environment_is_in_a_document(small_copy: Path) -> None:
    """Planted in variables, remotes and a note, while the run and while the documents are made."""
    planted.plant(small_copy)
    env = {**ENV, **planted.ENVIRONMENT}
    token = planted.secret("HF_TOKEN")
    done = run("dvc", "exp", "run", "--name", "told", "-S", "seed=1", cwd=small_copy, env=env, check=False)
    assert done.returncode == 0, done.stderr
    commit_all(small_copy, "The run")
    for around, title in ((env, f"With {token}"), (ENV, "Elsewhere")):
        run("reproof", "history", cwd=small_copy, env=around)
        run("reproof", "log", cwd=small_copy, env=around)
        run("reproof", "record", "told", "--title", title, cwd=small_copy, env=around)
        written = [small_copy / "results" / "history.json"]
        written += [
            path for name in ("experiments", "training_reports") for path in (small_copy / name).iterdir()
        ]
        text = "".join(path.read_text() for path in written)
        assert ("With ***" in text) == (around is env)
        known = [
            name for name in planted.NAMES if around is env or name != "NOTE"
        ]  # a note's only by its variable
        assert [name for name in known if planted.mark(name) in text] == []
        shutil.rmtree(small_copy / "experiments")


# Files that are there.


def test_a_file_that_is_no_record_of_these_runs_stays(bare: Path) -> None:
    path = experiment_record.write(bare, "Mine").path
    before = path.read_text()
    write(bare, "Mine")  # the same run: written anew
    dvc(bare, "exp", "run", "-S", "seed=1")
    start = read(bare, "meta.json")["start_time"][:10]
    other = path.with_name(f"{start}_mine.md")
    if other != path:  # at midnight
        other.write_text(before)
    with pytest.raises(ReproofError, match="a file stands there already") as caught:
        write(bare, "Mine")
    assert str(other) == caught.value.where
    assert other.read_text() == before
    write(bare, "Mine", force=True)
    assert other.read_text() != before
    other.write_text("my words")
    with pytest.raises(ReproofError, match="a file stands there already"):
        write(bare, "Mine")


def test_it_is_written_where_output_says_and_its_links_lead_there(bare: Path) -> None:
    target = bare / "docs" / "deep er" / "one.md"
    text = write(bare, output=target)
    links = re.findall(r"\]\(<(\.\./[^>]+)>\)", text)
    assert "../../results/latest/config.yaml" in links
    assert all((target.parent / link).exists() for link in links)
    for name in ("params.ndjson", "metrics.ndjson"):  # a forge has no such file
        assert f"`{LATEST}/{name}` (held by DVC)" in text
        assert name not in "".join(links)
    assert not (bare / "experiments").exists()


def test_a_folder_of_records_that_leads_out_is_refused(bare: Path) -> None:
    (bare.parent / "beside").mkdir()
    (bare / "experiments").symlink_to(bare.parent / "beside")
    with pytest.raises(ReproofError, match="leads out of the project"):
        write(bare)


# Hostile words.

HOSTILE = "../../a|b`c`<script>alert(1)</script>\n![x](y)\n## Goals\n---\nrun: other"


@pytest.mark.parametrize("title", ["", " \n", "\0"])
def test_a_record_has_a_title(bare: Path, title: str) -> None:
    with pytest.raises(ReproofError, match="a record has a title"):
        write(bare, title)


@pytest.mark.parametrize("title", [HOSTILE, "x" * 5000, "….", "CON", "日本"])
def test_any_title_is_words_and_its_file_lies_in_the_folder(bare: Path, title: str) -> None:
    path = experiment_record.write(bare, title).path
    assert path.parent == bare / "experiments"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_[a-z0-9._]{1,64}\.md", path.name)
    text = path.read_text()
    assert text.count("\n## Goals\n") == 1
    found = previous_record.read(path)
    assert found is not None
    assert found.run == read(bare, "meta.json")["run_id"]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("\n---\n", 1)[1])
    assert "<script" not in html
    assert "<img" not in html


def test_hostile_names_in_a_commit_break_no_table(git_project: Path) -> None:
    record = record_of(EXAMPLE)
    declared = {"authors": [HOSTILE], "dataset": {"source": HOSTILE, "license": HOSTILE}}
    record = with_params(record, report=declared, train={HOSTILE: HOSTILE})

    def edited(file: str, **values: Any) -> None:
        record[file] = json.dumps(json.loads(record[file]) | values).encode()

    meta = json.loads(record["meta.json"])
    edited(
        "meta.json",
        links={HOSTILE: HOSTILE, "issue": f"javascript:{HOSTILE}", "job": {"url": HOSTILE}},
        git=meta["git"]
        | {"pull_request": HOSTILE, "remote": HOSTILE, "dirty": True, "changed": {HOSTILE: "M"}},
        missing={HOSTILE: HOSTILE},
        argv=HOSTILE,
        overrides={HOSTILE: {"from": HOSTILE, "to": HOSTILE}},
    )
    edited("summary.json", metrics={"accuracy": 0.5, HOSTILE: 0.5})
    edited("split_manifest.json", dataset=HOSTILE, sizes={HOSTILE: 3})
    edited("split_checksums.json", splits={HOSTILE: HOSTILE})
    edited(
        "digests.json",
        inputs={HOSTILE: HOSTILE},
        artefacts={HOSTILE + "2": HOSTILE, f"{LATEST}/model.onnx": HOSTILE},
    )
    add_runs(git_project, record, 2)
    text = write(git_project, "Hostile", "sweep-0000", "sweep-0001")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("\n---\n", 1)[1])
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert text.count("\n## Goals\n") == 1
    for rows in tables(text):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows


def tables(text: str) -> Iterator[list[str]]:
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        yield [row.rstrip() for row in block.splitlines()]


# The command.


def test_the_command_writes_it_and_wants_a_flag_for_several(small_copy: Path) -> None:
    done = run("reproof", "record", "--title", "By command", cwd=small_copy, env=ENV)
    assert re.fullmatch(r"experiments/[\d-]+_by_command\.md: run \S+ \(success\)\n", done.stdout)
    done = run("reproof", "record", "--title", "A", "main", "B", cwd=small_copy, env=ENV, check=False)
    assert done.returncode == 2
    assert "2 revisions for a record of one run" in done.stderr
    done = run("reproof", "record", cwd=small_copy, env=ENV, check=False)
    assert done.returncode == 2
