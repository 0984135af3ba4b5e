"""What executed stages read and do not make themselves: brought by hash, hashed again, compared."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import digest, files
from reproof.errors import ReproofError
from reproof.verify import checkout, objects
from reproof.verify.errors import CannotVerify, Contradiction
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.stages import Plan, Tracked, overlap
from reproof.verify.workplace import Item, Workplace, make_home, renew

_WRITTEN_BY_RUNS = ("results", "reports", "experiments", "training_reports")
_OF_A_VERSION = {".parquet": "pyarrow", ".onnx": "onnx"}
"""Kinds whose content digest may be another one with another version of a package."""


@dataclass(frozen=True)
class Inputs:
    """The inputs, all of them as recorded.

    Attributes:
        files: how many files they are.
        bytes: of all of them.
        digests: SHA-256 of each file's bytes, as `sha256:<hex>`, by path from the project.
        contents: content digest (`reproof.digest`) of each path that a record names, compared and equal.
        from_: where each path came from: `git`, `cache`, `remote`, or several of them.
        seconds: that bringing and hashing took, by name: `bring`, `hash`.
    """

    files: int
    bytes: int
    digests: Mapping[str, str]
    contents: Mapping[str, str]
    from_: Mapping[str, str]
    seconds: Mapping[str, float]


def bring(run: RecordedRun, place: Workplace, plan: Plan) -> Inputs:
    """Put the inputs into the workplace, take out what the run wrote, and check what the inputs are.

    Raises:
        CannotVerify: an input is missing, corrupt, or was never committed.
        Contradiction: the commit names another input than the one that the record says was read.
    """
    begin = time.perf_counter()
    _check_names(run, plan)
    held = _seal(run, place, plan)
    wanted = {
        path: [entry for entry in objects.by_path(plan.tracked, path) if not _is_made(plan, entry.path)]
        for path in plan.data
    }
    items, copied = _bring(place, wanted)
    place.items[:] = items
    brought = time.perf_counter()
    digests, sizes, from_ = {}, {}, {}
    for path in plan.data:
        _check_there(place, path, wanted[path])
        found = {f"{name}" for name in copied if overlap(name, path)}
        origin = {copied[name][0] for name in found}
        for name in sorted(held):
            if name == path or name.startswith(f"{path}/"):
                origin.add("git")
                digests[name], sizes[name] = _held(place.project / name)
        for name in found:
            _, digests[name], sizes[name] = copied[name]
        from_[path] = "+".join(sorted(origin)) or "git"
    contents = _contents(run, place, plan)
    seconds = {"bring": brought - begin, "hash": time.perf_counter() - brought}
    place.timings["inputs"] = seconds["bring"]
    place.timings["hashing"] = seconds["hash"]
    return Inputs(
        files=len(digests),
        bytes=sum(sizes.values()),
        digests=dict(sorted(digests.items())),
        contents=contents,
        from_=from_,
        seconds=seconds,
    )


def _held(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file that Git holds; of a link, which Git holds as its target's name, of that."""
    if path.is_symlink():
        name = os.fsencode(path.readlink())
        return f"sha256:{hashlib.sha256(name).hexdigest()}", len(name)
    return f"sha256:{files.sha256(path)}", path.stat().st_size


def again(place: Workplace) -> None:
    """Put the inside of the workplace back to where the first execution started, the inputs checked anew."""
    renew(place)
    objects.copy_all(place, place.items, place.project)


def _seal(run: RecordedRun, place: Workplace, plan: Plan) -> set[str]:
    """Take what the run wrote out of the checkout, keep a copy of it; return the files that Git holds."""
    prefix = run.prefix
    held = {name.removeprefix(prefix) for name in checkout.files(place.top) if name.startswith(prefix)}
    gone = {name for name in held if _is_result(plan, name)}
    # DVC's private folder and what was committed of it by accident are no part of the code either.
    checkout.seal(place.top, run.commit, [place.project / name for name in gone])
    shutil.copytree(place.top, place.pristine, symlinks=True)
    make_home(place)
    return held - gone


def _is_result(plan: Plan, name: str) -> bool:
    """Whether a file that Git holds was written by the run, or by another one, and is no input."""
    if name.endswith(".gitignore"):
        return False
    if any(name == path or name.startswith(f"{path}/") for path in plan.data):
        return _is_made(plan, name)
    outs = [out for stage in plan.stages.values() for out in stage.outs]
    written = any(name == out or name.startswith(f"{out}/") for out in outs)
    return written or name.split("/")[0] in _WRITTEN_BY_RUNS or name.startswith(".dvc/tmp/")


def _is_made(plan: Plan, path: str) -> bool:
    """Whether an executed stage makes it."""
    outs = [out for name in plan.executed for out in plan.stages[name].outs]
    return any(path == out or path.startswith(f"{out}/") for out in outs)


