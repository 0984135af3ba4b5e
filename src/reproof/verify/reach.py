"""What the stages of a verification may read and write: all of it listed, and nothing of the user's own.

Read: system folders, the Python environment, what was allowed by name. Written and read: the inside of the
workplace, and the devices that programs expect. The user's repository, its DVC cache and the local remotes
are hidden also where they lie below an allowed folder, and an environment is allowed also where it lies
inside the repository.
"""

from __future__ import annotations

import importlib.metadata
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproof.verify import namespaces

_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/proc", "/sys",
    "/var/cache/fontconfig", "/var/lib/ca-certificates", "/nix/store", "/gnu/store",
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/nscd", "/run/current-system",
    "/run/opengl-driver", "/run/nvidia-persistenced", "/snap", "/cvmfs", "/System", "/Library",
    "/private/etc", "/private/var/db", "/Applications/Xcode.app",
)  # fmt: skip
_DEVICES = (
    "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "dri", "kfd",
    "nvidiactl", "nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps", "dxg", "infiniband",
    "accel",
)  # fmt: skip
_OF_AN_ENVIRONMENT = (
    "bin",
    "etc",
    "include",
    "lib",
    "lib32",
    "lib64",
    "pyvenv.cfg",
    "share",
    "Scripts",
    "Lib",
)
"""Where an environment's folder is the project's folder too, or lies above it, the rest of it is not its."""


@dataclass(frozen=True)
class Reach:
    """Real paths, as the confinement takes them.

    Attributes:
        read: paths to read only.
        write: paths to read and write.
        hidden: folders of the user's that `read` does not cover.
        prefixes: of `read`, the Python environment: where modules may come from.
        allowed: of `read`, what the user allowed by name.
        listed: folders of which the names in them may be read, and no more.
        taken: shared memory that was there before, in no list's sense the run's own.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    hidden: tuple[str, ...]
    prefixes: tuple[str, ...]
    allowed: tuple[str, ...]
    listed: tuple[str, ...]
    taken: tuple[str, ...]


def of(
    inside: Path,
    hook: Path,
    hidden: Iterable[Path],
    *,
    allowed: Sequence[Path] = (),
    python: Path | None = None,
) -> Reach:
    """Return the lists for one execution.

    Args:
        inside: the part of the workplace that stages own.
        hook: folder of the audit hook.
        hidden: the user's folders that no stage may read.
        allowed: paths that the user allowed by name.
        python: interpreter of another environment, which is allowed beside this one.
    """
    out_of_sight = sorted({_real(path) for path in hidden if path.exists()})
    named = sorted({_real(path) for path in allowed})
    mine = sorted({*prefixes(out_of_sight), *([_real(python.parents[1])] if python else [])})
    system = [_real(Path(path)) for path in _SYSTEM if Path(path).exists()]
    libraries = [_real(Path(path)) for path in _library_path() if Path(path).is_dir()]
    read = [_real(hook), *mine]
    for path in [*system, *libraries, *named]:
        read += list(_without(path, out_of_sight))
    shared = Path(namespaces.SHARED_MEMORY)
    return Reach(
        read=tuple(dict.fromkeys(read)),
        write=(_real(inside), *devices()),
        hidden=tuple(out_of_sight),
        prefixes=tuple(mine),
        allowed=tuple(named),
        listed=("/dev",),
        taken=tuple(sorted(str(path) for path in shared.iterdir())) if shared.is_dir() else (),
    )


def prefixes(hidden: Sequence[str] = ()) -> list[str]:
    """Return the folders of this Python: interpreter, standard library, packages, this library."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths]
    if site.ENABLE_USER_SITE:
        folders += [site.getusersitepackages()]
    library = str(Path(__file__).resolve().parents[2])  # this one's, which may lie in a checkout of its own
    roots = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    binaries = [str(Path(sys.executable).parent), str(Path(sys.executable).resolve().parent)]
    found: list[str] = []
    for folder in map(_real, map(Path, [*roots, *folders, *binaries, library])):
        crowded = any(_below(path, folder) for path in hidden)
        inner = [f"{folder}/{name}" for name in _OF_AN_ENVIRONMENT] if crowded else [folder]
        found += [
            part for path in inner if Path(path).exists() for part in _without(_real(Path(path)), hidden)
        ]
    packages = [folder for folder in folders if Path(folder).is_dir()]
    return sorted({*found, *(target for folder in packages for target in _linked(Path(folder)))})


def own_packages(repository: Path) -> list[str]:
    """Return the installed packages whose source is the user's repository: their code is not the commit's.

    This library is none of them, also where it is being developed in that very repository.
    """
    import json
    from urllib.parse import unquote, urlparse

    found = []
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        noted = json.loads(distribution.read_text("direct_url.json") or "{}")
        address = urlparse(str(noted.get("url", "")))
        is_folder = "dir_info" in noted and address.scheme == "file" and name != "reproof"
        if is_folder and _below(_real(Path(unquote(address.path))), _real(repository)):
            found.append(str(name))
    return sorted(set(found))


def own_search_paths(repository: Path) -> list[str]:
    """Return folders of the repository that this Python looks for modules in, by a `.pth` file.

    What PYTHONPATH names is not among them: stages are started without it.
    """
    top, mine = _real(repository), prefixes([_real(repository)])
    entries = [_real(Path(entry)) for entry in sys.path if entry and Path(entry).is_dir()]
    dropped = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    beside = {
        *(_real(Path(entry)) for entry in dropped if entry),
        _real(Path(__file__).parents[2]),
        _real(Path(sys.argv[0]).parent),
    }
    return sorted(
        {e for e in entries if _below(e, top) and e not in beside and not any(_below(e, p) for p in mine)}
    )


def devices() -> tuple[str, ...]:
    """Return the devices that may be written to: programs expect them, and none keeps a user's file."""
    named = [Path("/dev", name) for name in _DEVICES]
    graphics = sorted(Path("/dev").glob("nvidia[0-9]*"))
    return tuple(str(path) for path in [*named, *graphics] if path.exists())


def _without(path: str, hidden: Sequence[str]) -> Iterator[str]:
    """The path; where something hidden lies below it, all beside the way there."""
    if any(path == one for one in hidden):
        return
    if not any(_below(one, path) for one in hidden):
        yield path
        return
    try:
        inner = sorted(entry.path for entry in os.scandir(path))
    except OSError:
        return
    for entry in inner:
        real = _real(Path(entry))
        if real == entry or not any(_below(one, real) or _below(real, one) for one in hidden):
            yield from _without(entry, hidden)


def _linked(packages: Path) -> Iterator[str]:
    """Where packages really lie whose files an installer has linked from its cache."""
    for entry in packages.iterdir():
        if entry.is_symlink():
            yield _real(entry)
        elif entry.suffix == ".dist-info" and (entry / "METADATA").is_symlink():
            yield _real((entry / "METADATA").resolve().parents[1])


def _library_path() -> list[str]:
    return [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if part]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _real(path: Path) -> str:
    return os.path.realpath(path)
