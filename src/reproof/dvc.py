"""The one place that talks to DVC: what it tells a stage, and files by hash out of cache or remote.

DVC itself is imported only where files are fetched; it takes about a second.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reproof.errors import ReproofError


@dataclass(frozen=True)
class Caller:
    """What DVC says to the stage that it runs; all None outside DVC.

    Inside `dvc repro` the experiment is None. Inside queued and `--temp` runs `main_root` is the **main**
    repository, not the temporary workspace that the stage runs in.
    """

    stage: str | None
    experiment: str | None
    baseline: str | None
    main_root: Path | None


def caller(env: Mapping[str, str] = os.environ) -> Caller:
    """Read DVC's environment variables."""
    root = env.get("DVC_ROOT")
    return Caller(
        stage=env.get("DVC_STAGE") or None,
        experiment=env.get("DVC_EXP_NAME") or None,
        baseline=env.get("DVC_EXP_BASELINE_REV") or None,
        main_root=Path(root) if root else None,
    )


def private_folder(project: Path, env: Mapping[str, str] = os.environ) -> Path:
    """Return `.dvc/tmp/reproof` of the main repository, also from DVC's temporary workspaces.

    DVC ignores `.dvc/tmp` in Git, so what lies there never gets into a commit.
    """
    return (caller(env).main_root or project) / ".dvc" / "tmp" / "reproof"


def project_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that holds a dvc.yaml.

    Raises:
        ReproofError: when there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise ReproofError(
        "no dvc.yaml here or in any folder above",
        where=start,
        hint="run this inside a project made by `copier copy`",
    )


def fetch(project: Path, commit: str, path: str, destination: Path) -> None:
    """Write `path` as it was at `commit` to `destination`, from DVC's cache or else its remote.

    Args:
        project: root of the DVC project in the working tree.
        commit: full commit id.
        path: from the project's root; a file or a folder that DVC or Git tracks.
        destination: must not exist yet.

    Raises:
        ReproofError: when the commit does not track it, or neither cache nor remote holds it.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index.index import DataIndexError
    from dvc_objects.fs.errors import AuthError, ConfigError

    where = f"{path} at {commit[:10]}"
    try:
        # The remote that is known now: the commit may be older than it.
        with Repo(str(project)) as workspace:
            remotes = {"core": dict(workspace.config["core"]), "remote": dict(workspace.config["remote"])}
        files = DVCFileSystem(str(project), rev=commit, config=remotes)
        if not files.exists(path):
            raise ReproofError("this commit does not track it", where=where)
        destination.parent.mkdir(parents=True, exist_ok=True)
        # Beside, then renamed: a fetch that breaks off leaves nothing that looks whole.
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as beside:
            files.get(path, f"{beside}/whole", recursive=files.isdir(path))
            Path(beside, "whole").replace(destination)
    except (FileNotFoundError, DvcException, DataIndexError, AuthError, ConfigError) as error:
        raise ReproofError(
            "neither DVC's cache nor its remote has it",
            where=where,
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="`dvc push` where it was made (`dvc exp push` for an experiment), then `dvc pull` here",
        ) from error
