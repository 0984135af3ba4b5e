"""The command itself: its help, its version, and how it ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reproof import __version__, failures, redact, screen
from reproof.errors import ReproofError

app = typer.Typer(
    name="reproof",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Keep machine-learning experiments so that they can be proved again.\n\n"
    "Run it inside a project made by `copier copy`. Experiments themselves are run and listed by DVC: "
    "`dvc exp run`, `dvc exp show`.\n\n"
    "Exit codes: 0 done; 2 something you can mend, named on standard error; 1 a bug, with its traceback.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Run the command; end with 2 for what the user can mend."""
    sys.excepthook = redact.excepthook
    try:
        app()
    except ReproofError as error:
        sys.exit(screen.error(None, error))
    except OSError as error:
        told = failures.mendable(error)
        if told is None:
            raise
        sys.exit(screen.error(None, told))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"reproof {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
