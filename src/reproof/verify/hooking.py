"""Before an execution: the lists of what it may reach, and the audit hook that every Python in it loads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import audit_hook, environment, files
from reproof.errors import ReproofError
from reproof.verify import landlock, reach
from reproof.verify.errors import CannotVerify
from reproof.verify.reach import Reach
from reproof.verify.stages import Plan
from reproof.verify.workplace import Workplace

_SITE = """\
# Every Python of this verification loads this file first, then the one that it hides.
import os
import sys

import reproof_audit_hook

_HERE = os.path.dirname(os.path.abspath(__file__))
reproof_audit_hook.install(os.path.join(_HERE, "reach.json"))


def _load_hidden():
    from importlib.machinery import PathFinder

    others = [path for path in sys.path if os.path.abspath(path) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


_load_hidden()
"""


@dataclass(frozen=True)
class Guarded:
    """How an execution is confined.

    Attributes:
        reach: the lists.
        landlock: the kernel's version of it; None where it is not used.
        file: of the lists, where the launcher notes what it could do.
        log: where the audit hook notes what it refused.
    """

    reach: Reach
    landlock: int | None
    file: Path
    log: Path

    @property
    def words(self) -> str:
        """How an execution was confined, such as `landlock (ABI 7) and audit hook`."""
        by = f"landlock (ABI {self.landlock}) and audit hook" if self.landlock else "audit hook"
        shared = json.loads(self.file.read_bytes()).get("shared_memory")
        return f"{by}, without shared memory" if shared == "none" else by

    def refused(self) -> dict[str, tuple[str, ...]]:
        """Return the paths that were refused, by stage."""
        found: dict[str, list[str]] = {}
        for line in self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []:
            try:
                entry = json.loads(line)
                found.setdefault(str(entry["stage"]), []).append(str(entry["path"]))
            except (ValueError, KeyError, TypeError):
                continue  # two processes at once, or a full disk
        return {stage: tuple(dict.fromkeys(paths)) for stage, paths in found.items()}


def prepare(place: Workplace, plan: Plan, allow_read: Sequence[Path], python: Path | None) -> Guarded:
    """Write the lists and the hook for the next execution.

    Raises:
        CannotVerify: this Python takes modules out of the user's repository.
        ReproofError: `allow_read` names a path that is not there, or results of the user's.
    """
    source = place.source
    _refuse_own_packages(source.repository)
    private = [source.repository, source.git_folder, source.dvc_folder, source.cache, *source.local_remotes]
    hidden = [path for path in private if path is not None]
    _check_allowed(allow_read, hidden, source.repository)
    external = [path for name in plan.executed for path in plan.stages[name].external if path.exists()]
    canary = place.folder / "canary"
    canary.write_text("A stage that reads this is not confined.\n")
    lists = reach.of(
        place.inside,
        place.hook,
        [*hidden, *(path for path in place.folder.iterdir() if path not in (place.inside, place.hook))],
        allowed=[*allow_read, *external],
        python=python,
    )
    log = place.inside / "refused.ndjson"
    log.unlink(missing_ok=True)
    version = landlock.abi()
    uses_landlock = version is not None and version >= landlock.LEAST_ABI
    library = environment.library() if python is None else None
    write(place.hook, lists, log, canary, uses_landlock=uses_landlock, library=library)
    return Guarded(lists, version if uses_landlock else None, place.hook / "reach.json", log)


def write(
    hook: Path,
    lists: Reach,
    log: Path,
    canary: Path,
    *,
    uses_landlock: bool,
    library: dict[str, Any] | None = None,
) -> None:
    """Write what `reproof.verify.confined` and the audit hook read into the folder `hook`.

    Args:
        hook: the folder.
        lists: what may be reached.
        log: where refusals are noted.
        canary: a file that may not be read, to try whether that is so.
        uses_landlock: whether the kernel is asked, too.
        library: what stages are to record of the library that they use; None where it is another one.
    """
    shutil.copyfile(audit_hook.__file__, hook / "reproof_audit_hook.py")
    files.write_text(hook / "sitecustomize.py", _SITE)
    files.write_json(
        hook / "reach.json",
        {
            "parent": os.getpid(),
            "landlock": uses_landlock,
            "canary": str(canary),
            "hook": str(hook),
            "log": str(log),
            "read": lists.read,
            "write": lists.write,
            "prefixes": lists.prefixes,
            "listed": lists.listed,
            "taken": lists.taken,
            "library": library,
        },
    )


def _refuse_own_packages(repository: Path) -> None:
    names = reach.own_packages(repository)
    paths = reach.own_search_paths(repository)
    if names or paths:
        raise CannotVerify(
            "this Python imports code from your repository, not from the commit that is verified",
            where=", ".join(names or [os.path.relpath(path, repository) for path in paths]),
            expected="packages that were not installed from the project's own folder",
            hint=f"pip uninstall {names[0]}; stages are scripts, and import what lies beside them"
            if names
            else "take the folder off this Python's module search path: a .pth file in its site-packages",
        )


def _check_allowed(allowed: Sequence[Path], hidden: Sequence[Path], repository: Path) -> None:
    for path in allowed:
        if not path.exists():
            raise ReproofError("no such path", where=f"--allow-read {path}")
        real = path.resolve()
        results = [repository / "results", repository / ".dvc", repository / ".git"]
        own = [*(folder.resolve() for folder in hidden), *results]
        if any(real == folder or (folder != repository and folder in real.parents) for folder in own):
            raise ReproofError(
                "stages could read their own old results there",
                where=f"--allow-read {path}",
                expected="data or models that the run follows from",
                hint="name the folder of the data itself",
            )
