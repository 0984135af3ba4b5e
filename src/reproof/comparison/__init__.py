"""Runs beside each other: which belong together, which is best, whether it really is, and what else differs.

`compare` takes rows of the history and gives a `Comparison`; `documents` writes it as a table, Markdown,
HTML, CSV or JSON. Only `records` reads Git: to the others, files of records and predictions come through the
functions that a caller hands over.
"""

from reproof.comparison.comparing import Comparison, Models, compare
from reproof.comparison.groups import Group
from reproof.comparison.metrics import Metric
from reproof.comparison.pareto import Pareto
from reproof.comparison.rules import Rule, Rules, rules_of
from reproof.comparison.verdicts import METHODS, MODELS, ModelDifference, Verdict

__all__ = [
    "METHODS",
    "MODELS",
    "Comparison",
    "Group",
    "Metric",
    "ModelDifference",
    "Models",
    "Pareto",
    "Rule",
    "Rules",
    "Verdict",
    "compare",
    "rules_of",
]
