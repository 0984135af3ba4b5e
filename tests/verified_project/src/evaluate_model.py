"""How good the model is, by split; and its answer on every example."""

import reproof.pinned  # noqa: F401, I001  first: Python starts again, with threads pinned
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from config import Config
from safetensors.numpy import load_file

from reproof import splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    classes = json.loads(stage.input("data/classes.json").read_text())
    weights = load_file(stage.input("results/latest/checkpoint") / "model.safetensors")["weights"]
    found, rows = {}, []
    for name in splits.NAMES:
        part = splits.load(stage.input(f"prepared/{name}.npz"))
        scores = np.exp(np.c_[part.x, np.ones(len(part.x))] @ weights)
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        answers = probabilities.argmax(axis=1)
        loss = -np.log(probabilities[np.arange(len(part.y)), part.y]).mean()
        found[name] = {"accuracy": float((answers == part.y).mean()), "loss": float(loss)}
        for metric, value in found[name].items():
            stage.metric(f"{name}.{metric}", value)
        rows += [
            {"id": i, "split": name, "label": classes[label], "predicted": classes[answer]}
            | {f"probability_{k}": float(value) for k, value in enumerate(each)}
            for i, label, answer, each in zip(part.ids.tolist(), part.y, answers, probabilities, strict=True)
        ]
    pq.write_table(pa.Table.from_pylist(rows), stage.output("results/latest/predictions.parquet"))
    stage.write_json("results/latest/evaluation.json", {"schema_version": 1, "splits": found})


if __name__ == "__main__":
    run_stage("evaluate", main, Config)
