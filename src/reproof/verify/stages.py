"""Which stages of a recorded run are executed again, which are left out, and which cannot be."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from reproof import redact
from reproof.errors import ReproofError
from reproof.record_values import mapping
from reproof.verify.errors import CannotVerify
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.workplace import Workplace

if TYPE_CHECKING:
    from dvc.repo import Repo

DOCUMENTS = {
    "benchmark": "timings are never a reason to differ",
    "summarize": "it only gathers what other stages recorded",
    "report": "documents follow from the record",
}
"""Stages that say nothing of the result; they run where an executed stage depends on them."""


@dataclass(frozen=True)
class Tracked:
    """A file or folder that DVC holds at the recorded commit; `path` is from the project.

    Attributes:
        md5: its hash; that of a folder ends in `.dir`. None where the commit names none.
        hash_name: `md5`, or that of an older DVC.
        executable: whether the file may be executed.
        file: the `.dvc` file, or dvc.yaml.
    """

    path: str
    md5: str | None
    hash_name: str
    executable: bool
    file: str


@dataclass(frozen=True)
class Planned:
    """One stage as DVC resolves it at the recorded commit; paths are from the project.

    Attributes:
        name: of the stage.
        cmd: its command lines.
        deps: paths that it reads.
        outs: paths that it writes, metrics and plots too, and those that dvc.yaml does not declare.
        recorded_deps: MD5 of each dependency as dvc.lock has it, by path.
        external: files of this machine outside the repository that it depends on.
        remote: dependencies elsewhere, as dvc.yaml writes them.
        obstacle: why it cannot be executed again with proof; None where it can.
    """

    name: str
    cmd: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    recorded_deps: Mapping[str, str]
    external: tuple[Path, ...]
    remote: tuple[str, ...]
    obstacle: str | None


@dataclass(frozen=True)
class Plan:
    """What is executed again, in this order, and what is not, with the reason.

    Attributes:
        executed: the stages, each after those that it depends on.
        left_out: other stages with the reason.
        data: paths that must be there before, since no executed stage makes them.
        stages: every stage of dvc.yaml.
        tracked: what DVC holds in the project, by path.
    """

    executed: tuple[str, ...]
    left_out: Mapping[str, str]
    data: tuple[str, ...]
    stages: Mapping[str, Planned]
    tracked: Mapping[str, Tracked]


def choose(
    run: RecordedRun, place: Workplace, *, only: Collection[str] = (), exclude: Collection[str] = ()
) -> Plan:
    """Choose the stages to execute: those that make the result, or `only` those; never one of `exclude`.

    Raises:
        ReproofError: for a stage that dvc.yaml does not have.
        CannotVerify: a stage that has to run cannot be executed again with proof, or nothing is left to run.
    """
    stages, tracked = _read(run, place)
    orphans = [name for name in run.measured if name not in stages]
    if unknown := [
        name for name in (*only, *exclude) if name not in stages and (name in only or name not in orphans)
    ]:
        raise ReproofError(
            f"no such stage: {unknown[0]!r}",
            where=f"dvc.yaml at {run.commit[:10]}",
            expected=f"one of: {', '.join(stages)}",
        )
    if not only and (lost := [name for name in orphans if name not in exclude]):
        raise CannotVerify(
            "the record holds results of stages that dvc.yaml does not have, so nothing executes them again",
            where=f"dvc.yaml at {run.commit[:10]}",
            found=", ".join(lost),
            hint=f"take them out by name, and the certificate says so: "
            f"{' '.join(f'--exclude {name}' for name in lost)}",
        )
    left_out = _left_out(run, stages, only, exclude) | dict.fromkeys(orphans, "dvc.yaml does not have it")
    executed = _ordered(stages, [name for name in stages if name not in left_out])
    if not executed:
        raise CannotVerify(
            "no stage is left to execute",
            where=f"dvc.yaml at {run.commit[:10]}",
            found="; ".join(f"{name}: {why}" for name, why in left_out.items()) or "no stage at all",
        )
    _refuse(stages, executed)
    made = [out for name in executed for out in stages[name].outs]
    needed = [dep for name in executed for dep in stages[name].deps if not _is_made(dep, made)]
    # What a stage read without declaring it: it has to be there all the same.
    read = [path for name in executed for path in run.stages[name]["reads"] if not _is_made(path, made)]
    return Plan(tuple(executed), left_out, tuple(dict.fromkeys([*needed, *read])), stages, tracked)


def overlap(one: str, other: str) -> bool:
    """Whether two paths are one, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _is_made(path: str, made: Iterable[str]) -> bool:
    return any(path == out or path.startswith(f"{out}/") for out in made)


def _left_out(
    run: RecordedRun, stages: Mapping[str, Planned], only: Collection[str], exclude: Collection[str]
) -> dict[str, str]:
    if only:
        return {name: "not asked for" for name in stages if name not in only or name in exclude}
    left = {name: "excluded by name" for name in stages if name in exclude}
    for name in stages:
        if name not in left and name not in run.stages and name not in run.lock["stages"]:
            left[name] = "the recorded run has not run it"
    documents = {name: why for name, why in DOCUMENTS.items() if name in stages and name not in left}
    while True:
        executed = [name for name in stages if name not in left and name not in documents]
        needed = [
            name for name in documents if any(_depends(stages[other], stages[name]) for other in executed)
        ]
        if not needed:
            return left | documents
        for name in needed:
            del documents[name]


def _depends(stage: Planned, on: Planned) -> bool:
    return any(overlap(dep, out) for dep in stage.deps for out in on.outs)


