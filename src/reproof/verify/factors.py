"""What the run ran on, and what it is executed on here: the table of the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reproof.record_values import ANCHOR, mapping

Kind = Literal["package", "threads", "isa", "setting", "machine", "library", "variable"]

_NEAR_ARITHMETIC = ("torch", "numpy", "onnxruntime", "scikit-learn", "scipy", "tensorflow", "jax", "xgboost")
"""Packages that the screen names also where they are the same: the first that is there."""

_NOT_SHOWN = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "RANK", "LOCAL_RANK", "WORLD_SIZE")


@dataclass(frozen=True)
class Factor:
    """One fact of both; None where one of them does not tell.

    Attributes:
        name: such as `torch`, `CPU`, `threads`.
        kind: what it is a fact of.
        recorded: in words.
        here: likewise.
        matters: whether bits may depend on it.
    """

    name: str
    kind: Kind
    recorded: str | None
    here: str | None
    matters: bool = True

    @property
    def same(self) -> bool | None:
        """Whether both are the same; None where that is not known."""
        if self.recorded is None and self.here is None:
            return None
        return self.recorded == self.here


def between(
    recorded: Mapping[str, Mapping[str, Any]], here: Mapping[str, Mapping[str, Any]]
) -> tuple[Factor, ...]:
    """Compare the environments of two executions, stage by stage: what differs in any stage is told.

    Args:
        recorded: the stages' own records of the run, by name.
        here: those of the attempt.
    """
    stages = [name for name in here if name in recorded]
    stages.sort(key=lambda name: name != ANCHOR)  # the training first: what differs there matters most
    found: dict[str, Factor] = {}
    for stage in stages:
        for factor in _of_stage(recorded[stage], here[stage]):
            if factor.name not in found or (found[factor.name].same is not False and factor.same is False):
                found[factor.name] = factor
    order = {name: index for index, name in enumerate(found)}
    return tuple(sorted(found.values(), key=lambda one: (_rank(one), order[one.name])))


def _of_stage(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Factor]:
    first, second = (mapping(record, "environment", "packages") for record in (recorded, here))
    for name in {**first, **second}:
        a, b = _words(first.get(name)), _words(second.get(name))
        if (a != b or name in _NEAR_ARITHMETIC) and name != "reproof":
            yield Factor(name, "package", a, b)
    for name, kind, matters, read in _FACTS:
        yield Factor(name, kind, read(recorded), read(here), matters)
    first, second = (mapping(record, "environment", "variables") for record in (recorded, here))
    for name in sorted({**first, **second}):
        a, b = _words(first.get(name)), _words(second.get(name))
        if a != b:
            yield Factor(name, "variable", a, b, name not in _NOT_SHOWN)


def _rank(factor: Factor) -> int:
    """What matters and differs first; then what people look for."""
    if factor.same is False and factor.matters:
        return 0 if factor.kind == "package" and factor.name in _NEAR_ARITHMETIC else 1
    return 2 if factor.name in (*_NEAR_ARITHMETIC, "threads", "ISA", "CPU", "Python") else 3


def _isa(record: Mapping[str, Any]) -> str | None:
    """What torch took of the processor's instruction sets, else the highest that it has."""
    taken = mapping(record, "pinned", "torch").get("cpu_capability")
    return _words(taken or mapping(record, "environment", "cpu").get("isa"))


def _gpus(record: Mapping[str, Any]) -> str | None:
    gpus = mapping(record, "environment", "gpus").values()
    return ", ".join(str(one.get("name")) for one in gpus if isinstance(one, dict)) or None


def _library(record: Mapping[str, Any]) -> str | None:
    found = mapping(record, "environment", "library")
    commit = str(found.get("commit") or "")
    return _words(" ".join(filter(None, [str(found.get("version") or ""), commit[:10], commit[40:]])))


def _at(*keys: str) -> Callable[[Mapping[str, Any]], str | None]:
    return lambda record: _words(mapping(record, *keys[:-1]).get(keys[-1]))


def _words(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value == "" else str(value)


_FACTS: tuple[tuple[str, Kind, bool, Callable[[Mapping[str, Any]], str | None]], ...] = (
    ("Python", "setting", True, _at("environment", "python", "version")),
    ("CPU", "machine", True, _at("environment", "cpu", "model")),
    ("architecture", "machine", True, _at("environment", "cpu", "architecture")),
    ("threads", "threads", True, _at("pinned", "threads")),
    ("torch's threads", "threads", True, _at("pinned", "torch", "threads")),
    ("usable cores", "machine", True, _at("environment", "cpu", "usable_cores")),
    ("ISA", "isa", True, _isa),
    ("deterministic", "setting", True, _at("pinned", "deterministic")),
    ("device", "setting", True, _at("facts", "device")),
    ("GPU", "machine", True, _gpus),
    ("GPU driver", "machine", True, _at("environment", "gpu_driver")),
    ("CUDA", "machine", True, _at("environment", "cuda")),
    ("system", "machine", False, _at("environment", "os", "name")),
    ("reproof", "library", False, _library),
)
"""Name, kind, whether bits may depend on it, and where a stage's record has it."""
