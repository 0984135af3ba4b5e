"""The recorded commit as files, beside the user's repository: Git there is only read.

The user's objects are borrowed (`objects/info/alternates`) while the files are written. Then the borrowed
repository is thrown away, and what stages see as theirs is a new one with a single commit: the files
without those that the run wrote. So no stage can take its results out of Git.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from reproof import git, redact
from reproof.verify.errors import CannotVerify

_OURS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false", "gc.auto=0",
    "maintenance.auto=false", "advice.detachedHead=false", "init.defaultBranch=verify",
    "commit.gpgSign=false", "core.compression=0", "core.symlinks=true",
    "user.name=reproof verify", "user.email=verify@localhost", "fetch.recurseSubmodules=no",
    "submodule.recurse=false", "protocol.ext.allow=never",
)  # fmt: skip
_FULL_BYTES = 1_000_000
MORE_ROOM = "make room, or put temporary files elsewhere: TMPDIR=/a/folder reproof verify …"
_KEPT_FROM_THE_CALLER = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL")


def borrow(root: Path, commit: str, prefix: str, top: Path) -> None:
    """Write the files of a commit to `top`, out of the objects of the repository that holds `root`.

    Raises:
        CannotVerify: when objects are missing or broken.
    """
    with git.open_repository(root) as repo:
        objects, shallow = (
            str(repo.git.rev_parse("--path-format=absolute", "--git-path", name))
            for name in ("objects", "shallow")
        )
    _init(top, commit)
    (top / ".git" / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (top / ".git" / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
    if Path(shallow).is_file():  # a shallow clone's commits name parents that are not there
        shutil.copyfile(shallow, top / ".git" / "shallow")
    _check_out(top, commit, prefix)


def clone(root: Path, commit: str, prefix: str, top: Path) -> str:
    """Write the files of a commit to `top`, out of the user's remote alone; return its address, redacted.

    Raises:
        CannotVerify: no remote, it cannot be reached, or it does not hold the commit.
    """
    with git.open_repository(root) as repo:
        names = [remote.name for remote in repo.remotes]
        if not names:
            raise CannotVerify(
                "there is no remote to clone from",
                where="--fresh-clone",
                hint="git remote add origin URL, and push; or verify without --fresh-clone",
            )
        address = str(repo.git.remote("get-url", "origin" if "origin" in names else names[0]))
        if not address.startswith("-") and "://" not in address and ":" not in address.partition("/")[0]:
            address = str((Path(str(repo.working_tree_dir)) / address).resolve())
    _init(top, commit)
    env = _for_remotes()
    said = _run(
        top, "fetch", "--quiet", "--no-tags", "--depth=1", "--", address, commit, env=env, check=False
    )
    if said:  # a server may refuse single commits: all of it, experiments too
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", "+refs/exps/*:refs/exps/*")
        said = _run(top, "fetch", "--quiet", "--no-tags", "--", address, *refs, env=env, check=False)
    if said or _run(top, "cat-file", "-e", f"{commit}^{{commit}}", check=False):
        raise CannotVerify(
            "the remote does not give the commit",
            where=redact.url(address),
            expected=commit,
            found=said or "it answers, and does not hold it",
            hint="git push (`dvc exp push` for an experiment); a stranger could not get this run",
        )
    _check_out(top, commit, prefix)
    return redact.url(address)


def files(top: Path) -> list[str]:
    """Return the paths of all files that Git holds there, from the top."""
    return [name for name in _output(top, "ls-files", "-z").split("\0") if name]


def seal(top: Path, commit: str, removed: Iterable[Path]) -> None:
    """Remove what the run wrote, and make the rest a repository of its own, with one commit.

    Raises:
        CannotVerify: when Git refuses.
    """
    date = _output(top, "show", "-s", "--format=%cI", commit).strip()
    names = files(top)
    shutil.rmtree(top / ".git")
    for path in removed:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    _init(top, commit)
    kept = "\0".join(name for name in names if os.path.lexists(top / name))
    env = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    _run(top, "update-index", "--add", "-z", "--stdin", given=os.fsencode(kept))
    _run(top, "commit", "--quiet", "--allow-empty", "-m", f"{commit} without what its run wrote", env=env)


def _init(top: Path, commit: str) -> None:
    top.mkdir(parents=True, exist_ok=True)
    kind = "sha256" if len(commit) == 64 else "sha1"
    _run(top, "init", "--quiet", "--template=", f"--object-format={kind}")


def _check_out(top: Path, commit: str, prefix: str) -> None:
    tree = _output(top, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    linked = [entry.partition("\t")[2] for entry in tree if entry.startswith("160000 ")]
    if linked := [name for name in linked if name.startswith(prefix)]:
        raise CannotVerify(
            "the commit has submodules, which are not fetched",
            where=linked[0],
            expected="all code in the commit itself",
            hint="keep the code in this repository, or install it as a package with a version",
        )
    _run(top, "checkout", "--quiet", "--force", "--detach", commit)
    _refuse_pointers(top, prefix)


def _refuse_pointers(top: Path, prefix: str) -> None:
    """Git LFS leaves a note where a file is, and its filter is none of ours."""
    listing = _output(top, "ls-files", "-z", "--", ":(attr:filter=lfs)").split("\0")
    for name in filter(None, listing):
        path = top / name
        if (
            name.startswith(prefix)
            and path.is_file()
            and path.read_bytes()[:40].startswith(b"version https://git-lfs")
        ):
            raise CannotVerify(
                "Git LFS holds this file, and verify does not fetch from there",
                where=name,
                expected="files in Git itself or in DVC",
                hint="move it to DVC: git rm --cached FILE, dvc add FILE",
            )


def _for_remotes() -> dict[str, str]:
    """The caller's environment, whose credentials a remote may ask for, but for what points Git elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {name: os.environ[name] for name in _KEPT_FROM_THE_CALLER if name in os.environ}


