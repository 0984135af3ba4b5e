"""The versions of the showcase's project: its code at each step of the history, and its data."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parent / "showcase_project"
VERSIONS = ("start", "wider", "november", "momentum")
_SCRIPTS = ("config", "model", "prepare", "train", "evaluate_model", "benchmark")
_SMALL_FILES = {
    ".dvc/config": "[core]\n    analytics = false\n    check_update = false\n",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": "__pycache__\n",
    ".gitignore": "__pycache__/\n/prepared\n/results/*\n!/results/latest\n"
    "/results/latest/checkpoint\n/results/latest/predictions.parquet\n",
}

_WIDER = {
    "src/model.py": [
        ("0.1 * random.standard_normal((f", "np.sqrt(2 / features) * random.standard_normal((f"),
        ("0.1 * random.standard_normal((h", "np.sqrt(2 / hidden) * random.standard_normal((h"),
        (
            "def initial(random, features, hidden):\n",
            'def initial(random, features, hidden):\n    """He et al., 2015."""\n',
        ),
    ],
    "params.yaml": [("hidden: 16", "hidden: 32")],
}
_STEP = """\
    gradients = {
        "w1": x.T @ behind,
        "b1": behind.sum(axis=0),
        "w2": hidden.T @ ahead,
        "b2": ahead.sum(axis=0),
    }
    for name, gradient in gradients.items():
        speed[name] = train.momentum * speed[name] - train.lr * gradient
        weights[name] += speed[name]
"""
_SGD = """\
    weights["w2"] -= train.lr * hidden.T @ ahead
    weights["b2"] -= train.lr * ahead.sum(axis=0)
    weights["w1"] -= train.lr * x.T @ behind
    weights["b1"] -= train.lr * behind.sum(axis=0)
"""
_REST = "    speed = {name: np.zeros_like(array) for name, array in weights.items()}\n"
_MOMENTUM = {
    "src/model.py": [
        ("def step(weights, x, y, train):", "def step(weights, speed, x, y, train):"),
        ('"""Move the weights against the gradient;', '"""Move the weights with the speed that they have;'),
        (_SGD, _STEP),
        ("step(weights, x[rows]", "step(weights, speed, x[rows]"),
        ("    losses = []\n", f"{_REST}    losses = []\n"),
    ],
    "src/config.py": [
        (
            "    lr: float = Field(gt=0)\n",
            "    lr: float = Field(gt=0)\n    momentum: float = Field(ge=0, lt=1)\n",
        )
    ],
    "params.yaml": [("  lr: 0.2\n", "  lr: 0.2\n  momentum: 0.7\n")],
}
_OLD_IMAGES = 1300
_REMOVED = (17, 408, 911)
_MISLABELLED = {5: 9, 129: 3, 350: 8, 702: 1, 844: 9, 1201: 2}


def project(version: str) -> dict[str, bytes]:
    """The files of the project at a version of `VERSIONS`, data and all, by path."""
    found = {
        path.relative_to(PROJECT).as_posix(): path.read_bytes()
        for path in sorted(PROJECT.rglob("*"))
        if path.suffix in (".py", ".yaml", ".json")
    }
    found["dvc.yaml"] = found.pop("pipeline.yaml")
    found |= {name: text.encode() for name, text in _SMALL_FILES.items()}
    since = VERSIONS.index(version)
    for changes in (_WIDER if since >= 1 else {}, _MOMENTUM if since >= 3 else {}):
        for name, replaced in changes.items():
            for old, new in replaced:
                assert old.encode() in found[name], (name, old)
                found[name] = found[name].replace(old.encode(), new.encode())
    return found | {"data/digits.csv": digits(november=since >= 2)}


def digits(*, november: bool) -> bytes:
    """The rows id, label, 64 pixels: at first 1,300 with six wrong labels; in November more, three fewer."""
    found = importlib.util.find_spec("sklearn")
    assert found is not None
    assert found.submodule_search_locations is not None
    packed = Path(found.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    rows = ["id,label,pixels"]
    for number, line in enumerate(gzip.decompress(packed.read_bytes()).decode().splitlines()):
        *pixels, label = (int(float(word)) for word in line.split(","))
        if number in _REMOVED if november else number >= _OLD_IMAGES:
            continue
        label = label if november else _MISLABELLED.get(number, label)
        rows.append(",".join(map(str, (number, label, *pixels))))
    return ("\n".join(rows) + "\n").encode()


@contextlib.contextmanager
def scripts(folder: Path) -> Iterator[dict[str, ModuleType]]:
    """Import the scripts of `<folder>/src` by name, and forget them: other projects have the same names."""
    before = {name: sys.modules.pop(name, None) for name in _SCRIPTS}
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder / "src"))
    importlib.invalidate_caches()
    try:
        yield {name: importlib.import_module(name) for name in _SCRIPTS}
    finally:
        sys.path.remove(str(folder / "src"))
        sys.dont_write_bytecode = writes
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
