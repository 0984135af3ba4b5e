"""Experiment records as machines read them: the front matter of each, and what two of them say together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import params, redact
from reproof.errors import ReproofError
from reproof.plain import plain
from reproof.record_values import mapping, number, words
from reproof.recorded import Run

SCHEMA_VERSION = 1
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_MAX_FRONT = 100_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Front:
    """The front matter of a record; what another hand wrote into it in another form is left out."""

    path: Path
    title: str
    started: str
    run: str
    runs: tuple[str, ...]
    data: str | None
    fingerprint: str | None
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class Difference:
    """A metric in two records; `difference` is this one minus the previous one, `said` what it means."""

    metric: str
    before: float
    here: float
    difference: float
    said: str


def front_of(
    title: str, run: Run, runs: Iterable[Run], metrics: Mapping[str, float], intervals: Mapping[str, Interval]
) -> str:
    """Return the front matter of a record as YAML, between its lines of dashes."""
    fields = {
        "title": title,
        "type": "experiment-record",
        "schema_version": SCHEMA_VERSION,
        "date": (run.start_time or "")[:10] or None,
        "started": run.start_time,
        "run": run.run_id,
        "runs": [one.run_id for one in runs],
        "experiment": run.experiment,
        "commit": run.commit,
        "status": run.status,
        "seed": run.seed,
        "data": run.data,
        "fingerprint": run.fingerprint,
        "metrics": dict(metrics),
        "intervals": {name: [*interval] for name, interval in intervals.items()},
    }
    lines = []
    for key, value in redact.data(plain(fields)).items():
        if key in ("metrics", "intervals") and value:
            lines += [f"{key}:", *(f"  {_json(name)}: {_json(item)}" for name, item in value.items())]
        else:
            lines.append(f"{key}: {_json(value)}")
    return "\n".join(["---", *lines, "---", ""])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # which is YAML, one line each, whatever a name holds


def read(path: Path) -> Front | None:
    """Return the front matter of a file; None where it has none of a record."""
    try:
        with path.open(encoding="utf-8") as stream:
            found = _FRONT.match(stream.read(_MAX_FRONT).replace("\r\n", "\n"))
        front: dict[str, Any] = params.parse(found.group(1).encode(), path)[0] if found else {}
    except (OSError, UnicodeDecodeError, ReproofError):
        return None
    if not isinstance(front.get("run"), str):
        return None
    runs, metrics, intervals = front.get("runs"), front.get("metrics"), front.get("intervals")
    return Front(
        path,
        title=str(front.get("title") or path.stem),
        started=str(front.get("started") or front.get("date") or ""),
        run=front["run"],
        runs=tuple(map(str, runs)) if isinstance(runs, list) and runs else (front["run"],),
        data=words(front.get("data")),
        fingerprint=words(front.get("fingerprint")),
        metrics={str(k): v for k, v in mapping(metrics).items() if number(v) is not None},
        intervals={
            str(name): (pair[0], pair[1])
            for name, pair in mapping(intervals).items()
            if isinstance(pair, list) and len(pair) == 2 and None not in map(number, pair)
        },
    )


def before(folder: Path, run: Run, runs: Iterable[Run]) -> Front | None:
    """Return the last record in a folder that is of an earlier run; None where there is none."""
    own = {run.run_id, *(one.run_id for one in runs)}
    found = [front for path in sorted(folder.glob("*.md")) if (front := read(path))]
    earlier = [f for f in found if f.run not in own and f.started and f.started < (run.start_time or "")]
    return max(earlier, key=lambda front: (front.started, front.run), default=None)


def differences(
    previous: Front, run: Run, metrics: Mapping[str, float], intervals: Mapping[str, Interval]
) -> list[Difference]:
    """Return the metrics that both records hold, and what may be said of each difference."""
    return [
        Difference(
            name,
            previous.metrics[name],
            value,
            value - previous.metrics[name],
            _said(previous, run, name, previous.intervals.get(name), intervals.get(name), value),
        )
        for name, value in metrics.items()
        if name in previous.metrics
    ]


def _said(
    previous: Front, run: Run, name: str, theirs: Interval | None, own: Interval | None, value: float
) -> str:
    if name.startswith("benchmark."):
        if previous.fingerprint != run.fingerprint or run.fingerprint is None:
            return "timed on another machine: the numbers do not compare"
    elif previous.data != run.data or run.data is None:
        return "measured on other data, or on data that nobody recorded: the numbers do not compare"
    if previous.metrics[name] == value:
        return "no difference"
    if not theirs or not own:
        return "neither run alone tells its spread: it may be chance"
    over = "processes" if name.startswith("benchmark.") else "test examples"
    if theirs[0] <= own[1] and own[0] <= theirs[1]:
        return f"the 95% intervals over {over} overlap: it may be chance"
    return f"the 95% intervals over {over} do not overlap: these two models differ, one seed each"