def _ordered(stages: Mapping[str, Planned], names: Sequence[str]) -> list[str]:
    """Each stage after those that it depends on; DVC refuses a circle, so there is none."""
    ordered: list[str] = []
    left = list(names)
    while left:
        free = [
            name
            for name in left
            if not any(_depends(stages[name], stages[other]) for other in left if other != name)
        ]
        ordered += free[:1] or left
        left = [name for name in left if name not in ordered]
    return ordered


def _refuse(stages: Mapping[str, Planned], executed: Sequence[str]) -> None:
    obstacles = {name: stages[name].obstacle for name in executed if stages[name].obstacle}
    if obstacles:
        options = " ".join(f"--exclude {name}" for name in obstacles)
        raise CannotVerify(
            "stages cannot be executed again with proof",
            where="dvc.yaml",
            found="; ".join(f"{name}: {why}" for name, why in obstacles.items()),
            hint=f"take them out by name, and the certificate says so: {options}",
        )


def _read(run: RecordedRun, place: Workplace) -> tuple[dict[str, Planned], dict[str, Tracked]]:
    """Ask DVC, which knows templates, loops and options; in the workplace, where it may write."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(place.project), config=private_config(place)) as repo:
            own = str(place.project / "dvc.yaml")
            found = repo.index.stages
            stages = {s.name: _planned(run, place, s) for s in found if s.path == own and s.cmd}
            tracked = [
                _tracked(place, out) for s in found for out in s.outs if out.use_cache and out.is_in_repo
            ]
    except DvcException as error:
        words = redact.text(str(error)).replace(str(place.top), "")
        raise CannotVerify(
            "DVC cannot read the pipeline", where=f"dvc.yaml at {run.commit[:10]}", found=words
        ) from error
    return stages, {entry.path: entry for entry in tracked}


def private_config(place: Workplace) -> dict[str, Any]:
    """DVC's settings by which it keeps all it writes in the workplace."""
    return {
        "core": {"site_cache_dir": str(place.folder / "site"), "analytics": False, "check_update": False},
        "cache": {"dir": str(place.cache), "type": "copy"},
    }


def open_repo(place: Workplace) -> Repo:
    """Open DVC in the sealed checkout, with the remotes that are known now, which may be younger."""
    from dvc.repo import Repo

    config = private_config(place)
    if place.fresh_clone is None and place.source.remotes:
        core = {name: place.source.core[name] for name in ("remote",) if name in place.source.core}
        config = {**config, "core": {**config["core"], **core}, "remote": place.source.remotes}
    with Repo(str(place.pristine_project), config=config) as repo:
        names = list(repo.config["remote"])
    checked = {name: {**config.get("remote", {}).get(name, {}), "verify": True} for name in names}
    return Repo(str(place.pristine_project), config={**config, "remote": checked})


def _planned(run: RecordedRun, place: Workplace, stage: Any) -> Planned:
    from dvc.dependency import ParamsDependency

    inner, external, remote = [], [], []
    hashes = {}
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            if dep.def_path != "params.yaml":
                inner.append(_shown(place, dep.fs_path))
        elif getattr(dep, "fs", None) is None or dep.protocol != "local":
            remote.append(str(dep.def_path))
        elif Path(dep.fs_path).is_relative_to(place.top):
            inner.append(_shown(place, dep.fs_path))
            if dep.hash_info:
                hashes[inner[-1]] = str(dep.hash_info.value)
        else:
            external.append(Path(dep.fs_path))
    outs = [_shown(place, out.fs_path) for out in stage.outs if out.protocol == "local"]
    outs += [path for path in _written(run, stage.name) if not any(overlap(path, out) for out in outs)]
    cmd = stage.cmd if isinstance(stage.cmd, list) else str(stage.cmd).splitlines()
    return Planned(
        name=stage.name,
        cmd=tuple(map(str, cmd)),
        deps=tuple(inner),
        outs=tuple(outs),
        recorded_deps=hashes,
        external=tuple(external),
        remote=tuple(remote),
        obstacle=_obstacle(run, place, stage),
    )


def _written(run: RecordedRun, name: str) -> list[str]:
    """What the record says that a stage wrote; a path that leads out of the project is no path of it."""
    paths = map(PurePosixPath, mapping(run.stages.get(name), "writes"))
    return [
        path.as_posix() for path in paths if path.parts and not path.is_absolute() and ".." not in path.parts
    ]


def _obstacle(run: RecordedRun, place: Workplace, stage: Any) -> str | None:
    if stage.frozen:
        return "frozen, so DVC never runs it"
    if kept := [out.def_path for out in stage.outs if out.persist]:
        return f"{kept[0]} is persistent, so what was there before goes into what comes out"
    if stage.always_changed or stage.is_callback:
        return "always changed, so its dependencies do not say what it follows from"
    outside = [
        out.def_path
        for out in stage.outs
        if out.protocol != "local" or not Path(out.fs_path).is_relative_to(place.top)
    ]
    if outside:
        return f"it writes {redact.text(str(outside[0]))}, outside the repository"
    if stage.name not in run.stages:
        return "its script does not call run_stage, so nothing proves that it ran"
    return None


def _tracked(place: Workplace, out: Any) -> Tracked:
    return Tracked(
        path=_shown(place, out.fs_path),
        md5=str(out.hash_info.value) if out.hash_info and out.hash_info.value else None,
        hash_name=str(out.hash_name),
        executable=bool(out.meta.isexec),
        file=os.path.relpath(out.stage.path, place.project),
    )


def _shown(place: Workplace, path: str) -> str:
    return Path(os.path.relpath(path, place.project)).as_posix()
