"""One recorded run, whole, as a commit holds it: nothing of the workspace is looked at."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reproof import dvc, git, git_objects, record_values, recorded, revisions
from reproof.errors import ReproofError
from reproof.invocation import LATEST
from reproof.verify.errors import CannotVerify

ENDED = ("success", "partial")
"""Statuses of a run, and of a stage, that came to its end."""

_MAX_DEPTH = 64
_NO_NAMES = ("", ".", "..", ".git")
_NO_SIGNS = frozenset("/\0" if os.name == "posix" else "/\\\0\n")


@dataclass(frozen=True)
class RecordedRun:
    """What a commit says of the run that it records.

    Attributes:
        root: the project, in the user's working tree.
        prefix: its path from the top of the repository, with a slash at its end; '' at the top.
        commit: full id.
        name: what people call the run: the experiment's name, else the run id.
        run: the run as one row.
        meta: meta.json.
        config: config.yaml of the record, byte for byte.
        stages: each stage's own record by its name, those of `summarize` and `report` too, where there are.
        digests: digests.json.
        files: object ids of all plain files of the project that Git holds, by path from the project.
        links: paths of symbolic links and of submodules that Git holds in the project.
        pipeline: what dvc.yaml says of each stage.
        dvc_yaml: dvc.yaml as data.
        lock: dvc.lock as data.
        params: params.yaml as data.
    """

    root: Path
    prefix: str
    commit: str
    name: str
    run: recorded.Run
    meta: dict[str, Any]
    config: bytes
    stages: dict[str, dict[str, Any]]
    digests: dict[str, Any]
    files: Mapping[str, str]
    links: frozenset[str]
    pipeline: dict[str, dvc.Declared]
    dvc_yaml: dict[str, Any]
    lock: dict[str, Any]
    params: dict[str, Any]
    _cached: dict[str, bytes | None] = field(default_factory=dict, repr=False, compare=False)

    def get(self, name: str) -> bytes | None:
        """Return the bytes of a file that the commit holds; None where it holds none.

        Args:
            name: path from the project, such as `results/latest/evaluation.json`.
        """
        if name not in self._cached:
            with git.open_repository(self.root) as repo:
                self._cached[name] = git.file_at(repo, self.commit, self.prefix + name)
        return self._cached[name]

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON object that the commit holds; an empty one where there is none."""
        return record_values.json_of(self.get(name))

    @property
    def measured(self) -> tuple[str, ...]:
        """The stages that the run is made of, in the order of the record: no summary, no documents."""
        return tuple(name for name in record_values.mapping(self.meta, "stages") if name in self.stages)


def load(root: Path, rev: str) -> RecordedRun:
    """Read the run that a revision records.

    Args:
        root: the project.
        rev: an experiment's name, a branch, a tag or a commit.

    Raises:
        CannotVerify: no such revision here, no run recorded in it, a run that failed or has not ended, a
            record that lacks a part or cannot be read.
        ReproofError: no repository, or no Git.
    """
    with git_objects.objects(root) as held:
        try:
            found = revisions.resolve(held.repo, rev)
        except ReproofError as error:
            raise CannotVerify(
                error.what, where=error.where, expected=error.expected, found=error.found, hint=error.hint
            ) from error
        commit, at = found.commit, f"{rev} ({found.commit[:10]})"
        ids, links = _files(held, f"{commit}:{held.prefix.rstrip('/')}")

        def get(name: str) -> bytes | None:
            return held.blob(ids[name]) if name in ids else None

        def latest(name: str) -> bytes | None:
            return get("params.yaml" if name == "params.yaml" else f"{LATEST}/{name}")

        meta = _json(latest("meta.json"), "meta.json", at)
        _check_ended(meta, latest, at)
        names = [
            path.rpartition("/")[2].removesuffix(".json")
            for path in ids
            if path.startswith(f"{LATEST}/stages/") and path.endswith(".json")
        ]
        stages = {name: _json(latest(f"stages/{name}.json"), f"stages/{name}.json", at) for name in names}
        missing = sorted(set(record_values.mapping(meta, "stages")) - set(stages))
        if missing:
            raise _incomplete(at, ", ".join(f"stages/{name}.json" for name in missing))
        run = recorded.of_meta(meta, latest, names, commit=commit, experiment=found.experiment)
        config = latest("config.yaml")
        if run is None or config is None:
            raise _incomplete(at, "run_id in meta.json" if run is None else "config.yaml")
        dvc_yaml, lock = (_yaml(get(name), name, at) for name in ("dvc.yaml", "dvc.lock"))
        return RecordedRun(
            root=root,
            prefix=held.prefix,
            commit=commit,
            name=run.name,
            run=run,
            meta=meta,
            config=config,
            stages=_in_order(stages, meta),
            digests=_json(latest("digests.json"), "digests.json", at),
            files=ids,
            links=frozenset(links),
            pipeline=_pipeline(get("dvc.yaml") or b""),
            dvc_yaml=dvc_yaml,
            lock=lock,
            params=_params(get("params.yaml"), at),
        )


