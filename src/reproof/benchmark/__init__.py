"""The inference benchmark: how fast a model answers on this machine, with an interval and a verdict.

A stage script builds a `Subject`, reads `Settings` from its params, calls `measure` and writes the `Result`.
"""

from reproof.benchmark.measure import measure
from reproof.benchmark.progress import Progress
from reproof.benchmark.schema import Provenance, Result
from reproof.benchmark.settings import Settings
from reproof.benchmark.subject import Subject

__all__ = ["Progress", "Provenance", "Result", "Settings", "Subject", "measure"]
