"""Commands on runs: those that are recorded, those in progress, and what they stand on."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reproof import screen
from reproof.cli.app import Json, app
from reproof.errors import ReproofError


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
    if (exported.folder / "checkpoint").exists():
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


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[DVC ARGUMENTS]", help="What `dvc exp run` takes.")
    ] = None,
) -> None:
    """Run an experiment as `dvc exp run` does, and keep it also when it fails.

    Takes what `dvc exp run` takes. DVC makes an experiment of success only; here a failed run becomes one
    too, under the name it had, with `status: failed` and the error in its record. For example:

        reproof run -S train.lr=0.5

        reproof run --name too-wide -S model.channels=4096

    Ctrl-C stops it, and keeps nothing: the same command goes on from the last saved step. Ends with DVC's
    exit code.
    """
    from reproof import dvc
    from reproof.run_experiment import run as run_experiment

    raise typer.Exit(run_experiment(dvc.project_root(Path.cwd()), arguments or []))


@app.command()
def status(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what ended well, and all that is remembered.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what runs now, in the workspace and in DVC's queue, and what died or failed.

    Git sees a run when it has ended well. This shows the others: how far they are, the error, and where a
    training that was killed goes on. Ends with 0, whatever it shows.
    """
    from reproof import dvc
    from reproof import status as reading

    root = dvc.project_root(Path.cwd())
    found = reading.executions(root, dvc.private_folder(root), everything=everything)
    try:
        dvc.check_whole(root)
    except ReproofError as error:
        screen.say("warning", str(error))
    print(json.dumps([asdict(one) for one in found], indent=2) if as_json else reading.as_text(found))


@app.command()
def resume(
    names: Annotated[list[str] | None, typer.Argument(help="With --clear: the states to remove.")] = None,
    listing_only: Annotated[
        bool, typer.Option("--list/--clear", help="List the states, or remove those named, or all.")
    ] = True,
    as_json: Json = False,
) -> None:
    """List or remove what trainings that were killed would go on from.

    A training saves its state as it goes, and removes it when it ends. The same `dvc exp run` after a crash
    goes on from it by itself; changed code, params, data or packages begin anew. At most ten states and
    20 GB are kept. One that a training uses now is never removed.
    """
    from reproof import dvc
    from reproof.resume import listing, store

    root = dvc.project_root(Path.cwd())
    top = store.home(dvc.private_folder(root))
    if not listing_only:
        removed, used = store.clear(top, names or None)
        print(listing.as_json(removed) if as_json else listing.cleared(removed, used))
        return
    if names:
        raise typer.BadParameter("names go with --clear")
    found = store.states(top)
    print(listing.as_json(found) if as_json else listing.as_text(found))
