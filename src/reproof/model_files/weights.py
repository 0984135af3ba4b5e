"""Files of weights alone: safetensors, and what torch.save writes of a state_dict."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reproof.errors import ReproofError
from reproof.model_files import formats, pickles
from reproof.model_files.facts import Facts, Weights

if TYPE_CHECKING:
    import torch

NO_GRAPH = "a file of weights alone: what is computed with them stands in the loader, src/model.py"
_NO_PORTS = "a file of weights alone does not tell what goes in and comes out"

_DTYPES = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint", "C": "complex"}


def read_safetensors(path: Path, shown: str) -> Facts:
    """Read the header of a safetensors file; no tensor is read."""
    with path.open("rb") as stream:
        entries = formats.check_safetensors(stream, path.stat().st_size, shown)
    found = (
        (_dtype(entry["dtype"]), math.prod(entry["shape"]), entry["data_offsets"])
        for entry in entries.values()
    )
    return _facts("safetensors", ((dtype, count, end - begin) for dtype, count, (begin, end) in found))


def read_torch(path: Path, shown: str) -> Facts:
    """Read the shapes of what torch.save wrote, with `weights_only=True`; the bytes stay on disk.

    Raises:
        ReproofError: a file that only opens with code, a damaged one, or one without a tensor.
    """
    tensors = list(_tensors(load(path, shown)))
    if not tensors:
        raise ReproofError(
            "a torch file without a tensor",
            where=shown,
            expected="a state_dict, or a checkpoint that holds one",
            hint=pickles.SAFE_WAYS,
        )
    return _facts(
        "torch-weights",
        (
            (str(one.dtype).removeprefix("torch."), one.numel(), one.numel() * one.element_size())
            for one in tensors
        ),
    )


def load(path: Path | IO[bytes], shown: str) -> Any:
    """Return what torch.save wrote, its tensors on torch's `meta` device: shapes and types without values.

    Raises:
        ReproofError: a file that only opens with code, or a damaged one.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        # What it raises, the bytes decide: from its unpickler, its archive reader, or what builds a tensor.
        if names := re.findall(r"(?:GLOBAL|global) ([\w.]+)", str(error)):
            raise pickles.refusal(sorted(set(names)), shown) from error
        raise _damaged(error, shown) from error


def _damaged(error: Exception, shown: str) -> ReproofError:
    return ReproofError(
        "a torch file that torch cannot read: damaged, or cut short",
        where=shown,
        found=(str(error).strip().splitlines() or [type(error).__name__])[0][:200],
        hint="copy or download the file again; where DVC holds it, `dvc checkout --force` restores it",
    )


def _facts(kind: formats.Format, entries: Iterable[tuple[str, int, int]]) -> Facts:
    tensors = parameters = size = 0
    dtypes: Counter[str] = Counter()
    for dtype, count, used in entries:
        tensors, parameters, size = tensors + 1, parameters + count, size + used
        dtypes[dtype] += count
    weights = Weights(tensors, parameters, size, dict(dtypes.most_common()))
    return Facts(kind, weights=weights, graph_reason=NO_GRAPH, ports_reason=_NO_PORTS)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in dictionaries and lists, each once; without recursion: depth is the file's choice."""
    import torch

    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list | tuple | set | torch.Tensor):
            if id(one) in seen:
                continue
            seen.add(id(one))
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple | set):
            waiting.extend(one)


def _dtype(name: str) -> str:
    """Numpy's name of safetensors' dtype: `F32` is float32."""
    if name == "BOOL":
        return "bool"
    match = re.fullmatch(r"(BF|F|I|U|C)(\d+)(_\w+)?", name)
    return f"{_DTYPES[match[1]]}{match[2]}{(match[3] or '').lower()}" if match else name[:40]
