"""What can be set here as it was when the run was recorded, one factor at a time."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reproof.verify.execution import Changes
from reproof.verify.factors import Factor

_X86 = ("DEFAULT", "SSE4.2", "AVX2", "AVX512")
"""Instruction sets of x86 processors, each with all before it. One can be limited to fewer, not to more."""

_LIMITS: Mapping[str, Mapping[str, str]] = {
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "SSE4.2": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}
"""By which ATen, oneDNN, MKL and OpenBLAS take fewer instructions than the processor has (their manuals)."""

_ABOVE = {"AVX2": ("AVX512", "X86_V4"), "SSE4.2": ("AVX", "FMA", "F16C", "X86_V3", "X86_V4")}
"""How NumPy calls the features above each."""

_SET_BY_PARAMS = {"threads": "threads", "torch's threads": "threads", "deterministic": "deterministic"}
"""Factors that a stage takes from params.yaml, whatever its environment says."""


@dataclass(frozen=True)
class Intervention:
    """One change, and what it does, in words such as `this machine limited to AVX2`."""

    factor: str
    changes: Changes
    words: str


def possible(factors: Sequence[Factor]) -> tuple[list[Intervention], dict[str, str]]:
    """Return what can be set as recorded, and why the other factors that differ cannot be.

    Packages cannot: they take an environment of their own, see `explain.of_packages`.
    """
    found: list[Intervention] = []
    not_possible: dict[str, str] = {}
    differing = [one for one in factors if one.matters and one.same is False]
    for factor in differing:
        if factor.kind == "package":
            continue
        made = _of(factor)
        if isinstance(made, str):
            not_possible[factor.name] = made
        else:
            found.append(made)
    packages = [one for one in differing if one.kind == "package"]
    if packages:
        told = f"other versions of {names(packages)}; --recreate-env installs the recorded ones and tells"
        not_possible["packages"] = told
    return found, not_possible


def steadying() -> list[Intervention]:
    """Return what makes a computation that differs from run to run the same every time, one at a time."""
    return [
        Intervention("threads", Changes(params={"threads": 1}), "one thread"),
        Intervention("deterministic", Changes(params={"deterministic": True}), "deterministic kernels"),
    ]


def _of(factor: Factor) -> Intervention | str:
    name, recorded = factor.name, factor.recorded
    if factor.kind == "isa":
        return _limit(recorded, factor.here)
    if name in _SET_BY_PARAMS and recorded is not None:
        value = recorded == "true" if name == "deterministic" else int(recorded)
        return Intervention(name, Changes(params={_SET_BY_PARAMS[name]: value}), f"{name}: {recorded}")
    if factor.kind == "variable":
        words = f"{name}={recorded}" if recorded is not None else f"without {name}"
        return Intervention(name, Changes(env={name: recorded}), words)
    return f"{recorded or 'none'} was recorded, {factor.here or 'none'} is here; it cannot be set"


def _limit(recorded: str | None, here: str | None) -> Intervention | str:
    wanted = "SSE4.2" if recorded == "DEFAULT" else str(recorded)
    if recorded not in _X86 or here not in _X86:
        return f"{recorded or 'unknown'} was recorded, {here or 'unknown'} is here; it cannot be set"
    if _X86.index(recorded) > _X86.index(here):
        return f"{recorded} was recorded, and this processor has no more than {here}"
    if wanted not in _LIMITS:
        return f"{recorded} was recorded, {here} is here; there is no such limit"
    env: dict[str, str | None] = dict(_LIMITS[wanted])
    if features := _numpy_features(_ABOVE[wanted]):
        env["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    return Intervention("ISA", Changes(env=env), f"this machine limited to {recorded}")


def _numpy_features(prefixes: tuple[str, ...]) -> list[str]:
    """What this NumPy would use of these features; it refuses to do without any that it was built for."""
    try:
        core: Any = importlib.import_module("numpy._core._multiarray_umath")
    except ImportError:
        return []
    dispatched, here = getattr(core, "__cpu_dispatch__", ()), getattr(core, "__cpu_features__", {})
    return [name for name in dispatched if name.startswith(prefixes) and here.get(name)]


def names(packages: Sequence[Factor]) -> str:
    """Return the first of some factors in words, and how many more they are."""
    shown = [one.name for one in packages[:3]]
    more = len(packages) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
