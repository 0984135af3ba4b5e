"""The code of two runs: the files that differ, the functions touched, and which stages they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from reproof import git, params
from reproof.difference import functions, trees
from reproof.difference.functions import Functions
from reproof.difference.sides import Side
from reproof.difference.trees import Tree
from reproof.errors import ReproofError
from reproof.git_objects import Objects, objects
from reproof.history.rows import WORKSPACE
from reproof.record_values import mapping

_BESIDE_THE_PIPELINE = ("tests", "test", "docs", "conftest.py", "noxfile.py", "setup.py")
_MAX_READ = 200
"""Python files that are parsed; a merge of thousands is told by their names."""


@dataclass(frozen=True)
class File:
    """A file that differs.

    Attributes:
        path: from the project.
        state: what the second run's code has done to it.
        stages: that declare it, or a folder above it, in the dvc.yaml of either run.
        functions: of a Python file, those touched; None for any other, and for one that cannot be parsed.
        is_data: whether a run recorded it as raw data that it read: then it is told with the data.
    """

    path: str
    state: Literal["changed", "came", "went"]
    stages: tuple[str, ...]
    functions: Functions | None
    is_data: bool = False

    @property
    def is_meaningless(self) -> bool:
        """Whether comments, docstrings and formatting are all that differ."""
        return self.state == "changed" and self.functions is not None and not self.functions

    @property
    def is_run(self) -> bool:
        """Whether a stage may run it: it is declared, or Python that a script can import."""
        return bool(self.stages) or (
            self.path.endswith(".py") and self.path.partition("/")[0] not in _BESIDE_THE_PIPELINE
        )


@dataclass(frozen=True)
class Code:
    """What differs in the code.

    Attributes:
        same: whether the trees that ran are the same; None where a record does not tell.
        missing_reason: why it is not known, or which files differ is not.
        files: those that differ, those that a stage may run first.
        notes: where the files are not for certain those that ran.
        modules: top-level modules that the code of the second run imports.
    """

    same: bool | None
    missing_reason: str | None
    files: tuple[File, ...]
    notes: tuple[str, ...]
    modules: frozenset[str]

    @property
    def meaningful(self) -> tuple[File, ...]:
        """The files that a stage may run, and that differ in more than words about them."""
        return tuple(one for one in self.files if one.is_run and not one.is_meaningless and not one.is_data)


def compare(root: Path, a: Side, b: Side) -> Code:
    """Return what differs in the code of two runs.

    Raises:
        ReproofError: when there is no repository, or Git refuses.
    """
    import git as gitpython

    first, second = a.run.code_tree, b.run.code_tree
    same = None if first is None or second is None else first == second
    lacking = [one.row.name for one in (a, b) if one.run.code_tree is None]
    reason = f"the record of {' and of '.join(lacking)} does not say which code ran" if lacking else None
    with objects(root) as held:
        try:
            before, after = _tree(held, root, a), _tree(held, root, b)
        except gitpython.GitCommandError:
            before = after = None
        if before is None or after is None:
            return Code(same, reason or "this clone does not have the code of both", (), (), frozenset())
        modules = _modules(held, after)
        if same:
            return Code(True, None, (), (), modules)
        notes = [note for one in (a, b) if (note := _doubt(held, root, one))]
        names = [
            n for n in sorted({*before.files, *after.files}) if before.files.get(n) != after.files.get(n)
        ]
        owners = _owners(held, before, after)
        raw = {path for one in (a, b) for path in mapping(one.digests, "inputs")}
        found = (_file(held, name, before, after, owners, index) for index, name in enumerate(names))
        files = [replace(one, is_data=one.path in raw) for one in found]
    files.sort(key=lambda one: (not one.is_run, one.is_meaningless, one.path))
    if not files and same is False:
        reason = "the trees that ran differ; the files of their commits do not"
    return Code(same, reason, tuple(files), tuple(notes), modules)


def _tree(held: Objects, root: Path, one: Side) -> Tree | None:
    if one.run.commit is not None:
        return trees.of_commit(held, one.run.commit)
    here = WORKSPACE in one.row.names or one.row.kind == WORKSPACE
    return trees.of_workspace(held.repo, root) if here else None


def _doubt(held: Objects, root: Path, one: Side) -> str | None:
    """Why the files that are shown may not be those that ran."""
    commit, ran = one.run.commit, one.run.code_tree
    if ran is None:
        return None
    if commit is None:
        now = git.code_state(root).code_tree
        return None if now == ran else f"{one.row.name}: the code here has changed since it ran"
    if git.tree_of(held.repo, commit, root) == ran:
        return None
    return f"{one.row.name}: another state of the code ran than its commit {commit[:10]} holds"


def _file(
    held: Objects, name: str, before: Tree, after: Tree, owners: Mapping[str, set[str]], index: int
) -> File:
    held_name = name.removesuffix(".dvc")  # a pointer of DVC's stands for what it holds
    stages = {
        stage
        for stage, paths in owners.items()
        if any(one in (name, held_name) or name.startswith(f"{one}/") for one in paths)
    }
    found = None
    if name.endswith(".py") and index < _MAX_READ:
        found = functions.touched(before.read(held, name), after.read(held, name))
    state: Literal["changed", "came", "went"] = "changed"
    if name not in before.files or name not in after.files:
        state = "came" if name in after.files else "went"
    return File(name, state, tuple(sorted(stages)), found)


def _owners(held: Objects, before: Tree, after: Tree) -> dict[str, set[str]]:
    """What each stage depends on: the deps of both versions, and dvc.yaml where its own block differs."""
    first, second = _stages(held, before), _stages(held, after)
    found = {name: _deps(first.get(name)) | _deps(second.get(name)) for name in [*first, *second]}
    for name, paths in found.items():
        if first.get(name) != second.get(name):
            paths.add("dvc.yaml")
    return found


def _stages(held: Objects, tree: Tree) -> dict[str, Any]:
    found = _yaml(tree.read(held, "dvc.yaml") or b"").get("stages")
    return {str(name): entry for name, entry in found.items()} if isinstance(found, dict) else {}


def _deps(entry: Any) -> set[str]:
    deps = entry.get("deps") if isinstance(entry, dict) else None
    listed = deps if isinstance(deps, list) else []
    paths = {str(next(iter(dep), "")) if isinstance(dep, dict) else str(dep) for dep in listed}
    return {path.removeprefix("./").rstrip("/") for path in paths} - {""}


def _yaml(data: bytes) -> dict[str, Any]:
    """As params are read: two files of aliases that stand for a billion values would be compared for ever."""
    try:
        return params.parse(data, "dvc.yaml")[0]
    except ReproofError:
        return {}


def _modules(held: Objects, tree: Tree) -> frozenset[str]:
    names = [name for name in tree.files if name.endswith(".py")][:_MAX_READ]
    read = (tree.read(held, name) for name in names)
    return frozenset(module for data in read if data for module in functions.imported(data))
