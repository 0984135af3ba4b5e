"""What people read: a function of results/latest, params.yaml and notes/, and of nothing else."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof.report import render
from reproof.stage import Stage, run_stage

from config import Config


def main(stage: Stage[Config]) -> None:
    render(stage.root, stage.results, stage.output("reports/experiment.md"))
    stage.output("reports/figures")
    print("read reports/experiment.md")


if __name__ == "__main__":
    run_stage("report", main, Config, after_summary=True)
