"""The record is edited everywhere, and every hash made to fit: nothing of it contradicts, and it is false."""

from __future__ import annotations

import json
import shutil

from corpus_case import CONTRADICTS, DIFFERENT, DIFFERS, LATEST, NUMERIC, UNVERIFIABLE, Case, forge
from corpus_record import ANSWERS, EVALUATE, EVALUATION, SUMMARY, WEIGHTS, other_weights
from verify_project import World


def metric_everywhere(world: World) -> None:
    """Whoever edits everything consistently is met by the re-run."""
    world.edit_json(EVALUATE, "metrics", "test.accuracy", to=0.99)
    world.edit_json(EVALUATION, "splits", "test", "accuracy", to=0.99)
    forge(world, "evaluate")
    assert world.read(SUMMARY)["metrics"]["accuracy"] == 0.99


def new_metric_everywhere(world: World) -> None:
    """A number that nothing computes."""
    record = world.read(EVALUATE)
    record["metrics"]["test.f1"] = 0.98
    (world.project / EVALUATE).write_text(json.dumps(record, indent=2))
    world.replace("params.yaml", "summary:\n", "summary:\n  f1: evaluate.test.f1\n")
    forge(world, "evaluate")
    assert world.read(SUMMARY)["metrics"]["f1"] == 0.98


def timing_metric_everywhere(world: World) -> None:
    """Of durations that the model predicts: its name looks as if it told how long the run took."""
    world.replace(
        "src/evaluate_model.py",
        "    pq.write_table",
        '    stage.metric("test.mae_seconds", found["test"]["loss"] * 10)\n    pq.write_table',
    )
    world.commit("Durations")
    world.record()
    world.edit_json(EVALUATE, "metrics", "test.mae_seconds", to=0.01)
    forge(world, "evaluate")


def weights_swapped_everywhere(world: World) -> None:
    other_weights(world, 1.02)
    forge(world, "train")
    world.record()


def one_weight_swapped_everywhere(world: World) -> None:
    """By one bit of one number: it is still within every tolerance."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    path = world.project / WEIGHTS / "model.safetensors"
    weights = load_file(path)["weights"]
    weights[0, 0] = np.nextafter(weights[0, 0], np.inf)
    path.unlink()
    save_file({"weights": weights}, path)
    forge(world, "train")
    world.record()


def answers_swapped_everywhere(world: World) -> None:
    """Every wrong answer on test becomes the right one; the metrics are left."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = world.project / ANSWERS
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        row["predicted"] = row["label"]
    path.unlink()
    pq.write_table(pa.Table.from_pylist(rows), path)
    forge(world, "evaluate")


def split_member_deleted_everywhere(world: World) -> None:
    """An example leaves the test split, in data, manifest and records; evaluated anew."""
    from reproof import splits

    folder = world.project / "prepared"
    parts = {name: splits.load(folder / f"{name}.npz") for name in splits.NAMES}
    test = parts["test"]
    parts["test"] = splits.Split(test.x[1:], test.y[1:], test.ids[1:])
    shutil.rmtree(folder)
    splits.save(folder, parts)
    fractions = {"train": 0.6, "validation": 0.2, "test": 0.2}
    manifest = splits.manifest(parts, dataset="clouds", seed=0, fractions=fractions)
    for name, value in (("manifest", manifest), ("checksums", splits.checksums(parts))):
        (world.project / LATEST / f"split_{name}.json").write_text(json.dumps(value, indent=2))
    forge(world, "prepare")
    world.record()


def tolerance_everywhere(world: World) -> None:
    """Wide enough for a forged metric, and the record made anew around it."""
    world.replace("params.yaml", "absolute: 0.0001", "absolute: 0.5", "absolute: 0.001", "absolute: 0.5")
    metric_everywhere(world)


def weights_nudged_everywhere(world: World) -> None:
    """By five parts in a hundred; metrics and answers stay those of the true ones."""
    other_weights(world, 1.05)
    forge(world, "train", "evaluate")


def picture_exchanged_everywhere(world: World) -> None:
    """What a run has drawn, and no number says."""
    world.replace(
        "src/train.py",
        "import numpy as np",
        "import struct\nimport zlib\n\nimport numpy as np",
        "    runlog.write_curves(",
        "    grey = (255 * (weights - weights.min()) / np.ptp(weights)).astype(np.uint8)\n"
        '    stage.output("results/latest/drawn.png").write_bytes(png(grey))\n    runlog.write_curves(',
        "def main(",
        "def chunk(kind, data):\n"
        '    ends = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(kind + data))\n'
        "    return ends[0] + kind + data + ends[1]\n\n\n"
        "def png(grey):\n"
        '    head = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)\n'
        '    rows = b"".join(bytes(1) + row.tobytes() for row in grey)\n'
        '    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]\n'
        '    return bytes.fromhex("89504e470d0a1a0a") + b"".join(chunk(*part) for part in parts)\n\n\n'
        "def main(",
    )
    world.commit("A picture")
    world.record()
    (world.project / LATEST / "drawn.png").write_bytes(_picture())
    forge(world, "train")
    world.record()


def _picture() -> bytes:
    """Another one: three black rows."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (3, 3)).save(stream, "PNG")
    return stream.getvalue()


CASES = [
    Case(
        "the weights nudged everywhere, every hash made to fit, not evaluated anew",
        DIFFERENT,
        DIFFERS,
        weights_nudged_everywhere,
        "checkpoint",
    ),
    Case(
        "a picture exchanged everywhere, every hash made to fit",
        DIFFERENT,
        DIFFERS,
        picture_exchanged_everywhere,
        r"drawn\.png",
    ),
    Case(
        "a metric everywhere, every hash made to fit", DIFFERENT, DIFFERS, metric_everywhere, "test.accuracy"
    ),
    Case("a metric that nothing computes, everywhere", DIFFERENT, DIFFERS, new_metric_everywhere, "test.f1"),
    Case(
        "a metric in seconds, everywhere",
        DIFFERENT,
        DIFFERS,
        timing_metric_everywhere,
        r'mae_seconds",\s+"recorded": 0.01',
    ),
    Case(
        "the tolerances and a metric everywhere, every hash made to fit",
        UNVERIFIABLE,
        CONTRADICTS,
        tolerance_everywhere,
        "widened after the run",
    ),
    Case(
        "the weights swapped everywhere, every hash made to fit, evaluated anew",
        DIFFERENT,
        DIFFERS,
        weights_swapped_everywhere,
        "checkpoint",
    ),
    Case(
        "one bit of one weight, everywhere, and bits are asked for",
        NUMERIC,
        DIFFERS,
        one_weight_swapped_everywhere,
        "checkpoint",
        ("--require", "bit"),
    ),
    Case(
        "answers on single examples, everywhere",
        DIFFERENT,
        DIFFERS,
        answers_swapped_everywhere,
        "predictions",
    ),
    Case(
        "a member of the test split, everywhere, evaluated anew",
        DIFFERENT,
        DIFFERS,
        split_member_deleted_everywhere,
        "splits",
    ),
]
"""Whoever forges so well is met by the execution alone; one bit of one weight is enough to be no `BIT`."""
