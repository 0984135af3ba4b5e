"""What two runs ran on: packages, threads, instruction set, GPU, driver, and the library itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reproof.difference.sides import Side
from reproof.record_values import mapping

Kind = Literal["package", "setting", "machine", "library", "variable"]

_ARITHMETIC = (
    "torch", "numpy", "scipy", "scikit-learn", "tensorflow", "jax", "jaxlib", "flax", "keras", "xgboost",
    "lightgbm", "catboost", "transformers", "tokenizers", "accelerate", "datasets", "peft", "trl",
    "torchvision", "torchaudio", "timm", "onnx", "onnxruntime", "onnxruntime-gpu", "onnxscript", "onnx-ir",
    "safetensors", "pandas", "pyarrow", "pillow", "opencv-python", "opencv-python-headless", "librosa",
    "soundfile", "numba", "cupy", "statsmodels", "einops", "mkl", "triton",
)  # fmt: skip
"""Packages that numbers go through, the nearest to arithmetic first, imported by name or beneath another."""

_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
}
"""Names of packages whose modules are called otherwise."""

_THREAD_VARIABLES = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_TORCH_THREADS = "torch's threads"
NO_GPU = "none"


@dataclass(frozen=True)
class Change:
    """A fact that differs.

    Attributes:
        name: such as `numpy`, `threads`, `GPU`.
        kind: what it is a fact of.
        a: in the first run, in words; None for a package that it had not.
        b: in the second.
        matters: whether numbers may differ because of it.
    """

    name: str
    kind: Kind
    a: str | None
    b: str | None
    matters: bool


@dataclass(frozen=True)
class Environment:
    """What differs, what probably matters first.

    Attributes:
        changes: the facts that differ.
        same_machine: whether both fingerprints are the same; None where a record has none.
        same_packages: whether every package has one version; None where a record lists none.
        unknown: facts that only one of the records has.
    """

    changes: tuple[Change, ...]
    same_machine: bool | None
    same_packages: bool | None
    unknown: tuple[str, ...]

    @property
    def same(self) -> bool | None:
        """Whether nothing differs that numbers may differ by; None where that is not known."""
        if any(one.matters for one in self.changes):
            return False
        return None if self.same_packages is None or self.same_machine is None else True

    def of(self, *kinds: Kind) -> tuple[Change, ...]:
        """Return the changes of some kinds."""
        return tuple(one for one in self.changes if one.kind in kinds)


def compare(a: Side, b: Side, modules: Collection[str]) -> Environment:
    """Return what differs in packages, settings and machine.

    Args:
        a: the first run.
        b: the second.
        modules: what the project's code imports: those packages matter, besides those of `_ARITHMETIC`.
    """
    changes, unknown = _packages(a, b, modules)
    for name, kind, matters, read in _FACTS:
        first, second = read(a.meta), read(b.meta)
        if first is None or second is None:
            unknown += [name] if first != second else []
        elif first != second and not (name == _TORCH_THREADS and _follows(changes, first, second)):
            changes.append(Change(name, kind, first, second, matters))
    if all(isinstance(one.meta.get("variables"), dict) for one in (a, b)):
        changes += _variables(a, b, any(one.name == "threads" for one in changes))
    first_machine, second_machine = a.run.fingerprint, b.run.fingerprint
    known = first_machine is not None and second_machine is not None
    lists = mapping(a.meta, "packages"), mapping(b.meta, "packages")
    return Environment(
        tuple(sorted(changes, key=lambda one: not one.matters)),  # else in the order in which they were found
        first_machine == second_machine if known else None,
        lists[0] == lists[1] if all(lists) else None,
        tuple(unknown),
    )


def _follows(changes: Sequence[Change], a: str, b: str) -> bool:
    """Whether torch's threads are those that were pinned, and so no difference of their own."""
    return any((one.name, one.a, one.b) == ("threads", a, b) for one in changes)


