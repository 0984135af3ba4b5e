import io

import model
import numpy as np
from config import Config

from reproof import files, splits
from reproof.stage import Stage, run_stage

EVERY = 10


def curves(losses):
    rows = [f"{step + 1},{losses[step]!r}" for step in range(EVERY - 1, len(losses), EVERY)]
    return "step,train_loss\n" + "\n".join(rows) + "\n"


def packed(weights):
    stream = io.BytesIO()
    np.savez(stream, **weights)
    return stream.getvalue()


def main(stage: Stage[Config]) -> None:
    data = splits.load(stage.input("prepared/train.npz"))
    weights, losses = model.fit(data.x, data.y, stage.params.model, stage.params.train, stage.params.seed)
    files.write_bytes(stage.output("results/latest/checkpoint") / "weights.npz", packed(weights))
    files.write_text(stage.output("results/latest/curves.csv"), curves(losses))
    stage.metric("train.loss", losses[-1])
    stage.fact("device", "cpu")


if __name__ == "__main__":
    run_stage("train", main, Config)
