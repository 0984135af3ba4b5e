"""Commands that describe a run in the forms that others read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reproof.cli.app import app
from reproof.cli.revision import Rev, record_of
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from reproof.report.source import Source

card = typer.Typer(
    no_args_is_help=True, help="Describe a run's model or data in a form that hubs and searches read."
)
app.add_typer(card, name="card")

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file to write. Default: standard output."),
]


@card.command()
def model(rev: Rev = None, output: Output = None) -> None:
    """Print a Hugging Face model card: metadata with model-index, and a page that says what is missing.

    Numbers come from the run's record, licence and authors from `report:` in params.yaml, and words from
    notes/. For example:

        reproof card model

        reproof card model main --output README.md

    A file that this command has written is replaced; one of yours is left as it is.
    """
    from reproof.report import notes, source
    from reproof.report.cards import model as making

    with record_of(rev) as (root, record):
        found = source.read(record)
        _require_training(found)
        text = making.text(found, notes.read(root / "notes"), root)
    _give(text, output, making.generated)


@card.command()
def data(rev: Rev = None, output: Output = None) -> None:
    """Print a description of the data as Croissant, JSON-LD that dataset searches and loaders read.

    It lists the files in prepared/ with their SHA-256, the splits, the classes and the arrays' types. Source,
    licence and citation come from `report.dataset` in params.yaml. For example:

        reproof card data --output croissant.json

    A file that this command has written is replaced; one of yours is left as it is.
    """
    from reproof.report import notes, source
    from reproof.report.cards import data as making

    with record_of(rev) as (root, record):
        found = source.read(record)
        _require_training(found)
        described = making.croissant(found, notes.read(root / "notes"))
    text = json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _give(text, output, lambda content: making.generated(_parsed(content)))


def _require_training(found: Source) -> None:
    """A card tells of a model that was trained here, and of the data that it was trained on."""
    if found.examination is not None:
        raise ReproofError(
            "this run checked a model that somebody else made, and trained none",
            expected="a run of the training recipe",
            hint="its makers' own card describes it; reports/experiment.md says how it runs here",
        )


def _give(text: str, output: Path | None, generated: Callable[[str], bool]) -> None:
    from reproof import files

    if output is None:
        # As UTF-8 whatever the terminal's encoding is: it is a file's content.
        typer.echo(text.encode("utf-8", "backslashreplace"), nl=False)
        return
    path = Path.cwd() / output
    if path.exists() and not (path.is_file() and generated(path.read_bytes().decode("utf-8", "replace"))):
        raise ReproofError(
            "this file was not written by the command",
            where=output,
            hint="it is left as it is: move it away, or name another with --output",
        )
    files.write_text(path, text)
    print(os.path.relpath(path, Path.cwd()))


def _parsed(content: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
