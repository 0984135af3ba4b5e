"""Facts about the machine are read, not guessed, and hold nothing that is private."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import run

from reproof import environment


def in_a_process(expression: str, cwd: Path, **env: str) -> object:
    """The value of an expression over `environment` in a process of its own."""
    script = f"import json, os; from reproof import environment; print(json.dumps({expression}))"
    return json.loads(run(sys.executable, "-c", script, cwd=cwd, env=env).stdout)


def test_the_environment_is_plain_json_with_what_a_reader_needs() -> None:
    facts = json.loads(json.dumps(environment.capture(), allow_nan=False))
    assert facts["python"]["version"] == platform.python_version()
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["cpu"]["architecture"] == platform.machine()
    assert facts["cpu"]["model"]
    assert facts["ram_bytes"] > 2**28
    assert 1 <= facts["cpu"]["usable_cores"] <= facts["cpu"]["logical_cores"]


def test_gpus_are_named_or_missing_with_a_reason() -> None:
    facts = environment.capture()
    assert (facts["gpus"] is None) == (facts["gpus_missing_reason"] is not None)
    assert facts["gpus"] != {}


def test_only_variables_that_change_bits_or_number_jobs_are_recorded() -> None:
    env = {"OMP_NUM_THREADS": "3", "MY_TOKEN": "planted-secret", "HOME": "/home/ada", "SLURM_JOB_ID": "7"}
    facts = environment.capture(env)
    assert facts["variables"] == {"OMP_NUM_THREADS": "3", "SLURM_JOB_ID": "7"}
    assert "planted-secret" not in json.dumps(facts)


def test_neither_the_user_nor_the_home_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    private = {"USER": "planted-user", "LOGNAME": "planted-user", "HOSTNAME": "planted-host"}
    facts = in_a_process("environment.capture()", tmp_path, HOME=str(tmp_path), **private)
    assert "planted" not in json.dumps(facts)
    assert str(tmp_path) not in json.dumps(facts)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_usable_cores_are_those_that_the_process_may_use(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    pinned = f"(os.sched_setaffinity(0, {{{core}}}), environment.usable_cores())[1]"
    assert in_a_process(pinned, tmp_path) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_the_fingerprint_is_of_the_machine_and_the_cores_in_use(tmp_path: Path) -> None:
    here = in_a_process("environment.fingerprint()", tmp_path)
    assert here == environment.fingerprint()
    assert len(str(here)) == 12
    assert set(str(here)) <= set("0123456789abcdef")
    if len(os.sched_getaffinity(0)) > 1 and environment.usable_cores() > 1:
        core = min(os.sched_getaffinity(0))
        pinned = f"(os.sched_setaffinity(0, {{{core}}}), environment.fingerprint())[1]"
        assert in_a_process(pinned, tmp_path) != here


def install(folder: Path, name: str, version: str, address: dict[str, object] | None = None) -> None:
    """Put a distribution's metadata into a folder, as pip does, for PYTHONPATH to find."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if address is not None:
        (info / "direct_url.json").write_text(json.dumps(address))


def test_the_library_knows_the_commit_that_it_was_installed_from(tmp_path: Path) -> None:
    address = {
        "url": "https://me:hunter22@example.org/reproof.git",
        "vcs_info": {"vcs": "git", "commit_id": "f" * 40},
    }
    install(tmp_path, "reproof", "9.9", address)
    found = in_a_process("environment.library()", tmp_path, PYTHONPATH=str(tmp_path))
    assert found == {"version": "9.9", "commit": "f" * 40, "source": "https://example.org/reproof.git"}


def test_a_library_from_a_wheel_has_no_commit_and_says_so(tmp_path: Path) -> None:
    install(tmp_path, "reproof", "9.9")
    found = in_a_process("environment.library()", tmp_path, PYTHONPATH=str(tmp_path))
    assert found == {"version": "9.9", "commit": None, "source": "installed without a commit"}


def test_an_editable_library_is_the_commit_of_its_checkout(tmp_path: Path) -> None:
    install(tmp_path, "reproof", "9.9", {"url": "file:///srv/reproof", "dir_info": {"editable": True}})
    found = in_a_process("environment.library()", tmp_path, PYTHONPATH=str(tmp_path))
    checkout = Path(environment.__file__).parent
    head = run("git", "rev-parse", "HEAD", cwd=checkout, check=False).stdout.strip() or None
    assert isinstance(found, dict)
    assert found["source"] == "editable"
    assert found["commit"] in (head, f"{head}+changed")


def test_packages_are_listed_by_one_spelling_and_the_first_on_the_path_counts(tmp_path: Path) -> None:
    install(tmp_path, "Some_Odd.Name", "1.2")
    install(tmp_path, "numpy", "0.0.1")
    (tmp_path / "broken-1.0.dist-info").mkdir()
    found = in_a_process("environment.packages()", tmp_path, PYTHONPATH=str(tmp_path))
    assert isinstance(found, dict)
    assert found["some-odd-name"] == "1.2"
    assert found["numpy"] == "0.0.1"
    assert list(found) == sorted(found)
