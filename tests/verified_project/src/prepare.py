"""The points of data/raw into three splits."""

import reproof.pinned  # noqa: F401, I001  first: Python starts again, with threads pinned
import json

import numpy as np
from config import Config

from reproof import splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    classes = json.loads(stage.input("data/classes.json").read_text())
    table = np.loadtxt(stage.input("data/raw") / "points.csv", delimiter=",", skiprows=1, ndmin=2)
    x, y = table[:, :2].astype(np.float32), table[:, 2].astype(np.int64)
    ids = np.array([f"point-{i:04d}" for i in range(len(y))])
    order = np.random.default_rng(stage.params.data.split_seed).permutation(len(y))
    cuts = np.split(order, [int(0.6 * len(y)), int(0.8 * len(y))])
    parts = {
        name: splits.Split(x[rows], y[rows], ids[rows])
        for name, rows in zip(splits.NAMES, map(np.sort, cuts), strict=True)
    }
    splits.save(stage.output("prepared"), parts)
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    manifest = splits.manifest(parts, dataset="clouds", seed=0, fractions=fractions)
    stage.write_json("results/latest/split_manifest.json", manifest)
    stage.write_json("results/latest/split_checksums.json", splits.checksums(parts))
    stage.fact("quality", splits.quality(parts, classes))


if __name__ == "__main__":
    run_stage("prepare", main, Config)
