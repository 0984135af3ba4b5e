"""The parts of an experiment record that are worked out of the run: nothing that it did not record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reproof import record_values, siblings
from reproof.recorded import Run
from reproof.report import addresses, artefacts, measured, results, web
from reproof.report.markdown import between, code, number, score, text
from reproof.report.source import Source
from reproof.report.subjects import Subject

SPLITS = ("train", "validation", "test")
_RELATED = re.compile(r"(?i)(^|[^a-z])(issues?|prs?|pull|merge|tickets?)([^a-z]|$)")
_RELATED_ADDRESS = re.compile(r"/(issues|pull|merge_requests)/\d+")
_KEPT_METRICS = ("evaluate.",)
_DIGESTS_SHOWN = ("model.onnx", "checkpoint", "predictions.parquet", "metrics.ndjson")


def metrics(source: Source) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return the numbers that a record keeps for later ones, and the 95% intervals of those that have one.

    They are what the evaluation measured, and the headline metrics; by their full names.
    """
    headline = [str(source.params.get(f"summary.{short}", "")) for short in source.summary.get("metrics", {})]
    evaluated = [f"evaluate.{name}" for name in source.stages.get("evaluate", {}).get("metrics", {})]
    found = {name: one for name in [*headline, *evaluated] if name and (one := measured.find(source, name))}
    return (
        {name: one.value for name, one in found.items()},
        {name: one.interval for name, one in found.items() if one.interval},
    )


def related(source: Source, run: Run) -> list[str]:
    """Return the pull request and the issues that the run names, as Markdown."""
    found = []
    if run.pull_request:
        remote = addresses.of_remote(source.meta["git"].get("remote"))
        kind = "-/merge_requests" if remote and "gitlab" in remote else "pull"
        label = f"#{run.pull_request}"
        address = f"{remote}/{kind}/{run.pull_request}" if remote else None
        found.append(web.linked(address, label) if web.address(address) else text(label))
    return found + [web.linked(link, name) for name, link in _links(run).items() if _is_related(name, link)]


def dashboards(run: Run) -> list[str]:
    """Return the other links of a run, as Markdown: dashboards, logs, the model."""
    own = [web.linked(link, name) for name, link in _links(run).items() if not _is_related(name, link)]
    job = run.links.get("job")
    address = web.address(job.get("url")) if isinstance(job, dict) else None
    return [*own, *([web.linked(address, "job")] if address else [])]


def _links(run: Run) -> dict[str, str]:
    return {name: link for name, link in run.links.items() if isinstance(link, str)}


def _is_related(name: str, link: str) -> bool:
    return bool(_RELATED.search(name) or _RELATED_ADDRESS.search(link))


def derived(source: Source) -> dict[str, str]:
    """Return what follows from the params, by what it is called; each with why where it is not known."""
    steps = source.facts("train").get("steps")
    known: dict[str, Any] = dict(steps) if isinstance(steps, dict) else _logged(source)
    batch, processes = source.params.get("train.batch_size"), known.get("processes")
    share = ""
    if isinstance(batch, int) and isinstance(processes, int) and processes > 1:
        share = f", {number(batch // processes)} a process"
    return {
        "Effective batch size": f"{number(batch)} (train.batch_size, over all processes together{share})"
        if isinstance(batch, int)
        else "no train.batch_size among the params",
        "Steps per epoch": _known(known, "per_epoch", "steps_per_epoch"),
        "Steps in all": _known(known, "total", "steps"),
        "Processes": _known(known, "processes"),
        "Optimiser and schedule": _optimiser(source),
    }


def _known(known: Mapping[str, Any], *names: str) -> str:
    value = next((known[name] for name in names if isinstance(known.get(name), int)), None)
    return (
        number(value)
        if value is not None
        else "not recorded in Git; params.ndjson, which DVC holds, may tell"
    )


def _optimiser(source: Source) -> str:
    facts = source.facts("train")
    found = [text(facts[name]) for name in ("optimizer", "schedule") if isinstance(facts.get(name), str)]
    return ", ".join(found) or "not recorded by the stage train"


def _logged(source: Source) -> dict[str, Any]:
    """What the training logged of kind `derived`: params.ndjson, where it lies in the workspace."""
    path = source.file("params.ndjson")
    for line in path.read_bytes().splitlines() if path else ():
        record = record_values.json_of(line)
        if record.get("kind") == "derived" and isinstance(record.get("params"), dict):
            return dict(record["params"])
    return {}


@dataclass(frozen=True)
class Row:
    """One metric, a cell a split: `0.9741 (0.9510 to 0.9870)`."""

    metric: str
    cells: tuple[str, ...]


