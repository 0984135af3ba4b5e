"""Which way a metric is better, and how much of a difference matters: declared in params.yaml before the
runs.

The block `comparison` says both. A metric that it leaves out takes its direction from an objective on it
(`report.criteria`, `report.inference_targets`): a target of `>= 0.95` says that higher is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reproof import params
from reproof.errors import ReproofError

Better = Literal["higher", "lower"]

HOW_TO_DECLARE = "params.yaml: comparison: {{metrics: {{{name}: {{better: higher}}}}}} (or lower)"
"""With `name`: what to write to have a metric judged."""

_BLOCK = "comparison.metrics."
_OBJECTIVES = ("report.criteria.", "report.inference_targets.")


@dataclass(frozen=True)
class Rule:
    """How one metric is judged.

    Attributes:
        better: None where nobody has said.
        margin: the largest difference that makes none in practice, in the metric's unit; None: none declared.
        source: where that is said: `comparison`, `report.criteria`, `report.inference_targets`, or ''.
    """

    better: Better | None = None
    margin: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Rules:
    """How metrics are judged, by the names that params.yaml gives them, short or full.

    Attributes:
        judged: the rules.
        summary: the full name of each short one.
        fail_on_regression: whether a headline metric that got worse is an error in CI.
    """

    judged: Mapping[str, Rule] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)
    fail_on_regression: bool = False

    def of(self, name: str, full: str | None = None) -> Rule:
        """Return the rule of a metric; one that says nothing where there is none.

        Args:
            name: its name, short or full.
            full: its full name, where that is known otherwise.
        """
        full = full or self.summary.get(name, name)
        shorts = [short for short, long in self.summary.items() if long == full]
        return next((self.judged[one] for one in (name, full, *shorts) if one in self.judged), Rule())


def rules_of(raw: Mapping[str, Any]) -> Rules:
    """Return the rules that params hold, as nested blocks or flat (`comparison.metrics.loss.better`).

    Raises:
        ReproofError: for a direction or a margin that is none.
    """
    flat = params.flatten(raw)
    summary = {
        name.removeprefix("summary."): value
        for name, value in flat.items()
        if name.startswith("summary.") and isinstance(value, str)
    }
    declared: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        if name.startswith(_BLOCK) and name != _BLOCK:
            metric, _, key = name.removeprefix(_BLOCK).rpartition(".")
            metric, key = (metric, key) if metric else (key, "")
            declared.setdefault(metric, {})[key] = value
    judged = _of_objectives(flat)
    for metric, said in declared.items():
        judged[metric] = _declared(metric, said)
    fails = flat.get("comparison.fail_on_regression")
    if not isinstance(fails, bool | None):
        raise ReproofError(
            "neither true nor false",
            where="params.yaml: comparison.fail_on_regression",
            expected="true or false",
            found=repr(fails),
        )
    return Rules(judged, summary, fails is True)


def _declared(metric: str, said: Mapping[str, Any]) -> Rule:
    where = f"params.yaml: {_BLOCK}{metric}"
    if unknown := sorted(said.keys() - {"better", "margin", ""}):
        raise ReproofError(
            "an unknown key", where=f"{where}.{unknown[0]}", expected="better, margin", found=unknown[0]
        )
    better, margin = said.get("better"), said.get("margin")
    if better not in ("higher", "lower"):
        raise ReproofError(
            "nothing says which way this metric is better",
            where=where,
            expected="better: higher, or better: lower",
            found=repr(better),
        )
    is_number = isinstance(margin, int | float) and not isinstance(margin, bool)
    if margin is not None and not (is_number and math.isfinite(margin) and margin >= 0):
        raise ReproofError(
            "not a margin",
            where=f"{where}.margin",
            expected="a number from 0, in the metric's unit, or null",
            found=repr(margin),
        )
    return Rule(better, None if margin is None else float(margin), "comparison")


def _of_objectives(flat: Mapping[str, Any]) -> dict[str, Rule]:
    """Directions from targets. Where targets on one metric point both ways, they say none."""
    found: dict[str, set[tuple[Better, str]]] = {}
    for name, metric in flat.items():
        block = next((block for block in _OBJECTIVES if name.startswith(block)), None)
        operator = flat.get(f"{name.removesuffix('.metric')}.operator")
        if block and name.endswith(".metric") and isinstance(metric, str) and isinstance(operator, str):
            better: Better = "higher" if operator.startswith(">") else "lower"
            found.setdefault(metric, set()).add((better, block.rstrip(".")))
    return {
        metric: Rule(next(iter(said))[0], None, min(said)[1])
        for metric, said in found.items()
        if len({better for better, _ in said}) == 1
    }
