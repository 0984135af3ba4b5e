"""Code that is not the commit's, stages that prove nothing, and runs that cannot be had."""

from __future__ import annotations

import shutil
import zipfile

import yaml
from corpus_case import (
    BIT,
    CANNOT,
    FAILED,
    LATEST,
    MET,
    UNVERIFIABLE,
    Case,
    committed,
    own_environment,
    recorded_anew,
)
from verify_project import World

from reproof import digest

TRAIN = "src/train.py"
ANSWERS = f"{LATEST}/predictions.parquet"
IMPORT = "import numpy as np"


def stage_taken_out(world: World) -> None:
    """The stage that evaluates is no more in dvc.yaml, and what it measured is forged."""
    world.replace(".gitignore", f"/{ANSWERS}\n", "")
    world.replace("dvc.yaml", f"    outs: [{ANSWERS}]\n", f"    outs:\n      - {ANSWERS}: {{cache: false}}\n")
    for path in world.project.rglob(".gitignore"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "predictions" not in line))
    world.commit("Predictions in Git")
    world.record()
    path = world.project / "dvc.yaml"
    pipeline = yaml.safe_load(path.read_text())
    del pipeline["stages"]["evaluate"]
    path.write_text(yaml.safe_dump(pipeline, sort_keys=False))
    world.commit("Evaluated by hand from now on")
    record, scores = f"{LATEST}/stages/evaluate.json", f"{LATEST}/evaluation.json"
    world.edit_json(record, "metrics", "test.accuracy", to=0.99)
    world.edit_json(scores, "splits", "test", "accuracy", to=0.99)
    world.edit_json(record, "writes", scores, to=digest.digest(world.project / scores))
    world.record("summarize", "report")


def module_in_an_archive(world: World) -> None:
    """A module lies in an archive beside the project, which the user allows to be read."""
    beside = world.folder / "beside"
    beside.mkdir()
    with zipfile.ZipFile(beside / "modules.zip", "w") as archive:
        archive.writestr("ratelib.py", "RATE = 1.5\n")
    place = f"import sys; sys.path.insert(0, {str(beside / 'modules.zip')!r}); import ratelib"
    world.replace(TRAIN, IMPORT, f"{place}\n{IMPORT}", "params.lr *", "ratelib.RATE * params.lr *")
    world.commit("A module from an archive")
    world.record()
    world.options = ["--allow-read", str(beside)]


def uncommitted_code(world: World) -> None:
    """What ran was changed back before the commit."""
    committed_text = (world.project / TRAIN).read_text()
    world.replace(TRAIN, "params.lr *", "1.5 * params.lr *")
    world.dvc("repro")
    (world.project / TRAIN).write_text(committed_text)
    world.commit("Run")


def uncommitted_helper(world: World) -> None:
    """A module that no stage declares, and nobody committed."""
    (world.project / ".gitignore").open("a").write("/src/helper.py\n")
    (world.project / "src" / "helper.py").write_text("FACTOR = 1.5\n")
    world.replace(TRAIN, IMPORT, f"import helper\n{IMPORT}", "params.lr *", "helper.FACTOR * params.lr *")
    world.commit("Uses a helper")
    world.record()


def editable_install(world: World) -> None:
    """The project's own module is installed from the author's checkout, as `pip install -e .` does."""
    package = world.project / "lib"
    package.mkdir()
    (package / "clouds.py").write_text("FACTOR = 1.5\n")
    env = own_environment(world)
    (env / "clouds.pth").write_text(f"{package}\n")
    info = env / "clouds-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clouds\nVersion: 0.1\n")
    (info / "direct_url.json").write_text(
        f'{{"url": "file://{world.project}", "dir_info": {{"editable": true}}}}'
    )
    world.replace(TRAIN, IMPORT, f"import clouds\n{IMPORT}", "params.lr *", "clouds.FACTOR * params.lr *")
    world.commit("A module of its own")
    world.record()
    (package / "clouds.py").write_text("FACTOR = 1.4\n")


def search_path(world: World) -> None:
    """The same by PYTHONPATH."""
    package = world.project / "lib"
    package.mkdir()
    (package / "clouds.py").write_text("FACTOR = 1.5\n")
    world.env["PYTHONPATH"] = str(package)
    world.replace(TRAIN, IMPORT, f"import clouds\n{IMPORT}", "params.lr *", "clouds.FACTOR * params.lr *")
    world.commit("A module of its own")
    world.record()


def stage_that_does_nothing(world: World) -> None:
    """The training is `true`; weights that are committed stand for what it would make."""
    world.replace(
        "dvc.yaml",
        "cmd: python src/train.py", 'cmd: "true"',
        "    outs:\n      - results/latest/checkpoint\n      - results/latest/params.ndjson\n"
        "      - results/latest/metrics.ndjson\n    plots:\n"
        "      - results/latest/curves.csv: {cache: false}\n"
        "      - results/latest/stages/train.json: {cache: false}\n", "",
    )  # fmt: skip
    path = world.project / LATEST / "checkpoint"
    kept = path.with_name("kept")
    shutil.copytree(path, kept)
    world.dvc("repro")
    if not path.exists():
        shutil.copytree(kept, path)
    shutil.rmtree(kept)
    world.git("add", "--force", f"{LATEST}/checkpoint")
    world.commit("Does nothing")
    world.record()


