"""Projects of the recipe inference with models that nobody here made."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from conftest import commit_all
from projects import dvc, render


def onnx_model(name: str) -> Path:
    """A model that the onnx package carries for its backend tests, such as `light/light_resnet50.onnx`."""
    found = importlib.util.find_spec("onnx")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "backend" / "test" / "data" / name


def project_with(folder: Path, model: Path | None, *, named: str | None = None) -> Path:
    """Render the recipe, put a model into it as its README says, and make its benchmark a look of seconds."""
    project = render(folder, recipe="inference")
    replace(project / "params.yaml", "  quick: true ", "  repeats: 1\n  quick: true ")
    commit_all(project, "Quick")
    if model is not None:
        name = named or model.name
        shutil.copyfile(model, project / "models" / name)
        dvc(project, "add", "--quiet", f"models/{name}")
    return project


def replace(path: Path, *pairs: str) -> None:
    """Put new texts in the place of old ones, given in turn; each old one stands there once."""
    text = path.read_text(encoding="utf-8")
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert text.count(old) == 1, (path.name, old, text.count(old))
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
