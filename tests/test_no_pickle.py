"""Reading data never runs code: no pickle, no eval, no shell, in what is written here and in what it does."""

from __future__ import annotations

import ast
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from projects import ROOT

from reproof import benchmark, checkpoint, digest, onnx_export, splits, state
from reproof.benchmark import batches
from reproof.errors import ReproofError

FOLDERS = ("src", "template/src", "pipeline", "benchmarks")
SCRIPTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

RUNS_CODE_ON_LOADING = {"cloudpickle", "dill", "jsonpickle", "joblib", "marshal", "pickle", "shelve"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput"}
SAFE_LOADERS = {"_Loader", "yaml.SafeLoader", "getattr(yaml, 'CSafeLoader', yaml.SafeLoader)"}
OF_TEXT = {"eval", "exec", "compile", "__import__"}


def names(tree: ast.AST) -> dict[str, str]:
    """What the names that a module imports stand for: `np` for `numpy`, `load` for `torch.load`."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0]
                for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return known


def called(function: ast.expr, known: dict[str, str]) -> str:
    """The full name of what is called: `torch.load`; of a method of something unknown, its name alone."""
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    first = known.get(function.id, function.id) if isinstance(function, ast.Name) else ""
    return ".".join([first, *reversed(parts)])


def wrongs(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a script that load or run what they should not, and why."""
    tree = ast.parse(source)
    known = names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            if RUNS_CODE_ON_LOADING & set(module.split(".")):
                yield node.lineno, f"imports {module}"
        if isinstance(node, ast.Call) and (why := wrong_call(called(node.func, known), node)):
            yield node.lineno, why


def wrong_call(name: str, node: ast.Call) -> str | None:
    given = {word.arg: word.value for word in node.keywords}

    def says(option: str, value: Any) -> bool:
        found = given.get(option)
        return isinstance(found, ast.Constant) and found.value is value

    if name in OF_TEXT or name in SHELLS or name.startswith("os.spawn"):
        return f"{name} runs text as code"
    if name in {"torch.load", "torch.hub.load", "torch.jit.load"} and not says("weights_only", True):
        return f"{name} without weights_only=True"
    if name.rpartition(".")[2] == "read_pickle":
        return f"{name} loads a pickle"
    if "allow_pickle" in given and not says("allow_pickle", False):
        return f"{name} with allow_pickle"
    if "shell" in given and not says("shell", False):
        return f"{name} through a shell"
    if (
        name.startswith("subprocess.")
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ):
        return f"{name} with a string for a command"
    if name in {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.compose"}:
        loader = given.get("Loader")
        if loader is None or ast.unparse(loader) not in SAFE_LOADERS:
            return f"{name} with a loader that may make objects"
    return None


LOOKED_AT_FIRST = {"src/reproof/model_files/scripted.py": "torch.jit.load without weights_only=True"}
"""TorchScript is a program, and knows no such option: its loader refuses the dangerous ones before."""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_script_loads_pickles_or_runs_text(path: Path) -> None:
    known = LOOKED_AT_FIRST.get(path.relative_to(ROOT).as_posix())
    found = list(wrongs(path.read_text(encoding="utf-8")))
    assert [f"{line}: {why}" for line, why in found if why != known] == []
    assert sum(why == known for _, why in found) == (0 if known is None else 1)


def test_the_scripts_of_the_library_and_of_the_template_are_among_those_that_are_read() -> None:
    assert {"digest.py", "state.py", "train.py", "rendered.py"} <= {path.name for path in SCRIPTS}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import dill as d",
        "import torch as t\nt.load('x')",
        "from torch import load\nload('x', weights_only=False)",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=wanted)",
        "import pandas as pd\npd.read_pickle('x')",
        "eval('1')",
        "exec(text)",
        "import os\nos.system('ls')",
        "from subprocess import run\nrun(['ls'], shell=True)",
        "import subprocess\nsubprocess.run('ls')",
        "import subprocess as s\ns.Popen(f'ls {x}')",
        "import yaml\nyaml.load(text, Loader=yaml.FullLoader)",
        "import yaml\nyaml.unsafe_load(text)",
    ],
)  # fmt: skip
def test_the_walk_finds_each_kind_of_danger(source: str) -> None:
    assert list(wrongs(source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile('x')",
        "model.eval()",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import yaml\nyaml.safe_load(text)",
        "import yaml\nyaml.load(text, Loader=_Loader)",
        "import torch\ntorch.load('x', weights_only=True)",
    ],
)
def test_the_walk_leaves_what_is_safe(source: str) -> None:
    assert list(wrongs(source)) == []


