"""These two models: one run a side, on the test examples that both answered.

The interval says how far other examples of that kind might move the difference (paired BCa bootstrap: the
same resamples for both), the exact McNemar test whether the answers that only one of them has right are split
more unevenly than chance splits them. Neither says that one method beats the other: that takes several seeds
of each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reproof import history
from reproof.difference import answers
from reproof.difference.answers import Answers
from reproof.difference.contents import Contents
from reproof.difference.scoring import METRICS, Metric, Side, scored, values
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.record_values import json_of, mapping
from reproof.stats import bootstrap, paired
from reproof.stats.paired import McNemar

CLAIM = "these two models"
"""What the numbers here are about; over seeds it is "these two methods"."""

MIN_EXAMPLES = 2
_STAGE = "evaluate"
_TOLERANCE = 1e-4
"""Between a metric and the same from the stored answers, which are float32."""


@dataclass(frozen=True)
class Shared:
    """One split.

    Attributes:
        split: its name.
        examples: how many are compared: those with the same id, the same truth, and the same content as far
            as that is known.
        only_a: how many only the first model answered.
        only_b: how many only the second did.
        changed: ids that both answered and whose truth or content differs; they are not compared.
        same_content: whether the compared examples are known to be the same by their content. Else they are
            known by id and truth alone: the split's checksum differs, or is not recorded, and its files
            cannot be had.
        metrics: by their full names.
        mcnemar: of the answers that only one has right; `only_first` is the first model's. None for a
            regressor, and where nothing differs.
        mcnemar_missing_reason: why it is None.
    """

    split: str
    examples: int
    only_a: int
    only_b: int
    changed: int
    same_content: bool
    metrics: Mapping[str, Metric]
    mcnemar: McNemar | None
    mcnemar_missing_reason: str | None

    @property
    def is_whole(self) -> bool:
        """Whether both answered the same examples, and all are compared."""
        return not (self.only_a or self.only_b or self.changed)

    @property
    def on(self) -> str:
        """The examples in words: of which split, how many, and how many were left out."""
        left = self.only_a + self.only_b + self.changed
        return f"{self.examples:,} shared {self.split} examples" + (f" ({left:,} left out)" if left else "")


@dataclass(frozen=True)
class TwoModels:
    """Two models, by split; or why they are not compared.

    Attributes:
        claim: what the numbers are about, for whoever prints them.
        identical: both files of answers have the same content.
        splits: what was compared.
        missing: metrics that were asked for and are not compared, with reasons; `''` stands for all.
    """

    claim: str = CLAIM
    identical: bool = False
    splits: Mapping[str, Shared] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def metric(self, name: str) -> Metric | None:
        """Return a metric by its full name; None where it was not compared."""
        return next((one.metrics[name] for one in self.splits.values() if name in one.metrics), None)

    def reason(self, name: str) -> str | None:
        """Return why a metric was not compared."""
        return self.missing.get(name) or self.missing.get("")


def two_models(
    root: Path,
    a: Row,
    b: Row,
    metrics: Sequence[str],
    *,
    contents: Contents | None = None,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> TwoModels:
    """Compare two runs' models by their stored answers; differences are b minus a.

    Args:
        root: the project.
        a: the first run.
        b: the second.
        metrics: short names of `summary`, or full ones such as `evaluate.test.f1`.
        contents: the examples of both, where the caller has read them; else they are read where a split's
            checksum differs.
        resamples: of the bootstrap.
        seed: of its draws.

    Returns:
        what could be compared, with reasons for the rest; nothing here raises for what a record lacks.
    """
    missing: dict[str, str] = {}
    wanted: dict[str, list[str]] = {}
    for metric in dict.fromkeys(full_name(one, a, b) for one in metrics):
        stage, _, rest = metric.partition(".")
        split, _, name = rest.partition(".")
        if stage != _STAGE or name not in METRICS:
            missing[metric] = "it does not follow from the answers on single examples"
        else:
            wanted.setdefault(split, []).append(name)
    if not wanted:
        return TwoModels(missing=missing)
    try:
        first, second = answers.read(root, a, wanted), answers.read(root, b, wanted)
    except ReproofError as error:
        where = f" ({error.where})" if error.where else ""
        return TwoModels(missing={**missing, "": f"{error.what}{where}"})
    if (first.classes is None) != (second.classes is None):
        return TwoModels(missing={**missing, "": "one is a classifier and the other a regressor"})
    splits = {}
    for split, names in wanted.items():
        odd = _of_their_own(split, names, ((a, first), (b, second)))
        missing |= odd
        names = [name for name in names if f"{_STAGE}.{split}.{name}" not in odd]
        alike = _alike(root, a, b, split, contents or Contents(root))
        found = _on_split(split, names, (first, second), alike, resamples, seed) if names else ""
        if isinstance(found, str):
            missing |= {f"{_STAGE}.{split}.{name}": found for name in names}
        else:
            splits[split] = found
    return TwoModels(identical=first.digest == second.digest, splits=splits, missing=missing)


def full_name(metric: str, *rows: Row) -> str:
    """Return a metric's full name: what `summary` of one of the runs says of a short one."""
    named = (row.run.params.get(f"summary.{metric}") for row in rows)
    return next((one for one in named if isinstance(one, str)), metric)


