"""What a stage that is executed again may reach: by the kernel and by Python's own hook, each alone too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from reproof.verify import confined, hooking, landlock, namespaces, reach

HAS_LANDLOCK = (landlock.abi() or 0) >= landlock.LEAST_ABI
OWN_MEMORY = (
    subprocess.run(
        [sys.executable, "-c", "from reproof.verify.namespaces import *; exit(not own_shared_memory())"],
        check=False,
    ).returncode
    == 0
)
KERNEL = pytest.param(True, id="landlock", marks=pytest.mark.skipif(not HAS_LANDLOCK, reason="no Landlock"))
BOTH = pytest.mark.parametrize("by_kernel", [KERNEL, pytest.param(False, id="hook alone")])
BY_KERNEL = pytest.mark.parametrize("by_kernel", [KERNEL])


@dataclass(frozen=True)
class Cell:
    """A confined place, beside a repository that is not to be seen."""

    folder: Path
    user: Path
    by_kernel: bool
    allowed: tuple[Path, ...] = ()

    @property
    def inside(self) -> Path:
        return self.folder / "inside"

    def run(self, *command: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return subprocess.run(
            self.command(*command, parent=parent),
            cwd=self.inside,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python code in it."""
        return self.run(sys.executable, "-c", code)

    def command(self, *command: str, parent: int | None = None) -> list[str]:
        """The command line that runs a command in it."""
        hook = self.folder / "hook"
        lists = reach.of(self.inside, hook, [self.user], allowed=self.allowed)
        canary = self.folder / "canary"
        canary.write_text("")
        hooking.write(hook, lists, self.inside / "log", canary, uses_landlock=self.by_kernel)
        told = json.loads((hook / "reach.json").read_text()) | ({"parent": parent} if parent else {})
        (hook / "reach.json").write_text(json.dumps(told))
        return [sys.executable, "-P", "-m", confined.__name__, str(hook / "reach.json"), "--", *command]


@pytest.fixture
def cell(tmp_path: Path, by_kernel: bool) -> Cell:
    """An empty one; the user's repository holds `old.txt`."""
    for name in ("place/inside", "place/hook", "user"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "user" / "old.txt").write_text("old results")
    return Cell(tmp_path / "place", tmp_path / "user", by_kernel)


READS = {
    "open": "open({old!r})",
    "os.open": "import os; os.open({old!r}, os.O_RDONLY)",
    "pathlib": "from pathlib import Path; Path({old!r}).read_bytes()",
    "shutil": "import shutil; shutil.copy({old!r}, 'new')",
    "hard link": "import os; os.link({old!r}, 'new')",
    "symbolic link": "import os; os.symlink({old!r}, 'new'); open('new')",
    "a way round": "import os; open(os.path.relpath({old!r}))",
    "listing": "import os; os.listdir(os.path.dirname({old!r}))",
    "numpy": "import numpy; numpy.fromfile({old!r}, dtype='u1')",
    "a program": "import subprocess; subprocess.run(['cp', {old!r}, 'new'], check=True)",
    "a shell": "import os; assert os.system('cat ' + {old!r} + ' > new') == 0",
    "another Python": "import subprocess, sys; "
    "run = [sys.executable, '-c', 'import sys; open(sys.stdin.read())']; "
    "subprocess.run(run, input={old!r}.encode(), check=True)",
    "a thread": "import concurrent.futures as c; c.ThreadPoolExecutor().submit(open, {old!r}).result()",
    "a worker": "import multiprocessing as m; m.get_context('fork').Pool(1).map(open, [{old!r}])",
}


@BOTH
@pytest.mark.parametrize("how", READS)
def test_python_cannot_read_the_users_files(cell: Cell, how: str) -> None:
    done = cell.python(READS[how].format(old=str(cell.user / "old.txt")))
    assert done.returncode != 0
    assert "old.txt" in done.stderr or str(cell.user) in done.stderr
    new = cell.inside / "new"
    assert not new.is_file() or new.is_symlink() or new.read_text() == ""


