"""The report on a model that was brought along: every part of it filled by the record, noted or explained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import brought_records as brought
import pytest
import seed_documents as seed
from conftest import run
from projects import ENV

from reproof.report import gaps, render_all

CELL = "onnxruntime-cpu-fp32-b1-t1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brought.write(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def document(root: Path) -> str:
    return brought.rendered(root)["experiment.md"]


@pytest.fixture(scope="module")
def found(document: str) -> dict[str, str]:
    return seed.sections(document)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return brought.write(tmp_path)


def test_every_heading_is_there_in_order_with_something_below_it(found: dict[str, str]) -> None:
    assert [heading for heading in found if heading in seed.INFERENCE] == seed.INFERENCE
    assert {heading for heading in seed.INFERENCE if not found[heading].strip("- \n")} == set()


def test_every_table_has_its_columns(found: dict[str, str]) -> None:
    lacking = {
        heading: seed.tables(found[heading])
        for heading, columns in seed.INFERENCE_COLUMNS.items()
        if not seed.has_columns(found[heading], columns)
    }
    assert lacking == {}


def test_every_field_is_followed_by_something(found: dict[str, str]) -> None:
    lacking = [
        (heading, field)
        for heading, fields in seed.INFERENCE_FIELDS.items()
        for field in fields
        if not (seed.field(found[heading], field) or seed.has_columns(found[heading], [field]))
    ]
    assert lacking == []


def test_no_placeholder_is_left(document: str) -> None:
    assert seed.PLACEHOLDERS.findall(document) == []


def test_the_title_names_the_model_and_the_experiment(document: str) -> None:
    assert "\n# Experiment Report: resnet50 (first-look)\n\nDate: 2026-11-20\n" in document


FILLED = {
    "Summary": [
        "Status: **partial**", "25,557,032 parameters", "2 of 3 inputs", "inputs/torn.jpg: the picture",
    ],
    "Artifacts": [
        "[plan.md](<../plan.md>)", "(type: onnx, size: 102 MB, 102,442,450 bytes, sha256: `8f2c8f2c",
        "Repo: [https://github.com/onnx/models]", "Version pin: v1.3",
        "License notes: not declared (`source.license` in contract.yaml)", "ai.onnx 17, IR version 8",
        "53 Conv, 49 Relu",
    ],
    "Environment": [
        "Environment manager: venv", "Python: 3.11.7", "OS: Debian GNU/Linux 12",
        "Device used: cpu (details: AMD EPYC, 2 usable cores)", "onnxruntime: 1.31.1",
        "opencv-python: not installed",
    ],
    "Required dependencies (derived)": ["onnxruntime &gt;=1.20 (1.31.1)", "tokenizers (not installed)"],
    "Missing deps and chosen strategy": [
        "Missing: tokenizers (contract.yaml names a tokenizer)", "Pixi: not used",
        "into this environment `python -m pip install 'tokenizers>=0.19'`",
        "or into a new one `python3 -m venv .venv-model && .venv-model/bin/python -m pip install",
        "First attempt: the newest releases that fit together", "Fallback: not compared: the run has no",
    ],
    "Notes / gotchas": ["cuda cells are unavailable"],
    "Inputs": [
        "| `data` | float32 | batch×3×224×224 | axis 0 (batch) |", "Modality: image",
        "colour not declared, CHW",
        "image (`.png`, `.jpg`,", "crop to 224×224",
        "divided by 255.0; mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225",
    ],
    "Outputs": [
        "`logits` 1×1000 float32, -7.25 to 14.5", "softmax, then the 5 likeliest", "[outputs](<../outputs>)",
    ],
    "What contract.yaml says, and the file": [
        "| `output.labels` | ❌ conflicts | 999 names | 1000 classes | one label a line",
        "| `input.size` | ✅ fits |", "`input.colour`: RGB and BGR give other answers",
    ],
    "How to Run (Repro Commands)": [
        "`python src/infer.py`; here: success, import 93.1 ms, load 181 ms, first call 61.2 ms",
        "Inference run: `python src/infer.py`",
    ],
    "Inputs discovery": [
        "`inputs`: 5 files, 3 of them usable (passed over: 2 .heic); `more`: there is no such folder",
        "Real inputs found: yes: 3",
        "Synthetic inputs used: no",
    ],
    "Input inventory": [
        "| [inputs/cat.jpg](<../inputs/cat.jpg>) | workspace | image, 640×480 RGB, SHA-256 `0000",
    ],
    "Run matrix": [
        "| `python src/examine.py` |", "runtime onnxruntime, batch 1, precision fp32, threads 1",
        f"`{brought.RUN} {CELL}` | `python src/benchmark.py` | cpu | onnxruntime, fp32, batch 1, 1 thread |",
        "none: unavailable",
    ],
    "Input → Output mapping (key examples)": [
        "[outputs/arrays/0.npz](<../outputs/arrays/0.npz>)", "tabby 0.83, tiger cat 0.11",
        "**failed**: the picture is truncated", "run twice, gave the same values",
        "](../results/latest/inputs.png)",
    ],
    "End-to-end timing (default)": [
        "3 fresh processes of each cell", "Batch size: 1, 8", "Precision: fp32, int8",
        "| Total end-to-end | 0.0241 | 0.0222 | 0.0215 to 0.0231 |", "50,990 calls; stable |",
        "| Cold: import | – | 22.5 |", "| Cold: second call |",
    ],
    "Benchmark matrix": [
        "**noisy**: interval.end_to_end ±7.1%, over ±3% |", "**unavailable**: no CUDA device here |",
        "**failed**: killed by SIGSEGV |", "figures/latency.svg",
    ],
    "Numerics against fp32": [f"| `onnxruntime-cpu-int8-b1-t1` | 0.375 | 14.5 | `{CELL}` |"],
    "Throughput / memory (if measured)": [
        f"41,600 examples/s of `{CELL}`, stable", "Peak RAM: 83.2 MB, 70.1 MB of it before",
        "Peak VRAM: not measured: torch does not run this cell", "| `Conv` | 5,300 | 2,800 | 88.2% |",
        "onnxruntime-cpu-int8-b1-t1: the profile has no operators",
    ],
    "User Metrics (Optional)": [
        "| fast: `benchmark.latency_ms` | 3 fresh processes on AMD EPYC | 0.02222 ms (95% interval 0.02153",
        "✅ Met: by the whole 95% interval",
        "❌ Not met: by the whole 95% interval; 3 fresh processes on AMD EPYC, noisy",
    ],
    "Issues / Pitfalls": [
        "opset (symptom: opset 24 is newer", "fix/workaround: export with 17",
        "no answer for inputs/torn.jpg (symptom: the picture is truncated)",
        "the times of onnxruntime-cpu-fp32-b8-t1 are noisy",
    ],
    "Conclusions": [
        "**partially**: 2 of 3 inputs", f"`python src/infer.py`; of the benchmark, `{CELL}`",
        "0.0222 ms a call (95% interval 0.0215 to 0.0231 ms), stable", "`dvc exp run -S benchmark=full`",
        "write input.colour into contract.yaml",
    ],
    "Appendix": ["[results/latest/stages]", "[../tutorial/step-by-step.md]", "results/latest/benchmark.json"],
}  # fmt: skip


@pytest.mark.parametrize("heading", FILLED)
def test_what_the_record_holds_stands_where_it_belongs(found: dict[str, str], heading: str) -> None:
    assert [words for words in FILLED[heading] if words not in found[heading]] == []


def test_the_same_record_gives_the_same_bytes_anywhere(root: Path, tmp_path: Path) -> None:
    render_all(root, root / "results/latest", root / "reports")
    copy = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    render_all(copy, copy / "results/latest", copy / "reports")
    places = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    assert {path.parts[0] for path in places} >= {"reports", "tutorial"}
    assert [path for path in places if (root / path).read_bytes() != (copy / path).read_bytes()] == []


def test_nothing_in_them_is_absolute(root: Path) -> None:
    for text in brought.rendered(root).values():
        assert re.findall(r"(?<![\w.:/}>])/(?:home|tmp|work|root|usr|var)\b", text) == []
        assert str(root) not in text


def test_links_lead_somewhere(root: Path) -> None:
    (root / "outputs" / "results.csv").touch()
    for name in (
        "models/resnet50.onnx",
        "inputs/cat.jpg",
        "inputs/dog.jpg",
        "inputs/torn.jpg",
        "samples.npz",
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "results/latest/benchmark_samples.npz").touch()
    brought.rendered(root)
    for document in (root / "reports/experiment.md", root / "tutorial/step-by-step.md"):
        links = re.findall(r"\]\(<?([^)>#\s]+)", document.read_text())
        local = [link for link in links if "://" not in link]
        assert len(local) > 8
        assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_stage_gets_the_files_that_it_lists_as_outputs(root: Path) -> None:
    written = render_all(root, root / "results/latest", root / "reports")
    names = [path.relative_to(root).as_posix() for path in written]
    assert names == [
        "reports/experiment.md",
        "reports/index.html",
        "reports/figures",
        "tutorial/step-by-step.md",
    ]
    assert [path.name for path in (root / "reports/figures").iterdir()] == ["latency.svg"]


def test_the_documents_of_another_run_lie_together_and_link_to_nothing_of_this_workspace(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    record = shutil.copytree(project / "results/latest", tmp_path_factory.mktemp("git") / "results/latest")
    render_all(project, record, project / "out")
    names = {path.name for path in (project / "out").iterdir()}
    assert names == {"experiment.md", "index.html", "figures", "step-by-step.md", "record"}
    assert not (project / "tutorial").exists()
    text = (project / "out/experiment.md").read_text()
    assert "Plan: `plan.md`" in text
    assert "`outputs/arrays/0.npz`" in text
    links = re.findall(r"\]\(<?([^)>#\s]+)", text)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (project / "out" / link).exists()] == []
    assert (project / "out/index.html").read_text().count("data:image/png") == 1


def test_what_is_missing_is_listed_by_kind(project: Path) -> None:
    found = {(gap.kind, gap.part): gap for gap in gaps(project, project / "results/latest")}
    assert found["measured", "infer.inputs/torn.jpg"].reason == "the picture is truncated"
    assert (
        found["measured", "benchmark.onnxruntime-cuda-fp32-b8-t1"].reason
        == "unavailable: no CUDA device here"
    )
    assert found["declared", "input.colour"].remedy == "contract.yaml"
    assert ("declared", "source.license") in found
    assert found["written", "Research question"].remedy == "notes/goals.md"
    assert found["written", "Issues and pitfalls"].remedy == "notes/analysis.md"
    assert not [part for kind, part in found if part in ("prepare", "train", "evaluate", "robustness")]


def test_the_command_lists_and_renders_them(git_project: Path) -> None:
    brought.write(git_project)
    run("git", "init", "--quiet", cwd=git_project)
    run("dvc", "init", "--quiet", cwd=git_project, env=ENV)
    listed = run("reproof", "report", "--check", cwd=git_project, env=ENV)
    assert "benchmark.onnxruntime-cpu-bf16-b8-t1: failed: killed by SIGSEGV" in listed.stdout
    assert "input.colour" in listed.stdout
    assert run("reproof", "report", "--strict", cwd=git_project, env=ENV, check=False).returncode == 3
    assert not (git_project / "reports").exists()
    told = run("reproof", "report", cwd=git_project, env=ENV).stdout.split()
    assert told == [
        "reports/experiment.md",
        "reports/index.html",
        "reports/figures",
        "tutorial/step-by-step.md",
    ]


def test_words_of_the_user_stand_in_their_places(project: Path) -> None:
    (project / "notes/goals.md").write_text("## Research question\n\nCan it sort our cats?\n")
    (project / "notes/analysis.md").write_text(
        f"---\nrun: {brought.RUN}\n---\n\n## Summary\n\nIt can.\n\n## Conclusions\n\nTake it.\n\n"
        "## Issues and pitfalls\n\nMind the fur.\n\n## Key findings\n\nCats sleep.\n\n"
        "## Licence talk\n\nLater.\n"
    )
    found = brought.sections(project)
    assert "- Goal: Can it sort our cats?" in found["Summary"]
    assert "It can." in found["Summary"]
    assert "Take it." in found["Conclusions"]
    assert "Mind the fur." in found["Issues / Pitfalls"]
    assert "Cats sleep." in found["Key findings"]
    assert "Later." in found["Licence talk"]
    assert not [
        gap
        for gap in gaps(project, project / "results/latest")
        if gap.part in ("Research question", "Summary")
    ]


def test_words_about_another_run_are_told_apart(project: Path) -> None:
    (project / "notes/analysis.md").write_text("---\nrun: other\n---\n\n## Summary\n\nIt can.\n")
    assert "*Written about `other`, another run than this one:*" in brought.sections(project)["Summary"]
    (gap,) = [gap for gap in gaps(project, project / "results/latest") if gap.reason == "written about other"]
    assert gap.part == "Summary"


def test_a_template_of_the_project_changes_one_part(project: Path) -> None:
    (project / "templates").mkdir()
    (project / "templates/check.md.jinja").write_text(
        '{% extends "reproof/check.md.jinja" %}{% block summary %}## Ours: {{ status }}\n{% endblock %}'
    )
    found = brought.sections(project)
    assert "Ours: partial" in found
    assert "Summary" not in found
    assert found["Artifacts"]


def test_the_sections_of_notes_are_those_that_the_recipe_ships(root: Path) -> None:
    shipped = {
        (line.removeprefix("## "), f"notes/{path.name}")
        for path in (brought.ROOT / "template/inference/notes").glob("*.md")
        for line in path.read_text().splitlines()
        if line.startswith("## ")
    }
    found = gaps(root, root / "results/latest")
    assert {(gap.part, gap.remedy) for gap in found if gap.kind == "written"} == shipped


def test_writing_them_takes_neither_torch_nor_onnx(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from reproof.report import render_all\n"
        "render_all(Path('.'), Path('results/latest'), Path('reports'))\n"
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'pandas', 'PIL', 'scipy'} & set(sys.modules)))\n"
    )
    assert run("python", "-c", code, cwd=root, env=ENV).stdout.strip() == "[]"
