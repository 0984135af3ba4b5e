"""The command that says what differs between two runs, and what it did."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reproof.cli.app import Json, app
from reproof.errors import ReproofError


class Format(StrEnum):
    """What the command prints."""

    TEXT = "text"
    MD = "md"
    JSON = "json"


_NAMES = "an experiment, a tag, a branch, a commit, a run id, or workspace"


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"The first run: {_NAMES}.")],
    b: Annotated[str, typer.Argument(metavar="[B]", help="The second. Default: workspace.")] = "workspace",
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="Default: by OUTPUT, else text.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. Default: standard output.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what differs between two runs, what probably matters first, and what it did.

    Params, data by content, code by functions, packages and machine, metrics, artefacts by digest. Scores are
    compared on the test examples that both models answered: a claim about these two models. About two
    methods, over several seeds of each, `reproof compare` speaks. For example:

        reproof diff main exp-a

        reproof diff HEAD~1 --format md --output reports/difference.md
    """
    from reproof import files, history
    from reproof.comparison.records import rules_at
    from reproof.difference import documents
    from reproof.difference.whole import between

    here = Path.cwd()
    root = history.root_of(here)
    rows = history.read_rows(root)
    first, second = rows.find(a), rows.find(b)
    found = between(root, first, second, rules_at(root))
    if as_json and form not in (None, Format.JSON):
        raise ReproofError("--json beside another --format", found=form.value, hint="leave one of them out")
    wanted = Format.JSON if as_json else form or _by_name(output)
    if wanted is Format.MD:
        text = documents.as_markdown(found, root).rstrip("\n")
    else:
        text = documents.as_json(found) if wanted is Format.JSON else documents.as_text(found)
    if output is None:
        print(text)
    else:
        files.write_text(here / output, f"{text}\n")
        print(f"{output}: {found.a.row.name} and {found.b.row.name}")


def _by_name(output: Path | None) -> Format:
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return Format(suffix) if suffix in set(Format) else Format.TEXT