@BOTH
def test_it_says_which_file_was_refused(cell: Cell) -> None:
    old = str(cell.user / "old.txt")
    done = cell.python(f"try: open({old!r})\nexcept OSError as error: print(error.errno, error.filename)")
    assert done.stdout.split() == ["13", old]
    logged = [json.loads(line) for line in (cell.inside / "log").read_text().splitlines()]
    assert [(line["how"], line["path"]) for line in logged] == [("read", old)]


WRITES = {
    "open": "open({new!r}, 'w')",
    "append": "open({old!r}, 'a')",
    "read and write": "open({old!r}, 'r+b')",
    "remove": "import os; os.remove({old!r})",
    "rename": "import os; os.rename({old!r}, 'new')",
    "folder": "import os; os.mkdir({new!r})",
    "mode": "import os; os.chmod({old!r}, 0)",
    "truncate": "import os; os.truncate({old!r}, 0)",
    "database": "import sqlite3; sqlite3.connect({new!r}).execute('create table t (x)')",
}


@BOTH
@pytest.mark.parametrize("how", WRITES)
def test_python_cannot_change_the_users_files(cell: Cell, how: str) -> None:
    code = WRITES[how].format(old=str(cell.user / "old.txt"), new=str(cell.user / "new"))
    assert cell.python(code).returncode != 0
    assert [path.name for path in cell.user.iterdir()] == ["old.txt"]
    assert (cell.user / "old.txt").read_text() == "old results"
    assert os.access(cell.user / "old.txt", os.R_OK)


@BY_KERNEL
@pytest.mark.parametrize("command", ["cat {}", "cp {} copy", "dd if={} of=copy", "cat < {}"])
def test_no_program_reads_the_users_files(cell: Cell, command: str) -> None:
    # By a name that no command line shows: the hook has nothing to look at.
    done = cell.run("bash", "-c", f"old=$(echo {cell.user}/old.tx)t; {command.format('$old')}")
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert "old results" not in done.stdout
    assert not (cell.inside / "copy").exists() or (cell.inside / "copy").read_text() == ""


@BY_KERNEL
def test_no_program_writes_beside_the_workplace(cell: Cell) -> None:
    done = cell.run("bash", "-c", f"echo new > {cell.user}/new; echo new > {cell.folder}/new; echo in > own")
    assert sorted(path.name for path in cell.user.iterdir()) == ["old.txt"]
    assert not (cell.folder / "new").exists()
    assert (cell.inside / "own").read_text() == "in\n"
    assert done.returncode == 0


@pytest.mark.skipif(not OWN_MEMORY, reason="no namespaces")
@BY_KERNEL
@pytest.mark.parametrize("command", ["chmod 600 {}", "touch -d 2001-01-01 {}", "chmod 600 $PWD/../../{name}"])
def test_no_program_changes_the_mode_or_the_time_of_the_users_files(cell: Cell, command: str) -> None:
    old = cell.user / "old.txt"
    before = old.stat()
    (cell.inside / "link").symlink_to(cell.user)
    for path in (old, cell.inside / "link" / "old.txt"):
        done = cell.run("bash", "-c", command.format(path, name=os.path.relpath(old, cell.folder.parent)))
        assert done.returncode != 0
        assert "touched" in cell.run("bash", "-c", "touch own; chmod 700 own && echo touched").stdout
    after = old.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@BY_KERNEL
def test_native_code_in_python_is_held_too(cell: Cell) -> None:
    old = str(cell.user / "old.txt")
    done = cell.python(f"import ctypes; print(ctypes.CDLL(None).open({old!r}.encode(), 0))")
    assert done.stdout.strip() == "-1"


