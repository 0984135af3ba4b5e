"""The report on models that nobody here made, and on one in a real project, whose tutorial is followed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import brought_records as brought
import pytest
import seed_documents as seed
import yaml
from conftest import commit_all, run
from inference_projects import colour_model
from model_file_makers import OF_OTHERS
from PIL import Image
from projects import ENV, ROOT, dvc, read, render
from test_check_tutorial import blocks

from reproof import benchmark, contract, examination, files, inference

pytestmark = pytest.mark.torch
PARAMS = {"benchmark": {"runtimes": ["onnxruntime"], "batch_sizes": [1], "repeats": 2, "quick": True}}


def assert_whole(document: str) -> dict[str, str]:
    found = seed.sections(document)
    assert [heading for heading in found if heading in seed.INFERENCE] == seed.INFERENCE
    lacking = [
        (heading, field)
        for heading, fields in seed.INFERENCE_FIELDS.items()
        for field in fields
        if not (seed.field(found[heading], field) or seed.has_columns(found[heading], [field]))
    ]
    assert lacking == []
    assert seed.PLACEHOLDERS.findall(document) == []
    return found


@pytest.mark.parametrize("folder", ["simple", "light"])
def test_models_of_onnx_own_tests_are_reported_whole(folder: str, tmp_path: Path) -> None:
    models = sorted((OF_OTHERS / folder).rglob("*.onnx"))
    assert len(models) > 5
    root = brought.write(tmp_path)
    shutil.copy(ROOT / "template/inference/contract.yaml", root)
    (root / "inputs").mkdir()
    for path in models:
        shutil.rmtree(root / "models", ignore_errors=True)
        (root / "models").mkdir()
        shutil.copy(path, root / "models" / "model.onnx")
        record, settings = examine_and_run(root)
        document = brought.rendered(root)["experiment.md"]
        found = assert_whole(document)
        bytes_ = f"{path.stat().st_size:,} bytes, sha256: `{files.sha256(path)}`"
        assert bytes_ in found["Artifacts"]
        told = f"{record['succeeded']} of {len(record['inputs'])} made-up inputs"
        assert (told if record["succeeded"] else "**no**: ") in found["Conclusions"], path.parent.name
        assert settings.synthetic == len(record["inputs"])


def examine_and_run(root: Path) -> tuple[dict[str, object], inference.Inputs]:
    """The stages examine and infer on what lies in models/, as their scripts do them."""
    settings = inference.Inputs(synthetic=2)
    found = examination.examine(
        root, examination.Settings(), benchmark=benchmark.Settings(quick=True), inputs=settings
    )
    files.write_json(root / "results/latest/examination.json", found)
    said = contract.load(root / contract.FILE)
    ports, names = (contract.ports_of(found[side]) for side in ("inputs", "outputs"))
    record = inference.run(
        root, found, settings, inference.Settings(),
        preprocess=lambda examples: contract.preprocess(said, examples, ports, root=root),
        postprocess=lambda outputs: contract.postprocess(said, outputs, names, root=root),
        device="cpu", threads=1, seed=0, outputs=root / "outputs", samples=root / "samples.npz",
        picture=root / "results/latest/inputs.png",
    )  # fmt: skip
    files.write_json(root / "results/latest/inference.json", record)
    return record, settings


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the recipe with a model of colours and two pictures, run as its README says."""
    root = render(tmp_path_factory.mktemp("real") / "check", recipe="inference")
    colour_model(root / "models/colours.onnx", softmax=True)
    for name, colour in {"red": (250, 10, 10), "blue": (10, 10, 250)}.items():
        Image.new("RGB", (16, 12), colour).save(root / f"inputs/{name}.png")
    said = {
        "modality": "image",
        "layout": "CHW",
        "colour": "RGB",
        "size": [8, 8],
        "resize": "stretch",
        "scale": 255.0,
    }
    means = {"kind": "classes", "softmax": False, "labels": ["red", "green", "blue"]}
    fill(root / "contract.yaml", {"input": said, "output": means})
    fill(root / "params.yaml", PARAMS)
    dvc(root, "add", "models/colours.onnx")
    commit_all(root, "A model")
    dvc(root, "repro")
    return root


def fill(path: Path, said: dict[str, object]) -> None:
    """Set fields of a YAML file, as a user does by hand; the rest stays."""
    held = yaml.safe_load(path.read_text())
    for block, value in said.items():
        held[block] = (held.get(block) or {}) | value if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(held, sort_keys=False))


def test_a_real_run_is_reported_whole_and_true(project: Path) -> None:
    found = assert_whole((project / "reports/experiment.md").read_text())
    answers = found["Input → Output mapping (key examples)"]
    assert re.search(r"inputs/red.png>\) \|.*\| red 0\.[4-6]", answers)
    assert re.search(r"inputs/blue.png>\) \|.*\| blue 0\.[4-6]", answers)
    (cell,) = read(project, "benchmark.json")["cells"].values()
    median = f"{cell['stages']['end_to_end']['median_ms']:.3g}"
    assert (
        f"| Total end-to-end | {cell['stages']['end_to_end']['mean_ms']:.3g} | {median} |"
        in (found["End-to-end timing (default)"])
    )
    assert cell["verdict"]["status"] in found["Benchmark matrix"]
    assert read(project, "benchmark.json")["hardware"]["fingerprint"] in found["Timing / Benchmark"]
    for path in re.findall(r"\]\(<?([^)>#\s]+)", (project / "reports/experiment.md").read_text()):
        assert "://" in path or (project / "reports" / path).exists(), path


def test_reporting_again_changes_nothing(project: Path) -> None:
    names = (
        "reports/experiment.md",
        "reports/index.html",
        "reports/figures/latency.svg",
        "tutorial/step-by-step.md",
    )
    before = [(project / name).read_bytes() for name in names]
    run("reproof", "report", cwd=project, env=ENV)
    assert [(project / name).read_bytes() for name in names] == before


def arrays(root: Path) -> list[Path]:
    return sorted((root / "outputs/arrays").iterdir())


def test_the_tutorial_leads_from_an_empty_folder_to_the_same_answers(project: Path, tmp_path: Path) -> None:
    text = (project / "tutorial/step-by-step.md").read_text()
    said, params = map(yaml.safe_load, blocks(text, "yaml"))
    here = tmp_path
    for block in blocks(text, "bash"):
        for line in block.split("\n"):
            program, *words = shlex.split(line)
            if line in ("make setup", "source .venv/bin/activate"):
                continue  # this very environment
            if program == "dvc" and words[0] == "exp":
                continue  # the stages, one after the other, do the same
            if line.startswith("reproof digest"):
                shutil.copy(project / "models/colours.onnx", here / "models")
                for name in ("red.png", "blue.png"):
                    shutil.copy(project / "inputs" / name, here / "inputs")
                fill(here / "contract.yaml", said)
                fill(here / "params.yaml", params)
            if program == "cd":
                here = here / words[0]
                continue
            env = ENV | {"TEMPLATE": str(ROOT)}
            done = run("bash", "-c", line, cwd=here, env=env, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            if line.startswith("reproof digest"):
                (digest,) = re.findall(r"prints `(sha256:\w+)`", text)
                assert digest in done.stdout
            if words and words[0] == "src/infer.py":
                break
        if (here / "results/latest/inference.json").exists():
            break
    own, first = (files.read_json(root / "results/latest/inference.json") for root in (here, project))
    assert own["inputs"] == first["inputs"]
    assert own["outputs"] == first["outputs"]
    assert (
        [path.name for path in arrays(here)] == [path.name for path in arrays(project)] == ["0.npz", "1.npz"]
    )
