"""Documents made of a run's record, the declared params and people's notes; of nothing else."""

from reproof.report.render import render

__all__ = ["render"]
