from config import Config

from reproof.record import summarize
from reproof.stage import Stage, run_stage

STAGES = ("prepare", "train", "evaluate", "benchmark")


def main(stage: Stage[Config]) -> None:
    for name in STAGES:
        stage.input(f"results/latest/stages/{name}.json")
    for name in ("config.yaml", "meta.json", "digests.json", "summary.json"):
        stage.output(f"results/latest/{name}")
    summarize(stage.results, STAGES, stage.config_text, stage.params, stage.overrides)


if __name__ == "__main__":
    run_stage("summarize", main, Config)
