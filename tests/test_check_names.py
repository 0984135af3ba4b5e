"""Names and words that would break the report on a model, or run in it, if they were not escaped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import brought_records as brought
import pytest
import seed_documents as seed
from markdown_it import MarkdownIt

from reproof import files
from reproof.report import render_all

HOSTILE = "a|b `c` <script>alert(1)</script>\n## d [e](javascript:f) *g* {{ 1 }} ~~h~~"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return brought.write(tmp_path)


def hostile(project: Path) -> None:
    """Names and words of the record that would break a table, or run, if they were not escaped."""

    def examination(held: dict[str, Any]) -> None:
        held["model"] |= {"name": HOSTILE, "path": f"models/{HOSTILE}", "external_data": {HOSTILE: 5}}
        held["graph"] |= {"operators": {HOSTILE: 3}, "producer": HOSTILE, "dtypes": {HOSTILE: 1}}
        port = {"dtype": HOSTILE, "shape": [HOSTILE, 3], "dynamic": {"0": HOSTILE}}
        held |= {"inputs": {HOSTILE: port}, "outputs": {HOSTILE: port}, "plan": f"{HOSTILE}.md"}
        held["contract"]["declared"]["source"] = {"repo": HOSTILE, "version": HOSTILE, "license": HOSTILE}
        held["contract"]["declared"]["input"] |= {"tokenizer": HOSTILE, "mean": [HOSTILE]}
        held["contract"]["declared"]["output"] |= {"labels": [HOSTILE, "x"], "kind": HOSTILE}
        held["contract"] |= {
            "open": {HOSTILE: HOSTILE},
            "checks": {HOSTILE: {"status": HOSTILE, "declared": HOSTILE, "found": HOSTILE, "hint": HOSTILE}},
        }
        held["dependencies"] |= {
            "required": {"framework": {HOSTILE: HOSTILE}}, "missing": {HOSTILE: HOSTILE},
            "notes": {HOSTILE: HOSTILE}, "manager": HOSTILE, "install": HOSTILE,
        }  # fmt: skip
        held["pitfalls"] = {HOSTILE: {"symptom": HOSTILE, "fix": HOSTILE}}

    def inference(held: dict[str, Any]) -> None:
        held |= {
            "synthetic": True,
            "synthetic_reason": HOSTILE,
            "device_details": HOSTILE,
            "runtime": HOSTILE,
        }
        held["versions"][HOSTILE] = HOSTILE
        held["search"] = {HOSTILE: {"files": 1, "usable": 1}, "x": {"files": None, "reason": HOSTILE}}
        held["smoke"] |= {"reason": HOSTILE, "command": HOSTILE}
        for one in held["inputs"].values():
            one |= {"file": f"inputs/{HOSTILE}.png", "notes": HOSTILE, "kind": HOSTILE, "summary": HOSTILE}
            one |= {
                "reason": HOSTILE,
                "outputs": f"outputs/{HOSTILE}.npz",
                "picture": f"outputs/{HOSTILE}.png",
            }
        held["outputs"] = {HOSTILE: held["outputs"]["logits"]}

    def benchmark(held: dict[str, Any]) -> None:
        held["hardware"]["cpu"] = HOSTILE
        cells = {f"{name} {HOSTILE}": cell for name, cell in held["cells"].items()}
        for cell in cells.values():
            cell["reason"] = HOSTILE if cell["status"] != "measured" else None
            if cell["status"] == "measured":
                cell["verdict"]["reasons"] = {HOSTILE: HOSTILE}
                cell["numerics"]["unavailable_reason"] = HOSTILE
                cell["profile"] = {"method": HOSTILE, "calls": 3, "reason": None, "operators": {
                    HOSTILE: {"calls": 1, "total_ms": 2.5, "percent": 50.0}}}  # fmt: skip
        held["cells"] = cells

    for name, edit in {"examination": examination, "inference": inference, "benchmark": benchmark}.items():
        brought.change(project, f"{name}.json", edit)


def test_hostile_names_break_no_table_and_run_nothing(project: Path) -> None:
    before = brought.sections(project)
    hostile(project)
    documents = brought.rendered(project)
    for text in documents.values():
        html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
        assert "<script" not in html
        assert 'href="javascript' not in html
    after = seed.sections(documents["experiment.md"])
    assert [name for name in after if name in seed.INFERENCE] == seed.INFERENCE
    (title,) = set(after) - set(before)
    assert title.startswith("Experiment Report: a|b `c` &lt;script")
    page = (project / "reports/index.html").read_text()
    assert "<script>alert(1)" not in page


def test_every_row_has_as_many_cells_as_its_table(project: Path) -> None:
    hostile(project)
    for text in brought.rendered(project).values():
        width = 0
        for line in text.split("\n"):
            if not line.startswith("|"):
                width = 0
                continue
            count = len(re.findall(r"(?<!\\)\|", line))
            width = width or count
            assert count == width, line


def test_the_file_of_a_run_holds_no_secret(project: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    brought.change(
        project, "examination.json", lambda e: e["dependencies"].update(install=f"pip install {secret}")
    )
    brought.change(project, "inference.json", lambda i: i["inputs"]["0"].update(summary=secret))
    render_all(project, project / "results/latest", project / "reports")
    for path in (*(project / "reports").glob("*.*"), project / "tutorial/step-by-step.md"):
        assert secret not in path.read_text()
    assert files.read_json(project / "results/latest/inference.json")["inputs"]["0"]["summary"] == secret
