"""Three clouds of points, or the rows of data/raw/points.csv (x, y, label)."""

from pathlib import Path

import numpy as np
from config import Config

from reproof import splits
from reproof.stage import Stage, run_stage


def main(stage: Stage[Config]) -> None:
    params = stage.params.data
    raw = Path("data/raw/points.csv")
    if raw.exists():
        table = np.loadtxt(stage.input(str(raw)), delimiter=",", skiprows=1, ndmin=2)
        x, y = table[:, :2].astype(np.float32), table[:, 2].astype(np.int64)
    else:
        random = np.random.default_rng(7)
        y = np.arange(params.examples) % 3
        x = (random.normal(size=(params.examples, 2)) + 3 * np.eye(3)[y][:, :2]).astype(np.float32)
    order = np.random.default_rng(params.split_seed).permutation(len(y))
    ids = np.array([f"point-{i:04d}" for i in range(len(y))])
    cuts = np.split(order, [int(0.6 * len(y)), int(0.8 * len(y))])
    parts = {
        name: splits.Split(x[rows], y[rows], ids[rows])
        for name, rows in zip(splits.NAMES, map(np.sort, cuts), strict=True)
    }
    splits.save(stage.output("prepared"), parts)
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    manifest = splits.manifest(parts, dataset="clouds", seed=params.split_seed, fractions=fractions)
    stage.write_json("results/latest/split_manifest.json", manifest)
    stage.write_json("results/latest/split_checksums.json", splits.checksums(parts))
    stage.fact("quality", splits.quality(parts, ["a", "b", "c"]))


if __name__ == "__main__":
    run_stage("prepare", main, Config)
