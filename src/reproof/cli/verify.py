"""The command that runs a recorded run again, and says what came out."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reproof import screen
from reproof.cli.app import Json, app


class Require(StrEnum):
    """The level that has to be reached for exit code 0."""

    BIT = "bit"
    NUMERIC = "numeric"
    STATISTICAL = "statistical"


@app.command()
def verify(
    rev: Annotated[
        str, typer.Argument(metavar="[REV]", help="An experiment's name, a branch, a tag or a commit.")
    ] = "HEAD",
    require: Annotated[
        Require | None,
        typer.Option(help="What has to match for exit code 0. Default: numeric; of fresh seeds statistical."),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Run it N times, and compare these with each other too.")
    ] = 1,
    new_seed: Annotated[
        int, typer.Option(metavar="K", help="Run it with K fresh seeds instead: does the finding hold?")
    ] = 0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Where it differs, look for the cause by running again.")
    ] = False,
    fresh_clone: Annotated[
        bool, typer.Option("--fresh-clone", help="Take everything from remotes, as a stranger would.")
    ] = False,
    recreate_env: Annotated[
        bool, typer.Option("--recreate-env", help="Install the recorded packages anew, and run with them.")
    ] = False,
    stage: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Run this stage only. May be given again.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Do not run this stage. May be given again.")
    ] = None,
    allow_read: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Let stages read this outside path. May be given again."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder for the certificate. Default: results/verify."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a recorded run again, somewhere else, and say whether it comes out as recorded.

    In a temporary folder at the run's commit, from its data by hash, with nothing of this workspace in reach.
    Your files, Git and DVC's cache stay as they are; the one new file is a certificate. For example:

        reproof verify

        reproof verify gamic-pika --require bit --repeats 2

        reproof verify v1.0 --fresh-clone --explain

    Verdicts: BIT MATCH, NUMERIC MATCH (within the tolerances that the run declared), STATISTICAL MATCH (of
    fresh seeds), DIFFERENT, UNVERIFIABLE. Exit codes: 0 the required level is met; 1 it is not; 2 a wrong
    option; 3 it cannot be verified; 4 the re-run failed; 5 the record contradicts itself; 130 Ctrl-C.
    """
    from reproof import dvc
    from reproof.verify import printing
    from reproof.verify.errors import CannotVerify, Contradiction, RerunFailed
    from reproof.verify.levels import Exit, Level
    from reproof.verify.verify import Options
    from reproof.verify.verify import verify as verify_run

    here = Path.cwd()
    asked = Options(
        require=None if require is None else Level.of(require.value),
        repeats=repeats,
        new_seeds=new_seed,
        explain=explain,
        fresh_clone=fresh_clone,
        only=tuple(stage or ()),
        exclude=tuple(exclude or ()),
        allow_read=tuple((here / path).resolve() for path in allow_read or ()),
        recreate_env=recreate_env,
        output=None if output is None else here / output,
    )
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _end)  # so that the temporary folder goes, whoever ends it
    try:
        found = verify_run(dvc.project_root(here), rev, asked, lambda line: screen.say("verify", line))
    except (CannotVerify, RerunFailed, Contradiction) as error:
        screen.error("verify", error)
        print(printing.failure_as_json(error) if as_json else printing.failure_as_text(error))
        raise typer.Exit(int(error.code)) from None
    except KeyboardInterrupt:
        screen.say("verify", "interrupted; nothing is left behind")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None
    print(printing.as_json(found) if as_json else printing.as_text(found, here))
    raise typer.Exit(int(found.exit_code))


def _end(number: int, _: object) -> None:
    """End by an exception, which cleans up, and with the code that a shell gives to this signal."""
    raise SystemExit(128 + number)
