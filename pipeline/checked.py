"""The committed report on a model that somebody hands over: ResNet-50's graph, out of the onnx package.

Run by `dvc repro` at the root of this repository. The pictures are scikit-learn's two sample images.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from pathlib import Path

from rendered import ROOT, shell, start

from reproof import files
from reproof.benchmark import Result
from reproof.cli import benchmark_tables

BUILD = ROOT / "build" / "check-resnet"
COLLECTED = ROOT / "reports" / "model-check"
GIVEN = Path(__file__).parent / "check"
BENCHMARK = """\
benchmark:
  runtimes: [onnxruntime]
  devices: [cpu]
  precisions: [fp32, fp16, int8]
  batch_sizes: [1]
  threads: [1, 2]
  quick: false
  profile: true
"""
READ = (
    "contract.yaml",
    "plan.md",
    "notes",
    "params.yaml",
    "reports",
    "results",
    "tutorial",
)
"""What of the project is shown: what people read, and what Git holds of the record."""
SHOWN = re.compile(r"(?<=<!-- the table of reports/model-check -->\n).*?(?=<!-- its end -->)", re.DOTALL)
"""The part of the README that is of this report."""


def main() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.parent.mkdir(exist_ok=True)
    start(BUILD, "inference")
    bring_model()
    bring_pictures()
    declare(BUILD / "params.yaml")
    shell("git add --all", BUILD)
    shell("git commit --quiet --message 'A model, its contract, two pictures'", BUILD)
    shell("dvc exp run --name check", BUILD)
    conclude()
    collect()
    readme = ROOT / "README.md"
    readme.write_text(SHOWN.sub(lambda _: table(), readme.read_text(), count=1))


def table() -> str:
    """The table that `reproof benchmark` prints, of the committed report, as Markdown for the README."""
    found = Result.model_validate_json((COLLECTED / "results/latest/benchmark.json").read_text())
    lines = benchmark_tables.result(found).splitlines()
    end = next(n for n, line in enumerate(lines) if found.hardware.fingerprint in line)
    lost = [line for line in lines[end + 1 :] if ": unavailable: " in line]
    return "```text\n" + "\n".join([*lines[: end + 1], *lost]) + "\n```\n"


def bring_model() -> None:
    import onnx

    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_resnet50.onnx"
    shutil.copy(light, BUILD / "models")
    shell("dvc add --quiet models/light_resnet50.onnx", BUILD)
    contract = (GIVEN / "contract.yaml").read_text()
    version = f'"v{importlib.metadata.version("onnx")}"'
    (BUILD / "contract.yaml").write_text(re.sub(r"version: null +#.*", f"version: {version}", contract))


def bring_pictures() -> None:
    import sklearn.datasets

    images = Path(sklearn.datasets.__file__).parent / "images"
    for name in ("china.jpg", "flower.jpg"):
        shutil.copy(images / name, BUILD / "inputs")


def declare(path: Path) -> None:
    """Put a benchmark of several precisions and threads in the place of the template's."""
    text = path.read_text()
    path.write_text(re.sub(r"^benchmark:\n(?: +.*\n)+", BENCHMARK, text, flags=re.MULTILINE))


def conclude() -> None:
    """What a person does when the run is done: reads it, and writes about it."""
    run_id = files.read_json(BUILD / "results/latest/meta.json")["run_id"]
    words = (GIVEN / "analysis.md").read_text()
    (BUILD / "notes" / "analysis.md").write_text(words.replace("run: null", f"run: {run_id}", 1))
    shell("dvc repro --quiet report", BUILD)
    shell("reproof report --check", BUILD)
    shell("git add --all", BUILD)
    shell("git commit --quiet --message 'What was found'", BUILD)


def collect() -> None:
    """Copy what Git holds of the project and people read."""
    shutil.rmtree(COLLECTED, ignore_errors=True)
    listed = shell(f"git ls-files {' '.join(READ)}", BUILD, quiet=True).split("\n")
    for name in filter(None, listed):
        target = COLLECTED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / name, target)
    for page in (COLLECTED / "reports/experiment.md", COLLECTED / "tutorial/step-by-step.md"):
        page.write_text(unlinked(page.read_text()))


def unlinked(text: str) -> str:
    """A document whose links lead to what the example holds; others become plain words."""

    def shown(link: re.Match[str]) -> str:
        target = COLLECTED / "reports" / link[2].strip("<>")
        return link[0] if "://" in link[2] or link[2].startswith("#") or target.exists() else f"`{link[1]}`"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", shown, text)


if __name__ == "__main__":
    main()
