"""What people read: a function of results/, params.yaml, notes/ and templates/, and of nothing else."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof.report import render_all
from reproof.stage import Stage, run_stage

from config import Config


def main(stage: Stage[Config]) -> None:
    folder = stage.output("reports/experiment.md").parent
    for path in render_all(stage.root, stage.results, folder):
        beside = path.is_relative_to(folder)
        name = path.relative_to(folder if beside else stage.root).as_posix()
        stage.output(f"reports/{name}" if beside else name)
    print("read reports/experiment.md, or open reports/index.html; what they lack: reproof report --check")


if __name__ == "__main__":
    run_stage("report", main, Config, after_summary=True)
