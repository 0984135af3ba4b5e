"""From a run's record to documents: a pure function of results/, params.yaml, notes/ and templates/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from reproof import files, history
from reproof.recorded import Run
from reproof.report import (
    cards,
    experiment,
    figures,
    inference,
    missing,
    model_check,
    notes,
    others,
    page,
    places,
    reproduce,
    source,
    templating,
    words,
)
from reproof.report.figures import Figure
from reproof.report.missing import Gap
from reproof.report.notes import Notes
from reproof.report.source import Source


@dataclass(frozen=True)
class _Report:
    """All that documents of one run are made of."""

    source: Source
    notes: Notes
    figures: list[Figure]
    context: dict[str, Any]
    templates: jinja2.Environment

    def fill(self, document: str, own: Mapping[str, Any] | None = None) -> str:
        return templating.fill(self.templates, f"{document}.md.jinja", self.context | dict(own or {}))


def render(root: Path, results: Path, destination: Path) -> None:
    """Write experiment.md alone, and its figures (`figures/` beside it).

    Args:
        root: the project, for its notes and templates.
        results: the run's record.
        destination: the Markdown file.

    Raises:
        ReproofError: when the record lacks meta.json, summary.json or config.yaml, one is unreadable, or a
            template of the project's cannot be filled.
    """
    report = _read(root, results)
    text = places.moved(report.fill("experiment"), root, results, destination.parent)
    figures.redraw(report.figures, destination.parent / "figures")
    files.write_text(destination, text)


def render_all(root: Path, results: Path, folder: Path) -> list[Path]:
    """Write every document of a run: experiment.md, inference.md, index.html, the cards, `figures/`.

    Of a run of the recipe inference these are others: see `model_check.write`.

    Args:
        root: the project, for its notes and templates.
        results: the run's record.
        folder: where they are written; a record that lies elsewhere is copied there too.

    Returns:
        The files and the folder of figures.

    Raises:
        ReproofError: as `render` does.
    """
    if model_check.is_one(results):
        return model_check.write(root, results, folder)
    report = _read(root, results)
    texts = {
        "experiment": report.fill("experiment"),
        "inference": report.fill("inference", inference.context(report.source, report.notes)),
    }
    texts["model_card"] = cards.model.text(report.source, report.notes, root)
    texts = {name: places.moved(text, root, results, folder) for name, text in texts.items()}
    # Nothing is written before everything is rendered: a mistake in a template leaves the last report whole.
    places.bring(root, results, folder)
    figures.redraw(report.figures, folder / "figures")
    for name, text in texts.items():
        files.write_text(folder / f"{name}.md", text)
    files.write_json(folder / "croissant.json", cards.data.croissant(report.source, report.notes))
    page.write(
        folder / "index.html",
        title=experiment.title(report.source),
        documents=[page.Document(name, _TITLES[name], texts[name]) for name in _TITLES],
        figures={f"figures/{figure.name}.svg": figure.spec for figure in report.figures},
        folder=folder,
    )
    written = [*(f"{name}.md" for name in texts), "croissant.json", "index.html", "figures"]
    return [folder / name for name in written]


_TITLES = {"experiment": "Experiment", "inference": "Inference", "model_card": "Model card"}


def gaps(root: Path, results: Path) -> list[Gap]:
    """Return what the documents of a run lack: what was not measured, not declared, not written."""
    if model_check.is_one(results):
        return model_check.gaps(root, results)
    runs = _runs(root)
    return missing.gaps(source.read(results), notes.read(root / "notes"), has_history=len(runs) > 1)


def _read(root: Path, results: Path) -> _Report:
    found, written, runs = source.read(results), notes.read(root / "notes"), _runs(root)
    drawn = figures.of(found)
    lacking = missing.gaps(found, written, has_history=len(runs) > 1)
    context = (
        _values(found)
        | words.functions(found, written, drawn)
        | others.context(found, runs)
        | experiment.context(found, written, lacking)
        | {"curves": [figure for figure in drawn if figure.is_curve]}
    )
    return _Report(found, written, drawn, context, templating.environment(root))


def _values(found: Source) -> dict[str, Any]:
    """What every document sees of the record."""
    return {
        "meta": found.meta,
        "summary": found.summary,
        "stages": {name: found.stages.get(name) for name in source.STAGES},
        "params": found.params,
        "declared": found.declared,
        "dataset": found.dataset,
        "evaluation": found.evaluation,
        "benchmark": found.benchmark,
        "robustness": found.robustness,
        "split_manifest": found.split_manifest,
        "split_checksums": found.split_checksums,
        "digests": found.digests,
        "again": reproduce.commands(found.meta, found.params),
    }


def _runs(root: Path) -> list[Run]:
    path = root / history.FILE
    return history.read(path) if path.is_file() else []
