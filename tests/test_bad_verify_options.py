"""What `reproof verify` cannot be asked: rows of docs/reference/errors.md, told before anything runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bad_inputs import assert_told, nothing_lost
from conftest import run
from projects import ENV


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", "verify", *arguments, cwd=project, env=ENV, check=False)


@pytest.mark.parametrize(
    ("slug", "arguments"),
    [
        ("verify-repeats-of-none", ("--repeats", "0")),
        ("verify-too-few-seeds", ("--new-seed", "2")),
        ("verify-seeds-for-bits", ("--new-seed", "3", "--require", "bit")),
        ("verify-seeds-and-repeats", ("--new-seed", "3", "--repeats", "2")),
        ("verify-seeds-and-causes", ("--new-seed", "3", "--explain")),
        ("verify-level-unknown", ("--require", "exact")),
        ("verify-output-is-a-file", ("--output", "params.yaml/certificates")),
    ],
)
def test_an_option_that_cannot_be(small_run: Path, slug: str, arguments: tuple[str, ...]) -> None:
    assert_told(slug, reproof(small_run, *arguments))
