"""The committed example: a project from the template, run over seeds and ablations, its documents collected.

Run by `dvc repro` at the root of this repository; it takes its experiments from params.yaml.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pydantic import ConfigDict
from rendered import ROOT, SHOW, shell, start

from reproof import files, params
from reproof.params import Params

BUILD = ROOT / "build" / "example"
COLLECTED = ROOT / "reports" / "example"
NOTES = Path(__file__).parent / "notes"
DECLARED = Path(__file__).parent / "declared.yaml"
READ = ("reports", "results", "notes", "experiments", "training_reports/main.md", "params.yaml", "README.md")
"""What of the project is shown: what people read. Its scripts are the template's, and stand there."""
TEMPLATES = {"](../src/": "](../../../template/src/", "](../dvc.yaml)": "](../../../template/dvc.yaml.jinja)"}
"""Where links of the documents in reports/ lead to files that are not shown."""
PROVED = re.compile(r"(?<=<!-- verify of reports/example -->\n).*?(?=<!-- its end -->)", re.DOTALL)
"""The part of the README that is of the example's run."""


class Example(Params):
    seeds: list[int]
    ablations: dict[str, dict[str, float | int]]


class Config(Params):
    model_config = ConfigDict(extra="ignore")  # the other blocks are other stages'
    example: Example


def main() -> None:
    plan = params.load(ROOT / "params.yaml", Config).model.example
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.parent.mkdir(exist_ok=True)
    start(BUILD)
    for note in sorted(NOTES.glob("*.md")):
        shutil.copy(note, BUILD / "notes" / note.name)
    declare(BUILD / "params.yaml")
    shell("git commit --quiet --all --message 'What the example asks, and what it declares'", BUILD)
    base = params.flatten(params.parse((BUILD / "params.yaml").read_bytes(), "params.yaml")[0])
    varied = {key: base[key] for changes in plan.ablations.values() for key in changes}
    for name, changes in plan.ablations.items():
        run(f"{name}", {"seed": plan.seeds[0], **varied, **changes})
    for seed in reversed(plan.seeds):  # the first one last: it is the run that stays in the workspace
        run(f"seed-{seed}", {"seed": seed, **varied})
    table = shell(f"{SHOW} --md", BUILD, quiet=True)
    shell("git add --all", BUILD)
    shell(f"git commit --quiet --message 'Seed {plan.seeds[0]}'", BUILD)
    conclude(BUILD)
    collect(table, prove(BUILD))


def run(name: str, settings: dict[str, float | int]) -> None:
    """One experiment, every varied param set: what `-S` sets stays in params.yaml."""
    changes = " ".join(f"-S {key}={value}" for key, value in settings.items())
    shell(f"dvc exp run --name {name} {changes}", BUILD)


def declare(path: Path) -> None:
    """Put the example's own `report:` block in the place of the template's."""
    text = path.read_text()
    before = text[: re.search(r"^# What documents print", text, flags=re.MULTILINE).start()]  # type: ignore[union-attr]
    path.write_text(before + DECLARED.read_text())


def conclude(project: Path) -> None:
    """What a person does when the runs are done: looks at them, writes about one, and records it."""
    run_id = files.read_json(project / "results/latest/meta.json")["run_id"]
    words = (NOTES / "analysis.md").read_text()
    (project / "notes" / "analysis.md").write_text(words.replace("run: null", f"run: {run_id}", 1))
    shell("reproof history", project)
    shell("dvc repro --quiet report", project)
    shell("reproof report --check", project)
    shell("git add --all", project)
    shell("git commit --quiet --message 'What the runs say'", project)
    shell("reproof record --title 'A small CNN on digits'", project)
    shell("reproof log", project)
    shell("git add --all", project)
    shell("git commit --quiet --message 'The record of it'", project)


def prove(project: Path) -> str:
    """Run the committed run again, to the bit, and commit the certificate; return what the screen said."""
    said = shell("reproof verify --require bit --repeats 2", project, quiet=True)
    (certificate,) = sorted((project / "results/verify").glob("*.json"))
    shell(f"reproof certificate check results/verify/{certificate.name}", project)
    shell("git add --all", project)
    shell("git commit --quiet --message 'The proof of it'", project)
    return said


def collect(table: str, proof: str) -> None:
    """Copy what Git holds of the project and people read; write the experiments' table, and the README."""
    shutil.rmtree(COLLECTED, ignore_errors=True)
    listed = shell(f"git ls-files {' '.join(READ)}", BUILD, quiet=True).split("\n")
    for name in filter(None, listed):
        target = COLLECTED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / name, target)
    for page in sorted((COLLECTED / "reports").glob("*.md")):
        page.write_text(linked(page.read_text()))
    head = "# The experiments of the example\n\nAs `dvc exp show` lists them.\n\n"
    files.write_text(COLLECTED / "experiments.md", head + table.strip() + "\n")
    files.write_text(COLLECTED / "verify.txt", proof.strip() + "\n")
    readme = ROOT / "README.md"
    readme.write_text(PROVED.sub(lambda _: proved(), readme.read_text(), count=1))


def proved() -> str:
    """What `reproof verify` said of the committed run, as Markdown for the README."""
    return (
        f"```text\n$ reproof verify --require bit --repeats 2\n{(COLLECTED / 'verify.txt').read_text()}```\n"
    )


def linked(text: str) -> str:
    """A document whose links lead to the template where the example does not hold what they name."""
    for here, there in TEMPLATES.items():
        text = text.replace(here, there)
    return text


if __name__ == "__main__":
    main()
