"""params.ndjson and metrics.ndjson: one record a line, in a versioned schema, at full precision.

A metric line: `schema_version`, `timestamp`, `run_id`, `step`, `split`, `metric`, `value`, `dataset`,
`tags`. NaN and infinity are no JSON: `value` is null then, and `flag` is `nan`, `inf` or `-inf`.
A params line: `schema_version`, `timestamp`, `run_id`, `kind` (`config` or `derived`), `params`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from reproof import clock, files, redact
from reproof.errors import ReproofError

SCHEMA_VERSION = 1
MAX_CURVE_POINTS = 1000


class RunLog:
    """Writes one run's two logs. Each call is one write to the file, so a crash tears no line before it.

    Args:
        folder: where `params.ndjson` and `metrics.ndjson` lie.
        run_id: of this execution.
        dataset: name of the data set that the metrics are of.
        enabled: False in all processes but the first of a distributed training: they write nothing.
    """

    def __init__(self, folder: Path, run_id: str, dataset: str, *, enabled: bool = True) -> None:
        self.metrics_path = folder / "metrics.ndjson"
        self.params_path = folder / "params.ndjson"
        self._run_id, self._dataset = run_id, dataset
        self._metrics = self._params = None
        if enabled:
            folder.mkdir(parents=True, exist_ok=True)
            # A run's own: what an earlier run by hand left in this folder is not continued.
            self._metrics = self.metrics_path.open("wb", buffering=0)
            self._params = self.params_path.open("wb", buffering=0)

    def metrics(
        self, step: int, split: str, values: Mapping[str, float], tags: Mapping[str, str] | None = None
    ) -> None:
        """Log scalars of one step.

        Args:
            step: optimiser steps taken so far.
            split: train, validation or test.
            values: name to value; any float, NaN and infinity included.
            tags: further facts for these lines.
        """
        if self._metrics is None:
            return
        head = {
            "schema_version": SCHEMA_VERSION,
            "timestamp": clock.now(),
            "run_id": self._run_id,
            "step": step,
            "split": split,
        }
        hidden = redact.data(tags) if tags else {}
        lines = []
        for name, value in values.items():
            number = float(value)
            record = head | {"metric": name, "value": number, "dataset": self._dataset, "tags": hidden}
            if not math.isfinite(number):
                record["value"] = None
                record["flag"] = "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
            lines.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        _write_whole(self._metrics, b"".join(lines))

    def params(self, kind: str, values: Mapping[str, Any]) -> None:
        """Log a snapshot of params: `config` as they were read, or `derived` from them."""
        if self._params is None:
            return
        record = {
            "schema_version": SCHEMA_VERSION,
            "timestamp": clock.now(),
            "run_id": self._run_id,
            "kind": kind,
            "params": redact.data(values),
        }
        try:
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        except orjson.JSONEncodeError:  # an integer beyond 64 bits, which Python's own encoder takes
            line = json.dumps(record).encode() + b"\n"
        _write_whole(self._params, line)

    def continue_from(self, earlier: Path, size: int) -> None:
        """Begin the metrics with the first `size` bytes of an earlier attempt's; what is there goes."""
        if self._metrics is None:
            return
        self._metrics.truncate(self._metrics.seek(0))
        with earlier.open("rb") as stream:
            while size and (chunk := stream.read(min(size, 1 << 20))):
                _write_whole(self._metrics, chunk)
                size -= len(chunk)

    def close(self) -> None:
        """Flush both files to disk and close them."""
        for stream in (self._metrics, self._params):
            if stream is not None and not stream.closed:
                os.fsync(stream.fileno())
                stream.close()


def _write_whole(stream: FileIO, data: bytes) -> None:
    """Write all of `data`, or none: a full disk takes a part of it, which is taken back."""
    done = 0
    try:
        while done < len(data):
            done += stream.write(data[done:] if done else data)
    except OSError as error:
        with contextlib.suppress(OSError):
            stream.truncate(stream.seek(-done, os.SEEK_CUR))
        error.filename = stream.name  # a write names no file
        raise


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of an ndjson log; a torn last line, which a crash can leave, ends it.

    Raises:
        ReproofError: for a line that is no record elsewhere in the file, or of a newer schema.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                record = orjson.loads(line)
                version = record["schema_version"]
                if not isinstance(version, int):
                    raise TypeError("schema_version is no number")
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise ReproofError("not a record", where=f"{path}:{number}", found=repr(line[:80])) from error
            if version > SCHEMA_VERSION:
                raise ReproofError(
                    "a record of a newer schema",
                    where=f"{path}:{number}",
                    expected=f"schema_version at most {SCHEMA_VERSION}",
                    found=str(version),
                    hint="update the library: `copier update`, then `make setup`",
                )
            yield record


def write_curves(log: Path, destination: Path, max_points: int = MAX_CURVE_POINTS) -> None:
    """Write the curves of a metrics log as CSV: `step`, then one column for each `<split>_<metric>`.

    Rows stand where the rarest series has a point (thinned evenly to `max_points`, the last one kept), so
    no cell is empty: plotting tools read an empty cell as zero. They begin where every series has begun. A
    denser series shows the mean of its points since the row before, or its last one where there is none.
    Values that are not finite count in no mean. A series of one point, such as a score at the very end, is
    no curve and left out, unless there is nothing else.
    """
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for record in read(log):
        step, value = record.get("step"), record.get("value", "absent")
        if type(step) is not int or not (value is None or isinstance(value, int | float)):
            raise ReproofError("not a record of a metric", where=log, found=repr(record)[:80])
        if value is not None:
            # The csv module leaves a carriage return unquoted, and readers end the line there.
            name = f"{record.get('split')}_{record.get('metric')}".replace("\r", "\\r")
            found[name][step] = value
    series = {name: points for name, points in found.items() if len(points) > 1} or found
    rarest = min(series.values(), key=len, default={})
    begun = max((min(points) for points in series.values()), default=0)
    steps = _thin([step for step in sorted(rarest) if step >= begun], max_points)
    columns = {name: _means(points, steps) for name, points in sorted(series.items())}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *columns])
    for row, step in enumerate(steps):
        writer.writerow([step, *(repr(column[row]) for column in columns.values())])
    files.write_text(destination, text.getvalue())


def _thin(steps: list[int], most: int) -> list[int]:
    if len(steps) <= most:
        return steps
    if most < 2:
        return steps[-most:] if most else []
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def _means(points: Mapping[int, float], steps: list[int]) -> list[float]:
    """The mean of the points between each step and the one before; the last mean where there is no point."""
    ordered = sorted(points.items())
    means: list[float] = []
    index = 0
    for step in steps:
        bucket: list[float] = []
        while index < len(ordered) and ordered[index][0] <= step:
            bucket.append(ordered[index][1])
            index += 1
        means.append(_mean(bucket) if bucket else means[-1])
    return means


def _mean(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return mean if math.isfinite(mean) else sum(value / len(values) for value in values)
