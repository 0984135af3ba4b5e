"""params.yaml: what it may hold, and how it is read."""

from reproof.params.models import Criterion, Params, Report, RunParams
from reproof.params.reading import Loaded, differences, flatten, load, parse

__all__ = ["Criterion", "Loaded", "Params", "Report", "RunParams", "differences", "flatten", "load", "parse"]
