"""How far the same computation may come out otherwise: what the run itself declared, before it ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reproof import params
from reproof.errors import ReproofError
from reproof.params.models import Tolerance, Verify
from reproof.verify.errors import CannotVerify

DEFAULTS = Verify()


@dataclass(frozen=True)
class Tolerances:
    """Of one run.

    Attributes:
        metrics: of every metric that `by_metric` does not name.
        by_metric: by full name, such as `evaluate.test.loss`.
        predictions: of every probability or regressed value of every example.
        declared: whether the run's own params hold them; else they are the library's defaults.
    """

    metrics: Tolerance = DEFAULTS.metrics
    by_metric: Mapping[str, Tolerance] = field(default_factory=dict)
    predictions: Tolerance = DEFAULTS.predictions
    declared: bool = False

    def of(self, metric: str) -> Tolerance:
        """Return that of a metric, by its full name."""
        return self.by_metric.get(metric, self.metrics)

    @property
    def source(self) -> str:
        """Where they come from, in words."""
        return "declared by the run" if self.declared else "not declared: the library's defaults"


def read(config: bytes) -> Tolerances:
    """Return the tolerances that a run's config.yaml declares; the library's where it declares none.

    Only the commit's own record is asked: a tolerance that is chosen after the result fits every result.

    Raises:
        CannotVerify: the block `verify` holds something that is no tolerance.
    """
    try:
        block: Any = params.parse(config, "config.yaml")[0].get("verify")
        if block is None:
            return Tolerances()
        found = Verify.model_validate(_numbers(block))
    except ReproofError as error:
        raise CannotVerify(
            error.what, where=error.where, expected=error.expected, found=error.found
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["verify", *map(str, first["loc"])])
        raise CannotVerify(
            "the run declares a tolerance that is none",
            where=f"config.yaml: {where}",
            expected=first["msg"],
            found=repr(first["input"])[:80],
        ) from error
    return Tolerances(found.metrics, found.by_metric, found.predictions, declared=True)


def is_within(recorded: float, found: float, tolerance: Tolerance) -> bool:
    """Whether |found - recorded| <= max(absolute, relative * |recorded|); what is not finite is not."""
    if not (math.isfinite(recorded) and math.isfinite(found)):
        return False
    return abs(found - recorded) <= allowed(recorded, tolerance)


def allowed(recorded: float, tolerance: Tolerance) -> float:
    """Return how far from the recorded number another one may lie, in its unit."""
    return max(tolerance.absolute, tolerance.relative * abs(recorded))


def _numbers(value: Any) -> Any:
    """Whole numbers as floats: the model is strict, and `absolute: 0` is a number all the same."""
    if isinstance(value, dict):
        return {str(key): _numbers(item) for key, item in value.items()}
    return float(value) if type(value) is int else value