def script_without_stage(world: World) -> None:
    """A script that calls no run_stage, and holds all that the training wrote, its record too."""
    latest = world.project / LATEST
    names = [
        "params.ndjson",
        "metrics.ndjson",
        "curves.csv",
        "stages/train.json",
        "checkpoint/model.safetensors",
    ]
    kept = {name: (latest / name).read_bytes().hex() for name in names}
    (world.project / TRAIN).write_text(
        "from pathlib import Path\n\n"
        f"for name, data in {kept!r}.items():\n"
        f"    path = Path('{LATEST}', name)\n"
        "    path.parent.mkdir(parents=True, exist_ok=True)\n"
        "    path.write_bytes(bytes.fromhex(data))\n"
    )
    world.commit("No stage")
    world.record()


def old_record(world: World) -> None:
    """Of `train` dvc.yaml runs a script that copies a record and weights that the commit holds."""
    (world.project / "kept").mkdir()
    for name in ("checkpoint", "params.ndjson", "metrics.ndjson", "curves.csv", "stages/train.json"):
        source, target = world.project / LATEST / name, world.project / "kept" / name
        target.parent.mkdir(exist_ok=True, parents=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    world.replace("dvc.yaml", "cmd: python src/train.py", "cmd: cp -r kept/. results/latest/")
    world.replace(".gitignore", "*.ndjson", "/results/latest/*.ndjson")
    world.commit("Copies")
    world.record()


def failed_run(world: World) -> None:
    """A run whose training broke off is committed as it is."""
    world.replace(TRAIN, "    log.close()\n", '    raise RuntimeError("broken")\n')
    world.commit("Broken")
    world.dvc("repro", check=False)
    world.commit("A failed run")


def fails_elsewhere(world: World) -> None:
    """It needs a variable of the author's."""
    world.env["CLOUDS_TOKEN"] = "x" * 8
    world.replace(TRAIN, IMPORT, f"import os\n{IMPORT}", "    log = stage.log(",
                  '    os.environ["CLOUDS_TOKEN"]\n    log = stage.log(')  # fmt: skip
    world.commit("A variable")
    world.record()


def no_such_commit(world: World) -> None:
    world.rev = "0123456789abcdef0123456789abcdef01234567"


def before_the_run(world: World) -> None:
    world.rev = "HEAD~1"


CASES = [
    Case(
        "code out of an archive, which is allowed to be read",
        UNVERIFIABLE,
        CANNOT,
        module_in_an_archive,
        r"modules\.zip",
    ),
    Case(
        "a stage taken out of dvc.yaml, and what it measured forged",
        UNVERIFIABLE,
        CANNOT,
        stage_taken_out,
        "stages that dvc.yaml does not have.*evaluate",
    ),
    Case(
        "code that was changed back before the commit",
        UNVERIFIABLE,
        CANNOT,
        uncommitted_code,
        r"src/train\.py",
    ),
    Case(
        "code that was changed after the run",
        UNVERIFIABLE,
        CANNOT,
        committed((TRAIN, "params.lr *", "1.5 * params.lr *")),
        r"src/train\.py",
    ),
    Case(
        "a module that nobody committed, and no stage declares",
        UNVERIFIABLE,
        FAILED,
        uncommitted_helper,
        "helper",
    ),
    Case(
        "the project's own module, installed from the author's checkout",
        UNVERIFIABLE,
        CANNOT,
        editable_install,
        "clouds",
    ),
    Case(
        "the project's own module, found by PYTHONPATH in the author's checkout",
        UNVERIFIABLE,
        FAILED,
        search_path,
        "clouds",
    ),
    Case(
        "a frozen stage",
        UNVERIFIABLE,
        CANNOT,
        committed(("dvc.yaml", "cmd: python src/train.py", "cmd: python src/train.py\n    frozen: true")),
        "train: frozen",
    ),
    Case(
        "an output that is persistent",
        UNVERIFIABLE,
        CANNOT,
        committed(("dvc.yaml", "outs: [prepared]", "outs: [prepared: {persist: true}]")),
        "persistent",
    ),
    Case(
        "a stage that is always changed",
        UNVERIFIABLE,
        CANNOT,
        committed(
            ("dvc.yaml", "cmd: python src/train.py", "cmd: python src/train.py\n    always_changed: true")
        ),
        "train: always changed",
    ),
    Case("a stage that does nothing", UNVERIFIABLE, CANNOT, stage_that_does_nothing, "train"),
    Case(
        "a script that calls no run_stage, and writes an old record",
        UNVERIFIABLE,
        CANNOT,
        script_without_stage,
        "train",
    ),
    Case(
        "a stage that copies an old record and old weights out of the commit",
        UNVERIFIABLE,
        CANNOT,
        old_record,
        "train",
    ),
    Case("a run that failed", UNVERIFIABLE, CANNOT, failed_run, "did not come to its end"),
    Case("a run that needs a variable of the author's", UNVERIFIABLE, FAILED, fails_elsewhere, "train"),
    Case("a commit that is not here", UNVERIFIABLE, CANNOT, no_such_commit, "0123456789"),
    Case("a commit without a run", UNVERIFIABLE, CANNOT, before_the_run, "no run is recorded"),
    Case(
        "code of another place on the module search path of a stage alone",
        BIT,
        MET,
        recorded_anew((TRAIN, IMPORT, f"import sys\n\nsys.path.append('/nowhere')\n{IMPORT}")),
        "",
        ("--require", "bit"),
    ),
]
"""What is executed must be the commit's code, all of it, and it must really make what it is said to make."""
