"""Paths from params, records and commits stay inside the project: nothing outside is read or written."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import commit_all, run
from hypothesis import given
from hypothesis import strategies as st
from projects import ENV
from stages import stage, write

from reproof import checkpoint, file_names, files
from reproof.errors import ReproofError
from reproof.export_run import export_run

Listing = dict[str, bytes]


def listing(folder: Path, without: Path) -> Listing:
    """Every file and link below `folder`, what it holds or leads to; not what lies in `without`."""
    return {
        str(path): os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if without not in path.parents and (path.is_symlink() or path.is_file())
    }


@contextmanager
def nothing_outside(project: Path) -> Iterator[None]:
    """Fail when the block changes anything beside the project."""
    before = listing(project.parent, project)
    yield
    assert listing(project.parent, project) == before


# Params.


@pytest.fixture
def outside(git_project: Path) -> Path:
    """A checkpoint beside the project, and a link in the project that leads there."""
    folder = git_project.parent / "outside"
    folder.mkdir()
    (folder / checkpoint.STATE).write_bytes(b"another's")
    (git_project / "link").symlink_to(folder)
    (git_project / "inner").mkdir()
    return folder


@pytest.mark.parametrize(
    "reference",
    ["../outside", "inner/../../outside", "link", "link/../outside", "./link/.", "{absolute}", "/etc", ".."],
)
def test_training_goes_on_from_no_folder_outside(git_project: Path, outside: Path, reference: str) -> None:
    with nothing_outside(git_project), pytest.raises(ReproofError, match="leads out of the project"):
        checkpoint.find(git_project, reference.replace("{absolute}", str(outside)))


@pytest.mark.parametrize(
    "reference", ["a\0b", "x" * 5000, "", "inner", "--upload-pack=touch outside", "HEAD:x"]
)
def test_what_is_no_checkpoint_is_an_error_and_no_command(git_project: Path, reference: str) -> None:
    (git_project / "inner").mkdir()
    with nothing_outside(git_project), pytest.raises(ReproofError):
        checkpoint.find(git_project, reference)


_parts = st.sampled_from(["..", ".", "a", "link", "/", "é", " ", "\0", "x" * 300, "~", "C:", "\\..\\"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inside") / "root"
    (folder / "a").mkdir(parents=True)
    (folder.parent / "beside").mkdir()
    (folder / "link").symlink_to(folder.parent / "beside")
    return folder


@given(st.lists(_parts, max_size=6).map("/".join))
def test_a_path_is_inside_or_refused(root: Path, path: str) -> None:
    try:
        found = files.inside(root, path)
    except ReproofError:
        return
    real = Path(os.path.realpath(found))
    assert real == root or root in real.parents


@given(st.lists(_parts, max_size=6).map("/".join))
def test_a_path_whose_links_are_kept_is_inside_by_its_letters(root: Path, path: str) -> None:
    try:
        found = files.inside(root, path, follow_links=False)
    except ReproofError:
        return
    assert ".." not in found.parts
    assert found == root or root in found.parents


# Stages.


@pytest.mark.parametrize("call", ["input", "output"])
@pytest.mark.parametrize("path", ["../secret.txt", "results/../../secret.txt", "{absolute}", "/etc/hostname"])
def test_a_stage_reads_and_writes_nothing_outside(git_project: Path, call: str, path: str) -> None:
    secret = git_project.parent / "secret.txt"
    secret.write_text("outside")
    path = path.replace("{absolute}", str(secret))
    write(git_project, f"stage.{call}({path!r}).write_text('reached')")
    with nothing_outside(git_project):
        done = stage(git_project)
    assert done.returncode == 2
    assert "a path leads out of the project" in done.stderr


@pytest.mark.parametrize("link", ["out", "out/deep", "results", "results/latest", "results/latest/deep"])
def test_a_stage_writes_nothing_through_a_link_that_leads_out(git_project: Path, link: str) -> None:
    (git_project.parent / "beside").mkdir()
    (git_project / link).parent.mkdir(parents=True, exist_ok=True)
    (git_project / link).symlink_to(git_project.parent / "beside")
    write(git_project, f"stage.output('{link}/x.txt').write_text('reached')")
    with nothing_outside(git_project):
        done = stage(git_project)
    assert done.returncode == 2
    assert "a path leads out of the project" in done.stderr


@pytest.mark.parametrize("results", ["link", "link/deep", "results/../link", ".."])
def test_results_are_not_kept_through_a_link_that_leads_out(git_project: Path, results: str) -> None:
    (git_project.parent / "beside").mkdir()
    (git_project / "link").symlink_to(git_project.parent / "beside")
    write(git_project, "pass")
    with nothing_outside(git_project):
        done = stage(git_project, "--results", results)
    assert done.returncode == 2
    assert "--results: a path leads out of the project" in done.stderr


# Records: a commit that somebody else made.


@pytest.fixture
def theirs(small_copy: Path, tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("outside")
    return small_copy


def export(project: Path, rev: str = "HEAD") -> Path:
    """Export a revision; see that only the folder of the run has come, and that it holds no link."""
    exported: list[Path] = []
    before = set((project / "results").iterdir())
    with nothing_outside(project):
        try:
            exported.append(export_run(project, rev).folder)
        finally:
            assert set((project / "results").iterdir()) == before | set(exported)
    (folder,) = exported
    assert folder.parent == project / "results"
    assert [path for path in folder.rglob("*") if path.is_symlink()] == []
    return folder


@pytest.mark.parametrize(
    "name",
    ["../../x", "..", "/etc", "latest", "x" * 500, "a\n\0b"],
)
def test_a_runs_name_is_one_folder_in_results(theirs: Path, name: str) -> None:
    meta = theirs / "results/latest/meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"run_id": name}))
    (theirs / "results/latest/digests.json").unlink()
    commit_all(theirs, "Another name")
    folder = export(theirs)
    assert folder.name != "latest"


@given(st.text())
def test_any_name_becomes_a_legal_one(name: str) -> None:
    clean = file_names.of_run(name)
    assert 0 < len(clean) <= 110
    assert not set(clean) & set('/\\:*?"<>|\0\n')
    assert clean.strip(". ") == clean


@pytest.mark.parametrize("path", ["results/latest/../../../secret.txt", "results/latest//etc/hostname"])
def test_a_record_has_no_file_outside_read(theirs: Path, path: str) -> None:
    digests = theirs / "results/latest/digests.json"
    digests.write_text(json.dumps({"artefacts": {path: "sha256:0"}}))
    commit_all(theirs, "A digest of another file")
    with pytest.raises(ReproofError, match=r"digests\.json of HEAD .*leads out") as caught:
        export(theirs)
    assert "sha256" not in str(caught.value)


@pytest.mark.parametrize(
    "whole", ["[]", '{"artefacts": []}', '{"artefacts": {"results/latest/x": 1}}', "[" * 9999]
)
def test_a_record_of_another_form_is_an_error_or_ignored(theirs: Path, whole: str) -> None:
    (theirs / "results/latest/digests.json").write_text(whole)
    commit_all(theirs, "Odd digests")
    try:
        assert (export(theirs) / "meta.json").exists()
    except ReproofError as error:
        assert "digests.json" in str(error) or "results/latest/x" in str(error)  # noqa: PT017 (either is right)


def cached(project: Path, data: bytes, suffix: str = "") -> str:
    """Put a file into DVC's cache; return its hash."""
    name = hashlib.md5(data).hexdigest()
    path = project / ".dvc/cache/files/md5" / name[:2] / f"{name[2:]}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"{name}{suffix}"


