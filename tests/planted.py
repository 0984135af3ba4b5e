"""Secrets that tests plant, each in a place of its own, and the search for them in all that a run leaves."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
from conftest import run

# What each variable holds; `{}` stands for its secret.
_VARIABLES = {
    "AWS_SECRET_ACCESS_KEY": "{}/+bPxRfiCY",
    "AZURE_DEVOPS_EXT_PAT": "{}",
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=runs;AccountKey={}==;EndpointSuffix=core.example.org",
    "CI_JOB_TOKEN": "{}",
    "CI_JOB_URL": "https://gitlab-ci-token:{}@gitlab.example.org/jobs/1?private_token={}",
    "DATABASE_URL": "postgresql://ada:{}@db.example.org/runs",
    "GITHUB_TOKEN": "ghp_{}",
    "HF_TOKEN": "hf_{}",
    "MLFLOW_TRACKING_PASSWORD": "{}\"'\\ ä",
    "PGPASSWORD": "{}",
    "SENTRY_DSN": "https://{}@sentry.example.org/1",
    "SLACK_WEBHOOK_URL": "https://hooks.example.org/services/{}",
    "SSH_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\n{}AAAA\nBBBB{}\n-----END PRIVATE KEY-----\n",
    "WANDB_API_KEY": "{}",
}
# Held by one thing each: what a script records, what it fails with, and files of the user's own.
OF_SCRIPTS = ("FACT", "DERIVED", "TAG", "MISSING", "ERROR", "CAUSE", "MENDABLE", "THREAD")
OF_FILES = ("NOTE", "GIT_REMOTE", "DVC_REMOTE", "DVC_PASSWORD")


def mark(name: str) -> str:
    """What is searched for: it begins and ends its secret, so that a piece that was cut off counts too."""
    return f"pl{hashlib.sha256(name.encode()).hexdigest()[:9]}"


def secret(name: str) -> str:
    return f"{mark(name)}Zq7{mark(name)}"


ENVIRONMENT = {
    **{name: value.replace("{}", secret(name)) for name, value in _VARIABLES.items()},
    **{f"{name}_TOKEN": secret(name) for name in (*OF_SCRIPTS, "NOTE")},
    "GITLAB_CI": "true",
    "CI_JOB_ID": "17",
}
NAMES = (*_VARIABLES, *OF_SCRIPTS, *OF_FILES)


def plant(project: Path) -> None:
    """Put secrets where users have them: addresses of remotes, DVC's local configuration, a note."""
    address = f"https://ada:{secret('GIT_REMOTE')}@git.example.org/project.git"
    run("git", "remote", "add", "origin", address, cwd=project)
    (project / ".dvc" / "config.local").write_text(
        f"['remote \"store\"']\n    url = https://dvc:{secret('DVC_REMOTE')}@dvc.example.org/store\n"
        f"    user = ada\n    password = {secret('DVC_PASSWORD')}\n[core]\n    remote = store\n"
    )
    (project / "notes").mkdir(exist_ok=True)
    (project / "notes" / "goals.md").write_text(f"# Goals\n\nLog in with {secret('NOTE')}.\n")


HOLDERS: Mapping[str, set[str]] = {
    # The user wrote these files, and keeps their secrets there: Git's and DVC's configuration, a note and
    # the commits that hold the note.
    "GIT_REMOTE": {".git/config"},
    "DVC_REMOTE": {".dvc/config.local"},
    "DVC_PASSWORD": {".dvc/config.local"},
    "NOTE": {"notes/goals.md", ".git"},
}


def places(folder: Path, *printed: str) -> dict[str, set[str]]:
    """Where in `folder`, its Git objects, or what was printed, a piece of each secret lies."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    needles = {name: _forms(mark(name)) for name in NAMES}
    for place, data in _contents(folder):
        for name, forms in needles.items():
            if any(form in data for form in forms):
                found[name].add(place)
    for name in NAMES:
        if any(mark(name) in text for text in printed):
            found[name].add("(printed)")
    return found


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        place, data = path.relative_to(folder).as_posix(), path.read_bytes()
        yield place, data
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((place, archive.read(name)) for name in archive.namelist())
        elif data.startswith(b"PAR1"):
            table = pq.read_table(path)
            yield place, f"{table.schema.metadata} {table.to_pylist()}".encode()
    git = run_bytes("git", "cat-file", "--batch-all-objects", "--batch", cwd=folder)
    yield ".git", git


def run_bytes(*args: str, cwd: Path) -> bytes:
    import subprocess

    return subprocess.run(args, cwd=cwd, capture_output=True, check=True).stdout


def _forms(text: str) -> set[bytes]:
    """Text, the wide text of NumPy's arrays, and base64 at each of its three alignments."""
    raw = text.encode()
    encoded = {
        base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : (shift + len(raw)) // 3 * 4]
        for shift in range(3)
    }
    return {raw, text.encode("utf-16-le"), text.encode("utf-32-le")} | encoded
