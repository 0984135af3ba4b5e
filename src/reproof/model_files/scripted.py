"""TorchScript archives: what they hold, and a look at their program before torch loads it.

`torch.jit.load` runs no Python and unpickles no Python object: its own interpreter builds the modules, and
runs their `__setstate__`. But operators of that interpreter read and write files (`aten::save`,
`aten::from_file`), and libraries may add others. `check` refuses programs that name such operators.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import npz
from reproof.errors import ReproofError
from reproof.model_files.facts import Facts, Graph, Weights

if TYPE_CHECKING:
    import torch

_FILES = re.compile(r"\b(?:torch|aten)\.(save|load|from_file|_save_\w+)\s*\(|\bops\.aten\.(save|from_file)\b")
_OWN = re.compile(r"\bops\.(?!aten\b|prim\b|prims\b|quantized\b|torchvision\b|torchaudio\b)(\w+)\.(\w+)")
_MAX_CODE_BYTES = 100_000_000


def read(path: Path, shown: str) -> Facts:
    """Return what an archive holds. It is loaded for that, after `check`; nothing is called.

    Raises:
        ReproofError: as `load`.
        ImportError: torch is not installed.
    """
    module = load(path, shown)
    tensors = [*module.parameters(), *module.buffers()]
    dtypes: Counter[str] = Counter()
    for tensor in tensors:
        dtypes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel()
    graph = module.inlined_graph
    operators = Counter(node.kind().removeprefix("aten::") for node in _nodes(graph))
    names = [argument.name for argument in _schema(module).arguments[1:]]
    return Facts(
        format="torchscript",
        weights=Weights(
            len(tensors),
            sum(tensor.numel() for tensor in tensors),
            sum(tensor.numel() * tensor.element_size() for tensor in tensors),
            dict(dtypes.most_common()),
        ),
        graph=Graph({}, None, "TorchScript", sum(operators.values()), dict(operators.most_common(200))),
        ports_reason=f"TorchScript keeps no shapes and types; its inputs are called {', '.join(names)[:300]}",
    )


def load(path: Path, shown: str) -> torch.jit.ScriptModule:
    """Check an archive and load it on the CPU, in evaluation mode.

    Raises:
        ReproofError: as `check`; or torch cannot load it.
        ImportError: torch is not installed.
    """
    check(path, shown)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated in torch itself
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        _schema(module)  # what has none cannot be called
    except (RuntimeError, ValueError, AttributeError) as error:
        raise ReproofError(
            "torch cannot load the TorchScript file",
            where=shown,
            found=(str(error).strip().splitlines() or [type(error).__name__])[0][:200],
            hint="make it anew with a torch no newer than this one, or export it to ONNX",
        ) from error
    module.eval()
    return module


def check(path: Path, shown: str) -> None:
    """Look through an archive's program for operators that reach for files, or that only a library adds.

    Raises:
        ReproofError: there are some, or the archive is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sources = [entry for entry in archive.infolist() if entry.filename.endswith(".py")]
            if sum(entry.file_size for entry in sources) > _MAX_CODE_BYTES:
                raise ValueError("over 100 MB of program text")
            text = "\n".join(archive.read(entry).decode("utf-8", "replace") for entry in sources)
    except npz.UNREADABLE as error:
        raise ReproofError(
            "a damaged TorchScript file",
            where=shown,
            found=str(error)[:200],
            hint="copy or download the file again; where DVC holds it, `dvc checkout --force` restores it",
        ) from error
    if reached := _FILES.search(text):
        raise ReproofError(
            "a TorchScript program that reads or writes files, so it is not loaded",
            where=shown,
            found=" ".join(reached.group().split())[:100],
            hint="take a model without it, or load this one yourself, in src/model.py",
        )
    if own := _OWN.search(text):
        raise ReproofError(
            "a TorchScript program with operators that torch does not have",
            where=shown,
            found=own.group()[:100],
            hint="export the model to ONNX, or load its library and the file yourself, in src/model.py",
        )


def _schema(module: Any) -> Any:
    return module.forward.schema


def _nodes(block: Any) -> Any:
    """Every operation, in inner blocks too; not what only handles constants and attributes."""
    for node in block.nodes():
        if not node.kind().startswith("prim::"):
            yield node
        for inner in node.blocks():
            yield from _nodes(inner)
