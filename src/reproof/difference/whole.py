"""Two runs compared, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reproof.comparison.rules import Rules
from reproof.difference import artefacts, code, data, environment, metrics, parameters, sides
from reproof.difference.artefacts import Artefacts
from reproof.difference.code import Code
from reproof.difference.contents import Contents
from reproof.difference.data import Data
from reproof.difference.environment import Environment
from reproof.difference.metrics import Metrics
from reproof.difference.parameters import Params
from reproof.difference.sides import Side
from reproof.history import Row


@dataclass(frozen=True)
class Difference:
    """What differs between a first run and a second; differences of numbers are second minus first."""

    a: Side
    b: Side
    params: Params
    data: Data
    code: Code
    environment: Environment
    metrics: Metrics
    artefacts: Artefacts

    @property
    def is_one_run(self) -> bool:
        """Whether both names stand for one execution."""
        return bool(self.a.run.run_id) and self.a.run.run_id == self.b.run.run_id


def between(root: Path, a: Row, b: Row, rules: Rules) -> Difference:
    """Compare two runs; nothing that a record lacks stops it.

    Args:
        root: the project.
        a: the first run, such as the baseline.
        b: the second.
        rules: how metrics are judged.

    Raises:
        ReproofError: when there is no repository, or Git refuses.
    """
    first, second = sides.side(root, a), sides.side(root, b)
    contents = Contents(root)
    source = code.compare(root, first, second)
    return Difference(
        first,
        second,
        parameters.compare(first, second),
        data.compare(first, second, contents),
        source,
        environment.compare(first, second, source.modules),
        metrics.compare(root, first, second, rules, contents),
        artefacts.compare(first, second),
    )
