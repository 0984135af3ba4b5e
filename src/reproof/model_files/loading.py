"""Model files as torch modules, ready to be called."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.errors import ReproofError
from reproof.model_files import exported, formats, scripted

if TYPE_CHECKING:
    import torch


def load_module(path: Path, root: Path, loader: str | None) -> torch.nn.Module:
    """Return a model as a module on the CPU, in evaluation mode.

    What runs on the way: for TorchScript, its own interpreter, after `scripted.check`; for torch.export,
    the tracer's generated Python, after `exported.check` has refused all that is not operators, tensors and
    sizes; for weights, the user's own loader, and what that runs. Those checks keep a file from running code
    as it is loaded. They make no stranger's model trustworthy: take models from people whom you trust.

    Args:
        path: the file.
        root: the project's folder.
        loader: `src/model.py:load`, which takes the file's path and returns the module; for weights alone,
            which have no graph.

    Raises:
        ReproofError: as `detect`; a file that its checks refuse; an ONNX model, which no torch loads; or a
            loader that is missing or returns something else.
        Exception: whatever the user's loader raises.
    """
    shown = path.name
    kind = formats.detect(path, where=shown)
    if kind == "onnx":
        raise ReproofError(
            "torch cannot load an ONNX model",
            where=shown,
            hint="ONNX Runtime runs it: runtimes: [onnxruntime]",
        )
    if kind == "torchscript":
        return scripted.load(path, shown)
    return _exported(path, shown) if kind == "torch-export" else _own(path, root, loader, shown)


def _exported(path: Path, shown: str) -> torch.nn.Module:
    exported.check(path, shown)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
            # Guards are Python source made of the names of inputs; shapes are checked without them too.
            checked = "check_guards" in inspect.signature(program.module).parameters
            return program.module(check_guards=False) if checked else program.module()
    except Exception as error:
        # The loader's exceptions share no base class; the file has passed all checks of its form.
        raise ReproofError(
            "torch cannot load the exported program",
            where=shown,
            found=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"[:200],
            hint="make it anew with a torch no newer than this one, or export it to ONNX",
        ) from error


def _own(path: Path, root: Path, loader: str | None, shown: str) -> torch.nn.Module:
    """Call the user's loader."""
    import torch

    from reproof.benchmark import references

    if loader is None:
        raise ReproofError(
            "weights alone, and no loader for them",
            where=shown,
            expected="a function that takes the path and returns a torch.nn.Module",
            hint="write src/model.py:load, and name it in params.yaml: `model: {loader: src/model.py:load}`",
        )
    module = references.load(root, loader)(path)
    if not isinstance(module, torch.nn.Module):
        raise ReproofError(
            "the loader returns no torch.nn.Module",
            where=loader,
            expected="the module with the weights in it: `model.load_state_dict(…); return model`",
            found=type(module).__name__,
        )
    return module.eval()
