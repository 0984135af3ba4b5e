"""The one place that talks to DVC: what it tells a stage, and files by hash out of cache or remote.

DVC itself is imported only where files are fetched; it takes about a second.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import redact
from reproof.errors import ReproofError

_MAX_REASONS = 3


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


@dataclass(frozen=True)
class Declared:
    """What dvc.yaml says of a stage.

    Attributes:
        deps: paths from the project's root, and params files other than params.yaml.
        outs: likewise, with metrics and plots.
        params: keys of params.yaml; None where it declares none, or the whole file.
    """

    deps: list[str]
    outs: list[str]
    params: list[str] | None


def pipeline(project: Path) -> dict[str, Declared]:
    """Read the stages of dvc.yaml that stand there in full; those made by `foreach` are left out.

    Raises:
        ReproofError: when dvc.yaml is no YAML.
    """
    import yaml

    path = project / "dvc.yaml"
    try:
        read = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise ReproofError("not valid YAML", where=path, found=str(error).splitlines()[0]) from error
    stages = read.get("stages") if isinstance(read, dict) else None
    return {
        str(name): Declared(
            deps=_paths(entry.get("deps")) + _other_params_files(entry.get("params")),
            outs=[path for kind in ("outs", "metrics", "plots") for path in _paths(entry.get(kind))],
            params=_params(entry.get("params") or []),
        )
        for name, entry in (stages.items() if isinstance(stages, dict) else ())
        if isinstance(entry, dict) and "cmd" in entry
    }


def check_whole(project: Path) -> None:
    """Check that DVC can read dvc.lock and its list of locks.

    DVC writes both in place, and a kill at that moment leaves them torn.

    Raises:
        ReproofError: when one of them cannot be read.
    """
    import yaml

    try:
        found = yaml.safe_load((project / "dvc.lock").read_bytes())
    except FileNotFoundError:
        found = {"schema": None}
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or "schema" not in found:
        raise ReproofError(
            "torn: DVC was killed while it wrote it",
            where="dvc.lock",
            hint="git checkout dvc.lock (rm dvc.lock where Git has none); what was computed comes back from "
            "DVC's run cache",
        )
    locks = (caller().main_root or project) / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(locks.read_bytes())
    except FileNotFoundError:
        return
    except ValueError as error:
        raise ReproofError(
            "torn: DVC was killed while it wrote it",
            where=".dvc/tmp/rwlock",
            hint="rm .dvc/tmp/rwlock, when no dvc runs here",
        ) from error


def upstream(stages: Mapping[str, Declared], stage: str) -> set[str]:
    """Return the stages that `stage` depends on, near and far."""
    found: set[str] = set()
    wanted = [stage]
    while wanted:
        deps = stages[wanted.pop()].deps
        for name, declared in stages.items():
            makes = any(_overlap(out, dep) for out in declared.outs for dep in deps)
            if makes and name not in found and name != stage:
                found.add(name)
                wanted.append(name)
    return found


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _paths(entries: Any) -> list[str]:
    """A dependency or output is a path, or a mapping from it to its options."""
    listed = entries if isinstance(entries, list) else []
    return [str(next(iter(entry))) if isinstance(entry, dict) else str(entry) for entry in listed if entry]


def _other_params_files(entries: Any) -> list[str]:
    listed = entries if isinstance(entries, list) else []
    return [
        str(name) for entry in listed if isinstance(entry, dict) for name in entry if name != "params.yaml"
    ]


def _params(entries: Any) -> list[str] | None:
    keys: list[str] = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            if "params.yaml" in entry and not entry["params.yaml"]:
                return None
            keys += [str(key) for key in entry.get("params.yaml") or []]
        else:
            keys.append(str(entry))
    return keys or None


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
    from dvc.exceptions import DvcException, NotDvcRepoError
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
    except NotDvcRepoError as error:
        raise ReproofError(
            "not a DVC project", where=project, expected="the folder .dvc", hint="`dvc init`, and commit it"
        ) from error
    except RecursionError as error:  # so DVC ends on a tracked folder with `..` in it
        raise ReproofError(
            "a tracked folder has names in it that lead out of it",
            where=where,
            hint="do not trust this commit: no program of DVC's or ours writes such names",
        ) from error
    except (FileNotFoundError, DvcException, DataIndexError, AuthError, ConfigError) as error:
        raise ReproofError(
            "neither DVC's cache nor its remote has it",
            where=where,
            found=_reasons(error),
            hint="`dvc push` where it was made (`dvc exp push` for an experiment), then `dvc pull` here",
        ) from error


def _reasons(error: BaseException | None) -> str:
    """What DVC says, and below it why: the address that it tried, the host that does not answer."""
    said: list[str] = []
    while error is not None and len(said) < _MAX_REASONS:
        said += [line for line in str(error).splitlines()[:1] if line not in said]
        error = error.__cause__
    return redact.text("; ".join(said))[:400]  # hidden before it is cut
