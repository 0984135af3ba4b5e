"""How good a model is: every metric with an interval, against its baselines, and which answers are wrong.

A stage script predicts, calls `assess`, and writes what comes back; `write_predictions` keeps one row an
example, by which every number can be checked.
"""

from __future__ import annotations

from reproof.evaluation.predictions import Baseline, Predictions, Regression, write_predictions
from reproof.evaluation.report import assess, metrics
from reproof.evaluation.scores import classification, regression
from reproof.evaluation.tables import write_calibration, write_confusion

SCHEMA_VERSION = 1
"""Of an evaluation.json that a script puts together from `classification` itself, as those before 0.3 do.
`assess` writes its own, `report.SCHEMA_VERSION`."""

__all__ = [
    "SCHEMA_VERSION",
    "Baseline",
    "Predictions",
    "Regression",
    "assess",
    "classification",
    "metrics",
    "regression",
    "write_calibration",
    "write_confusion",
    "write_predictions",
]
