"""The committed example: a project from the template, run over several seeds, its reports collected.

Run by `dvc repro` at the root of this repository; it takes its seeds from params.yaml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rendered import ROOT, SHOW, shell, start

from reproof import files, params
from reproof.params import Params

BUILD = ROOT / "build" / "example"
COLLECTED = ROOT / "reports" / "example"


class Example(Params):
    seeds: list[int]


class Config(Params):
    example: Example


def main() -> None:
    seeds = params.load(ROOT / "params.yaml", Config).model.example.seeds
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.parent.mkdir(exist_ok=True)
    start(BUILD)
    for note in sorted((Path(__file__).parent / "notes").glob("*.md")):
        shutil.copy(note, BUILD / "notes" / note.name)
    shell("git commit --quiet --all --message 'What the example asks'", BUILD)
    for seed in reversed(seeds):  # the first one last: it is the run that stays in the workspace
        shell(f"dvc exp run --name seed-{seed} -S seed={seed}", BUILD)
    table = shell(f"{SHOW} --md", BUILD, quiet=True)
    collect(table)


def collect(table: str) -> None:
    """Copy what Git holds of the run, and its reports; write the table of all seeds."""
    shutil.rmtree(COLLECTED, ignore_errors=True)
    shutil.copytree(BUILD / "reports", COLLECTED)
    listed = shell("git ls-files --others --cached --exclude-standard results", BUILD, quiet=True).split()
    for name in listed:
        target = COLLECTED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / name, target)
    head = "# The seeds of the example\n\nOne experiment a seed, as `dvc exp show` lists them.\n\n"
    files.write_text(COLLECTED / "experiments.md", head + table.strip() + "\n")


if __name__ == "__main__":
    main()