def _check_ended(meta: Mapping[str, Any], latest: record_values.Get, at: str) -> None:
    status = meta.get("status")
    summary = record_values.json_of(latest("summary.json")).get("status")
    if record_values.is_whole(meta) and status in ENDED and summary in ("failed", "in_progress"):
        status = summary
    if status not in ENDED or not record_values.is_whole(meta):
        error = record_values.mapping(meta, "error")
        told = f": {error['stage']}: {error['message']}" if error.keys() >= {"stage", "message"} else ""
        raise CannotVerify(
            "the record is of a run that did not come to its end: there is nothing to compare with",
            where=at,
            expected=f"the status {' or '.join(ENDED)} in {LATEST}/meta.json and summary.json",
            found=f"{status}{told}",
            hint="run it to its end (`dvc repro` or `dvc exp run`), and commit what that wrote",
        )


def _incomplete(at: str, what: str) -> CannotVerify:
    return CannotVerify(
        "the record of the run is not whole",
        where=at,
        expected=f"{what} under {LATEST}/, or beside it",
        found="not in that commit, or not readable",
        hint="commit everything that `dvc repro` wrote: the files that it lists under `git add`",
    )


def _json(data: bytes | None, name: str, at: str) -> dict[str, Any]:
    if name == "meta.json" and data is None:
        raise CannotVerify(
            "no run is recorded there",
            where=at,
            expected=f"{LATEST}/meta.json in that commit",
            hint="`dvc exp show` lists experiments; commit a run's results to keep them on a branch",
        )
    found = record_values.json_of(data)
    if not found:
        raise _incomplete(at, name)
    return found


def _yaml(data: bytes | None, name: str, at: str) -> dict[str, Any]:
    """dvc.yaml or dvc.lock, with the words and numbers of YAML 1.2, as DVC writes them."""
    from reproof import params

    try:
        found: Any = params.parse(data or b"", name)[0]
    except ReproofError:
        try:
            found = yaml.safe_load(data or b"")  # one that is larger than any file of params
        except yaml.YAMLError:
            found = None
    if not isinstance(found, dict) or not isinstance(found.get("stages"), dict):
        raise _incomplete(at, name)
    return found


def _params(data: bytes | None, at: str) -> dict[str, Any]:
    from reproof import params

    try:
        return params.parse(data or b"", "params.yaml")[0]
    except ReproofError as error:
        raise CannotVerify(
            f"params.yaml cannot be read: {error.what}", where=at, expected=error.expected, found=error.found
        ) from error


def _pipeline(text: bytes) -> dict[str, dvc.Declared]:
    with tempfile.TemporaryDirectory(prefix="reproof-pipeline-") as folder:
        (Path(folder) / "dvc.yaml").write_bytes(text)
        return dvc.pipeline(Path(folder))


def _in_order(stages: Mapping[str, dict[str, Any]], meta: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Those of meta.json first, as they stand there."""
    order = [*record_values.mapping(meta, "stages"), *sorted(stages)]
    return {name: stages[name] for name in dict.fromkeys(order) if name in stages}


def _files(held: git_objects.Objects, top: str) -> tuple[dict[str, str], list[str]]:
    """The plain files below a folder of a commit by their path from it, and the paths of links."""
    files: dict[str, str] = {}
    links: list[str] = []

    def walk(name: str, path: str, depth: int) -> None:
        for entry_name, entry in (held.folder(name) or {}).items():
            own = f"{path}{entry_name}"
            if entry_name in _NO_NAMES or set(entry_name) & _NO_SIGNS:
                continue  # Git makes no such names, and checks none out
            if entry.is_folder and depth < _MAX_DEPTH:
                walk(entry.id, f"{own}/", depth + 1)
            elif entry.is_file:
                files[own] = entry.id
            elif not entry.is_folder:
                links.append(own)

    walk(top, "", 0)
    return files, links