def _output(top: Path, *arguments: str) -> str:
    process = _git(top, arguments, {}, None)
    if process.returncode:
        raise _refused(top, process)
    return os.fsdecode(process.stdout)


def _run(
    top: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    given: bytes | None = None,
    check: bool = True,
) -> str:
    """Run Git; return '' or, without `check`, what it said when it failed."""
    process = _git(top, arguments, env or {}, given)
    if process.returncode and check:
        raise _refused(top, process)
    return _said(process) or f"exit code {process.returncode}" if process.returncode else ""


def _git(
    top: Path, arguments: Iterable[str], env: Mapping[str, str], given: bytes | None
) -> subprocess.CompletedProcess[bytes]:
    plain = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "HOME": str(top.parent),
        "PATH": os.environ.get("PATH", os.defpath),
    }
    fixed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    # A folder of ours must not be taken for a part of a repository above it, should it be no repository yet.
    fixed["GIT_CEILING_DIRECTORIES"] = str(top.parent)
    settings = [part for setting in _OURS for part in ("-c", setting)]
    return subprocess.run(
        ["git", *settings, "-C", str(top), *arguments],
        env={**plain, **env, **fixed},
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        check=False,
    )


def _refused(top: Path, process: subprocess.CompletedProcess[bytes]) -> CannotVerify:
    if shutil.disk_usage(top).free < _FULL_BYTES:  # Git itself does not say why it could not write
        return CannotVerify(
            "the disk is full", where=top.parents[2], found=_said(process) or None, hint=MORE_ROOM
        )
    return CannotVerify(
        "Git cannot write the commit's files",
        found=_said(process) or None,
        hint="`git fsck` tells what is broken; `git fetch --refetch` completes a partial clone",
    )


def _said(process: subprocess.CompletedProcess[bytes]) -> str:
    return redact.text(" ".join(process.stderr.decode("utf-8", "replace").split()))[:300]
