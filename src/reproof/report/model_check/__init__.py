"""The documents of the recipe inference: what a given model is, whether it runs here, and how fast."""

from reproof.report.model_check.documents import gaps, write
from reproof.report.model_check.record import is_one

__all__ = ["gaps", "is_one", "write"]
