"""JSON, logs and CSV: numbers may differ by the tolerance, everything else must be the same."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reproof.params.models import Tolerance
from reproof.plain import named_once
from reproof.verify.kinds.arrays import NEAR
from reproof.verify.kinds.found import IDENTICAL, Found, Standing, different, number
from reproof.verify.tolerances import is_within

_SPEEDS = re.compile(r"(?:^|_)(?:seconds|ms|us|ns|latency|throughput|per_second|memory_bytes)$")
_MOMENTS = (
    "created_at", "elapsed_seconds", "end_time", "run_id", "runtime_seconds", "start_time", "timestamp",
    "wall_seconds",
)  # fmt: skip
"""Keys that tell of the execution, whoever writes them. Others in seconds may be what a model predicts."""

_VOLATILE = ("timestamp", "run_id")


def is_speed(name: str) -> bool:
    """Whether a logged series tells how fast the training was, such as `train.samples_per_second`."""
    return _SPEEDS.search(name) is not None


def compare_json(recorded: Path, found: Path, tolerance: Tolerance) -> Found:
    """Compare two JSON files value by value."""
    first, second = (_loaded(path.read_bytes()) for path in (recorded, found))
    if set(_lists(first, "")) != set(_lists(second, "")):
        return different("a list in one of the two, an object in the other")
    return _pairs(leaves(first), leaves(second), tolerance)


def compare_csv(recorded: Path, found: Path, tolerance: Tolerance) -> Found:
    """Compare two CSV files cell by cell."""
    return _pairs(_cells(recorded), _cells(found), tolerance)


def compare_lines(recorded: Path, found: Path, tolerance: Tolerance) -> Found:
    """Compare two ndjson files: logs of metrics as curves, other records value by value."""
    first, second = _records(recorded), _records(found)
    if all("metric" in one and "step" in one for one in (*first, *second)) and first and second:
        if [_about(one) for one in first] != [_about(one) for one in second]:
            return different("other records, besides their values")
        return _curves(_series(first), _series(second))
    if len(first) != len(second):
        return different(f"{len(first)} records were recorded, {len(second)} found")
    return _pairs(leaves(first), leaves(second), tolerance)


def compare_unpacked(recorded: Path, found: Path) -> Found:
    """Compare two .gz files by what they hold: the archive itself tells when it was made."""
    with gzip.open(recorded) as one, gzip.open(found) as other:
        while True:
            a, b = one.read(1 << 20), other.read(1 << 20)
            if a != b:
                return different("what is packed in it differs")
            if not a:
                return Found(Standing.CLOSE, "the same once unpacked")


def _pairs(first: dict[str, Any], second: dict[str, Any], tolerance: Tolerance) -> Found:
    if odd := sorted(first.keys() ^ second.keys()):
        side = "recorded" if odd[0] in first else "made here"
        return different(f"{odd[0] or 'its value'} is only in the one {side}")
    largest, times = 0.0, 0
    for name, one in first.items():
        other = second[name]
        if one == other and type(one) is type(other):
            continue
        if _is_moment(name):
            times += 1
        elif type(one) is int and type(other) is int:  # a count, an index, an id
            return different(f"{name}: {one} was recorded, {other} found", abs(other - one))
        elif is_number(one) and is_number(other):
            if not is_within(one, other, tolerance):
                return different(f"{name}: {one:.6g} was recorded, {other:.6g} found", abs(other - one))
            largest = max(largest, abs(other - one))
        else:
            return different(f"{name}: {_short(one)} was recorded, {_short(other)} found")
    if largest:
        return Found(Standing.CLOSE, f"numbers differ (max |Δ| {number(largest)})", largest)
    return Found(Standing.FOLLOWS, "only times differ") if times else IDENTICAL


def _is_moment(name: str) -> bool:
    """Of the file itself, or of one of its records; deeper ones may be what a model says."""
    above, _, last = name.rpartition(".")
    return last in _MOMENTS and (not above or above.isdigit())


def _curves(
    first: dict[tuple[str, str], dict[int, Any]], second: dict[tuple[str, str], dict[int, Any]]
) -> Found:
    """Each series as a whole: single steps drift apart on two machines, the curve of a training does not."""
    if odd := sorted(first.keys() ^ second.keys()):
        return different(f"{'.'.join(odd[0])} is logged in one of the two alone")
    largest, speeds = 0.0, False
    for name, one in first.items():
        other, shown = second[name], ".".join(name)
        if one.keys() != other.keys():
            return different(f"{shown} is logged at other steps")
        if is_speed(shown):
            speeds = speeds or one != other
            continue
        distance = length = 0.0
        for step, a in one.items():
            b = other[step]
            if a is None or b is None:
                if a != b:
                    return different(f"{shown}: finite in one of the two alone, at step {step}")
                continue
            largest = max(largest, abs(b - a))
            distance, length = distance + (b - a) ** 2, length + a * a
        if distance > NEAR**2 * length:
            words = f"{shown}: the curves lie {math.sqrt(distance / length):.0%} apart" if length else shown
            return different(words, largest)
    if speeds and not largest:
        return Found(Standing.FOLLOWS, "only logged speeds differ")
    return Found(Standing.CLOSE, f"logged values differ (max |Δ| {number(largest)})", largest)


def _about(record: dict[str, Any]) -> dict[str, Any]:
    value = record.get("value")
    kind = "number" if is_number(value) else value
    return {**record, "value": kind}


def _series(records: list[dict[str, Any]]) -> dict[tuple[str, str], dict[int, Any]]:
    found: dict[tuple[str, str], dict[int, Any]] = {}
    for one in records:
        found.setdefault((str(one.get("split")), str(one["metric"])), {})[one["step"]] = one.get("value")
    return found


def _records(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as stream:
        read = [_loaded(line) for line in stream if line.strip()]
    return [{key: value for key, value in one.items() if key not in _VOLATILE} for one in read]


def _loaded(data: bytes) -> Any:
    return json.loads(data, object_pairs_hook=named_once)


def _lists(value: Any, name: str) -> Iterator[str]:
    """The names of lists, which have those of objects with numbers for keys."""
    if isinstance(value, list):
        yield name
        value = dict(enumerate(value))
    for key, item in value.items() if isinstance(value, dict) else ():
        yield from _lists(item, f"{name}.{key}")


def leaves(value: Any) -> dict[str, Any]:
    """Return every value of nested data by its dotted name."""
    found: dict[str, Any] = {}
    for name, one in _walk(value, ""):
        # `{"a.b": 1, "a": {"b": 2}}` has one name for two values.
        found[name if name not in found else f"{name} ({len(found)})"] = one
    return found


def _walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each value with its name; what is empty stands for itself."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _walk(item, f"{name}.{index}" if name else str(index))
    else:
        yield name, value


def _cells(path: Path) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    if not rows:
        return {}
    head, *body = rows
    cells: dict[str, Any] = {f"column {index}": name for index, name in enumerate(head)}
    for line, row in enumerate(body, start=2):
        for index, text in enumerate(row):
            name = head[index] if index < len(head) and head.count(head[index]) == 1 else f"column {index}"
            cells[f"line {line}, {name}"] = _value(text)
    return cells


def _value(text: str) -> Any:
    if re.fullmatch(r"-?(?:0|[1-9][0-9]*)", text):
        return int(text)
    if re.fullmatch(r"-?0[0-9]+", text):  # an id
        return text
    try:
        return float(text)
    except ValueError:
        return text


def is_number(value: Any) -> bool:
    """Whether it is a number, which a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]
