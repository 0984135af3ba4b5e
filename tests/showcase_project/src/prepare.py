"""Digits into three splits, by a hash of each id: new examples move no old ones."""

import zlib

import numpy as np
from config import Config

from reproof import splits
from reproof.stage import Stage, run_stage

ENDS = {"train": 70, "validation": 85, "test": 100}


def split(table, split_seed):
    """`table` has the rows id, label, 64 pixels of 0 to 16."""
    ids = np.array([f"digit-{int(number):04d}" for number in table[:, 0]])
    y, x = table[:, 1].astype(np.int64), (table[:, 2:] / 16).astype(np.float32)
    place = np.array([zlib.crc32(f"{split_seed} {name}".encode()) % 100 for name in ids])
    parts, begin = {}, 0
    for name, end in ENDS.items():
        parts[name] = splits.Split(x, y, ids).take(np.flatnonzero((place >= begin) & (place < end)))
        begin = end
    return parts


def manifest(parts, data):
    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    found = splits.manifest(parts, dataset=data.name, seed=data.split_seed, fractions=fractions)
    return found | {"method": "by a hash of each id"}


def main(stage: Stage[Config]) -> None:
    data = stage.params.data
    table = np.loadtxt(stage.input("data/digits.csv"), delimiter=",", skiprows=1)
    parts = split(table, data.split_seed)
    splits.save(stage.output("prepared"), parts)
    stage.write_json("results/latest/split_manifest.json", manifest(parts, data))
    stage.write_json("results/latest/split_checksums.json", splits.checksums(parts))
    stage.fact("quality", splits.quality(parts, [str(digit) for digit in range(10)]))


if __name__ == "__main__":
    run_stage("prepare", main, Config)
