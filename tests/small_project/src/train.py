"""Softmax regression with a random start."""

import numpy as np
from config import Config

from reproof import files, runlog, splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    params = stage.params.train
    data = splits.load(stage.input("prepared/train.npz"))
    weights = np.random.normal(size=(3, 3))
    log = stage.log("clouds")
    x = np.c_[data.x, np.ones(len(data.x))]
    for step in range(1, params.steps + 1):
        scores = np.exp(x @ weights)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(len(x)), data.y]).mean()
        weights -= params.lr * x.T @ (probabilities - np.eye(3)[data.y]) / len(x)
        log.metrics(step, "train", {"loss": loss})
        stage.progress(step, params.steps)
    log.close()
    with files.replacing(stage.output("results/latest/checkpoint") / "weights.npz") as stream:
        np.savez(stream, weights=weights)
    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))
    stage.metric("train.loss", loss)


if __name__ == "__main__":
    run_stage("train", main, Config)
