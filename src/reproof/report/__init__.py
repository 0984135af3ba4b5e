"""Documents made of a run's record, the declared params and people's notes; of nothing else."""

from reproof.report.render import gaps, render, render_all

__all__ = ["gaps", "render", "render_all"]
