"""From the record of a checked model to its documents: experiment.md, the page, and the tutorial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reproof import file_names, files
from reproof.invocation import LATEST
from reproof.report import (
    addresses,
    figures,
    measured,
    notes,
    objectives,
    page,
    places,
    reproduce,
    templating,
    words,
)
from reproof.report.missing import Gap
from reproof.report.model_check import (
    commands,
    facts,
    inputs,
    lacking,
    pitfalls,
    record,
    timing,
    tutorial,
    verdicts,
)
from reproof.report.model_check.record import Check
from reproof.report.notes import Notes

TUTORIAL = "step-by-step.md"


def gaps(root: Path, results: Path) -> list[Gap]:
    """Return what the documents of a run lack.

    Raises:
        ReproofError: as `write` does.
    """
    return lacking.gaps(record.read(root, results), notes.read(root / "notes"))


def write(root: Path, results: Path, folder: Path) -> list[Path]:
    """Write experiment.md, index.html, `figures/` and the tutorial of a run.

    The tutorial of the workspace's own report lies in `tutorial/` of the project, that of any other beside
    its report.

    Args:
        root: the project, for its notes and templates.
        results: the run's record.
        folder: where they are written; a record that lies elsewhere is copied there too.

    Returns:
        The files and the folder of figures.

    Raises:
        ReproofError: when the record lacks meta.json or its params, a file of it is unreadable, or a template
            of the project's cannot be filled.
    """
    check, written = record.read(root, results), notes.read(root / "notes")
    beside = check.is_here and folder.resolve() == (root / "reports").resolve()
    guide = (root / "tutorial" if beside else folder) / TUTORIAL
    drawn = figures.of(check.source)
    context = _context(check, written, drawn, lacking.gaps(check, written))
    context["tutorial_path"] = f"../tutorial/{TUTORIAL}" if beside else TUTORIAL
    templates = templating.environment(root)
    text = places.moved(templating.fill(templates, "check.md.jinja", context), root, results, folder)
    steps = templating.fill(templates, "tutorial.md.jinja", context | tutorial.context(check))
    steps = places.moved(steps, root, results, guide.parent)
    # Nothing is written before everything is rendered: a mistake in a template leaves the last report whole.
    places.bring(root, results, folder)
    figures.redraw(drawn, folder / "figures")
    files.write_text(folder / "experiment.md", text)
    files.write_text(
        guide, steps.replace("](experiment.md)", "](../reports/experiment.md)") if beside else steps
    )
    page.write(
        folder / "index.html",
        title=title(check),
        documents=[
            page.Document("experiment", "Experiment", text),
            page.Document(context["tutorial_path"].removesuffix(".md"), "Step by step", steps),
        ],
        figures={f"figures/{figure.name}.svg": figure.spec for figure in drawn},
        folder=folder,
    )
    return [folder / "experiment.md", folder / "index.html", folder / "figures", guide]


def title(check: Check) -> str:
    """Return the declared title, or one made of the model's name and the experiment's."""
    return check.source.declared.title or f"{check.name}: {slug(check)}"


def slug(check: Check) -> str:
    """Return the experiment's name as one of a file, the run id where DVC gave it none."""
    meta = check.source.meta
    return file_names.slug(str(meta["experiment"].get("name") or meta["run_id"] or "run"))


def _context(check: Check, written: Notes, drawn: list[figures.Figure], gaps: list[Gap]) -> dict[str, Any]:
    source = check.source
    targets = {**source.declared.inference_targets, **source.declared.criteria}
    return {
        "meta": source.meta,
        "summary": source.summary,
        "stages": source.stages,
        "params": source.params,
        "declared": source.declared,
        "examination": source.examination,
        "inference": source.inference,
        "benchmark": source.benchmark,
        "digests": source.digests,
        "title": title(check),
        "name": check.name,
        "slug": slug(check),
        "status": verdicts.status(check),
        "runs_here": verdicts.runs(check),
        "worked": verdicts.worked(check),
        "lacking": verdicts.lacking(check),
        "next_steps": list(verdicts.next_steps(check)),
        "known_good": verdicts.known_good(check),
        "pitfalls": pitfalls.of(check),
        "targets": objectives.judge(source, targets),
        "headline": _headline(check),
        "commit_link": addresses.commit(source),
        "again_block": commands.fenced(reproduce.commands(source.meta, source.params)),
        "record_files": [
            check.file(f"{LATEST}/{name}.json")
            for name in ("examination", "inference", "benchmark", "meta")
            if source.file(f"{name}.json")
        ],
        "other_code": reproduce.other_code(source.meta),
        "shown_elsewhere": [p for p in written.passages if p.section not in lacking.SECTIONS],
        "unmeasured": [gap for gap in gaps if gap.kind == "measured"],
        "undeclared": [],
        "contract_gaps": [gap for gap in gaps if gap.kind == "declared"],
        "file": check.file,
        **facts.context(check),
        **inputs.context(check),
        **timing.context(check),
        **commands.context(check),
        **words.functions(source, written, drawn),
    }


def _headline(check: Check) -> list[dict[str, Any]]:
    """The metrics that `summary` in params.yaml names, as measured."""
    names = {
        key.removeprefix("summary."): value
        for key, value in check.source.params.items()
        if key.startswith("summary.")
    }
    return [
        {"name": name, "metric": str(metric), "found": measured.find(check.source, str(metric))}
        for name, metric in names.items()
    ]
