"""`reproof export REV`: any recorded run, out of Git and DVC, as a folder of its own."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reproof import digest, dvc, file_names, files, git, revisions
from reproof.errors import ReproofError
from reproof.invocation import LATEST


@dataclass(frozen=True)
class Exported:
    """Where a run was written, and what it is."""

    folder: Path
    commit: str
    run_id: str | None
    status: str | None
    files: int
    size_bytes: int


def export_run(root: Path, name: str, output: Path | None = None) -> Exported:
    """Write the run that a revision holds to `results/<run-name>/`, checkpoint and all.

    Small files come from Git, large ones by their hash from DVC's cache or else its remote. The folder
    appears whole or not at all.

    Args:
        root: the project's folder.
        name: an experiment, branch, tag or commit.
        output: the folder to write; default `results/<experiment's name, or the run id>`.

    Raises:
        ReproofError: no such revision, no record there, a file that neither cache nor remote holds, or
            the folder exists already.
    """
    with git.open_repository(root) as repo:
        revision = revisions.resolve(repo, name)
        inner = git.prefix(repo, root)
        meta_bytes = git.file_at(repo, revision.commit, f"{inner}{LATEST}/meta.json")
    if meta_bytes is None:
        raise ReproofError(
            "no run is recorded there",
            where=f"{name} ({revision.commit[:10]})",
            expected=f"{LATEST}/meta.json in that commit",
            hint="`dvc exp show` lists experiments; commit a run's results to keep them on a branch",
        )
    try:
        meta = dict(json.loads(meta_bytes))
    except (ValueError, TypeError) as error:
        where = f"{LATEST}/meta.json at {revision.commit[:10]}"
        raise ReproofError("not JSON, or no record", where=where, found=str(error)) from error
    run_id = str(meta.get("run_id") or revision.commit[:10])
    destination = output or root / "results" / file_names.of_run(revision.experiment or run_id)
    files.make_folder(destination.parent)
    if destination.exists():
        raise ReproofError(
            "this folder exists already",
            where=destination,
            hint="it is left as it is: remove it, or name another with --output",
        )
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".export-") as beside:
        dvc.fetch(root, revision.commit, LATEST, Path(beside, "run"))
        _check(Path(beside, "run"), f"{name} ({revision.commit[:10]})")
        Path(beside, "run").replace(destination)
    written = [path for path in destination.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in written)
    return Exported(destination, revision.commit, meta.get("run_id"), meta.get("status"), len(written), size)


def _check(run: Path, where: str) -> None:
    """Compare what was fetched with the digests that the run recorded: a cache can be corrupt in silence."""
    if not (run / "digests.json").exists():
        return
    digests = files.read_json(run / "digests.json")
    artefacts = digests.get("artefacts") if isinstance(digests, dict) else None
    for path, recorded in artefacts.items() if isinstance(artefacts, dict) else ():
        if not path.startswith(f"{LATEST}/"):
            continue
        # Of a run: a path of a record that somebody else made must not have us read another file.
        inner = files.inside(run, path.removeprefix(f"{LATEST}/"), where=f"digests.json of {where}")
        if (found := _digest(inner)) != recorded:
            raise ReproofError(
                "a file is not what the run recorded",
                where=f"{path} of {where}",
                expected=str(recorded),
                found=found,
                hint="the cache or the remote is corrupt, or the record was edited: fetch it from elsewhere",
            )


def _digest(path: Path) -> str:
    try:
        return digest.digest(path)
    except ReproofError as error:  # its path is a passing one, which says nothing to the user
        return f"{error.what}: {error.found}" if error.found else error.what