def _packages(a: Side, b: Side, modules: Collection[str]) -> tuple[list[Change], list[str]]:
    first, second = mapping(a.meta, "packages"), mapping(b.meta, "packages")
    if not first or not second:
        return [], ["packages"] if first or second else []
    used = {_DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in modules} - {"reproof"}
    changes = [
        Change(name, "package", _words(first.get(name)), _words(second.get(name)), _counts(name, used))
        for name in {*first, *second}
        if first.get(name) != second.get(name) and name != "reproof"
    ]
    nearest = {name: index for index, name in enumerate(_ARITHMETIC)}
    changes.sort(key=lambda one: (one.name not in used, nearest.get(one.name, len(nearest)), one.name))
    return changes, []


def _counts(name: str, used: Collection[str]) -> bool:
    return name in used or name in _ARITHMETIC or name.startswith("nvidia-c")  # cuBLAS, cuDNN, CUDA's runtime


def _variables(a: Side, b: Side, threads_differ: bool) -> list[Change]:
    first, second = mapping(a.meta, "variables"), mapping(b.meta, "variables")
    return [
        Change(name, "variable", _words(first.get(name)), _words(second.get(name)), name not in _JOB_NUMBERS)
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name) and not (threads_differ and name in _THREAD_VARIABLES)
    ]


_JOB_NUMBERS = ("SLURM_JOB_ID",)


def _at(*keys: str) -> Callable[[Mapping[str, Any]], str | None]:
    return lambda meta: _words(mapping(meta, *keys[:-1]).get(keys[-1]))


def _isa(meta: Mapping[str, Any]) -> str | None:
    """What torch took of the processor's instruction sets, else the highest that it has."""
    taken = mapping(meta, "pinned", "torch").get("cpu_capability")
    return _words(taken or mapping(meta, "cpu").get("isa"))


def _gpus(meta: Mapping[str, Any]) -> str | None:
    if "gpus" not in meta or not isinstance(meta["gpus"], dict | None):
        return None
    names = [str(one.get("name")) for one in mapping(meta, "gpus").values() if isinstance(one, dict)]
    counted = Counter(names).items()
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in counted) or NO_GPU


def _or_none(key: str) -> Callable[[Mapping[str, Any]], str | None]:
    return lambda meta: (_words(meta[key]) or NO_GPU) if key in meta else None


def _memory(meta: Mapping[str, Any]) -> str | None:
    size = meta.get("ram_bytes")
    return f"{size / 2**30:.0f} GiB" if isinstance(size, int) else None


def _library(meta: Mapping[str, Any]) -> str | None:
    found = mapping(meta, "library")
    commit = str(found.get("commit") or "")
    return _words(" ".join(filter(None, [str(found.get("version") or ""), commit[:10], commit[40:]])))


def _words(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value == "" else str(value)


_FACTS: tuple[tuple[str, Kind, bool, Callable[[Mapping[str, Any]], str | None]], ...] = (
    ("threads", "setting", True, _at("pinned", "threads")),
    (_TORCH_THREADS, "setting", True, _at("pinned", "torch", "threads")),
    ("device", "setting", True, _at("device")),
    ("deterministic", "setting", True, _at("pinned", "deterministic")),
    ("GPU", "machine", True, _gpus),
    ("GPU driver", "machine", True, _or_none("gpu_driver")),
    ("CUDA", "machine", True, _or_none("cuda")),
    ("CPU", "machine", True, _at("cpu", "model")),
    ("ISA", "machine", True, _isa),
    ("architecture", "machine", True, _at("cpu", "architecture")),
    ("usable cores", "machine", False, _at("cpu", "usable_cores")),
    ("memory", "machine", False, _memory),
    ("Python", "setting", True, _at("python", "version")),
    ("Python implementation", "setting", True, _at("python", "implementation")),
    ("system", "machine", False, _at("os", "name")),
    ("kernel", "machine", False, _at("os", "release")),
    ("reproof", "library", False, _library),
    ("lock of packages", "setting", False, _at("requirements_lock", "digest")),
)
"""Name, kind, whether bits may depend on it, where meta.json has it; in the order in which they are told."""
