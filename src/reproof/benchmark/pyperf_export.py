"""A result as pyperf's JSON, so that `pyperf compare_to`, `hist`, `check`, `stats` and `metadata` read it.

One benchmark a cell, one run a process, one value a run: the median of the process's calls, end to end.
pyperf tests values as if they were independent of each other; calls of one process are not, processes are.
Given the calls themselves it would call any difference significant. A run's `loops` are the calls behind its
value, as pyperf means it, so that its check of too short values looks at the time that was measured.
(pyperf's documentation, "Analyze benchmark results" and "JSON file format".)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof.benchmark.schema import CellResult, Result
from reproof.errors import ReproofError

FORMAT = "1.0"
"""pyperf's version of the JSON, since pyperf 1.0."""

Array = npt.NDArray[Any]
Metadata = dict[str, str | int | float]

_NS = 1e9
_WARMUPS = 10


def document(
    result: Result,
    samples: Mapping[str, Sequence[Array]],
    warmups: Mapping[str, Sequence[Array]] | None = None,
) -> dict[str, Any]:
    """Return the document, ready for JSON.

    Args:
        result: of a benchmark.
        samples: by name of the cell, nanoseconds of each timed call end to end, one array a process.
        warmups: likewise, of the calls of the warm-up; up to ten blocks of them a process are kept.

    Raises:
        ReproofError: no cell was measured.
    """
    benchmarks = [
        _benchmark(name, cell, samples[name], (warmups or {}).get(name))
        for name, cell in result.cells.items()
        if cell.status == "measured" and name in samples
    ]
    if not benchmarks:
        raise ReproofError(
            "no cell was measured: there is nothing to export",
            expected="a benchmark with at least one cell of times",
            hint="the table of cells says why each could not be measured",
        )
    return {"version": FORMAT, "metadata": _common(result), "benchmarks": benchmarks}


def _common(result: Result) -> Metadata:
    """What all cells share; pyperf takes no null and no empty text."""
    found: dict[str, str | int | float | None] = {
        "unit": "second",
        "stage": "end_to_end: preprocess, model and postprocess",
        "value": "median of the calls of one process",
        "label": result.label,
        "cpu_model_name": result.hardware.cpu,
        "cpu_count": result.hardware.usable_cores,
        "hardware_fingerprint": result.hardware.fingerprint,
        "platform": result.software.os,
        "python_version": result.software.python,
        "harness_version": result.provenance.harness_version,
        "commit_id": result.provenance.git_commit,
        **{f"{name}_version": version for name, version in result.software.packages.items()},
        **{f"{name}_digest": digest for name, digest in result.provenance.model_digests.items()},
    }
    return _plain(found)


def _benchmark(
    name: str, cell: CellResult, processes: Sequence[Array], warmups: Sequence[Array] | None
) -> dict[str, Any]:
    assert cell.verdict is not None
    assert cell.memory is not None
    assert cell.environment is not None
    about = _plain(
        {
            "name": name,
            "verdict": cell.verdict.status,
            "verdict_reasons": "; ".join(f"{key}: {text}" for key, text in cell.verdict.reasons.items()),
            "precision": cell.cell.precision_actual,
            "providers": ", ".join(cell.cell.providers_actual or []),
            "threads": cell.cell.threads_intra_op,
            "batch_size": cell.cell.batch_size,
            "mem_max_rss": cell.memory.peak_ram_bytes,
        }
    )
    loads = cell.environment.loadavg_1min
    runs = []
    for number, calls in enumerate(processes):
        before = None if warmups is None else warmups[number]
        seconds = int(calls.sum()) + (0 if before is None else int(before.sum()))
        run: dict[str, Any] = {
            "values": [float(np.median(calls)) / _NS],
            "metadata": {"loops": len(calls), "duration": seconds / _NS}
            | ({"load_avg_1min": loads[number]} if number < len(loads) else {}),
        }
        if before is not None and len(before):
            run["warmups"] = _blocks(before)
        runs.append(run)
    return {"metadata": about, "runs": runs}


def _blocks(calls: Array) -> list[list[int | float]]:
    """Pairs of how many calls a block has, and their mean in seconds: what pyperf calls a warm-up."""
    blocks = np.array_split(calls, min(_WARMUPS, len(calls)))
    return [[len(block), float(block.mean()) / _NS] for block in blocks]


def _plain(found: Mapping[str, str | int | float | None]) -> Metadata:
    """Without what is unknown, and each text on one line: pyperf refuses the rest."""
    texts = {key: " ".join(v.split()) if isinstance(v, str) else v for key, v in found.items()}
    return {key: value for key, value in texts.items() if value is not None and value != ""}