def scores(source: Source) -> tuple[list[str], list[Row]]:
    """Return the splits that were evaluated, and the metrics on each with their 95% intervals."""
    evaluation = source.evaluation or {}
    by_split: dict[str, dict[str, results.Score]] = {}
    names = results.metrics(source)
    for split, found in evaluation.get("splits", {}).items():
        by_split[split] = results.scores(found, names)
    if not by_split:
        for name, value in source.stages.get("evaluate", {}).get("metrics", {}).items():
            split, _, metric = name.partition(".")
            by_split.setdefault(split, {})[metric] = results.Score(value, None)
        names = list(dict.fromkeys(metric for found in by_split.values() for metric in found))
    splits = [split for split in (*SPLITS, *by_split) if split in by_split]
    splits = list(dict.fromkeys(splits))
    return splits, [Row(name, tuple(_cell(by_split[split].get(name)) for split in splits)) for name in names]


def _cell(found: results.Score | None) -> str:
    if found is None or found.value is None:
        return "–"
    return score(found.value) + (f" ({between(found.interval)})" if found.interval else "")


def baselines(source: Source) -> list[dict[str, Any]]:
    """Return how the model stands to each baseline on the test split, by metric."""
    rows = []
    for name, baseline in ((source.evaluation or {}).get("baselines") or {}).items():
        differences = (baseline.get("comparison") or {}).get("differences") or {}
        for metric, found in differences.items():
            value = baseline.get("splits", {}).get("test", {}).get(metric)
            if value is not None and found.get("difference") is not None:
                rows.append({"name": name, "metric": metric, "score": value, **found})
    if not rows:
        for model in results.models(source):
            for metric, found_score in model.scores.items():
                if model.is_baseline and found_score.value is not None:
                    reason = "recorded by the training, without an interval"
                    row = {"name": model.name, "metric": metric, "score": found_score.value}
                    rows.append({**row, "difference": None, "interval": None, "missing_reason": reason})
    return rows


def shown_by_the_record(subject: Subject) -> list[str]:
    """Return what asks for a second look, as Markdown: facts of the record, no advice."""
    meta, found = subject.source.meta, []
    if error := meta.get("error"):
        found.append(f"The stage {code(error.get('stage'))} failed: {text(error.get('message'))}")
    if meta["git"].get("dirty"):
        changed = ", ".join(code(path) for path in list(meta["git"].get("changed") or {})[:10])
        found.append(f"It ran with changes that its commit does not hold: {changed}")
    if subject.run.commit is None:
        found.append("No commit holds this record yet")
    found += [f"Not measured: {code(part)}, {text(why)}" for part, why in (meta.get("missing") or {}).items()]
    lock = meta.get("requirements_lock") or {}
    if lock.get("differences"):
        found.append(f"Packages differ from requirements.lock: {', '.join(map(code, lock['differences']))}")
    leakage = results.leakage(subject.source)
    return [*found, leakage] if leakage else found


@dataclass(frozen=True)
class Table:
    """The runs of a record side by side.

    Attributes:
        params: in which they differ.
        metrics: the headline ones of the first.
        rows: a run each, with the digests of its artefacts by file.
        group: over seeds, where they differ in nothing else; None otherwise.
        reason: why there is no group.
    """

    params: list[str]
    metrics: list[str]
    files: list[str]
    rows: list[tuple[Run, dict[str, str | None]]]
    group: siblings.Group | None
    reason: str


def table(subjects: list[Subject]) -> Table:
    """Return the runs of a record side by side."""
    runs = [subject.run for subject in subjects]
    first = runs[0]
    params = siblings.varying(runs)
    names = [
        name
        for name in _DIGESTS_SHOWN
        if any(artefacts.digest_of(s, f"results/latest/{name}") for s in subjects)
    ]
    rows = [
        (s.run, {name: artefacts.digest_of(s, f"results/latest/{name}") for name in names}) for s in subjects
    ]
    reason = _why_no_mean(runs, params)
    group = None if reason else siblings.seeds(first, runs)
    if group and len(group.runs) < len(runs):
        group, reason = None, "some of them bear the same seed"
    return Table(params, list(first.headline), names, rows, group, reason)


def _why_no_mean(runs: list[Run], params: list[str]) -> str:
    first = runs[0]
    if len(runs) < 2:
        return "it is one run"
    if any(run.status != "success" for run in runs):
        return "not all of them ended well"
    if params != ["seed"]:
        return "they do not differ in their seed alone"
    if first.code_tree is None or any(run.code_tree != first.code_tree for run in runs):
        return "they did not run the same code, or nobody recorded which"
    if first.data is None or any(run.data != first.data for run in runs):
        return "they did not run on the same data, or nobody recorded which"
    return ""
