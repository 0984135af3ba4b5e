import numpy as np
from config import Config

from reproof import files, splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    with np.load(stage.input("results/latest/checkpoint") / "weights.npz") as archive:
        weights = archive["weights"]
    found, predictions = {}, {}
    for name in splits.NAMES:
        part = splits.load(stage.input(f"prepared/{name}.npz"))
        scores = np.exp(np.c_[part.x, np.ones(len(part.x))] @ weights)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        predictions[name] = probabilities
        accuracy = float((probabilities.argmax(axis=1) == part.y).mean())
        loss = float(-np.log(probabilities[np.arange(len(part.y)), part.y]).mean())
        found[name] = {"accuracy": accuracy, "loss": loss}
        for metric, value in found[name].items():
            stage.metric(f"{name}.{metric}", value)
    with files.replacing(stage.output("results/latest/predictions.npz")) as stream:
        np.savez(stream, **predictions)
    stage.write_json("results/latest/evaluation.json", {"schema_version": 1, "splits": found})


if __name__ == "__main__":
    run_stage("evaluate", main, Config)