def _bring(
    place: Workplace, wanted: Mapping[str, list[Tracked]]
) -> tuple[list[Item], dict[str, tuple[str, str, int]]]:
    entries = {entry.path: entry for found in wanted.values() for entry in found}
    said = None
    for attempt in range(3):  # a folder's listing may have to be fetched before its files are known
        try:
            items = [item for entry in entries.values() for item in _needed(place, entry, wanted)]
            return items, objects.copy_all(place, items, place.project)
        except objects.Missing as missing:
            if attempt == 2 or (said := objects.fetch(place, entries)) is not None:
                raise _absent(place, entries.values(), str(missing), said) from missing
    raise AssertionError


def _needed(place: Workplace, entry: Tracked, wanted: Mapping[str, list[Tracked]]) -> list[Item]:
    """Of a tracked folder those files that something wants: all, or what lies below the wanted path."""
    _, items = objects.listed(place, entry)
    paths = [path for path, found in wanted.items() if entry in found]
    return [item for item in items if any(overlap(item.path, path) for path in paths)]


def _absent(place: Workplace, entries: Iterable[Tracked], md5: str, said: str | None) -> CannotVerify:
    paths = ", ".join(sorted({entry.path for entry in entries})[:5])
    where = "no DVC remote holds it" if place.fresh_clone else "neither DVC's cache nor a remote holds it"
    return CannotVerify(
        f"an input is missing: {where}",
        where=paths,
        expected=f"the object {md5}",
        found=said,
        hint="`dvc push` where it was made, then verify again",
    )


def _check_there(place: Workplace, path: str, entries: list[Tracked]) -> None:
    if not (place.project / path).exists():
        raise CannotVerify(
            "an input is neither in the commit nor in DVC",
            where=path,
            expected="a file that Git or DVC holds",
            hint=f"`dvc add {path}`, and commit; then run again, for the record is of data that nobody kept"
            if not entries
            else "dvc fetch",
        )


def _check_names(run: RecordedRun, plan: Plan) -> None:
    """dvc.lock, which says what each stage was given, and the `.dvc` files name the same data."""
    for name in plan.executed:
        for path, md5 in plan.stages[name].recorded_deps.items():
            entry = plan.tracked.get(path)
            if (
                entry
                and entry.md5
                and entry.hash_name == "md5"
                and entry.md5 != md5
                and not _is_made(plan, path)
            ):
                raise Contradiction(
                    "the commit holds other data than the run was given",
                    where=f"{path} at {run.commit[:10]}",
                    expected=f"{md5}, which dvc.lock says that the stage {name!r} read",
                    found=f"{entry.md5} in {entry.file}",
                    hint="the data was changed after the run: `dvc repro`, and commit, or restore the data",
                )


def _contents(run: RecordedRun, place: Workplace, plan: Plan) -> dict[str, str]:
    """The content digest of every path that an executed stage read and none of them made; all as recorded."""
    recorded: dict[str, tuple[str, str]] = {}
    for name in plan.executed:
        for path, value in run.stages[name]["reads"].items():
            if not _is_made(plan, path):
                recorded[path] = (value, f"stages/{name}.json")
    inputs = run.digests.get("inputs")
    for path, value in inputs.items() if isinstance(inputs, dict) else ():
        if path in recorded and recorded[path][0] != value:
            raise _other(run, place, path, value, recorded[path][0], "digests.json")
    found = {}
    for path, (value, source) in recorded.items():
        target = files.inside(place.project, path, where=source, follow_links=False)
        try:
            found[path] = digest.digest(target)
        except ReproofError as error:
            raise CannotVerify(
                error.what, where=path, expected=value, found=error.found, hint=error.hint
            ) from error
        if found[path] != value:
            raise _other(run, place, path, value, found[path], source)
    return found


def _other(
    run: RecordedRun, place: Workplace, path: str, recorded: str, found: str, source: str
) -> ReproofError:
    kind: type[ReproofError] = Contradiction
    hint = "the record or the data was changed after the run"
    package = _OF_A_VERSION.get(Path(path).suffix.lower())
    if package and _version(run.meta, package) != _here(package):
        kind, hint = (
            CannotVerify,
            f"the digest of this kind follows {package}: install the recorded version of it",
        )
    elif _has_fewer_files(run, place, path):
        kind, hint = CannotVerify, "files lay there that nobody committed: commit them, and run again"
    return kind(
        "an input is not the one that the run read",
        where=path,
        expected=f"{recorded} ({source})",
        found=found,
        hint=hint,
    )


def _has_fewer_files(run: RecordedRun, place: Workplace, path: str) -> bool:
    """Whether dvc.lock counted more files in a folder than the commit holds."""
    folder = place.project / path
    if not folder.is_dir():
        return False
    here = sum(len(names) for _, _, names in os.walk(folder))
    counts = [
        dep.get("nfiles")
        for stage in run.lock["stages"].values()
        if isinstance(stage, dict)
        for dep in stage.get("deps") or []
        if isinstance(dep, dict) and dep.get("path") == path
    ]
    return any(isinstance(count, int) and count > here for count in counts)


def _version(meta: Mapping[str, Any], package: str) -> str | None:
    packages = meta.get("packages")
    return packages.get(package) if isinstance(packages, dict) else None


def _here(package: str) -> str | None:
    from reproof import environment

    return environment.packages().get(package)