def _of_their_own(split: str, names: Sequence[str], sides: Sequence[tuple[Row, Answers]]) -> dict[str, str]:
    """Metrics that a run computes otherwise than they follow from its answers, such as a micro F1."""
    import numpy as np

    found = {}
    for row, held in sides:
        part = held.splits.get(split)
        if part is None or not len(part.ids):
            continue
        for name, value in values(names, Side(part, held.classes, np.arange(len(part.ids)))).items():
            recorded = row.run.metrics.get(f"{_STAGE}.{split}.{name}")
            if value is None or recorded is None:
                continue
            if abs(value - recorded) > _TOLERANCE * max(1.0, abs(recorded)):
                words = f"{row.name} recorded {recorded:.6g}, and its answers give {value:.6g}"
                found[f"{_STAGE}.{split}.{name}"] = f"{words}: it is computed in another way"
    return found


def _alike(root: Path, a: Row, b: Row, split: str, contents: Contents) -> Collection[str] | bool:
    """The ids of examples with the same features in both: all (True), those named, or not known (False)."""
    sums = (json_of(history.blob(root, row, "split_checksums.json")) for row in (a, b))
    checksums = [mapping(one, "splits").get(split) for one in sums]
    if None in checksums:
        return False
    if checksums[0] == checksums[1]:
        return True
    first, second = contents.of(a, split), contents.of(b, split)
    if isinstance(first, str) or isinstance(second, str):
        return False
    both = first.keys() & second.keys()
    return {name for name in both if first[name].features == second[name].features}


def _on_split(
    split: str,
    names: Sequence[str],
    sides: tuple[Answers, Answers],
    alike: Collection[str] | bool,
    resamples: int,
    seed: int,
) -> Shared | str:
    import numpy as np

    a, b = sides
    if split not in a.splits or split not in b.splits:
        side = "the first run" if split not in a.splits else "the second run"
        return f"{side} kept no answers on the split {split}"
    ours, theirs = a.splits[split], b.splits[split]
    if any(len(np.unique(part.ids)) != len(part.ids) for part in (ours, theirs)):
        return "an id stands for several examples: answers cannot be paired"
    _, left, right = np.intersect1d(ours.ids, theirs.ids, assume_unique=True, return_indices=True)
    order = np.argsort(left)  # the first run's: what is drawn must not depend on how ids are sorted
    left, right = left[order], right[order]
    agree = Side(ours, a.classes, left).truths == Side(theirs, b.classes, right).truths
    if not isinstance(alike, bool):
        agree &= np.isin(ours.ids[left], sorted(alike))
    first, second = Side(ours, a.classes, left[agree]), Side(theirs, b.classes, right[agree])
    examples = int(agree.sum())
    if examples < MIN_EXAMPLES:
        return f"they share {examples} examples of the split {split}"
    test, reason = None, "it compares right and wrong answers, which a regressor does not have"
    if a.classes is not None:
        test, reason = paired.mcnemar(first.hits, second.hits), "both have the same examples right"
    has_test = test is not None and test.p_value is not None
    return Shared(
        split,
        examples=examples,
        only_a=len(ours.ids) - len(agree),
        only_b=len(theirs.ids) - len(agree),
        changed=len(agree) - examples,
        same_content=alike is not False,
        metrics=scored(f"{_STAGE}.{split}.", names, first, second, resamples=resamples, seed=seed),
        mcnemar=test if has_test else None,
        mcnemar_missing_reason=None if has_test else reason,
    )