@BOTH
def test_what_programs_need_is_there(cell: Cell) -> None:
    code = (
        "import numpy, ssl, sqlite3, tempfile, pathlib, subprocess, multiprocessing as m, os, reproof.stage\n"
        "open('/dev/null', 'w').write('x'); open('/dev/stdout', 'w').write('out\\n')\n"
        "pathlib.Path('a').write_text('a'); os.rename('a', 'b'); os.mkdir('c'); os.rename('b', 'c/b')\n"
        "assert subprocess.run(['cat', 'c/b'], capture_output=True, check=True).stdout == b'a'\n"
        "assert m.get_context('spawn').Pool(1).map(abs, [-1]) == [1]\n"
        "assert sqlite3.connect('d.sqlite').execute('select 1').fetchone() == (1,)\n"
        "assert open('/proc/self/status').read() and os.listdir('/sys')\n"
        "from multiprocessing import shared_memory; s = shared_memory.SharedMemory(create=True, size=10)\n"
        "s.close(); s.unlink()\n"
    )
    done = cell.python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "out\n"


@pytest.fixture
def left_in_memory() -> Iterator[Path]:
    """A folder that another execution left in the system's shared memory."""
    folder = Path(namespaces.SHARED_MEMORY) / f"reproof-test-{os.getpid()}"
    folder.mkdir()
    (folder / "weights").write_text("old results")
    yield folder
    shutil.rmtree(folder)


HIDE = "import reproof.verify.namespaces as n; n.own_shared_memory = lambda: False; "
WITHOUT_NAMESPACES = [
    pytest.param(False, id="own memory"),
    pytest.param(True, id="no namespaces"),
]


@BOTH
@pytest.mark.parametrize("without_namespaces", WITHOUT_NAMESPACES)
def test_shared_memory_of_before_is_not_the_runs(
    cell: Cell, left_in_memory: Path, without_namespaces: bool
) -> None:
    code = f"print(open({str(left_in_memory / 'weights')!r}).read())"
    done = run_without(cell, without_namespaces, sys.executable, "-c", code)
    assert "old results" not in done.stdout
    assert "PermissionError" in done.stderr or "FileNotFoundError" in done.stderr


@BY_KERNEL
@pytest.mark.parametrize("without_namespaces", WITHOUT_NAMESPACES)
def test_no_program_reads_shared_memory_of_before(
    cell: Cell, left_in_memory: Path, without_namespaces: bool
) -> None:
    done = run_without(cell, without_namespaces, "bash", "-c", f"n={left_in_memory}; cat $n/weights")
    assert done.stdout == ""
    assert "weights: " in done.stderr
    shared = json.loads((cell.folder / "hook/reach.json").read_text())["shared_memory"]
    assert shared == ("none" if without_namespaces or not OWN_MEMORY else "own")


@BY_KERNEL
def test_shared_memory_is_the_systems_where_that_is_empty(cell: Cell) -> None:
    code = (
        "from multiprocessing import shared_memory as m; s = m.SharedMemory(create=True, size=9); s.unlink()"
    )
    done = run_without(cell, True, sys.executable, "-c", code)
    shared = json.loads((cell.folder / "hook/reach.json").read_text())["shared_memory"]
    assert (done.returncode == 0) == (shared == "open")
    assert shared == ("open" if namespaces.is_empty() else "none")


@pytest.mark.skipif(not OWN_MEMORY, reason="no namespaces")
@BOTH
def test_what_an_execution_leaves_in_memory_is_gone(cell: Cell) -> None:
    assert cell.run("bash", "-c", "echo left > /dev/shm/reproof-test-left").returncode == 0
    assert not Path("/dev/shm/reproof-test-left").exists()
    assert "left" not in cell.run("bash", "-c", "ls /dev/shm").stdout


