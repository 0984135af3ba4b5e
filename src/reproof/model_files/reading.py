"""What a model file says of itself, whichever format it has."""

from __future__ import annotations

from pathlib import Path

from reproof.model_files import formats
from reproof.model_files.facts import Facts
from reproof.model_files.formats import Format


def read(path: Path, root: Path, *, where: str | None = None) -> Facts:
    """Read what a model file says of itself, and refuse one that cannot be used or should not be opened.

    Where the package that reads the format is not installed, what it would have told is None, with that
    reason.

    Args:
        path: the file.
        root: the project's folder; nothing outside it is read, links followed.
        where: how errors call the file; default its path.

    Raises:
        ReproofError: as `detect`; and for a file whose inside is damaged, incomplete or unsafe.
    """
    shown = where or str(path)
    kind = formats.detect(path, where=shown)
    try:
        return _read(kind, path, root, shown)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("onnx", "torch", "google"):
            raise
        reason = f"reading it needs the package {'onnx' if missing == 'google' else missing}, not installed"
        return Facts(kind, weights_reason=reason, graph_reason=reason, ports_reason=reason)


def _read(kind: Format, path: Path, root: Path, shown: str) -> Facts:
    from reproof.model_files import exported, onnx_model, scripted, weights

    if kind == "onnx":
        return onnx_model.read(path, root, shown)
    if kind == "safetensors":
        return weights.read_safetensors(path, shown)
    if kind == "torchscript":
        return scripted.read(path, shown)
    return exported.read(path, shown) if kind == "torch-export" else weights.read_torch(path, shown)
