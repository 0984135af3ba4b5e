"""How a model holds where the input is worse than its test split: corrupted, attacked, from elsewhere.

A stage script builds a `Subject`, reads `Settings` from its params and writes what `measure` returns; off, it
writes what `skipped` returns. NumPy is all that this needs; torch comes with the attack alone.
"""

from reproof.robustness.assemble import Second, Subject, headline, measure, skipped
from reproof.robustness.scoring import ACCURACY, RMSE, Metric
from reproof.robustness.settings import Settings

__all__ = [
    "ACCURACY",
    "RMSE",
    "Metric",
    "Second",
    "Settings",
    "Subject",
    "headline",
    "measure",
    "skipped",
]
