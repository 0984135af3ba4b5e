"""No model file runs code as it is looked at or loaded: pickles, exported programs, TorchScript."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_file_makers import exported, network, rewritten, scripted

from reproof import model_files
from reproof.errors import ReproofError


class Attack:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "the code was run"


def refused(path: Path, trace: Path) -> str:
    """What is said of a file by all that look at it or load it, none of which runs it."""
    told = []
    for look in (
        lambda: model_files.detect(path),
        lambda: model_files.read(path, path.parent),
        lambda: model_files.load_module(path, path.parent, None),
    ):
        try:
            look()
        except ReproofError as error:
            told.append(str(error))
    assert not trace.exists()
    assert len(told) >= 2, "only `detect` may let it pass"
    return told[-1]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_needs_code_is_named_and_not_opened(
    zipped: bool, protocol: int, tmp_path: Path, trace: Path
) -> None:
    path = tmp_path / "net.pt"
    torch.save(
        {"w": torch.ones(2), "x": Attack(trace)},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    told = refused(path, trace)
    assert f"{os.mkdir.__module__}.mkdir" in told
    for way in ("torch.save(model.state_dict(), path)", "safetensors", "torch.export", "torch.onnx.export"):
        assert way in told


def test_a_whole_module_and_arrays_of_numpy_are_named(tmp_path: Path, trace: Path) -> None:
    torch.save(network(), tmp_path / "net.pt")
    assert "torch.nn.modules.conv.Conv2d" in refused(tmp_path / "net.pt", trace)
    torch.save({"w": torch.ones(2), "best": np.float64(0.5)}, tmp_path / "last.ckpt")
    assert "numpy" in refused(tmp_path / "last.ckpt", trace)


def test_a_plain_pickle_is_told_to_be_one(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps({"w": 1}))
    assert "torch.save did not write" in refused(path, trace)
    path.write_bytes(pickle.dumps(Attack(trace)))
    assert "mkdir" in refused(path, trace)


def test_a_name_that_hides_behind_others_is_refused_by_torch(tmp_path: Path, trace: Path) -> None:
    """`getattr` chains and names out of the memo: whatever the look at the text misses, torch refuses."""
    path = tmp_path / "net.pt"
    torch.save({"w": torch.ones(2)}, path)
    name = str(trace).encode()
    hidden = (
        b"\x80\x04\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x8c\x05posix\x94\x8c\x05mkdir\x94"
        b"h\x02h\x03\x93\x8c" + bytes([len(name)]) + name + b"\x85R."
    )
    with zipfile.ZipFile(path) as old:
        entries = {entry.filename: old.read(entry) for entry in old.infolist()}
    with zipfile.ZipFile(path, "w") as new:
        for entry, data in entries.items():
            new.writestr(entry, hidden if entry.endswith("data.pkl") else data)
    assert "posix.mkdir" in refused(path, trace)


Change = Callable[[Any], Any]


def nodes(program: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program["graph_module"]["graph"]["nodes"]
    return found


def operator(name: str) -> Change:
    return lambda program: nodes(program)[0].update(target=name)


def size(text: str) -> Change:
    def change(program: dict[str, Any]) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        values["input"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}

    return change


def spec(text: str) -> Change:
    return lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(in_spec=text)


def argument(text: str) -> Change:
    return lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(
        forward_arg_names=[text]
    )


def renamed(program: dict[str, Any]) -> None:
    program["graph_module"]["graph"]["inputs"][0]["as_tensor"]["name"] = "x): import os #"


@pytest.mark.parametrize(
    "change",
    [
        operator("torch.os.mkdir"),
        operator("torch.ops.load_library"),
        operator("torch.ops.aten.from_file.default"),
        operator("torch.ops.own.op.default"),
        operator("_operator.methodcaller"),
        operator("math.__loader__.load_module"),
        operator("#something.own"),
        size("__import__('os').mkdir('trace')"),
        size("().__class__.__base__.__subclasses__()"),
        size("Symbol('s0').func.__globals__"),
        size("exec('x')"),
        size("s0 if True else s1"),
        spec('[1, {"type": "enum", "context": {"__enum__": true, "fqn": "os:x"}}]'),
        spec('[1, {"type": "collections.defaultdict"}]'),
        argument("x=__import__('os')"),
        renamed,
    ],
)
def test_an_exported_program_with_more_than_operators_and_sizes_is_refused(
    change: Change, tmp_path: Path, trace: Path
) -> None:
    exported(tmp_path / "net.pt2")
    rewritten(tmp_path / "net.pt2", tmp_path / "bad.pt2", "models/model.json", change)
    assert "not loaded" in refused(tmp_path / "bad.pt2", trace)


def test_pickled_weights_and_compiled_code_in_a_program_are_refused(tmp_path: Path, trace: Path) -> None:
    exported(tmp_path / "net.pt2")

    def pickled(config: dict[str, Any]) -> None:
        next(iter(config["config"].values()))["use_pickle"] = True

    rewritten(tmp_path / "net.pt2", tmp_path / "bad.pt2", "model_weights_config.json", pickled)
    assert "pickled tensors" in refused(tmp_path / "bad.pt2", trace)
    for name, words in {
        "net/data/aotinductor/model/x.so": "compiled code",
        "net/data/constants/custom_obj_0": "a pickled object",
        "net/data/constants/opaque_obj_0": "a pickled object",
    }.items():
        rewritten(tmp_path / "net.pt2", tmp_path / "bad.pt2", "nothing", lambda value: value)
        with zipfile.ZipFile(tmp_path / "bad.pt2", "a") as archive:
            archive.writestr(name, b"x")
        assert words in refused(tmp_path / "bad.pt2", trace)


def test_sample_inputs_of_a_program_are_only_read_as_tensors(tmp_path: Path, trace: Path) -> None:
    exported(tmp_path / "net.pt2")
    torch.save((Attack(trace),), tmp_path / "inputs.pt")
    with zipfile.ZipFile(tmp_path / "net.pt2") as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for entry in old.infolist():
            sample = entry.filename.endswith("sample_inputs/model.pt")
            new.writestr(entry.filename, (tmp_path / "inputs.pt").read_bytes() if sample else old.read(entry))
    assert "mkdir" in refused(tmp_path / "bad.pt2", trace)


@pytest.mark.parametrize(
    "names", [{"models/b.json": "{}"}, {"models/model.json": "[]"}, {"models/m.json": "{"}]
)
def test_a_program_whose_json_is_none_is_refused(names: dict[str, str], tmp_path: Path, trace: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("net/archive_format", "pt2")
        for name, content in names.items():
            archive.writestr(f"net/{name}", content)
    assert "cannot be read" in refused(tmp_path / "net.pt2", trace)


class Writes(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("somewhere", True, 4)


def test_torchscript_that_reaches_for_files_is_refused(tmp_path: Path, trace: Path) -> None:
    torch.jit.save(torch.jit.script(Writes()), str(tmp_path / "net.pt"))
    assert "reads or writes files" in refused(tmp_path / "net.pt", trace)


def test_torchscript_with_operators_of_a_library_is_refused(tmp_path: Path, trace: Path) -> None:
    scripted(tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt") as old, zipfile.ZipFile(tmp_path / "bad.pt", "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith(".py"):
                data += b"\n# ops.own_library.run(x)\n"
            new.writestr(entry.filename, data)
    assert "ops.own_library.run" in refused(tmp_path / "bad.pt", trace)
