"""The stage examine on models that nobody here made, and on hostile ones: facts or an error, no crash."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from markdown_it import MarkdownIt
from model_file_makers import OF_OTHERS, every_format, external, onnx_picture, port, save
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from projects import ROOT
from stages import assert_dvc_reads_no_table

from reproof import benchmark, examination, files, inference
from reproof.errors import ReproofError
from reproof.examination import words

HOSTILE = "x|y\n# <script>alert(1)</script> [a](http://b) `c` **d**"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("models", "inputs", "src"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "template/inference/contract.yaml", tmp_path)
    return tmp_path


def examine(project: Path, **settings: Any) -> dict[str, Any]:
    """The record, which must be JSON that DVC can read too, and hold no path of this machine."""
    found = examination.examine(
        project,
        examination.Settings(),
        benchmark=settings.get("benchmark", benchmark.Settings(quick=True)),
        inputs=settings.get("inputs", inference.Inputs()),
    )
    text = files.json_text(found)
    assert json.loads(text) == found
    assert str(project) not in text
    assert_dvc_reads_no_table(found)
    assert str(project) not in examination.plan(found)
    return found


def examined(project: Path, source: Path) -> dict[str, Any]:
    for old in (project / "models").iterdir():
        old.unlink()
    shutil.copy(source, project / "models")
    return examine(project)


@pytest.mark.parametrize("folder", ["simple", "pytorch-converted", "light"])
def test_models_of_onnx_own_tests_are_examined(folder: str, project: Path) -> None:
    paths = sorted((OF_OTHERS / folder).rglob("*.onnx"))
    assert len(paths) >= 9
    for path in paths:
        found = examined(project, path)
        model = onnx.load_model(path)
        assert found["graph"]["opset"]["ai.onnx"] == max(
            entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")
        )
        assert found["runtime"] == "onnxruntime"
        assert found["planned"]["benchmark"]["cells"]
        assert found["dependencies"]["missing"] == {}
        assert "no reason" not in str(found["pitfalls"])


@pytest.mark.parametrize("kind", ["onnx", "safetensors", "torchscript", "torch-export", "torch-weights"])
def test_every_format_gives_a_whole_record(kind: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    path = every_format(tmp_path / "made")[kind]
    found = examined(project, path)
    model = found["model"]
    assert (model["format"], model["path"], model["name"]) == (kind, f"models/{path.name}", path.stem)
    assert (model["bytes"], model["sha256"]) == (path.stat().st_size, files.sha256(path))
    assert model["digest"].startswith("sha256:")
    assert found["runtime"] == ("onnxruntime" if kind == "onnx" else "torch")
    assert list(found["dependencies"]["required"]["framework"]) == [found["runtime"]]
    assert found["weights"]["parameters"] > 0
    for part, reason in {
        "graph": "graph_reason",
        "inputs": "ports_reason",
        "outputs": "ports_reason",
    }.items():
        assert (found[part] is None) == bool(found[reason])
    cells = list(found["planned"]["benchmark"]["cells"])
    assert all(name.startswith(found["runtime"]) for name in cells)


def hostile(path: Path) -> None:
    """Names, operators and a producer that would break a table or a page, and ten megabytes of metadata."""

    def change(model: Any) -> None:
        model.producer_name = HOSTILE
        model.metadata_props.add(key="notes", value="x" * 10_000_000)
        model.functions.add(name="f", domain=HOSTILE)

    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    nodes = [
        helper.make_node(HOSTILE, [HOSTILE], ["mid"], domain=HOSTILE),
        helper.make_node("Add", ["mid", "w"], [f"{HOSTILE}2"]),
    ]
    save(
        path,
        nodes,
        [port(HOSTILE, [HOSTILE, 3])],
        [port(f"{HOSTILE}2", [None, 3])],
        initializer=[weight],
        change=change,
    )


def test_hostile_names_are_kept_in_the_record_and_break_no_plan(project: Path) -> None:
    hostile(project / "models" / "net.onnx")
    found = examine(project)
    assert list(found["inputs"]) == [HOSTILE]
    assert found["graph"]["operators"][f"{HOSTILE}.{HOSTILE}"] == 1
    assert len(files.json_text(found)) < 20_000
    plan = examination.plan(found)
    assert "<script>" not in MarkdownIt().render(plan)
    tokens = MarkdownIt().parse(plan)
    assert not [token for token in tokens if token.type in ("html_block", "table_open")]
    inner = [child for token in tokens for child in token.children or []]
    assert not [child for child in inner if child.type in ("html_inline", "link_open", "strong_open")]
    headings = [
        tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert headings == [
        "Plan: net",
        "In this order",
        "On the machine that wrote this plan",
        "Inputs",
        "Benchmark, about 12 s",
        "Open in contract.yaml",
        "Packages",
        "Pitfalls",
    ]


def test_a_hostile_file_name_breaks_no_plan_either(project: Path) -> None:
    name = "a|b `c` <i>*x*.onnx"
    onnx_picture(project / "models" / name)
    found = examine(project)
    assert found["model"]["path"] == f"models/{name}"
    html = MarkdownIt().render(examination.plan(found))
    assert "<i>" not in html
    assert "<em>" not in html


def test_the_plan_says_what_will_be_run(project: Path) -> None:
    onnx_picture(project / "models" / "net.onnx")
    (project / "contract.yaml").write_text("input: {modality: image, size: [9, 9], resize: crop}\n")
    for index in range(3):
        Image.new("RGB", (4, 4)).save(project / "inputs" / f"{index}.png")
    (project / "inputs" / "notes.odt").write_text("words")
    found = examine(project, inputs=inference.Inputs(folders=["inputs", "more"], max_inputs=2))
    assert found["planned"]["inputs"]["run"] == 2
    assert found["planned"]["inputs"]["synthetic"] is False
    plan = examination.plan(found)
    for words_ in (
        "- inputs: 4 files, 3 that this model takes",
        "- more: there is no such folder",
        "- 2 of them will be run",
        "`onnxruntime-cpu-fp32-b1-t1`",
        "## Conflicts in contract.yaml",
        "`input.size`: declared 9×9, found 8×8. To mend: write \\[8, 8\\]",
        "`input.colour`: swapped colours give wrong answers",
        "5. `python src/report.py`",
    ):
        assert words_ in plan
    assert re.search(r"^- Model: `models/net\.onnx`, onnx, .* kB, SHA-256 `[0-9a-f]{12}`$", plan, re.M)


def test_without_inputs_the_plan_says_that_some_are_made_up(project: Path) -> None:
    onnx_picture(project / "models" / "net.onnx")
    plan = examination.plan(examine(project))
    assert "8 are made up to fit the contract, and said to be so" in plan


def test_cells_that_this_model_or_machine_cannot_run_are_planned_with_the_reason(project: Path) -> None:
    onnx_picture(project / "models" / "net.onnx", batch=4)
    settings = benchmark.Settings(
        runtimes=["torch", "onnxruntime"], batch_sizes=[1, 8], threads=[1, 1000], repeats=2
    )
    planned = examine(project, benchmark=settings)["planned"]["benchmark"]
    assert list(planned["cells"]) == ["onnxruntime-cpu-fp32-b4-t1", "onnxruntime-cpu-fp32-b4-t1000"]
    assert planned["cells"]["onnxruntime-cpu-fp32-b4-t1"] is None
    assert "1000 threads asked for" in planned["cells"]["onnxruntime-cpu-fp32-b4-t1000"]
    assert planned["seconds"] == round(2 * (3.0 + 0.5 + 2.0))


def test_external_data_is_part_of_the_model(project: Path) -> None:
    external(project / "models")
    with pytest.raises(ReproofError, match=r"models/model\.onnx: the model's external data is missing"):
        examine(project)
    (project / "models" / "weights.bin").write_bytes(bytes(400))
    assert examine(project)["model"]["external_data"] == {"weights.bin": 400}


def test_a_link_out_of_the_project_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "net.onnx"
    onnx_picture(outside)
    (project / "models" / "net.onnx").symlink_to(outside)
    with pytest.raises(ReproofError, match="leads out of the project"):
        examine(project)


def pitfalls(project: Path, change: Any, **kinds: Any) -> dict[str, Any]:
    path = project / "models" / "net.onnx"
    kind = kinds.get("kind", TensorProto.FLOAT)
    nodes = kinds.get("nodes") or [helper.make_node("Identity", ["x"], ["y"])]
    shape = kinds.get("shape", ["n", 3])
    save(
        path,
        nodes,
        [port("x", shape, kind)],
        [port("y", shape, kind)],
        initializer=kinds.get("weights", ()),
        change=change,
    )
    found: dict[str, Any] = examine(project)["pitfalls"]
    assert all(one["symptom"] and one["fix"] for one in found.values())
    return found


def test_versions_that_the_installed_runtime_refuses_are_pitfalls_in_its_own_words(project: Path) -> None:
    def opset(model: Any) -> None:
        model.opset_import[0].version = 9999

    found = pitfalls(project, opset)
    assert "9999" in found["opset too new"]["symptom"]
    assert "/onnxruntime_src/" not in found["opset too new"]["symptom"]
    found = pitfalls(project, lambda model: setattr(model, "ir_version", 9999))
    assert "IR version" in found["opset too new"]["symptom"]
    assert pitfalls(project, lambda _: None) == {}

    def old(model: Any) -> None:
        model.opset_import[0].version = 6

    assert set(pitfalls(project, old)) == {"opset too old"}


def test_operators_of_other_domains_are_pitfalls(project: Path) -> None:
    for domain, name in {"com.microsoft": "operators of one runtime", "my.own": "custom operators"}.items():
        nodes = [helper.make_node("Gelu", ["x"], ["y"], domain=domain)]
        found = pitfalls(project, lambda _: None, nodes=nodes)
        assert domain in found[name]["symptom"]


def test_half_precision_integers_and_fixed_batches_are_pitfalls(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reproof.environment.gpu_facts", lambda: (None, "none", None))
    half = numpy_helper.from_array(np.ones(3, np.float16), "w")
    found = pitfalls(project, lambda _: None, weights=[half])
    assert "float16" in found["half precision without a GPU"]["symptom"]
    assert "int64 inputs" in pitfalls(project, lambda _: None, kind=TensorProto.INT64)
    assert "batches of 7" in pitfalls(project, lambda _: None, shape=[7, 3])["fixed batch size"]["symptom"]


@pytest.mark.parametrize(
    "value", ["", "# x", "- x", "1. x", "a_b", "_a_", "=====", "\x1b[31m", "a" * 1000, "&lt;"]
)
def test_a_value_stays_one_line_of_plain_words(value: str) -> None:
    shown = words.text(value)
    html = MarkdownIt().render(f"- {shown}")
    assert not re.search(r"<(h\d|em|strong|ol|table|hr)", html)
    assert html.count("<ul>") == 1
    assert len(shown) < 400
