"""One contender of `sinks.py` in a process of its own: python sink_loop.py CONTENDER STEPS FOLDER

Every contender logs the same five scalars a step, in the same loop. It prints one line of JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

Log = Callable[[int, dict[str, float]], object]
Close = Callable[[], object]

NAMES = ("loss", "accuracy", "learning_rate", "gradient_norm", "seconds")
RUN_ID = "20260131-120000-abcdef"
TIMESTAMP = "2026-01-31T12:00:00.000000Z"


def reproof(folder: Path) -> tuple[Log, Close]:
    from reproof.runlog import RunLog

    log = RunLog(folder, RUN_ID, "digits")
    return lambda step, values: log.metrics(step, "train", values), log.close


def orjson_alone(folder: Path) -> tuple[Log, Close]:
    """Five lines of JSON and one write: the floor of `reproof`, which has a clock and checks beside."""
    import orjson

    stream = (folder / "metrics.ndjson").open("wb", buffering=0)

    def log(step: int, values: dict[str, float]) -> None:
        head = {
            "schema_version": 1,
            "timestamp": "2026-01-31T12:00:00.000000Z",
            "run_id": RUN_ID,
            "step": step,
        }
        lines = [
            orjson.dumps(
                {**head, "split": "train", "metric": name, "value": value, "dataset": "digits", "tags": {}},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for name, value in values.items()
        ]
        stream.write(b"".join(lines))

    return log, stream.close


def trackio(_folder: Path) -> tuple[Log, Close]:
    import trackio

    # It writes where TRACKIO_DIR says. Nor metrics of the machine, which the others do not log either.
    trackio.init(project="digits", name=RUN_ID, auto_log_gpu=False, auto_log_cpu=False)
    return lambda step, values: trackio.log(values, step=step), trackio.finish


def summary_writer(folder: Path) -> tuple[Log, Close]:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def log(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def mlflow(folder: Path) -> tuple[Log, Close]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment("digits")
    mlflow.start_run(run_name=RUN_ID)
    return lambda step, values: mlflow.log_metrics(values, step=step), mlflow.end_run


def dvclive(folder: Path) -> tuple[Log, Close]:
    from dvclive import Live

    live = Live(str(folder / "dvclive"), dvcyaml=None, save_dvc_exp=False, report=None)

    def log(_step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            live.log_metric(name, value)
        live.next_step()

    return log, live.end


# Name, what is opened, and the distribution whose version counts.
CONTENDERS: dict[str, tuple[Callable[[Path], tuple[Log, Close]], str]] = {
    "reproof": (reproof, "reproof"),
    "orjson": (orjson_alone, "orjson"),
    "trackio": (trackio, "trackio"),
    "tensorboard": (summary_writer, "tensorboard"),
    "mlflow": (mlflow, "mlflow"),
    "dvclive": (dvclive, "dvclive"),
}


def main() -> None:
    name, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    opened, distribution = CONTENDERS[name]
    generator = random.Random(0)  # numbers to log, no secret  # nosec B311
    steps = [{metric: generator.random() for metric in NAMES} for _ in range(count)]
    log, close = opened(folder)
    log(0, steps[0])  # what a first call sets up is no step's cost

    begin = time.perf_counter()
    for step, values in enumerate(steps, start=1):
        log(step, values)
    looped = time.perf_counter()
    close()
    closed = time.perf_counter()
    told = {
        "step_us": (looped - begin) / count * 1e6,
        "step_and_close_us": (closed - begin) / count * 1e6,
        "version": importlib.metadata.version(distribution),
    }
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
