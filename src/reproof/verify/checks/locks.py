"""dvc.lock agrees with dvc.yaml, with params.yaml, with itself, and with every file that Git holds.

dvc.lock is what DVC wrote when the stages ran. Code may be another than the one that ran, and then hashes of
it differ here for that one reason: `codes` says so, and here it is no contradiction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reproof.git import NOT_CODE
from reproof.record_values import NOT_STAGES
from reproof.verify.checks.checked import Findings, key
from reproof.verify.checks.held import Held, entries, inside
from reproof.verify.recorded_run import RecordedRun

_OTHER_CODE = "the commit holds another than the stage ran with"


def check(run: RecordedRun, held: Held, other_code: Iterable[str], found: Findings) -> None:
    """Note what of dvc.lock agrees, and what does not.

    Args:
        run: the recorded run.
        held: what its commit holds.
        other_code: the stages that ran with other code than the commit's.
        found: takes the findings.
    """
    others = frozenset(other_code)
    for name in run.pipeline:
        if name in run.lock["stages"]:
            continue
        if name in run.measured:
            found.wrong(f"dvc.lock: {name}", "it has a record, and dvc.lock does not know it", "obstacle")
        else:
            found.unknown(f"dvc.lock: {name}", "the stage is no part of the record")
    for name, entry in run.lock["stages"].items():
        stage = run.dvc_yaml["stages"].get(str(name).partition("@")[0])
        if isinstance(stage, dict) and isinstance(entry, dict):
            _command(str(name), stage, entry, str(name) in others, found)
            _declared(run, str(name), stage, entry, str(name) in others, found)
            _params(run, str(name), stage, entry, found)
    _files(run, held, others, found)


def _command(name: str, stage: dict[str, Any], entry: dict[str, Any], other: bool, found: Findings) -> None:
    what, cmd = f"dvc.lock: {name}: cmd", stage.get("cmd")
    if cmd is None or "${" in json.dumps(cmd, default=str):
        found.unknown(what, "dvc.yaml fills it in from a template")
    elif other and key(cmd) != key(entry.get("cmd")):
        found.wrong(what, _OTHER_CODE, "obstacle")
    else:
        found.same(what, cmd, entry.get("cmd"))


def _declared(
    run: RecordedRun, name: str, stage: dict[str, Any], entry: dict[str, Any], other: bool, found: Findings
) -> None:
    """The paths that dvc.yaml declares are those that dvc.lock has hashes of."""
    declared = run.pipeline.get(name)
    if declared is None:
        return  # of a `foreach`
    folder = str(stage.get("wdir") or "")
    for kind, paths in (("deps", declared.deps), ("outs", declared.outs)):
        if any("${" in path for path in paths):
            found.unknown(f"dvc.lock: {name}: {kind}", "dvc.yaml fills them in from a template")
            continue
        if kind == "deps":  # params files are listed elsewhere
            files = _params_files(stage)
            paths = [path for path in paths if path not in files]
        there = {inside(folder, str(one.get("path"))) for one in entry.get(kind) or []}
        wanted = {inside(folder, path) for path in paths}
        if other and wanted != there:
            found.wrong(f"dvc.lock: {name}: the paths of {kind}", _OTHER_CODE, "obstacle")
        else:
            expected, own = (sorted(map(str, one - {None})) for one in (wanted, there))
            found.same(f"dvc.lock: {name}: the paths of {kind}", expected, own)


def _params_files(stage: Mapping[str, Any]) -> set[str]:
    listed = stage.get("params")
    return {
        str(file)
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
        for file in entry
    }


def _params(
    run: RecordedRun, name: str, stage: dict[str, Any], entry: dict[str, Any], found: Findings
) -> None:
    recorded = entry.get("params")
    there = recorded.get("params.yaml") if isinstance(recorded, dict) else None
    there = there if isinstance(there, dict) else {}
    for path, value in there.items():
        known, own = at(run.params, str(path))
        what = f"dvc.lock: {name}: params.yaml: {path}"
        if known:
            found.same(what, own, value)
        else:
            found.wrong(what, "params.yaml of the commit has no such param")
    declared = run.pipeline.get(name)
    wanted = run.params.keys() if _is_whole(stage) else (declared.params or []) if declared else []
    for path in wanted:
        if path not in there and "${" not in path:
            found.wrong(f"dvc.lock: {name}: params.yaml: {path}", "the stage is to depend on it, and did not")
    for file in recorded if isinstance(recorded, dict) else ():
        if file != "params.yaml":
            found.unknown(f"dvc.lock: {name}: {file}", "only params.yaml is compared by its values")


def _is_whole(stage: Mapping[str, Any]) -> bool:
    listed = stage.get("params")
    return any(
        isinstance(entry, dict) and "params.yaml" in entry and not entry["params.yaml"]
        for entry in (listed if isinstance(listed, list) else ())
    )


def at(values: Mapping[str, Any], dotted: str) -> tuple[bool, Any]:
    """Return whether there is something under a dotted key, and what."""
    here: Any = values
    for part in dotted.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return False, None
        here = here[part]
    return True, here


def _files(run: RecordedRun, held: Held, others: frozenset[str], found: Findings) -> None:
    made = {path: (name, one.get("md5")) for name, kind, path, one in entries(run) if kind == "outs"}
    for name, kind, path, one in entries(run):
        what, recorded = f"dvc.lock: {name}: {path}", one.get("md5")
        if not isinstance(recorded, str):
            found.unknown(what, "dvc.lock has no MD5 of it")
            continue
        if kind == "deps" and path in made:
            found.same(f"{what}, as {made[path][0]} left it", made[path][1], recorded)
        elif kind == "deps" and (by_dvc := held.md5_of_dvc_file(path)) is not None:
            found.same(f"{what}, as {path}.dvc says", by_dvc, recorded)
        why = held.why_not(path)
        if why is None:
            _file(name, kind, path, recorded, held, others, found)
        elif kind == "outs" or path not in made:
            found.unknown(what, why)


def _file(
    name: str, kind: str, path: str, recorded: str, held: Held, others: frozenset[str], found: Findings
) -> None:
    """A file, or a folder of files, that Git holds."""
    what, own = f"dvc.lock: {name}: {path}", held.md5(path)
    if recorded in own:
        found.right(what)
    elif recorded.endswith(".dir") and held.ignore_rules is None:
        found.unknown(what, "a folder, of which .dvcignore leaves out files by rules that are not read here")
    elif kind == "deps" and name in NOT_STAGES and not path.startswith("results/latest/"):
        found.unknown(what, "changed since the documents were drawn")
    elif kind == "deps" and is_code(path) and name in others:
        found.wrong(what, _OTHER_CODE, "obstacle")
    elif kind == "deps" and recorded.endswith(".dir"):
        reason = "it was changed after the run, or the run had files there that Git does not hold"
        found.same(what, own[0], recorded, reason, "obstacle")
    else:
        found.same(what, own[0], recorded)


def is_code(path: str) -> bool:
    """Whether a path counts to the code tree of a run (`reproof.git.NOT_CODE`)."""
    return not any(path == name or path.startswith(f"{name}/") for name in NOT_CODE)
