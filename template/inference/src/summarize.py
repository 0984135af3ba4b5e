"""The record of the run, out of the stages' own records."""

import reproof.pinned  # noqa: F401  first: Python starts again, with threads pinned
from reproof.record import summarize
from reproof.stage import Stage, run_stage

from config import Config

STAGES = ("examine", "infer", "benchmark")


def main(stage: Stage[Config]) -> None:
    for name in STAGES:
        stage.input(f"results/latest/stages/{name}.json")
    for name in ("config.yaml", "meta.json", "digests.json", "summary.json"):
        stage.output(f"results/latest/{name}")
    status = summarize(stage.results, STAGES, stage.config_text, stage.params, stage.overrides)
    print(f"status: {status}")


if __name__ == "__main__":
    run_stage("summarize", main, Config)
