"""The template's own pipeline on the handwritten digits: PyTorch, ONNX, the benchmark, the report."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import commit_all, run
from projects import ENV, dvc, executed, experiment, python, read
from seed_documents import left_over

pytestmark = pytest.mark.torch

STAGES = ["prepare", "train", "export", "evaluate", "benchmark", "robustness", "summarize", "report"]
SAME_FOR_ONE_SEED = [
    "prepared",
    "results/latest/checkpoint",
    "results/latest/curves.csv",
    "results/latest/metrics.ndjson",
    "results/latest/model.onnx",
    "results/latest/predictions.parquet",
    "results/latest/evaluation.json",
    "results/latest/examples.png",
]


@pytest.fixture
def finished(digits_run: Path) -> Path:
    return digits_run


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "project"))


def test_a_run_is_recorded_whole(finished: Path) -> None:
    summary, meta, digests = (read(finished, f"{name}.json") for name in ("summary", "meta", "digests"))
    assert summary["status"] == "success"
    assert summary["metrics"].keys() == {"accuracy", "loss", "latency_ms"}
    assert summary["metrics"]["accuracy"] > 0.6, "two epochs get this far"
    assert meta["device"] == "cpu"
    pinned = meta["pinned"]["torch"]
    assert (pinned["threads"], pinned["deterministic"]) == (1, True)
    assert list(meta["stages"]) == STAGES[:6]
    assert set(SAME_FOR_ONE_SEED) <= set(digests["artefacts"])
    assert sum(read(finished, "split_manifest.json")["sizes"].values()) == 1797
    assert read(finished, "stages/export.json")["metrics"]["parity_max_abs_diff"] < 1e-4
    checkpoint = finished / "results/latest/checkpoint"
    assert {p.name for p in checkpoint.iterdir()} == {
        "model.safetensors", "last.safetensors", "state.safetensors", "config.json"
    }  # fmt: skip


def test_every_step_is_logged_for_both_splits_in_the_schema(finished: Path) -> None:
    lines = (finished / "results/latest/metrics.ndjson").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    run_id = read(finished, "meta.json")["run_id"]
    assert all(
        set(r)
        >= {"schema_version", "timestamp", "run_id", "step", "split", "metric", "value", "dataset", "tags"}
        for r in records
    )
    assert {r["run_id"] for r in records} == {run_id}
    train = [r["step"] for r in records if (r["split"], r["metric"]) == ("train", "loss")]
    assert train == list(range(1, len(train) + 1))
    assert {(r["split"], r["metric"]) for r in records} == {
        ("train", "loss"), ("train", "accuracy"), ("train", "learning_rate"),
        ("validation", "loss"), ("validation", "accuracy"),
    }  # fmt: skip


def test_predictions_agree_with_the_evaluation_and_with_torch(finished: Path, tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(finished / "results/latest/predictions.parquet")
    evaluation = read(finished, "evaluation.json")["splits"]
    for split, rows in frame.groupby("split"):
        assert len(rows) == evaluation[split]["examples"]
        assert (rows["label"] == rows["predicted"]).mean() == evaluation[split]["accuracy"]
    script = (
        "import sys; sys.path.insert(0, 'src'); import torch, numpy as np, model, data\n"
        "from pathlib import Path; from reproof import splits\n"
        "test = splits.load(Path('prepared/test.npz'))\n"
        "logits = model.load(Path('results/latest/checkpoint'))(torch.from_numpy(data.preprocess(test.x)))\n"
        "np.save(sys.argv[1], data.postprocess(logits.detach().numpy()))"
    )
    python(finished, "-c", script, str(tmp_path / "torch.npy"))
    torchs = np.load(tmp_path / "torch.npy")
    ours = frame[frame["split"] == "test"].filter(like="probability_").to_numpy()
    np.testing.assert_allclose(ours, torchs, atol=1e-5)


def test_a_second_repro_runs_nothing_and_leaves_a_clean_tree(project: Path) -> None:
    assert executed(dvc(project, "repro")) == []
    assert run("git", "status", "--porcelain", cwd=project).stdout == ""


def test_the_same_seed_gives_the_same_weights_graph_and_predictions(project: Path) -> None:
    first = read(project, "digests.json")["artefacts"]
    bytes_before = (project / "results/latest/model.onnx").read_bytes()
    for stage in ("train", "export", "evaluate"):
        dvc(project, "repro", "--force", "--single-item", "--no-commit", stage)
    records = [read(project, f"stages/{stage}.json")["writes"] for stage in ("train", "export", "evaluate")]
    again = {path: digest for record in records for path, digest in record.items()}
    assert {name: again[name] for name in SAME_FOR_ONE_SEED[1:]} == {
        name: first[name] for name in SAME_FOR_ONE_SEED[1:]
    }
    assert (project / "results/latest/model.onnx").read_bytes() == bytes_before


def test_zero_one_zero_trains_twice_and_another_seed_is_another_model(project: Path) -> None:
    first = read(project, "digests.json")["artefacts"]
    assert "train" in executed(dvc(project, "exp", "run", "-S", "seed=1", "-S", "train.lr=0.00001"))
    assert "lr: 1e-05" in (project / "params.yaml").read_text()
    changed = run("git", "diff", "--name-only", "-z", "HEAD", cwd=project).stdout.split("\0")
    sizes = {name: (project / name).stat().st_size for name in filter(None, changed)}
    assert len(sizes) > 20
    assert sum(sizes.values()) < 300_000, sizes
    second = read(project, "digests.json")["artefacts"]
    assert second["results/latest/checkpoint"] != first["results/latest/checkpoint"]
    assert second["prepared"] == first["prepared"], "seeds share their splits"
    back = dvc(project, "exp", "run", "-S", "seed=0", "-S", "train.lr=0.002")
    assert not {"prepare", "train", "export", "evaluate"} & set(executed(back))
    assert (
        read(project, "digests.json")["artefacts"]["results/latest/checkpoint"]
        == first["results/latest/checkpoint"]
    )


def test_training_goes_on_from_an_experiment_also_in_a_temporary_workspace(project: Path) -> None:
    dvc(project, "exp", "run", "--name", "two-epochs", "-S", "seed=2", "train")
    run("git", "checkout", "--quiet", ".", cwd=project)
    dvc(project, "exp", "run", "--temp", "--name", "four", "train",
        "-S", "train.epochs=4", "-S", "train.resume_from=two-epochs")  # fmt: skip
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps", cwd=project).stdout.split()
    four = next(ref for ref in refs if ref.endswith("/four"))
    latest = f"{four}:results/latest"
    curves = run("git", "show", f"{latest}/curves.csv", cwd=project).stdout.splitlines()
    steps = [int(line.split(",")[0]) for line in curves[1:]]
    steps_per_epoch = 1257 // 32
    assert 2 * steps_per_epoch < steps[0] <= 2 * steps_per_epoch + 10
    assert steps[-1] == 4 * steps_per_epoch
    record = json.loads(run("git", "show", f"{latest}/stages/train.json", cwd=project).stdout)
    assert record["facts"]["resumed_from"]["reference"] == "two-epochs"
    _set(project, "resume_from: null", "resume_from: two-epochs")
    said = dvc(project, "repro", "train", check=False)
    assert "train.epochs: the checkpoint has no epochs left to train" in said


def test_two_processes_train_one_model_with_the_same_script(project: Path) -> None:
    said = run(
        "torchrun", "--standalone", "--nproc-per-node", "2", "src/train.py", "--results", "results/two",
        cwd=project, env={**ENV, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.stdout.count("epoch 2/2") + said.stderr.count("epoch 2/2") == 1, (
        "only the first process speaks"
    )
    folder = project / "results" / "two"
    derived = [json.loads(line) for line in (folder / "params.ndjson").read_text().splitlines()][1]
    assert derived["params"] == {"steps_per_epoch": 39, "steps": 78, "processes": 2}
    steps = [json.loads(line)["step"] for line in (folder / "metrics.ndjson").read_text().splitlines()]
    assert max(steps) == 78
    ours, single = (
        json.loads((path / "stages/train.json").read_text())["metrics"]["validation.accuracy"]
        for path in (folder, project / "results/latest")
    )
    assert abs(ours - single) < 0.1


def test_an_export_beyond_its_tolerance_fails_with_the_error_in_the_record(project: Path) -> None:
    _set(project, "tolerance: 0.0001", "tolerance: 1e-12")
    said = dvc(project, "repro", "export", check=False)
    assert "export.tolerance: the exported model answers otherwise than torch" in said
    record = read(project, "stages/export.json")
    assert record["status"] == "failed"
    assert record["metrics"]["parity_max_abs_diff"] > 1e-12
    assert read(project, "summary.json")["status"] == "failed"


def test_a_device_that_is_not_here_is_named(project: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    _set(project, "device: auto", "device: cuda")
    said = dvc(project, "repro", check=False)
    assert "params.yaml: device: torch finds no cuda device on this machine" in said


def test_no_path_of_the_users_is_in_what_is_shared(finished: Path) -> None:
    held = [path for path in (finished / "results").rglob("*") if path.is_file()]
    held += [path for path in (finished / "reports").rglob("*") if path.is_file()]
    assert len(held) > 20
    home = str(finished).encode()
    assert [path for path in held if home in path.read_bytes()] == []


def test_the_report_shows_what_was_measured_and_renders_the_same_again(project: Path) -> None:
    report = (project / "reports/experiment.md").read_text()
    summary = read(project, "summary.json")
    assert f"{summary['metrics']['accuracy']:.4f}" in report
    assert read(project, "meta.json")["run_id"] in report
    assert left_over(report) == [], "no slot of the report, and no word of its template, is left as it was"
    documents = {path.relative_to(project): path.read_bytes() for path in (project / "reports").rglob("*.*")}
    names = {path.name for path in documents}
    assert names >= {"experiment.md", "inference.md", "model_card.md", "croissant.json", "index.html"}
    figures = {path.name for path in documents if path.parent.name == "figures"}
    assert figures >= {"loss.svg", "accuracy.svg", "learning_rate.svg", "confusion.svg", "models.svg"}
    pages = report + (project / "reports/inference.md").read_text()
    assert [name for name in figures if f"figures/{name}" not in pages] == []
    assert all(f"../results/latest/{name}.png" in pages for name in ("samples", "examples"))
    dvc(project, "repro", "--force", "--single-item", "report")
    assert {path: (project / path).read_bytes() for path in documents} == documents
    said = dvc(project, "exp", "run", "--temp", "--force", "--single-item", "report")
    inside = {str(path) for path in documents if path.name != "index.html"}  # Git holds all but that one
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps", cwd=project).stdout.split()
    ref = next(ref for ref in refs if ref.endswith(f"/{experiment(said)}"))
    for path in inside:
        held = subprocess.run(
            ["git", "show", f"{ref}:{path}"], cwd=project, capture_output=True, check=True
        ).stdout
        assert held == (project / path).read_bytes(), path


def test_dvc_draws_the_declared_plots_and_takes_no_record_for_one(finished: Path) -> None:
    plots = json.loads(run("dvc", "plots", "show", "--json", cwd=finished, env=ENV).stdout)
    assert not plots.get("errors")
    drawn = {name for name, shown in plots["data"].items() if shown}
    files = {"curves.csv", "confusion.csv", "calibration.csv", "examples.png", "samples.png"}
    curves = {"loss", "accuracy", "learning rate"}
    assert drawn == curves | {f"results/latest/{name}" for name in files}


def test_dvc_draws_confusion_and_reliability_by_the_projects_own_templates(finished: Path) -> None:
    import vl_convert

    latest = finished / "results/latest"
    said = run("dvc", "plots", "show", "--json", "results/latest/confusion.csv",
               "results/latest/calibration.csv", cwd=finished, env=ENV).stdout  # fmt: skip
    plots = json.loads(said)["data"]
    test = read(finished, "evaluation.json")["splits"]["test"]
    for name, columns in (("confusion", ("predicted", "label")), ("calibration", ("confidence", "accuracy"))):
        (drawn,) = plots[f"results/latest/{name}.csv"]
        spec = drawn["content"]
        assert "<DVC" not in json.dumps(spec)
        assert len(spec["data"]["values"]) == len((latest / f"{name}.csv").read_text().splitlines()) - 1
        assert sum(int(row["examples"]) for row in spec["data"]["values"]) == test["examples"]
        used = re.findall(r'"field": "(\w+)"', json.dumps(spec))
        assert set(columns) <= set(used)
        assert vl_convert.vegalite_to_svg(spec).count("<path") > len(spec["data"]["values"])


def test_another_baseline_is_evaluated_and_trains_nothing(project: Path) -> None:
    evaluation = read(project, "evaluation.json")
    assert list(evaluation["baselines"]) == ["majority", "logistic"]
    logistic = evaluation["baselines"]["logistic"]["splits"]["test"]["accuracy"]
    metrics = read(project, "stages/evaluate.json")["metrics"]
    assert metrics["baseline.logistic.test.accuracy"] == logistic > metrics["baseline.majority.test.accuracy"]
    path = project / "src/baselines.py"
    text = path.read_text()
    assert text.count("majority(parts, classes), ") == 1
    path.write_text(text.replace("majority(parts, classes), ", ""))
    assert executed(dvc(project, "repro", "evaluate")) == ["evaluate"]
    assert list(read(project, "evaluation.json")["baselines"]) == ["logistic"]


def test_what_the_first_run_adds_to_git_is_small(finished: Path) -> None:
    listed = run("git", "ls-files", "-z", "results", "reports", "dvc.lock", cwd=finished).stdout.split("\0")
    held = [(finished / name).read_bytes() for name in filter(None, listed)]
    assert sum(map(len, held)) < 400_000
    assert sum(len(zlib.compress(data)) for data in held) < 150_000, "as Git keeps them"


def test_the_projects_own_tests_pass(project: Path) -> None:
    assert "passed" in python(project, "-m", "pytest", "-q")


def test_a_table_and_a_folder_of_images_train_without_a_change_of_code(project: Path, tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    raw = project / "data" / "raw"
    for name, level in (("dark", 40), ("light", 200)):
        (raw / name).mkdir(parents=True)
        for index in range(120):
            pixels = np.clip(random.normal(level, 30, (10, 12)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(raw / name / f"{index:03d}.png")
    _set(project, "epochs: 2 ", "epochs: 8 ")
    dvc(project, "add", "data/raw")
    commit_all(project, "Pictures")
    dvc(project, "repro", "evaluate")
    assert read(project, "evaluation.json")["splits"]["test"]["accuracy"] > 0.8

    dvc(project, "remove", "data/raw.dvc", "--outs")
    raw.mkdir(parents=True)
    rows = [
        f"{i},{random.normal(3 * (i % 2)):.3f},{random.normal():.3f},{'yes' if i % 2 else 'no'}"
        for i in range(200)
    ]
    (raw / "table.csv").write_text("\n".join(["id,height,width,label", *rows]) + "\n")
    dvc(project, "add", "data/raw")
    dvc(project, "repro", "evaluate")
    assert read(project, "evaluation.json")["splits"]["test"]["accuracy"] > 0.8
    assert set(read(project, "evaluation.json")["splits"]["test"]["per_class"]) == {"yes", "no"}


def _set(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
