"""A recorded run of tests/verified_project, copies of it to change, and `reproof verify` on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "verified_project"
LATEST = "results/latest"
BIN = Path(sys.executable).parent
PATH = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
TIMEOUT_SECONDS = 300
_ON_CORES = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass
class World:
    """One project, with what lies around it on its machine.

    Attributes:
        folder: of this case alone: a home, remotes, what stages may have left.
        project: the project in it.
        env: variables that its owner has set, for recording and for verifying.
        python: that its owner runs everything with.
        rev: what is verified.
        options: of `reproof verify`.
        author_env: variables that were set only when the run was recorded.
        author_cores: processor cores that the run was recorded on; None for all.
        leftovers: what lies outside `folder`, and is to be removed.
    """

    folder: Path
    project: Path
    env: dict[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)
    rev: str = "HEAD"
    options: list[str] = field(default_factory=list)
    author_env: dict[str, str] = field(default_factory=dict)
    author_cores: int | None = None
    leftovers: list[Path] = field(default_factory=list)

    def run(
        self, *command: str | Path, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, as its owner would; the output is in the error when it fails."""
        path = os.pathsep.join([str(self.python.parent), PATH])
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.project,
            env={**os.environ, "PATH": path, **self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if check and done.returncode:
            words = " ".join(map(str, command))
            raise AssertionError(f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def git(self, *arguments: str) -> str:
        """Run Git in the project; return what it printed."""
        return self.run("git", *arguments).stdout.strip()

    def dvc(self, *arguments: str, check: bool = True) -> str:
        """Run DVC in the project, with the author's variables; return what it printed."""
        command: list[str | Path] = [self.python, "-P", "-m", "dvc", *arguments]
        if self.author_cores is not None:
            command = [self.python, "-c", _ON_CORES, str(self.author_cores), *command]
        done = self.run(*command, env=self.author_env, check=check)
        return done.stdout + done.stderr

    def commit(self, message: str = "Changed") -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def record(self, *stages: str, force: bool = False) -> None:
        """Run what has changed, and commit the run."""
        self.dvc("repro", *(["--force"] if force else []), *stages)
        self.commit("Run")

    def read(self, name: str) -> Any:
        """A JSON file of the project."""
        return json.loads((self.project / name).read_text())

    def replace(self, name: str, *pairs: str) -> None:
        """Replace words in a text file; each of them has to be there."""
        path = self.project / name
        text = path.read_text()
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text, f"{old!r} is not in {name}"
            text = text.replace(old, new)
        path.write_text(text)

    def edit_json(self, name: str, *keys: str | int, to: Any) -> None:
        """Set one value of a JSON file; it has to be there, and to be another one."""
        path = self.project / name
        whole = here = json.loads(path.read_text())
        for key in keys[:-1]:
            here = here[key]
        assert here[keys[-1]] != to
        here[keys[-1]] = to
        path.write_text(json.dumps(whole, indent=2))

    def object_of(self, out: str) -> Path:
        """The file in DVC's cache that holds an output, or the listing of a folder."""
        lock = (self.project / "dvc.lock").read_text()
        for text in (lock, *(p.read_text() for p in self.project.glob("data/*.dvc"))):
            if found := re.search(rf"path: {re.escape(out)}\n(?:.*\n)*?.*md5: (\S+)", text):
                return self.cached(found[1])
            if found := re.search(rf"md5: (\S+)\n(?:.*\n)*?.*path: {re.escape(Path(out).name)}\n", text):
                return self.cached(found[1])
        raise AssertionError(f"DVC does not hold {out}")

    def cached(self, md5: str) -> Path:
        """The file of DVC's cache with this hash."""
        return self.project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


@dataclass(frozen=True)
class Answer:
    """What `reproof verify` said.

    Attributes:
        verdict: such as `BIT MATCH`; '' where it has said none.
        code: exit code.
        said: everything that it printed.
        told: what it printed as JSON.
    """

    verdict: str
    code: int
    said: str
    told: dict[str, Any]


def verify(world: World, *options: str) -> Answer:
    """Run `reproof verify` as a user does."""
    code = "import sys; from reproof.cli import main; sys.argv[0] = 'reproof'; main()"
    own: Sequence[str] = [*world.options, *options]
    command = [str(world.python), "-P", "-c", code, "verify", world.rev, "--json", *own]
    done = world.run(*command, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {}
    return Answer(str(told.get("verdict", "")), done.returncode, done.stdout + done.stderr, told)


def make(folder: Path) -> World:
    """Make the project in `folder`, with one recorded run committed."""
    world = World(folder, folder / "project")
    project = world.project
    shutil.copytree(SOURCE, project, ignore=shutil.ignore_patterns("__pycache__", "other"))
    (project / "pipeline.yaml").rename(project / "dvc.yaml")
    raw = project / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "points.csv").write_text("".join(_points()))
    (raw / "SOURCE.txt").write_text("Three clouds, overlapping.\n")
    (project / "data" / "classes.json").write_text('["a", "b", "c"]\n')
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (project / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (project / ".dvcignore").write_text("__pycache__\n")
    (project / ".gitignore").write_text(
        "__pycache__/\n/prepared\n/results/latest/checkpoint\n/results/latest/predictions.parquet\n*.ndjson\n"
        "/results/*\n!/results/latest\n!/results/verify\n"
    )
    world.git("init", "--quiet")
    world.dvc("add", "--quiet", "data/raw")
    world.commit("Start")
    world.record()
    return world


def copy(world: World, folder: Path) -> World:
    """Copy a world, for one case to change."""
    shutil.copytree(world.folder, folder, symlinks=True, dirs_exist_ok=True)
    return World(folder, folder / world.project.relative_to(world.folder))


def _points() -> list[str]:
    """Three overlapping clouds of 300 points, the same every time."""
    import numpy as np

    random = np.random.default_rng(11)
    y = np.arange(300) % 3
    x = random.normal(size=(300, 2)) + 2 * np.eye(3)[y][:, :2]
    rows = [f"{a:.6f},{b:.6f},{label}\n" for (a, b), label in zip(x, y, strict=True)]
    return ["x,y,label\n", *rows]
