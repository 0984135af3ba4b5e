"""params.yaml: read as YAML 1.2, checked against the user's own model, errors by file, key and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reproof.errors import ReproofError


class Params(BaseModel):
    """Base of every block of params: no unknown keys, no silent conversion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class RunParams(Params):
    """What every run has; the user's own model adds its blocks to it.

    `summary` names the few headline metrics of `dvc exp show`: `{short name: stage.metric}`, for example
    `{accuracy: evaluate.test.accuracy}`. `links` are addresses that no machine can know, such as a
    dashboard's. Threads are pinned because another number of them gives other bits.
    """

    seed: int = Field(ge=0, lt=2**32)
    threads: int = Field(ge=1, le=1024)
    deterministic: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    summary: dict[str, str]
    links: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A params file, read: `model` for the program, `raw` as plain data, `text` byte for byte."""

    path: Path
    model: Model
    raw: dict[str, Any]
    text: bytes


class _Loader(yaml.SafeLoader):
    """PyYAML with the scalars of YAML 1.2's core schema, as DVC writes and reads them.

    `dvc exp run -S train.lr=0.00001` writes `1e-05`, which YAML 1.1 takes for a string; and `no`, `on`
    or `12:30` are words here, not booleans and numbers.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's name)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # A merge (`<<`) adds keys to the node, so what the user wrote twice is looked for before it.
        if node not in self._checked:
            self._checked.add(node)
            self._refuse_duplicates(node)
        super().flatten_mapping(node)

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[yaml.MappingNode] = set()

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    # PyYAML files the empty scalar under the empty string.
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"^(?:{_pattern})$"),
        ["" if letter == "\0" else letter for letter in _first],
    )


def _number_text(loader: _Loader, node: yaml.ScalarNode, *kinds: str) -> str:
    """The text of a number; an explicit tag (`!!int abc`) does not make a word one."""
    text = str(loader.construct_scalar(node))
    tag: str = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag.rpartition(":")[2] not in kinds:
        raise yaml.constructor.ConstructorError(None, None, f"{text!r} is no {kinds[0]}", node.start_mark)
    return text


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = _number_text(loader, node, "int")
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.lstrip("+"))
    base = {"0x": 16, "0o": 8}.get(digits[:2], 10)
    return sign * int(digits[2:] if base != 10 else digits, base)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = _number_text(loader, node, "float", "int").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _refuse_tag(_: _Loader, node: yaml.Node) -> None:
    raise yaml.constructor.ConstructorError(None, None, f"no plain data: {node.tag}", node.start_mark)


# Types of YAML 1.1 beyond plain data: neither JSON nor DVC knows them.
for _tag in ("binary", "omap", "pairs", "set", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse_tag)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(data: bytes, where: str | Path) -> tuple[dict[str, Any], yaml.Node]:
    """Parse YAML 1.2 into plain data and the node tree that knows the lines.

    Raises:
        ReproofError: not UTF-8, not YAML, a duplicate key, a custom tag, empty, or no mapping at the top.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise ReproofError(
            "not UTF-8", where=f"{where}:{number}", found=str(error), hint="save the file as UTF-8"
        ) from error
    try:
        node = yaml.compose(text, Loader=_Loader)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader: plain data, no objects)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ReproofError(f"not valid YAML: {problem}", where=f"{where}{line}") from error
    if not isinstance(value, dict) or node is None:
        raise ReproofError(
            "no params here",
            where=where,
            expected="a mapping, such as `seed: 0`",
            found="nothing" if value is None else type(value).__name__,
        )
    return value, node


def load(path: Path, model: type[Model], *, shown: str | Path | None = None) -> Loaded[Model]:
    """Read and check a params file.

    Args:
        path: the file.
        model: the pydantic model that it must fit.
        shown: how the file is called in errors; default its own path.

    Raises:
        ReproofError: with one line for each wrong key: file, line, key, expected, found.
    """
    shown = shown or path
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ReproofError(
            f"cannot read the params: {error.strerror}",
            where=shown,
            hint="run from the project's folder, or name the file with --config",
        ) from error
    raw, node = parse(text, shown)
    try:
        return Loaded(path, model.model_validate(raw), raw, text)
    except ValidationError as error:
        raise _explain(error, node, model, shown) from error


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested params as `{"train.lr": 0.01}`; lists and empty mappings stay whole."""
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return `{"train.lr": {"from": 0.01, "to": 0.02}}` for every leaf that differs; absent is null."""
    before, after = flatten(old), flatten(new)
    return {
        key: {"from": before.get(key), "to": after.get(key)}
        for key in sorted(before.keys() | after.keys())
        if (key in before) != (key in after) or before.get(key) != after.get(key)
    }


def _explain(
    error: ValidationError, root: yaml.Node, model: type[BaseModel], shown: str | Path
) -> ReproofError:
    problems = [_problem(dict(detail), root, model, shown) for detail in error.errors()]
    what = "1 wrong param" if len(problems) == 1 else f"{len(problems)} wrong params"
    return ReproofError("\n  ".join([what, *problems]), where=shown)


def _problem(detail: dict[str, Any], root: yaml.Node, model: type[BaseModel], shown: str | Path) -> str:
    location = [part for part in detail["loc"] if part != "[key]"]
    line = _line(root, location)
    key = ".".join(str(part) for part in location) or "(top)"
    if detail["type"] == "extra_forbidden":
        names = _names(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}"
        new = "" if near or len(location) > 1 else "; a block that is new needs its lines in src/config.py"
        return f"{shown}:{line}: {key}: unknown key; {meant}{new}"
    if detail["type"] == "missing":
        return f"{shown}:{line}: {key}: missing; expected a value for it"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    given = detail["input"]
    found = (
        f"{type(given).__name__} {given!r}" if not isinstance(given, dict | list) else type(given).__name__
    )
    return f"{shown}:{line}: {key}: expected {message}; found {found[:120]}"


def _line(node: yaml.Node, location: list[Any]) -> int:
    """The line (from 1) of the deepest node on the way to `location`."""
    line = node.start_mark.line + 1
    for part in location:
        following = None
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if str(key_node.value) == str(part):
                    following, line = value_node, key_node.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            line = following.start_mark.line + 1
        if following is None:
            return line
        node = following
    return line


def _names(model: type[BaseModel], location: list[Any]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(model.model_fields)
