"""Files are whole or absent, whatever happens to the process that writes them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import run

from reproof import files
from reproof.errors import ReproofError


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    files.write_text(path, "old")

    def write_half() -> None:
        with files.replacing(path) as stream:
            stream.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_old_content_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    files.write_text(path, "old")
    script = f"""
import os, signal
from pathlib import Path
from reproof import files
with files.replacing(Path({str(path)!r})) as stream:
    stream.write(b"half of the n")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(sys.executable, "-c", script, cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    contents = ["a" * 300_000, "b" * 200_000]
    files.write_text(path, contents[0])
    done = threading.Event()
    seen = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(40):
        files.write_text(path, contents[turn % 2])
    done.set()
    reader.join()
    assert seen <= set(contents)
    assert seen


def test_a_file_is_readable_as_the_umask_allows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.json"
    write = f"reproof.files.write_text(pathlib.Path({str(path)!r}), '')"
    script = f"import os, pathlib, reproof.files; os.umask(0o027); {write}"
    run(sys.executable, "-c", script, cwd=tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".json")
    files.write_text(path, "whole")
    assert path.read_text() == "whole"


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    files.write_text(tmp_path / "t", "a\r\nb\n")
    assert (tmp_path / "t").read_bytes() == b"a\r\nb\n"


def test_json_is_written_for_people_and_ends_with_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, {"b": "é", "a": [1, None]})
    assert path.read_text("utf-8") == '{\n  "b": "é",\n  "a": [1, null]\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [-float("inf")]}])
def test_what_is_no_json_is_not_written(tmp_path: Path, value: object) -> None:
    path = tmp_path / "value.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, value)
    assert list(tmp_path.iterdir()) == []


def test_any_text_of_the_system_can_be_written_as_json(tmp_path: Path) -> None:
    # A file name or an error text that is not UTF-8 reaches Python with lone surrogates.
    undecodable = b"caf\xe9".decode("utf-8", "surrogateescape")
    files.write_json(tmp_path / "value.json", {"name": undecodable})
    assert "caf" in json.loads((tmp_path / "value.json").read_bytes())["name"]


def test_a_missing_json_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match=r"absent\.json: no such file"):
        files.read_json(tmp_path / "absent.json")


def test_broken_json_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{\n  "a": 1,\n  "b"')
    with pytest.raises(ReproofError, match=r"torn\.json:3: not JSON"):
        files.read_json(tmp_path / "torn.json")


def test_json_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"a": "caf\xe9"}')
    with pytest.raises(ReproofError, match=r"latin\.json: not UTF-8"):
        files.read_json(tmp_path / "latin.json")


@pytest.mark.parametrize("path", ["data/a.csv", "data/../params.yaml", ".", "absent/deep"])
def test_a_path_inside_the_project_is_made_absolute(tmp_path: Path, path: str) -> None:
    found = files.inside(tmp_path, path)
    assert found == (tmp_path / path).resolve()


def test_an_absolute_path_inside_the_project_is_allowed(tmp_path: Path) -> None:
    assert files.inside(tmp_path, tmp_path / "a") == tmp_path.resolve() / "a"


@pytest.mark.parametrize("path", ["..", "../other", "data/../../other", "/etc/passwd"])
def test_a_path_out_of_the_project_is_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "other").mkdir()
    with pytest.raises(ReproofError, match=r"--results: a path leads out of the project") as caught:
        files.inside(root, path, where="--results")
    assert caught.value.found == path


def test_a_neighbour_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project2").mkdir()
    with pytest.raises(ReproofError, match="leads out"):
        files.inside(tmp_path / "project", tmp_path / "project2" / "a")


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from reproof import files
for _ in range(100):
    files.write_text(Path("shared.txt"), sys.argv[1] * 100_000)
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, letter], cwd=tmp_path) for letter in "ab"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert (tmp_path / "shared.txt").read_text() in ("a" * 100_000, "b" * 100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["shared.txt"]


def test_a_device_and_a_pipe_are_written_into(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    files.write_text(link, "gone")
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    files.write_text(pipe, "told")
    reader.join(timeout=10)
    assert read == ["told"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
