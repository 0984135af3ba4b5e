"""Trailers: lines at the end of a commit's message that tie it to the run it holds.

Git itself puts them there and reads them back (`git interpret-trailers`), so that what is in a message counts
as Git counts it, with `git log --format='%(trailers)'` too.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from reproof import digest, redact
from reproof.errors import ReproofError
from reproof.recorded import Run

RUN_ID = "Run-Id"
EXPERIMENT = "Experiment"
PARAMS_DIGEST = "Params-Digest"
DATA_DIGEST = "Data-Digest"
METRICS = "Metrics"

_OF_DOCUMENTS = ("report", "links", "summary", "comparison")
"""Blocks of params.yaml that no stage computes anything from."""

_MAX_VALUE = 1000
_MAX_MESSAGE_BYTES = 1_000_000


def of_run(run: Run) -> dict[str, str]:
    """Return the trailers of a run; what its record does not hold is left out.

    `Params-Digest` is that of the params that stages compute from (`params_digest`), `Data-Digest` that over
    the contents of the splits; `Metrics` are the headline ones, `accuracy=0.9712 loss=0.0863`, as exactly as
    they are recorded.
    """
    scores = " ".join(f"{_word(name)}={value!r}" for name, value in run.headline.items() if value is not None)
    found = {
        RUN_ID: run.run_id,
        EXPERIMENT: run.experiment,
        PARAMS_DIGEST: params_digest(run),
        DATA_DIGEST: run.data,
        METRICS: scores,
    }
    return {name: line for name, value in found.items() if value and (line := _line(value))}


def params_digest(run: Run) -> str | None:
    """Return the digest of a run's params but for those of documents alone; None where it recorded none.

    Equal ones mean equal params, the seed included, however params.yaml is laid out.
    """
    counted = {
        name: value for name, value in run.params.items() if name.partition(".")[0] not in _OF_DOCUMENTS
    }
    return digest.text_of(counted) if counted else None


def added(message: str, trailers: Mapping[str, str], folder: Path) -> str:
    """Return a message with trailers at its end; one that it has already takes the new value.

    Args:
        message: of a commit.
        trailers: by their names.
        folder: any in the repository: its configuration of trailers counts.
    """
    # Git's own reading of a message ends at a line of three dashes: one blank before it, and it goes on.
    message = re.sub(r"(?m)^---(?=\s|$)", " ---", message)
    options = [f"--trailer={name}: {value}" for name, value in trailers.items()]
    return _git(folder, message, "--if-exists=replace", "--if-missing=add", "--where=end", *options)


def parsed(message: str, folder: Path) -> dict[str, list[str]]:
    """Return the trailers of a message: their values in order, by their names as they are written."""
    found: dict[str, list[str]] = {}
    for line in _git(folder, message, "--parse").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), []).append(value.strip())
    return found


def _git(folder: Path, message: str, *options: str) -> str:
    # Else a line of three dashes would count as the message's end, and one that begins with `#` as a comment.
    done = subprocess.run(
        ["git", "-c", "core.commentChar=\x01", "interpret-trailers", "--no-divider", *options],
        cwd=folder,
        input=message.encode("utf-8", "surrogateescape")[:_MAX_MESSAGE_BYTES].rstrip() + b"\n",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        words = redact.text(" ".join(done.stderr.decode("utf-8", "replace").split()))[:300]
        raise ReproofError("Git cannot read or write the trailers of a message", found=words)
    return done.stdout.decode("utf-8", "surrogateescape")


def _line(value: str) -> str:
    """A value on one line: a line break in a name would begin a trailer of its own."""
    kept = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in redact.text(value))
    return " ".join(kept.split())[:_MAX_VALUE]


def _word(name: str) -> str:
    return re.sub(r"[\s=]+", "_", name)
