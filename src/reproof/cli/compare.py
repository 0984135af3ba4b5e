"""The command that sets runs beside each other."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reproof import screen
from reproof.cli.app import app
from reproof.errors import ReproofError
from reproof.invocation import VERIFIED

if TYPE_CHECKING:
    from reproof.comparison import Comparison
    from reproof.history import Rows
    from reproof.report.figures import Figure


class Format(StrEnum):
    """As what a comparison is written."""

    table = "table"
    md = "md"
    html = "html"
    csv = "csv"
    json = "json"


@app.command()
def compare(
    revisions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REV]...",
            help="Runs: experiments, branches, tags, commits, run ids, workspace; also 'wide-*'. Default: "
            "the runs of the commit that is checked out.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run of the repository.")] = False,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Only runs of which this holds; see below.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", "-m", help="Metrics to compare, comma-separated. Default: those of `summary`."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", help="Params that make a line, such as model,train.lr. Default: all but the seed."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", help="The metric to rank by. Default: the first that has a direction."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", "-b", help="The run to compare with. Default: that of the branch point."),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="Default: by OUTPUT, else table.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. Default: standard output.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures", help="A folder for the figures, as SVG and Vega-Lite. Default: beside an OUTPUT."
        ),
    ] = None,
) -> None:
    """Compare runs: which is best, and is it really?

    Runs that differ in their seed alone are one line: mean, standard deviation, and against a baseline the
    difference with its interval and a verdict (better, worse, differs, same, inconclusive, not comparable).
    Which way a metric is better, and what is the same in practice, stands under `comparison` in params.yaml.
    For example:

        reproof compare

        reproof compare main exp-a exp-b --metric accuracy --by model,train.lr

        reproof compare --all --query "params.train.lr < 0.01 and metrics.accuracy > 0.9" --sort loss

        reproof compare --output reports/comparison.md

    A question compares params.*, metrics.*, seed, status, name, branches, start_time, … by <, <=, >, >=, ==,
    !=, in, not in, joined by and, or, not. A name with a dash goes in backticks. Ends with 0, whatever it
    finds.
    """
    from reproof import history
    from reproof.comparison import choosing, comparing, records
    from reproof.history.gathering import no_garbage_collection

    here = Path.cwd()
    root = history.root_of(here)
    if everything and revisions:
        raise ReproofError(
            "--all beside names of runs", found=" ".join(revisions), hint="leave one of them out"
        )
    wanted = form or _by_name(output)
    if wanted is Format.html and output is None:
        raise ReproofError("a page needs a file", expected="--output FILE.html")
    if output is not None and output.is_dir():
        raise ReproofError("a folder stands where this file is to be", where=output, hint="name a file in it")
    with no_garbage_collection():
        known = _certified(root, history.read_rows(root))
        chosen = choosing.choose(
            root, known, revisions or (), everything=everything, query=query, baseline=baseline
        )
        found = comparing.compare(
            chosen.rows,
            records.rules_at(root),
            baseline=chosen.baseline,
            metrics=_names(metric),
            by=_names([by] if by else None),
            sort=sort.removeprefix("metrics.") if sort else None,
            read=records.reader(root),
            models=records.of_models(root),
        )
    found = replace(found, warnings=(*chosen.notes, *found.warnings))
    for notice in known.notices:
        screen.say("notice", notice)
    if revisions and (hint := choosing.other_seeds(found, known)):
        screen.say("recorded too", hint)
    if found.baseline is not None and chosen.how and wanted is Format.table:
        screen.say("baseline", f"{found.baseline.name}, {chosen.how}; another one: --baseline REV")
    _write(
        found,
        wanted,
        root,
        None if output is None else here / output,
        None if figures is None else here / figures,
    )


def _certified(root: Path, known: Rows) -> Rows:
    """Rows whose runs bear the best certificate that this project holds of them."""
    if not (root / VERIFIED).is_dir():
        return known
    from reproof.verify import certificates

    runs = certificates.with_best(root, [row.run for row in known.rows])
    return replace(known, rows=tuple(replace(r, run=run) for r, run in zip(known.rows, runs, strict=True)))


def _names(given: list[str] | None) -> list[str] | None:
    names = [name.strip() for one in given or () for name in one.split(",") if name.strip()]
    return names or None


def _by_name(output: Path | None) -> Format:
    if output is None or (output.exists() and not output.is_file()):
        return Format.table
    suffix = output.suffix.lower().removeprefix(".")
    found = {"md": Format.md, "markdown": Format.md, "html": Format.html, "htm": Format.html}
    found |= {"csv": Format.csv, "json": Format.json, "txt": Format.table, "": Format.table}
    if suffix not in found:
        raise ReproofError(
            "nothing is written as such a file",
            where=f"--output {output}",
            expected="a name that ends with .md, .html, .csv, .json or .txt; or --format",
        )
    return found[suffix]


def _write(found: Comparison, form: Format, root: Path, output: Path | None, figures: Path | None) -> None:
    from reproof import files
    from reproof.comparison import documents

    is_document = form in (Format.md, Format.html)
    if figures is None and output is not None and form is Format.md:
        figures = output.with_name(f"{output.stem}_figures")
    drawn: list[Figure] = []
    if figures is not None or form is Format.html:
        from reproof.comparison import figures as drawing

        drawn = drawing.of(found)
        if figures is not None:
            drawing.draw(drawn, figures)
    if form is Format.html:
        assert output is not None
        documents.as_html(found, output, root=root, figures=drawn)
        text = None
    elif form is Format.md:
        folder = os.path.relpath(figures, output.parent if output else Path.cwd()) if figures else "figures"
        text = documents.as_markdown(found, root=root, figures=drawn, folder=Path(folder).as_posix())
    elif form is Format.table:
        width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() and output is None else 120
        text = documents.as_table(found, width=max(60, width)) + "\n"
    else:
        text = documents.as_csv(found) if form is Format.csv else documents.as_json(found) + "\n"
    if output is None:
        assert text is not None
        print(text, end="")
        return
    if text is not None:
        files.write_text(output, text)
    print(f"{os.path.relpath(output)}: {found.headline}" if is_document else os.path.relpath(output))
