"""What two runs ran on: which differences numbers may depend on, and how they are told."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from diff_runs import example

from reproof.difference import environment, words
from reproof.difference.environment import Environment
from reproof.difference.sides import Side
from reproof.history import Row
from reproof.recorded import Run

MODULES = ("numpy", "sklearn", "my_helpers")


def side(**changes: Any) -> Side:
    meta = copy.deepcopy(example("meta.json"))
    for path, value in changes.items():
        *keys, last = path.split("__")
        inner = meta
        for key in keys:
            inner = inner[key]
        inner[last] = value
    run = Run("20260101-000000-aaaaaa", fingerprint=meta.get("fingerprint"))
    return Side(Row(run, "commit", ("x",)), meta, {}, {}, {}, {})


def compared(modules: tuple[str, ...] = MODULES, **changes: Any) -> Environment:
    return environment.compare(side(), side(**changes), modules)


def packages(**versions: str | None) -> dict[str, str]:
    own = example("meta.json")["packages"] | {name.replace("_", "-"): one for name, one in versions.items()}
    return {name: version for name, version in own.items() if version is not None}


def test_the_same_machine_and_packages_are_no_difference() -> None:
    found = compared()
    assert (found.changes, found.same, found.same_machine, found.same_packages) == ((), True, True, True)


def test_packages_that_the_code_imports_stand_first_then_those_of_arithmetic() -> None:
    found = compared(
        packages=packages(
            torch="2.14.0", numpy="2.5.0", attrs="1.0", scikit_learn="1.10.0", my_helpers="3", new="1"
        )
    )
    told = [(one.name, one.matters) for one in found.changes]
    assert told == [
        ("numpy", True),
        ("scikit-learn", True),
        ("my-helpers", True),
        ("torch", True),
        ("attrs", False),
        ("new", False),
    ]
    assert found.same is False
    assert found.same_packages is False
    assert [words.change(one) for one in found.changes][-3:] == [
        "torch 2.13.0+cpu → 2.14.0",
        "attrs 26.1.0 → 1.0",
        "new: 1 is new",
    ]


def test_packages_that_no_number_goes_through_leave_the_environment_the_same() -> None:
    found = compared(packages=packages(attrs="1.0", yarl=None))
    assert [words.change(one) for one in found.changes] == ["attrs 26.1.0 → 1.0", "yarl: 1.25.1 is gone"]
    assert (found.same, found.same_packages) == (True, False)


def test_threads_are_told_once() -> None:
    found = compared(
        pinned__threads=8,
        pinned__torch={"threads": 8, "deterministic": True, "cpu_capability": "AVX512"},
        variables={**example("meta.json")["variables"], "OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "8"},
    )
    assert [words.change(one) for one in found.changes] == ["threads 1 → 8"]


def test_torch_that_takes_other_threads_than_those_pinned_is_told() -> None:
    found = compared(pinned__torch={"threads": 4, "deterministic": True, "cpu_capability": "AVX512"})
    assert [words.change(one) for one in found.changes] == ["torch's threads 1 → 4"]


@pytest.mark.parametrize(
    ("changes", "said", "matters"),
    [
        ({"gpus": {"0": {"name": "H100"}, "1": {"name": "H100"}}}, "GPU none → 2 × H100", True),
        ({"gpu_driver": "560.1"}, "GPU driver none → 560.1", True),
        ({"cuda": "12.8"}, "CUDA none → 12.8", True),
        ({"device": "cuda"}, "device cpu → cuda", True),
        ({"cpu__model": "Intel Xeon"}, "CPU AMD EPYC → Intel Xeon", True),
        ({"cpu__architecture": "aarch64"}, "architecture x86_64 → aarch64", True),
        ({"pinned__torch__cpu_capability": "AVX2"}, "ISA AVX512 → AVX2", True),
        ({"pinned__deterministic": False}, "deterministic true → false", True),
        ({"python__version": "3.12.1"}, f"Python {example('meta.json')['python']['version']} → 3.12.1", True),
        ({"variables__MKL_CBWR": "COMPATIBLE"}, "MKL_CBWR: COMPATIBLE is new", True),
        ({"variables__SLURM_JOB_ID": "7"}, "SLURM_JOB_ID: 7 is new", False),
        ({"cpu__usable_cores": 64}, "usable cores 2 → 64", False),
        ({"ram_bytes": 64 * 2**30}, "memory 24 GiB → 64 GiB", False),
        ({"os__name": "Ubuntu"}, "system Debian GNU/Linux 12 (bookworm) → Ubuntu", False),
    ],
)
def test_each_fact_is_told_and_weighed(changes: dict[str, Any], said: str, matters: bool) -> None:
    (one,) = compared(**changes).changes
    assert (words.change(one), one.matters) == (said, matters)


@pytest.mark.parametrize(
    "meta", [{}, {"packages": [], "cpu": 3, "pinned": None, "gpus": "x", "os": [], "variables": 1}]
)
def test_a_record_that_lacks_facts_makes_no_difference_of_them(meta: dict[str, Any]) -> None:
    bare = Side(Row(Run("20260101-000000-bbbbbb"), "commit"), meta, {}, {}, {}, {})
    found = environment.compare(side(), bare, MODULES)
    assert found.changes == ()
    assert (found.same_machine, found.same_packages, found.same) == (None, None, None)
    assert {"packages", "threads", "CPU", "Python"} <= set(found.unknown)


def test_a_library_from_another_commit_is_told_and_changes_no_bits() -> None:
    library = {"version": "0.2.0", "commit": "a" * 40 + "+changed", "source": "x"}
    (one,) = compared(library=library).changes
    assert re.fullmatch(
        r"reproof 0\.1\.0 [0-9a-f]{10}( \+changed)? → 0\.2\.0 aaaaaaaaaa \+changed", words.change(one)
    )
    assert not one.matters
