"""`reproof record`: a run as a document that stays; filled, or saying why not, and safe to write."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import commit_all, run
from experiment_records import EXAMPLE, LATEST, edit, section, write
from many_runs import add_runs, record_of, with_params
from markdown_it import MarkdownIt
from projects import ENV, dvc, read
from seed_documents import left_over

from reproof.errors import ReproofError
from reproof.report import experiment_record, previous_record

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
    assert left_over(text) == []
    assert f"- **Date:** {read(example, 'meta.json')['start_time'][:10]} (UTC" in text
    assert "- **Owner(s):** Ada Lovelace" in text
    assert "[#12](<https://github.com/a/b/pull/12>), [issue](<https://github.com/a/b/issues/7>)" in text
    assert "| `train.lr` | 0.002 |" in text
    assert "licence: CC-BY-4.0" in text
    assert f"train `{read(example, 'split_checksums.json')['splits']['train']}`" in text


def test_what_nobody_declared_or_wrote_is_explained(small_copy: Path) -> None:
    text = write(small_copy)
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
    assert left_over(text) == []


def test_its_name_has_the_date_of_the_run_and_a_short_slug(small_copy: Path) -> None:
    written = experiment_record.write(small_copy, "Tökén baseline: 2 layers!")
    start = read(small_copy, "meta.json")["start_time"][:10]
    assert written.path == small_copy / "experiments" / f"{start}_token_baseline_2_layers.md"
    assert written.runs[0].commit == run("git", "rev-parse", "HEAD", cwd=small_copy).stdout.strip()


def test_of_a_revision_it_is_what_it_was_in_the_workspace(small_copy: Path) -> None:
    first = write(small_copy)
    path = next((small_copy / "experiments").iterdir())
    dvc(small_copy, "exp", "run", "--name", "other", "-S", "train.lr=0.25")
    assert write(small_copy, "A record", "main") == first
    assert write(small_copy, "Another", "other") == write(small_copy, "Another")
    assert "| `train.lr` | 0.25 | set for this run; at the commit it is 0.5 |" in write(
        small_copy, "Another", "other"
    )
    assert path.read_text() == first
    with pytest.raises(ReproofError, match="no such revision"):
        write(small_copy, "x", "nothing")
    with pytest.raises(ReproofError, match="no run is recorded there"):
        write(small_copy, "x", "main~1")


def test_artefacts_have_digest_size_and_who_holds_them(small_copy: Path) -> None:
    found = dict(
        re.findall(r"^\| `(.+?)` \| (.+) \|$", section(write(small_copy), "Artifacts"), flags=re.MULTILINE)
    )
    digests = read(small_copy, "digests.json")["artefacts"]
    assert found[f"{LATEST}/checkpoint"].split(" | ")[0] == f"`{digests[f'{LATEST}/checkpoint']}`"
    assert found[f"{LATEST}/checkpoint"].endswith("| DVC")
    assert found[f"{LATEST}/evaluation.json"].endswith("| Git")
    assert found[f"{LATEST}/metrics.ndjson"].endswith("| DVC")
    assert "–" not in "".join(found.values())
    assert "prepared/train.npz" not in found


def test_written_twice_it_is_the_same_bytes(small_copy: Path) -> None:
    first = write(small_copy)
    time.sleep(0.01)
    assert write(small_copy) == first


# Files that are there.


def test_a_file_that_is_no_record_of_these_runs_stays(small_copy: Path) -> None:
    path = experiment_record.write(small_copy, "Mine").path
    before = path.read_text()
    write(small_copy, "Mine")  # the same run: written anew
    dvc(small_copy, "exp", "run", "-S", "seed=1")
    start = read(small_copy, "meta.json")["start_time"][:10]
    other = path.with_name(f"{start}_mine.md")
    if other != path:  # at midnight
        other.write_text(before)
    with pytest.raises(ReproofError, match="a file stands there already") as caught:
        write(small_copy, "Mine")
    assert str(other) == caught.value.where
    assert other.read_text() == before
    write(small_copy, "Mine", force=True)
    assert other.read_text() != before
    other.write_text("my words")
    with pytest.raises(ReproofError, match="a file stands there already"):
        write(small_copy, "Mine")


def test_it_is_written_where_output_says_and_its_links_lead_there(small_copy: Path) -> None:
    target = small_copy / "docs" / "deep er" / "one.md"
    text = write(small_copy, output=target)
    links = re.findall(r"\]\(<(\.\./[^>]+)>\)", text)
    assert "../../results/latest/config.yaml" in links
    assert all((target.parent / link).exists() for link in links)
    for name in ("params.ndjson", "metrics.ndjson"):  # a forge has no such file
        assert f"`{LATEST}/{name}` (held by DVC)" in text
        assert name not in "".join(links)
    assert not (small_copy / "experiments").exists()


def test_a_folder_of_records_that_leads_out_is_refused(small_copy: Path) -> None:
    (small_copy.parent / "beside").mkdir()
    (small_copy / "experiments").symlink_to(small_copy.parent / "beside")
    with pytest.raises(ReproofError, match="leads out of the project"):
        write(small_copy)


# Hostile words.

HOSTILE = "../../a|b`c`<script>alert(1)</script>\n![x](y)\n## Goals\n---\nrun: other"


@pytest.mark.parametrize("title", ["", " \n", "\0"])
def test_a_record_has_a_title(small_copy: Path, title: str) -> None:
    with pytest.raises(ReproofError, match="a record has a title"):
        write(small_copy, title)


@pytest.mark.parametrize("title", [HOSTILE, "x" * 5000, "….", "CON", "日本"])
def test_any_title_is_words_and_its_file_lies_in_the_folder(small_copy: Path, title: str) -> None:
    path = experiment_record.write(small_copy, title).path
    assert path.parent == small_copy / "experiments"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_[a-z0-9._]{1,64}\.md", path.name)
    text = path.read_text()
    assert text.count("\n## Goals\n") == 1
    found = previous_record.read(path)
    assert found is not None
    assert found.run == read(small_copy, "meta.json")["run_id"]
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
