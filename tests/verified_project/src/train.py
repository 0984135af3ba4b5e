"""Softmax regression: a random start, random batches."""

import reproof.pinned  # noqa: F401, I001  first: Python starts again, with threads pinned
import numpy as np
from config import Config
from safetensors.numpy import save_file

from reproof import runlog, splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    params = stage.params.train
    data = splits.load(stage.input("prepared/train.npz"))
    x, y = np.c_[data.x, np.ones(len(data.x))], data.y
    weights = np.random.normal(size=(3, 3))
    log = stage.log("clouds")
    for step in range(1, params.steps + 1):
        rows = np.random.permutation(len(x))[: params.batch_size]
        scores = np.exp(x[rows] @ weights)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[np.arange(len(rows)), y[rows]]).mean()
        weights -= params.lr * x[rows].T @ (probabilities - np.eye(3)[y[rows]]) / len(rows)
        log.metrics(step, "train", {"loss": loss})
    log.close()
    folder = stage.output("results/latest/checkpoint")
    folder.mkdir(exist_ok=True)
    save_file({"weights": weights}, folder / "model.safetensors")
    runlog.write_curves(log.metrics_path, stage.output("results/latest/curves.csv"))
    stage.metric("train.loss", loss)


if __name__ == "__main__":
    run_stage("train", main, Config)
