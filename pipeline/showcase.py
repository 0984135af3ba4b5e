"""The committed showcase: what `compare`, `diff` and `pr-report` say of the history of tests/showcase.py.

Run by `dvc repro` at the root of this repository.
"""

from __future__ import annotations

import shutil
import sys

from rendered import ROOT, shell

from reproof import files

sys.path.insert(0, str(ROOT / "tests"))  # before this folder, which has a showcase too

import showcase

BUILD = ROOT / "build" / "showcase"
COLLECTED = ROOT / "reports" / "showcase"
BRANCH = "momentum"
COMMANDS = {
    "comparison.md": "reproof compare --output {}",
    "everything.md": "reproof compare --all --baseline main --output {}",
    "difference.md": "reproof diff main momentum --format md --output {}",
    "pull_request.md": "reproof pr-report --base origin/main --output {}",
}
README = """\
# The showcase

What `reproof compare`, `diff` and `pr-report` say of a small repository, made by `tests/showcase.py` and
`pipeline/showcase.py`: three branches, a squash merge, a deleted branch, tags, {experiments} experiments
over seeds and params, two versions of the data.

**What is real and what is not.** In every run a network of one hidden layer was truly trained on handwritten
digits (scikit-learn's), in numpy: its accuracies and losses are measured. The timings and the second machine
are made up.

The branch `{branch}` is checked out, a pull request for `main`.

| document | command |
|---|---|
{rows}
"""


def main() -> None:
    for folder in (BUILD, COLLECTED):
        shutil.rmtree(folder, ignore_errors=True)
    COLLECTED.mkdir(parents=True)
    made = showcase.build(BUILD, execute=False)  # the same history wherever it is made
    shell(f"git checkout --quiet {BRANCH}", BUILD)
    shell("dvc checkout --quiet", BUILD)
    for name, command in COMMANDS.items():
        shell(command.format(COLLECTED / name), BUILD)
    rows = (f"| [{name}]({name}) | `{command.format(name)}` |" for name, command in COMMANDS.items())
    text = README.format(experiments=len(made.experiments), branch=BRANCH, rows="\n".join(rows))
    files.write_text(COLLECTED / "README.md", text)


if __name__ == "__main__":
    main()
