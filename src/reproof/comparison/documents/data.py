"""A comparison for machines."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson

from reproof.comparison.comparing import Comparison
from reproof.comparison.documents import words
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric
from reproof.comparison.verdicts import Verdict
from reproof.plain import plain

SCHEMA_VERSION = 1
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(comparison: Comparison) -> str:
    """Return all of a comparison as JSON; a number that is missing is null, with the reason beside it."""
    pareto = comparison.pareto
    found = {
        "schema_version": SCHEMA_VERSION,
        "headline": comparison.headline,
        "sort": comparison.sort.name if comparison.sort else None,
        "baseline": comparison.baseline.name if comparison.baseline else None,
        "metrics": [
            {
                "name": one.name,
                "full": one.full,
                "better": one.rule.better,
                "margin": one.rule.margin,
                "source": one.rule.source or None,
            }
            for one in comparison.metrics
        ],
        "params": list(comparison.varying),
        "comparisons": comparison.comparisons,
        "groups": [_group(one, comparison) for one in comparison.groups],
        "pareto": {
            "quality": pareto.quality.name if pareto.quality else None,
            "speed": pareto.speed.name if pareto.speed else None,
            "machine": pareto.machine,
            "front": list(pareto.front),
            "beaten": pareto.beaten or {},
            "left_out": pareto.left_out or {},
            "missing_reason": pareto.missing,
        },
        "warnings": list(comparison.warnings),
        "left_out": [
            {"name": row.name, "run_id": row.run.run_id, "status": row.run.status, "error": row.run.error}
            for row in comparison.left_out
        ],
    }
    return orjson.dumps(found).decode()


def _group(one: Group, comparison: Comparison) -> dict[str, Any]:
    return {
        "name": one.name,
        "n": one.n,
        "runs": [
            {
                "name": row.name,
                "run_id": row.run.run_id,
                "commit": row.run.commit,
                "seed": row.run.seed,
                "certificate": row.run.certificate,
            }
            for row in one.rows
        ],
        "repetitions": [row.run.run_id for row in one.repetitions],
        "params": {name: plain(one.params.get(name)) for name in comparison.varying},
        "machine": one.machine,
        "differs": list(one.differs),
        "metrics": {
            metric.name: _measured(one, metric) for metric in comparison.metrics if metric.name in one.spreads
        },
    }


def _measured(one: Group, metric: Metric) -> dict[str, Any]:
    spread = one.spreads[metric.name]
    verdict = one.verdicts.get(metric.name)
    return {
        "n": spread.n,
        "mean": spread.mean,
        "sd": spread.sd,
        "interval": list(spread.interval) if spread.interval else None,
        "values": list(spread.values),
        "verdict": None if verdict is None else _verdict(verdict),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind,
        "is_firm": verdict.is_firm,
        "difference": verdict.difference,
        "interval": list(verdict.interval) if verdict.interval else None,
        "p_value": verdict.p_value,
        "p_value_adjusted": verdict.adjusted_p,
        "test": verdict.test,
        "claim": verdict.claim,
        "n": list(verdict.n),
        "reason": verdict.reason,
    }


def as_csv(comparison: Comparison) -> str:
    """Return one line a group, with columns for every metric; what is missing is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["run", "baseline", "n", "seeds", *(f"params.{name}" for name in comparison.varying), "differs"]
    for metric in comparison.metrics:
        head += [
            f"{metric.name}{suffix}"
            for suffix in ("", ".sd", ".low", ".high", ".difference", ".difference_low", ".difference_high")
        ]
        ends = (".p_value", ".p_value_adjusted", ".verdict", ".is_firm", ".reason")
        head += [f"{metric.name}{suffix}" for suffix in ends]
    writer.writerow(head)
    for one in comparison.groups:
        seeds = " ".join("none" if seed is None else str(seed) for seed in one.seeds)
        is_base = comparison.baseline is not None and one.name == comparison.baseline.name
        line: list[Any] = [one.name, "yes" if is_base else "no", one.n, seeds]
        line += [*words.params(one, comparison.varying), ", ".join(one.differs)]
        for metric in comparison.metrics:
            line += _cells(one, metric)
        writer.writerow([_no_formula(cell) for cell in line])
    return out.getvalue()


def _cells(one: Group, metric: Metric) -> list[Any]:
    spread, verdict = one.spreads.get(metric.name), one.verdicts.get(metric.name)
    if spread is None:
        return [None] * 12
    own = [spread.mean, spread.sd, *(spread.interval or (None, None))]
    if verdict is None:
        return [*own, *[None] * 8]
    bounds = verdict.interval or (None, None)
    firm = "yes" if verdict.is_firm else "no"
    tested = (verdict.p_value, verdict.adjusted_p)
    return [*own, verdict.difference, *bounds, *tested, verdict.kind, firm, verdict.reason]


def _no_formula(cell: Any) -> Any:
    """A word that a spreadsheet would run is quoted; numbers are not words."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        try:
            float(cell)
        except ValueError:
            return f"'{cell}"
    return cell
