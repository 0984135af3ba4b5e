"""A temporary folder in which a recorded run is executed again; nothing outside it is written.

reproof-verify-…/          mode 0700, gone at the end; of a killed process, with the next verification
    lock                   held as long as the process lives
    inside/                what stages may read and write, made anew for each execution
        checkout/          the commit's files, without what its run wrote
        home/ tmp/ site/ cache/
    pristine/              the same checkout, which no stage reaches
    cache/                 a private DVC cache for inputs that come from a remote
    recorded/              recorded artefacts, to compare with
    attempts/1/            what an execution wrote
    hook/                  the audit hook, and the lists of what stages may reach
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from reproof import failures, git
from reproof.verify import checkout, leftovers
from reproof.verify.errors import CannotVerify
from reproof.verify.recorded_run import RecordedRun

_ENDING = ("SIGTERM", "SIGHUP")
_HOME_FOLDERS = ("home", "tmp", "site", "cache", "config")


@dataclass(frozen=True)
class Source:
    """What lies in the user's repository, and is read only.

    Attributes:
        repository: top of the working tree.
        git_folder: of all its working trees.
        dvc_folder: the `.dvc` that the project belongs to; None where there is none.
        cache: DVC's cache.
        remotes: configuration of the remotes that are known now, as DVC's own data.
        core: DVC's `core` section.
        local_remotes: folders of this machine that are remotes.
    """

    repository: Path
    git_folder: Path
    dvc_folder: Path | None
    cache: Path | None
    remotes: dict[str, dict[str, object]]
    core: dict[str, object]
    local_remotes: tuple[Path, ...]


@dataclass(frozen=True)
class Item:
    """One file that has to lie at `path` (from the project), by its MD5."""

    path: str
    md5: str
    executable: bool = False


@dataclass(frozen=True)
class Workplace:
    """Where a run is executed again.

    Attributes:
        folder: the whole of it, mode 0700; gone after the block.
        inside: the part of it that stages may read and write, and nothing else.
        top: the top of the checkout, in `inside`.
        project: the project in it: `top`, or a folder below it.
        cache: a private DVC cache, empty at first, out of the stages' reach.
        recorded: where recorded artefacts are put to compare with, out of the stages' reach.
        fresh_clone: address of the remote that everything came from; None where the user's objects and
            cache were used.
        source: the user's repository.
        timings: seconds of what was done so far, by name: `worktree`, `inputs`, …
        attempts: numbers of the executions so far.
        items: files that DVC holds, and each execution starts with.
    """

    folder: Path
    inside: Path
    top: Path
    project: Path
    cache: Path
    recorded: Path
    fresh_clone: str | None
    source: Source
    timings: dict[str, float] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def pristine(self) -> Path:
        """The sealed checkout that every execution starts from."""
        return self.folder / "pristine"

    @property
    def pristine_project(self) -> Path:
        """The project in it."""
        return self.pristine / self.project.relative_to(self.top)

    @property
    def hook(self) -> Path:
        """Folder of the audit hook."""
        return self.folder / "hook"


@contextlib.contextmanager
def workplace(run: RecordedRun, *, fresh_clone: bool = False) -> Iterator[Workplace]:
    """Make a workplace with the files of the run's commit; remove it, also after Ctrl-C, SIGTERM and SIGHUP.

    Args:
        run: what is executed again.
        fresh_clone: take everything from the Git remote and DVC's remotes, as a stranger would.

    Raises:
        CannotVerify: the files cannot be had, or the temporary folder's disk is full or cannot be written.
    """
    leftovers.sweep()
    with _signals_as_errors():
        begin = time.perf_counter()
        folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX)).resolve()
        lock = None
        try:
            lock = leftovers.claim(folder)
            source = source_of(run.root)
            inside = folder / "inside"
            top = inside / "checkout"
            for path in (inside, folder / "recorded", folder / "attempts", folder / "hook", folder / "cache"):
                path.mkdir()
            address = None
            if fresh_clone:
                address = checkout.clone(run.root, run.commit, run.prefix, top)
            else:
                checkout.borrow(run.root, run.commit, run.prefix, top)
            place = Workplace(
                folder=folder,
                inside=inside,
                top=top,
                project=top / run.prefix if run.prefix else top,
                cache=folder / "cache",
                recorded=folder / "recorded",
                fresh_clone=address,
                source=source,
            )
            make_home(place)
            place.timings["worktree"] = time.perf_counter() - begin
            yield place
        except OSError as error:
            told = failures.mendable(error)
            if told is None:
                raise
            raise CannotVerify(
                told.what, where=told.where or folder.parent, hint=checkout.MORE_ROOM
            ) from error
        finally:
            with _undisturbed():
                leftovers.remove(folder)
                if lock:
                    lock.release()


def make_home(place: Workplace) -> None:
    """Make the folders that stages have for themselves, and tell DVC in the checkout to use them."""
    for name in _HOME_FOLDERS:
        (place.inside / name).mkdir(exist_ok=True)
    dvc_folder = dvc_folder_of(place.project, place.top)
    if dvc_folder is None:
        raise CannotVerify(
            "the commit is no DVC project",
            where=".dvc",
            expected="the folder .dvc in the commit",
            hint="`dvc init`, and commit it",
        )
    if links := [path for path in (dvc_folder, *dvc_folder.rglob("*")) if path.is_symlink()]:
        raise CannotVerify(
            "a link in DVC's folder, where files are written",
            where=links[0].relative_to(place.top).as_posix(),
            hint="keep the folder .dvc itself in Git, and no link",
        )
    cache, site = place.inside / "cache", place.inside / "site"
    (dvc_folder / "config.local").write_text(
        "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"
        f"    site_cache_dir = {site}\n[cache]\n    dir = {cache}\n    type = copy\n",
        encoding="utf-8",
    )


def renew(place: Workplace) -> None:
    """Put the inside back to where each execution starts: the sealed checkout and empty folders."""
    leftovers.end_processes(place.inside)
    leftovers.remove(place.inside)
    place.inside.mkdir()
    private = place.pristine_project / ".dvc" / "tmp"
    shutil.copytree(
        place.pristine,
        place.top,
        symlinks=True,
        ignore=lambda folder, names: names if Path(folder) == private else [],
    )
    make_home(place)


def source_of(root: Path) -> Source:
    """Read where the user's repository keeps things; nothing of DVC is opened there, for DVC would write.

    Raises:
        CannotVerify: when DVC's configuration cannot be read.
    """
    with git.open_repository(root) as repo:
        top = Path(str(repo.working_tree_dir)).resolve()
        common = Path(str(repo.git.rev_parse("--path-format=absolute", "--git-common-dir"))).resolve()
    folder = dvc_folder_of(root.resolve(), top)
    if folder is None:
        return Source(top, common, None, None, {}, {}, ())
    from dvc.config import Config, ConfigError

    try:
        config = Config(dvc_dir=str(folder))
    except ConfigError as error:
        raise CannotVerify(
            "DVC's configuration cannot be read", where=".dvc/config", found=str(error)
        ) from error
    cache = folder / (config["cache"].get("dir") or "cache")
    remotes = {name: dict(remote) for name, remote in config["remote"].items()}
    addresses = [str(remote.get("url", "")) for remote in remotes.values()]
    local = [Path(address.removeprefix("file://")) for address in addresses]
    return Source(
        repository=top,
        git_folder=common,
        dvc_folder=folder,
        cache=cache.resolve(),
        remotes=remotes,
        core=dict(config["core"]),
        local_remotes=tuple(path for path in local if path.is_absolute() and path.exists()),
    )


def within(place: Workplace, path: str) -> Path:
    """Return where a path of the project lies, to be written, moved or removed.

    Raises:
        CannotVerify: behind a link of the commit's that leads out of the checkout, to files of the user's.
    """
    target = place.project / path
    if not target.parent.resolve().is_relative_to(place.top.resolve()):
        raise CannotVerify(
            "a path lies behind a link that leads out of the repository",
            where=path,
            hint="keep what stages read and write in the project itself",
        )
    return target


def dvc_folder_of(project: Path, top: Path) -> Path | None:
    """Return the `.dvc` of the nearest folder from the project up to the top of the repository."""
    for folder in (project, *project.parents):
        if (folder / ".dvc").is_dir():
            return folder / ".dvc"
        if folder == top:
            return None
    return None


@contextlib.contextmanager
def _signals_as_errors() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as errors do, so that what it made is removed."""
    old = {}
    with contextlib.suppress(ValueError):  # outside the main thread nobody can
        old = {
            name: signal.signal(getattr(signal, name), _raise)
            for name in _ENDING
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN
        }
    try:
        yield
    finally:
        for name, handler in old.items():
            signal.signal(getattr(signal, name), handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave half of what the first one removes."""
    names = [name for name in ("SIGINT", *_ENDING) if hasattr(signal, name)]
    try:
        old = {name: signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    except ValueError:
        old = {}
    try:
        yield
    finally:
        for name, handler in old.items():
            signal.signal(getattr(signal, name), handler)