def run_without(cell: Cell, without_namespaces: bool, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command, as on a system that lets nobody have namespaces, or as on this one."""
    line = cell.command(*command)
    if without_namespaces:
        own = f"{HIDE}import sys; from reproof.verify.confined import main; sys.exit(main(sys.argv[1:]))"
        line = [sys.executable, "-P", "-c", own, *line[line.index(confined.__name__) + 1 :]]
    return subprocess.run(line, cwd=cell.inside, capture_output=True, text=True, check=False, timeout=60)


@BOTH
def test_an_allowed_path_can_be_read_and_not_written(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "one").write_text("weights")
    open_cell = Cell(cell.folder, cell.user, cell.by_kernel, (tmp_path / "models",))
    one = str(tmp_path / "models" / "one")
    assert open_cell.python(f"print(open({one!r}).read())").stdout == "weights\n"
    assert open_cell.python(f"open({one!r}, 'w')").returncode != 0
    assert (tmp_path / "models" / "one").read_text() == "weights"


@BOTH
def test_an_allowed_folder_around_the_repository_does_not_open_it(cell: Cell, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    cell.user.rename(home / "project")
    (home / "beside").write_text("other")
    open_cell = Cell(cell.folder, home / "project", cell.by_kernel, (home,))
    assert open_cell.python(f"print(open({str(home / 'beside')!r}).read())").stdout == "other\n"
    assert open_cell.python(f"open({str(home / 'project/old.txt')!r})").returncode != 0
    if cell.by_kernel:
        assert "denied" in open_cell.run("bash", "-c", f"f={home}/proj; cat ${{f}}ect/old.txt").stderr


@BOTH
def test_the_exit_code_is_the_commands(cell: Cell) -> None:
    assert cell.run("bash", "-c", "exit 7").returncode == 7
    assert cell.run("bash", "-c", "kill -9 $$").returncode == 137
    assert cell.run("no-such-program").returncode == confined.NOT_CONFINED


@BOTH
def test_nothing_that_a_stage_leaves_running_goes_on(cell: Cell) -> None:
    mark = f"9{os.getpid()}7"
    done = cell.run(
        "bash", "-c", f"(setsid sleep {mark} &) ; setsid bash -c 'sleep {mark} & sleep {mark}' & sleep 0.2"
    )
    assert done.returncode == 0
    assert not _running(mark)


@BOTH
def test_all_ends_when_its_parent_is_killed(cell: Cell) -> None:
    mark = f"9{os.getpid()}8"
    outer = (
        "import json, os, subprocess, sys, time\n"
        "path = sys.argv[1]; told = json.load(open(path)); told['parent'] = os.getpid()\n"
        "json.dump(told, open(path, 'w')); subprocess.Popen(sys.argv[2:]); time.sleep(60)\n"
    )
    command = cell.command("bash", "-c", f"setsid sleep {mark} & sleep {mark}")
    parent = subprocess.Popen([sys.executable, "-c", outer, str(cell.folder / "hook/reach.json"), *command])
    until = time.monotonic() + 30
    while len(_running(mark)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while _running(mark):
        assert time.monotonic() < until, "it outlived its parent"
        time.sleep(0.05)


@BY_KERNEL
def test_a_confinement_that_does_not_hold_starts_nothing(cell: Cell) -> None:
    command = cell.command("touch", "started")
    told = json.loads((cell.folder / "hook/reach.json").read_text())
    (cell.folder / "hook/reach.json").write_text(
        json.dumps(told | {"read": [*told["read"], str(cell.folder)]})
    )
    done = subprocess.run(command, cwd=cell.inside, capture_output=True, text=True, check=False)
    assert done.returncode == confined.NOT_CONFINED
    assert "refuses nothing" in done.stderr
    assert not (cell.inside / "started").exists()


def _running(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline() == ["sleep", mark]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_sitecustomize_that_the_hook_hides_is_loaded_too(tmp_path: Path) -> None:
    cell = Cell(tmp_path / "place", tmp_path / "user", by_kernel=False)
    for name in ("place/inside", "place/hook", "user"):
        (tmp_path / name).mkdir(parents=True)
    cell.command("true")  # it writes the hook
    (cell.inside / "sitecustomize.py").write_text("import os\nos.environ['SEEN'] = 'seen'\n")
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['SEEN'])"],
        env={**os.environ, "PYTHONPATH": f"{cell.folder / 'hook'}{os.pathsep}{cell.inside}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("seen\n", "")