# What the library does with a file that was made to run code.


class Bomb:
    """Unpickled, it makes the file that tests look for."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


def of_pickle(bomb: Bomb) -> bytes:
    return pickle.dumps(bomb)


def of_torch(bomb: Bomb) -> bytes:
    stream = io.BytesIO()
    torch.save({"weights": bomb}, stream)
    return stream.getvalue()


def of_old_torch(bomb: Bomb) -> bytes:
    stream = io.BytesIO()
    torch.save({"weights": bomb}, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def of_array(bomb: Bomb) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([bomb], dtype=object), allow_pickle=True)
    return stream.getvalue()


def of_archive(bomb: Bomb) -> bytes:
    stream = io.BytesIO()
    held = {name: np.array([bomb], dtype=object) for name in ("x", "y", "ids")}
    np.savez(stream, **held)
    return stream.getvalue()


def of_a_pickle_in_an_archive(bomb: Bomb) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("x.npy", "y.npy", "ids.npy"):
            archive.writestr(name, pickle.dumps(bomb))
    return stream.getvalue()


BOMBS = (of_pickle, of_torch, of_old_torch, of_array, of_archive, of_a_pickle_in_an_archive)


def measured(path: Path) -> None:
    subject = benchmark.Subject(root=path.parent, samples=path, samples_array="x")
    batches.write(subject, [1], path.parent, seed=0)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights": ("model.safetensors", checkpoint.load_weights),
    "state": ("state.safetensors", checkpoint.load_state),
    "raw-state": ("state.safetensors", state.read),
    "split": ("train.npz", splits.load),
    "samples": ("test.npz", measured),
    "session": ("model.onnx", lambda path: onnx_export.open_session(path, 1)),
    **{
        f"digest-{name}": (name, digest.digest)
        for name in ("a.safetensors", "a.npz", "a.npy", "a.onnx", "a.parquet", "a.json", "a.ndjson")
    },
}


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_a_planted_pickle_is_an_error_and_never_runs(
    tmp_path: Path, reader: str, make: Callable[[Bomb], bytes]
) -> None:
    canary = tmp_path / "ran"
    name, read = READERS[reader]
    path = tmp_path / name
    path.write_bytes(make(Bomb(canary)))
    with pytest.raises(ReproofError) as caught:
        read(path)
    assert not canary.exists()
    assert name in str(caught.value)


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_a_bomb_does_run_where_pickles_are_loaded(tmp_path: Path, make: Callable[[Bomb], bytes]) -> None:
    canary = tmp_path / "ran"
    data = make(Bomb(canary))
    if make in (of_torch, of_old_torch):
        torch.load(io.BytesIO(data), weights_only=False)
    elif make in (of_array, of_archive):
        loaded = np.load(io.BytesIO(data), allow_pickle=True)
        _ = loaded if isinstance(loaded, np.ndarray) else loaded["x"]
    elif make is of_pickle:
        pickle.loads(data)
    else:
        pickle.loads(zipfile.ZipFile(io.BytesIO(data)).read("x.npy"))
    assert canary.exists()


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link.bin", "sub/../../secret.bin"])
def test_a_graph_whose_weights_lie_outside_is_an_error_and_reads_nothing(
    tmp_path: Path, location: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"secret__" * 512)
    (project / "link.bin").symlink_to(tmp_path / "secret.bin")
    (project / "sub").mkdir()
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        weight.external_data.add(key=key, value=value)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    path = project / "model.onnx"
    opset = [helper.make_opsetid("", 18)]
    path.write_bytes(helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString())
    for read in (digest.digest, lambda path: onnx_export.open_session(path, 1)):
        with pytest.raises(ReproofError, match=r"model\.onnx"):
            read(path)
    assert isinstance(onnx.load_model(path, load_external_data=False), onnx.ModelProto)


def test_object_columns_of_a_table_are_read_as_plain_values(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    canary = tmp_path / "ran"
    held = pa.array([pickle.dumps(Bomb(canary))], pa.binary())
    table = pa.table({"id": held}).replace_schema_metadata({"pandas": pickle.dumps(Bomb(canary))})
    pq.write_table(table, tmp_path / "predictions.parquet")
    assert digest.digest(tmp_path / "predictions.parquet").startswith("sha256:")
    assert not canary.exists()
