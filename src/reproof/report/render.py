"""From a run's record to documents: a pure function of results/, params.yaml, notes/ and templates/."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from reproof import files, history
from reproof.report import (
    experiment,
    figures,
    inference,
    missing,
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
    gaps: list[Gap]
    context: dict[str, Any]
    templates: jinja2.Environment

    def fill(self, document: str, own: dict[str, Any]) -> str:
        return templating.fill(self.templates, f"{document}.md.jinja", self.context | own)


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
    text = places.moved(_experiment(report), root, results, destination.parent)
    _draw(report, destination.parent / "figures")
    files.write_text(destination, text)


def render_all(root: Path, results: Path, folder: Path) -> list[Path]:
    """Write every document of a run: experiment.md, inference.md, index.html, the cards, `figures/`.

    Args:
        root: the project, for its notes and templates.
        results: the run's record.
        folder: where they are written; a record that lies elsewhere is copied there too.

    Returns:
        The files and the folder of figures.

    Raises:
        ReproofError: as `render` does.
    """
    from reproof import cards

    report = _read(root, results)
    texts = {"experiment": _experiment(report), "inference": _inference(report)}
    texts["model_card"] = cards.model.text(report.source, report.notes, root)
    texts = {name: places.moved(text, root, results, folder) for name, text in texts.items()}
    # Nothing is written before everything is rendered: a mistake in a template leaves the last report whole.
    places.bring(root, results, folder)
    _draw(report, folder / "figures")
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
    found = source.read(results)
    return missing.gaps(found, notes.read(root / "notes"), has_history=_has_history(root))


def _read(root: Path, results: Path) -> _Report:
    found, written = source.read(results), notes.read(root / "notes")
    drawn = figures.of(found)
    lacking = missing.gaps(found, written, has_history=_has_history(root))
    return _Report(
        found,
        written,
        drawn,
        lacking,
        _values(found) | words.functions(found, written, drawn) | others.context(found, root / history.FILE),
        templating.environment(root),
    )


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


def _experiment(report: _Report) -> str:
    own = experiment.context(report.source, report.notes, report.gaps)
    own["curves"] = [figure for figure in report.figures if figure.is_curve]
    return report.fill("experiment", own)


def _inference(report: _Report) -> str:
    shared = experiment.context(report.source, report.notes, report.gaps)
    return report.fill("inference", shared | inference.context(report.source, report.notes))


def _has_history(root: Path) -> bool:
    path = root / history.FILE
    return path.is_file() and len(history.read(path)) > 1


def _draw(report: _Report, folder: Path) -> None:
    """Draw all figures beside, then put them in the place of the last ones."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".figures-") as beside:
        drawn = Path(beside) / "figures"
        drawn.mkdir()
        figures.write(report.figures, drawn)
        if folder.exists():
            shutil.rmtree(folder)
        drawn.replace(folder)
