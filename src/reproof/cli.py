"""The command `reproof`. Each command parses, calls one function and prints; heavy imports stay inside."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reproof import __version__
from reproof.errors import EXIT_CODE, ReproofError

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
    try:
        app()
    except ReproofError as error:
        colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        print(f"\033[31merror:\033[0m {error}" if colour else f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_CODE)


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


@app.command()
def export(
    rev: Annotated[str, typer.Argument(help="An experiment's name, a branch, a tag or a commit.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write. Default: results/RUN-NAME."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a recorded run to a folder of its own: config, meta, summary, checkpoint, model.

    Small files come from Git; large ones by hash from DVC's cache, or else its remote. Your workspace stays
    as it is. For example:

        reproof export main

        reproof export gamic-pika --output results/baseline
    """
    from reproof import dvc
    from reproof.export_run import export_run

    here = Path.cwd()
    root = dvc.project_root(here)
    exported = export_run(root, rev, None if output is None else here / output)
    if as_json:
        print(json.dumps(asdict(exported), default=str))
        return
    folder = os.path.relpath(exported.folder, here)
    print(f"{folder}: run {exported.run_id} ({exported.status}) of commit {exported.commit[:10]}")
    print(f"{exported.files} files, {exported.size_bytes / 1e6:.1f} MB")
    print(f"to run its config again: python src/train.py --config {shlex.quote(f'{folder}/config.yaml')}")


@app.command()
def digest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    as_json: Json = False,
) -> None:
    """Print content digests: the identity of weights, graphs and tables, as digests.json holds them.

    Equal digests mean equal content, whatever wrote the file and when: metadata, paths and the order of
    entries do not count.
    """
    from reproof.digest import digest as content_digest

    found = {str(path): content_digest(path) for path in paths}
    print(json.dumps(found, indent=2) if as_json else "\n".join(f"{d}  {path}" for path, d in found.items()))


@app.command()
def lock(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "requirements.lock"
    ),
) -> None:
    """Write what is installed here as constraints: `make setup` of a project calls this.

    Build tags such as +cpu become comments, so that the lock serves other hardware too.
    """
    from reproof import lock as locking

    print(f"{output}: {locking.write(output)} packages")
