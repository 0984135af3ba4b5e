"""The showcase's history as it grows: commits through `git fast-import`, and the runs that they hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from showcase_code import project, scripts
from showcase_records import LATEST, Plan, Workshop

from reproof import files, git

OLD_RECORD = Path(__file__).parent / "old_records" / "0.1"
START = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
WHO = {"name": "Ada Lovelace", "email": "ada@example.org"}


class History:
    """Commits as `git fast-import` takes them, and the runs that they hold."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.commits: dict[str, str] = {}
        self.experiments: dict[str, str] = {}
        self.cache: dict[str, bytes] = {}
        self._root, self._scratch = root, scratch
        self._marks: dict[str, int] = {}
        self._now = START
        self._shape: dict[str, Any] | None = None
        self._importer = subprocess.Popen(
            ["git", "fast-import", "--quiet", "--done"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def day(self, number: int) -> None:
        """Go on to another day of the story."""
        self._now = START + timedelta(days=number)

    def workshop(self, version: str) -> None:
        """Make the runs that follow with another version of the project."""
        folder = self._scratch / version
        for name, content in project(version).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", version]):
            git_in(folder, *command)
        with git.open_repository(folder) as repo:
            self._code_tree = git.tree_of(repo, "HEAD", folder)
        if self._shape is None:
            python_in(folder, "src/prepare.py")
            self._shape = files.read_json(folder / LATEST / "stages/prepare.json")
            shutil.rmtree(folder / "prepared")
        with scripts(folder) as imported:
            self._workshop = Workshop(folder, imported, self._shape, self.cache)

    def run(
        self, name: str | None, changes: Mapping[str, Any], baseline: str, **more: Any
    ) -> dict[str, bytes]:
        """Return what Git holds of a run that starts from a commit: see `Plan`."""
        self._now += timedelta(minutes=7)
        plan = Plan(name, changes, self._now, self.commits[baseline], self._code_tree, **more)
        return self._workshop.make(plan)

    def failure(self, name: str, changes: Mapping[str, Any], baseline: str) -> dict[str, bytes]:
        """Return what `reproof run` keeps of a run whose training fails."""
        made = self.run(name, changes, baseline)
        error = {
            "type": "FloatingPointError",
            "message": "the loss is not a number at step 4",
            "traceback": None,
        }
        path = f"{LATEST}/stages/train.json"
        train = json.loads(made[path]) | {"status": "failed", "error": error, "writes": {}, "metrics": {}}
        told = {"stage": "train", "message": error["message"]}
        meta = {"schema_version": 1, "run_id": train["run_id"], "status": "failed", "error": told}
        summary = {"status": "failed", "metrics": {}, "runtime_seconds": None, "end_time": train["end_time"]}
        kept = ("params.yaml", "dvc.lock", f"{LATEST}/split_", f"{LATEST}/stages/prepare.json")
        return {key: value for key, value in made.items() if key.startswith(kept)} | {
            path: _json(train),
            f"{LATEST}/meta.json": _json(meta),
            f"{LATEST}/summary.json": _json(summary),
        }

    def old_record(self, name: str, baseline: str) -> None:
        """Add an experiment whose record an older version of the library wrote."""
        held = {
            p.relative_to(OLD_RECORD).as_posix(): p.read_bytes() for p in OLD_RECORD.rglob("*") if p.is_file()
        }
        record = {f"{LATEST}/{key}": value for key, value in held.items()}
        self.experiment(name, baseline, record | {"params.yaml": held["config.yaml"]})

    def experiment(self, name: str, baseline: str, held: Mapping[str, bytes]) -> None:
        """Add an experiment as DVC does: a commit on its baseline, under a ref that names both."""
        start = self.commits[baseline]
        ref = f"refs/exps/{start[:2]}/{start[2:]}/{name}"
        self.experiments[name] = self._commit(ref, f"dvc: commit experiment {name}", held, after=start)

    def commit(
        self, name: str, branch: str, message: str, held: Mapping[str, bytes], *, after: str | None = None,
        tag: str | None = None,
    ) -> None:  # fmt: skip
        """Add a commit to a branch: the files of the one before it, with those of `held` in their place."""
        before = self.commits[after] if after else None
        self.commits[name] = self._commit(f"refs/heads/{branch}", message, held, after=before)
        if tag:
            who = f"tagger {WHO['name']} <{WHO['email']}> {self._now.timestamp():.0f} +0000"
            self._write(f"tag {tag}\nfrom :{self._marks[self.commits[name]]}\n{who}\n", tag.encode())

    def _commit(self, ref: str, message: str, held: Mapping[str, bytes], *, after: str | None) -> str:
        mark = len(self._marks) + 1
        who = f"committer {WHO['name']} <{WHO['email']}> {self._now.timestamp():.0f} +0000"
        self._write(f"commit {ref}\nmark :{mark}\n{who}\n", message.encode())
        self._write(f"from :{self._marks[after]}\n" if after else "")
        for path, content in held.items():
            self._write(f"M 100644 inline {path}\n", content)
        self._write(f"\nget-mark :{mark}\n")
        assert self._importer.stdin is not None
        assert self._importer.stdout is not None
        self._importer.stdin.flush()
        commit = self._importer.stdout.readline().decode().strip()
        self._marks[commit] = mark
        return commit

    def _write(self, head: str, content: bytes | None = None) -> None:
        assert self._importer.stdin is not None
        self._importer.stdin.write(head.encode())
        if content is not None:
            self._importer.stdin.write(b"data %d\n%s\n" % (len(content), content))

    def close(self) -> None:
        """Write what was added into the repository, and the files that DVC holds into its cache."""
        done, _ = self._importer.communicate(b"done\n")
        assert self._importer.returncode == 0, done
        for name, content in self.cache.items():
            path = self._root / ".dvc/cache/files/md5" / name[:2] / name[2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o444)  # as DVC protects them


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _environment() -> dict[str, str]:
    names = {
        f"GIT_{role}_{key.upper()}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **names, "PATH": path, "DVC_NO_ANALYTICS": "1"}


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def git_in(folder: Path, *words: str) -> str:
    return _run(folder, "git", *words)


def python_in(folder: Path, *words: str) -> str:
    return _run(folder, "python", *words)


def dvc_in(folder: Path, *words: str) -> str:
    return _run(folder, "dvc", *words)
