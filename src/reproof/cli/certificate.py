"""`reproof certificate`: what a verification left, checked against the repository or shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from reproof import screen
from reproof.cli.app import Json, app

certificate = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Read what `reproof verify` left: an in-toto Statement on a run that was executed again.",
)
app.add_typer(certificate, name="certificate")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A certificate, or a signed envelope around one.")]


@certificate.command()
def check(file: File, as_json: Json = False) -> None:
    """Check a certificate against this repository.

    Its form; that its evidence bears its verdict; that the commit is here, and holds just the record, the
    digests, the metrics and the tolerances that the certificate names. Whether somebody really executed the
    run it cannot tell: trust the signature of a job that you trust, or verify it again.

        reproof certificate check results/verify/20260128-221510-3fa9c1-bit-match-20260129T080000Z.json

    Exit codes: 0 valid; 1 not valid; 2 not a certificate; 3 the commit or its run is not here.
    """
    from reproof import dvc
    from reproof.verify import certificate_check
    from reproof.verify.errors import CannotVerify

    try:
        found = certificate_check.check(dvc.project_root(Path.cwd()), file)
    except CannotVerify as error:
        screen.error(None, error)
        sys.exit(error.code)
    wrong = found.wrong
    said = found.statement.predicate
    if as_json:
        print(
            json.dumps(
                {
                    "valid": not wrong,
                    "run_id": said.run.run_id,
                    "verdict": said.verdict,
                    "relation": said.relation,
                    "checked": len(found.found),
                    "wrong": [str(one) for one in wrong],
                }
            )
        )
    elif wrong:
        print(f"not valid: {len(wrong)} of {len(found.found)} checks fail")
        for one in wrong:
            print(f"  {one}")
    else:
        print(f"valid: {said.verdict} of {said.run.name} ({said.run.commit[:10]}), {said.relation}")
        print(f"{len(found.found)} checks; a signature is not looked at: gh attestation verify does that")
    sys.exit(1 if wrong else 0)


@certificate.command()
def show(file: File, as_json: Json = False) -> None:
    """Show what a certificate says.

    It takes no repository, and believes what stands there; what contradicts itself it names. For example:

        reproof certificate show results/verify/20260128-221510-3fa9c1-bit-match-20260129T080000Z.json
    """
    from reproof.verify import certificate_show, statement

    read = statement.read(file)
    if as_json:
        print(read.model_dump_json(by_alias=True))
        return
    for line in certificate_show.lines(read):
        print(line)
