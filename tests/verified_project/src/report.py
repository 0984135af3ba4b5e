from config import Config

from reproof import files
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    summary = files.read_json(stage.input("results/latest/summary.json"))
    lines = [f"- {name}: {value}" for name, value in summary["metrics"].items()]
    stage.output("reports/experiment.md").write_text("\n".join(["# Clouds", "", *lines, ""]))


if __name__ == "__main__":
    run_stage("report", main, Config, after_summary=True)