@pytest.mark.parametrize("relpath", ["../../../../escaped.txt", "/tmp/reproof-escaped.txt"])
def test_a_tracked_folder_with_names_that_lead_out_writes_nothing_outside(theirs: Path, relpath: str) -> None:
    lock = theirs / "dvc.lock"
    old = next(line.split()[-1] for line in lock.read_text().splitlines() if line.endswith(".dir"))
    (old,) = {
        entry.parent.name + entry.name
        for entry in (theirs / ".dvc/cache/files/md5").rglob("*.dir")
        if b"weights.npz" in entry.read_bytes()
    }
    entries = [*json.loads((theirs / ".dvc/cache/files/md5" / old[:2] / old[2:]).read_bytes())]
    entries.append({"md5": cached(theirs, b"payload"), "relpath": relpath})
    lock.write_text(lock.read_text().replace(old, cached(theirs, json.dumps(entries).encode(), ".dir")))
    (theirs / "results/latest/digests.json").unlink()
    commit_all(theirs, "A folder of theirs")
    try:
        export(theirs)
    except ReproofError as error:
        assert "lead out" in str(error)  # noqa: PT017 (leaving them out is right too)
    assert not Path("/tmp/reproof-escaped.txt").exists()


def as_links(project: Path) -> str:
    for name, target in (("file", "/etc/hostname"), ("folder", "/etc"), ("up", "../../..")):
        (project / "results/latest" / name).symlink_to(target)
    return commit_all(project, "Links that lead out")


def as_trees(project: Path) -> str:
    """A commit whose tree has `..` and names with slashes, as no Git command would make it."""

    def git(*arguments: str, data: bytes = b"") -> str:
        done = subprocess.run(["git", *arguments], cwd=project, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip("\n")

    def tree(*entries: tuple[str, str, str]) -> str:
        raw = b"".join(
            f"{mode} {name}\0".encode() + bytes.fromhex(object_) for mode, name, object_ in entries
        )
        return git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=raw)

    def with_entry(treeish: str, name: str, object_: str) -> str:
        lines = git("ls-tree", "-z", treeish).split("\0")
        own = [
            (meta.split()[0].lstrip("0"), inner, meta.split()[2])
            for meta, _, inner in (line.partition("\t") for line in lines if line)
        ]
        return tree(
            *sorted([*(e for e in own if e[1] != name), ("40000", name, object_)], key=lambda e: e[1])
        )

    blob = git("hash-object", "-w", "--stdin", data=b"payload")
    up = tree(("100644", "escaped.txt", blob))
    for _ in range(5):
        up = tree(("40000", "..", up))
    sub = tree(("40000", "..", up), ("100644", "../../../../escaped.txt", blob), ("40000", ".git", up))
    latest = with_entry("HEAD:results/latest", "sub", sub)
    top = with_entry("HEAD", "results", with_entry("HEAD:results", "latest", latest))
    return git("commit-tree", top, "-p", "HEAD", "-m", "Trees that lead out")


@pytest.mark.parametrize("make", [as_links, as_trees])
def test_a_commit_whose_names_lead_out_writes_nothing_outside(
    theirs: Path, make: Callable[[Path], str]
) -> None:
    revision = make(theirs)
    run("git", "tag", "theirs", revision, cwd=theirs)
    folder = export(theirs, "theirs")
    held = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert Path("/etc/hostname").read_bytes() not in held.values()
    assert "passwd" not in held
    assert run("git", "status", "--porcelain", "results/latest", cwd=theirs, env=ENV).stdout == ""
