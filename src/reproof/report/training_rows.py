"""The runs of a training report: what is shown of each, and which of them stand together."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import record_values
from reproof.git_objects import Objects
from reproof.history import Found
from reproof.invocation import LATEST
from reproof.record_values import Get, mapping, words
from reproof.recorded import Run
from reproof.report.markdown import code
from reproof.unfinished import Unfinished

STATUSES = {
    "in_progress": "In Progress",
    "success": "Success",
    "failed": "Failure",
    "partial": "Completed",
}
"""Our statuses, and what the document calls them."""

_PARAMETERS = ("train.", "model.")


@dataclass(frozen=True)
class Evaluation:
    """One number that says how good a run is: `benchmark` is of what, on what; the interval is 95%."""

    benchmark: str
    score: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Row:
    """A run as the document shows it.

    Attributes:
        model: the kind of its model, where the training recorded it.
        dataset: the name of its data.
        progress: how far it is, or was.
        parameters: its hyperparameters, the seed first.
    """

    run: Run
    model: str | None
    dataset: str | None
    progress: str | None
    evaluations: tuple[Evaluation, ...]

    @functools.cached_property
    def title(self) -> str:
        """Name, UTC time and status, as Markdown."""
        stamp = self.run.start_time or ""
        time = f"{stamp[:10]} {stamp[11:19]}" if len(stamp) >= 19 else "time not recorded"
        return f"{code(self.run.name)} - {code(time)} - {code(self.status)}"

    @property
    def status(self) -> str:
        """In the words of the document."""
        return STATUSES.get(self.run.status, self.run.status)

    @property
    def parameters(self) -> dict[str, Any]:
        """The hyperparameters, the seed first."""
        seed = {} if self.run.seed is None else {"seed": self.run.seed}
        return seed | {key: v for key, v in self.run.params.items() if key.startswith(_PARAMETERS)}


@dataclass(frozen=True)
class Section:
    """Runs of one base model and one dataset: `base_model` and `source` are as declared, or None."""

    base_model: str | None
    models: tuple[str, ...]
    dataset: str | None
    source: str | None
    rows: tuple[Row, ...]


def of_git(held: Objects, found: Found) -> Row:
    """Return a run that Git holds."""

    def get(name: str) -> bytes | None:
        return held.blob(found.files[name]) if name in found.files else None

    return _row(found.run, get, None, None)


def of_registry(one: Unfinished, root: Path) -> Row:
    """Return a run that Git does not hold; of the workspace's own one, what its record tells."""
    if one.stage is None:
        return _row(one.run, record_values.files_of(root / LATEST)[0], None, "It is in no commit yet.")
    verb = "runs" if one.run.status == "in_progress" else "ended"
    far = "" if one.step is None else f" at step {one.step:,}"
    far += f" of {one.total_steps:,}" if far and one.total_steps else ""
    return _row(one.run, lambda _: None, one.dataset, f"The stage {code(one.stage)} {verb}{far}.")


def _row(run: Run, get: Get, dataset: str | None, progress: str | None) -> Row:
    evaluation = record_values.json_of(get("evaluation.json")) if run.headline else {}
    named = words(run.params.get("data.name")) or dataset or words(evaluation.get("dataset"))
    if not named:
        named = words(record_values.json_of(get("split_manifest.json")).get("dataset"))
    scores = tuple(_evaluations(run, evaluation, named or "the data"))
    return Row(run, _kind(record_values.json_of(get("stages/train.json"))), named, progress, scores)


def _kind(train: Mapping[str, Any]) -> str | None:
    return words(mapping(train, "facts", "architecture").get("type"))


def _evaluations(run: Run, evaluation: Mapping[str, Any], dataset: str) -> Iterable[Evaluation]:
    """The headline metrics that a stage `evaluate` measured; all of them where it measured none."""
    paths = {short: str(run.params.get(f"summary.{short}", short)) for short in run.headline}
    own = {short: path for short, path in paths.items() if path.startswith("evaluate.")}
    for short, path in (own or paths).items():
        value = run.headline[short]
        if value is None:
            continue
        _, _, rest = path.partition(".")
        split, _, metric = rest.partition(".")
        interval = mapping(evaluation, "splits", split, "intervals").get(metric)
        is_pair = isinstance(interval, list) and len(interval) == 2
        name = f"{dataset}, {split}: {metric}" if short in own and metric else f"{dataset}: {short}"
        yield Evaluation(name, value, (interval[0], interval[1]) if is_pair and interval else None)


def sections(rows: list[Row]) -> list[Section]:
    """The runs by base model and dataset, in the order in which these pairs first ran."""
    grouped: dict[tuple[Any, ...], list[Row]] = {}
    last: dict[tuple[Any, ...], str | None] = {}
    for row in [*(r for r in rows if r.model), *(r for r in rows if not r.model)]:
        declared = words(row.run.params.get("report.base_model"))
        source = words(row.run.params.get("report.dataset.source"))
        pair = (declared, row.dataset, source)
        if row.model:
            last[pair] = row.model
        # A run that has not ended says nothing of its model's kind: it stands with the others.
        kind = None if declared else row.model or last.get(pair)
        grouped.setdefault((*pair, kind), []).append(row)
    found = []
    for (declared, dataset, source, kind), members in grouped.items():
        members.sort(key=lambda row: (row.run.start_time or "", row.run.run_id))
        kinds = (kind,) if kind else tuple(sorted({row.model for row in members if row.model}))
        found.append(Section(declared, kinds, dataset, source, tuple(members)))
    return sorted(found, key=lambda one: (one.rows[0].run.start_time or "", one.rows[0].run.run_id))
