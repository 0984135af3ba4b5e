"""What a case of the comparison changes: in what was recorded, or in what was made again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import verify_pair as files
from verify_pair import LATEST, Pair

CHECKPOINT, WEIGHTS = f"{LATEST}/checkpoint", f"{LATEST}/checkpoint/model.safetensors"
LOG, PREDICTIONS = f"{LATEST}/metrics.ndjson", f"{LATEST}/predictions.parquet"


Change = Callable[[Pair], None]


def metric(name: str, value: float | None) -> Change:
    stage, _, rest = name.partition(".")
    return lambda both: both.metrics_made[stage].update({rest: value})


def without_metric(both: Pair) -> None:
    del both.metrics_made["evaluate"]["test.loss"]


def more_metrics(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.f1"] = 0.9


def recorded_metric(both: Pair) -> None:
    both.metrics["evaluate"]["test.accuracy"] = 0.99


def weights(shift: float, *, side: str = "made") -> Change:
    return lambda both: files.write_weights(getattr(both, side) / WEIGHTS, shift=shift)


def other_model(both: Pair) -> None:
    files.write_weights(both.made / WEIGHTS, seed=4)


def state(both: Pair) -> None:
    files.write_weights(both.made / CHECKPOINT / "state.safetensors", seed=10)


def log(changed: int, shift: float = 1e-12) -> Change:
    return lambda both: files.write_log(both.made / LOG, moment=2, changed=changed, shift=shift)


def params(**values: object) -> Change:
    return lambda both: files.write_params(both.made / LATEST / "params.ndjson", moment=2, **values)


def predictions(shift: float = 0.0, **columns: list[object]) -> Change:
    return lambda both: files.write_predictions(both.made / PREDICTIONS, shift=shift, **columns)


def json_file(name: str, value: object) -> Change:
    return lambda both: files.write_json(both.made / LATEST / name, value)


def text(name: str, words: str) -> Change:
    return lambda both: (both.made / name).write_text(words) and None


def gone(name: str) -> Change:
    return lambda both: (both.made / name).unlink()


def split_data(both: Pair) -> None:
    held = dict(np.load(both.made / "prepared/train.npz"))
    np.savez(both.made / "prepared/train.npz", x=held["x"] + 1e-9, y=held["y"])


def extra_file(both: Pair) -> None:
    (both.made / "prepared/leak.npz").write_bytes(b"test examples")


def undeclared_output(both: Pair) -> None:
    both.writes_made = files.WRITES | {"train": [*files.WRITES["train"], f"{LATEST}/more.json"]}
    files.write_json(both.made / LATEST / "more.json", 1)


def other_input(both: Pair) -> None:
    both.reads_made = {"data/raw.csv": "sha256:00"}


def further_input(both: Pair) -> None:
    both.reads_made = {"data/answers.csv": "sha256:00"}


def with_answers(shift: float, name: str, value: object) -> Change:
    def change(both: Pair) -> None:
        predictions(shift)(both)
        files.write_json(both.made / LATEST / name, value)

    return change


def picture_of_others(both: Pair) -> None:
    predictions(-0.0005)(both)
    text(f"{LATEST}/examples.png", "another picture")(both)


def another_size(both: Pair) -> None:
    predictions(-0.0005)(both)
    for side, width in ((both.recorded, 8), (both.made, 9)):
        head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + width.to_bytes(4) + (8).to_bytes(4)
        (side / LATEST / "examples.png").write_bytes(head)
