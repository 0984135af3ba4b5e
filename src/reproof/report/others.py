"""What other runs tell about this one: out of results/history.json, and only if it is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reproof import history, siblings
from reproof.recorded import Run
from reproof.report.markdown import text
from reproof.report.source import Source

NO_HISTORY = (
    "Not shown: results/history.json holds no other run. `reproof history` writes it from Git, and "
    "`dvc repro report` shows it here."
)
_MOST_ROWS = 30


def context(source: Source, runs: list[Run]) -> dict[str, Any]:
    """Return the values of a template that speak of other runs.

    Args:
        source: this run.
        runs: of the history file; this one is among them or not.
    """
    own = history.of_results(source.results)
    others = [run for run in runs if own and run.run_id != own.run_id]
    found: dict[str, Any] = {"no_history": NO_HISTORY, "seeds": None, "ablations": None, "sweep": None}
    found["certificate"] = next((run.certificate for run in runs if own and run.run_id == own.run_id), None)
    if own and others:
        found |= {
            "seeds": _seeds(own, others),
            "ablations": _ablations(own, others),
            "sweep": _sweep(own, others),
        }
    return found


def _seeds(own: Run, others: list[Run]) -> dict[str, Any]:
    group = siblings.seeds(own, others)
    if len(group.runs) < 2:
        words = f"{_held(own, others)}; none has this code, data and params with another seed."
        return {"words": words, "rows": []}
    rows = []
    for name, spread in group.headline.items():
        is_timing = str(own.params.get(f"summary.{name}", "")).startswith("benchmark.")
        having = [run.seed for run in group.runs if run.headline.get(name) is not None]
        if spread.n > 1:
            row = {"metric": name, "mean": spread.mean, "sd": spread.sd, "interval": spread.interval}
            seeds = _listed(having) if spread.n == len(having) else f"{spread.n}, on this machine"
            rows.append(row | {"seeds": seeds, "is_timing": is_timing})
    words = (
        f"Over {len(group.runs)} seeds of the same code, data and params (results/history.json): the spread "
        "of the scores, and not their interval over examples, says how much the training itself varies"
    )
    words += (
        "; timings vary with the machine, not with the seed" if any(row["is_timing"] for row in rows) else ""
    )
    return {"words": f"{words}.", "rows": rows}


def _held(own: Run, others: list[Run]) -> str:
    """How many other runs the file holds, and what keeps them from counting where it is not what they ran."""
    many = f"{len(others)} other run{'s' if len(others) > 1 else ''}"
    unfinished = sum(run.status not in siblings.COUNTED for run in others)
    words = f"results/history.json holds {many}"
    words += f", {unfinished} of them failed or in progress" if unfinished else ""
    lacking = [what for what, found in (("code", own.code_tree), ("data", own.data)) if found is None]
    return words + (f"; the {' and '.join(lacking)} of this one is not recorded" if lacking else "")


def _listed(seeds: Iterable[int | None]) -> str:
    found = ["none" if seed is None else str(seed) for seed in seeds]
    return f"{len(found)}: {', '.join(found)}"


def _ablations(own: Run, others: list[Run]) -> dict[str, Any]:
    metric = next((name for name in _metrics(own) if name in own.metrics), "")
    found = siblings.ablations(own, others)
    rows = [
        {
            "param": one.param,
            "here": one.value,
            "value": variant.value,
            "theirs": variant.group.metrics[metric],
            "own": variant.own.metrics[metric],
            "change": variant.differences[metric],
            "seeds": _listed(
                one.seed
                for one, beside in zip(variant.group.runs, variant.own.runs, strict=True)
                if one.metrics.get(metric) is not None and beside.metrics.get(metric) is not None
            ),
        }
        for one in found
        for variant in one.variants
        if metric in variant.differences
    ]
    if not rows:
        words = f"{_held(own, others)}; none of this code and data differs from this run in exactly one param"
        words += ", at a seed that both have."
        return {"words": words, "rows": []}
    words = (
        "Runs of the same code and data that differ from this one in exactly one param; where both have "
        "several seeds, means ± SD over those that they share, and the 95% t interval of the change, paired "
        "by seed. A change between single runs has no interval: it means something only where it is large "
        "beside the spread over seeds (5.2)."
    )
    if ".test." in metric:
        words += (
            " To choose a configuration by these test scores spoils the test split for judging it: choose "
        )
        words += "by validation."
    return {"words": words, "metric": metric, "rows": rows}


def _metrics(own: Run) -> list[str]:
    """The metrics by which runs are set side by side, the first that a run has."""
    named = [path for key, path in own.params.items() if key.startswith("summary.")]
    return [*[path for path in map(str, named) if path.startswith("evaluate.")], *own.metrics]


def _sweep(own: Run, others: list[Run]) -> dict[str, Any]:
    found = siblings.sweep(own, others)
    if len(found.runs) < 2:
        return {"words": f"{_held(own, others)}; none has this code and data.", "rows": []}
    shown = found.runs[-_MOST_ROWS:]
    metrics = list(own.headline)
    rows = [
        {
            "name": run.experiment or run.run_id,
            "is_own": run.run_id == own.run_id,
            "values": [run.params.get(name) for name in found.params],
            "scores": [run.headline.get(name) for name in metrics],
        }
        for run in shown
    ]
    words = f"The {len(found.runs)} runs of this code and data that Git holds"
    words += f", the last {len(shown)} of them" if len(shown) < len(found.runs) else ""
    params = ", ".join(found.params) or "nothing"
    return {
        "words": f"{words}. They differ in: {text(params)}.",
        "params": found.params,
        "metrics": metrics,
        "rows": rows,
    }
