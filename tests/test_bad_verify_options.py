"""What `reproof verify` cannot be asked: rows of docs/reference/errors.md, told before anything runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bad_inputs import assert_told, nothing_lost
from conftest import run
from projects import ENV


def reproof(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with nothing_lost(project):
        return run("reproof", "verify", *arguments, cwd=project, env=ENV, check=False)


def test_verify_repeats_of_none(small_run: Path) -> None:
    assert_told("verify-repeats-of-none", reproof(small_run, "--repeats", "0"))


def test_verify_too_few_seeds(small_run: Path) -> None:
    assert_told("verify-too-few-seeds", reproof(small_run, "--new-seed", "2"))


def test_verify_seeds_for_bits(small_run: Path) -> None:
    assert_told("verify-seeds-for-bits", reproof(small_run, "--new-seed", "3", "--require", "bit"))


def test_verify_seeds_and_repeats(small_run: Path) -> None:
    assert_told("verify-seeds-and-repeats", reproof(small_run, "--new-seed", "3", "--repeats", "2"))


def test_verify_seeds_and_causes(small_run: Path) -> None:
    assert_told("verify-seeds-and-causes", reproof(small_run, "--new-seed", "3", "--explain"))


def test_verify_level_unknown(small_run: Path) -> None:
    assert_told("verify-level-unknown", reproof(small_run, "--require", "exact"))


def test_verify_output_is_a_file(small_run: Path) -> None:
    assert_told("verify-output-is-a-file", reproof(small_run, "--output", "params.yaml/certificates"))
