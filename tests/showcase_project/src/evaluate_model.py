import model
import numpy as np
from config import Config

from reproof import evaluation, splits
from reproof.stage import Stage, run_stage

CLASSES = [str(digit) for digit in range(10)]
RESAMPLES = 200  # of the intervals over test examples


def answers(weights, parts):
    return {
        name: evaluation.Predictions(part.ids, part.y, model.forward(weights, part.x)[1])
        for name, part in parts.items()
    }


def assess(predictions):
    return evaluation.assess(predictions, CLASSES, dataset="digits", resamples=RESAMPLES)


def main(stage: Stage[Config]) -> None:
    parts = {name: splits.load(stage.input(f"prepared/{name}.npz")) for name in splits.NAMES}
    with np.load(stage.input("results/latest/checkpoint") / "weights.npz") as archive:
        predictions = answers(dict(archive), parts)
    report = assess(predictions)
    for metric, (value, reason) in evaluation.metrics(report).items():
        stage.metric(metric, value, reason=reason)
    stage.write_json("results/latest/evaluation.json", report)
    rows = stage.output("results/latest/predictions.parquet")
    evaluation.write_predictions(rows, predictions, CLASSES)


if __name__ == "__main__":
    run_stage("evaluate", main, Config)
