"""params.yaml: read as YAML 1.2, checked against the user's own model, errors by file, key and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from reproof import redact
from reproof.errors import ReproofError

_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
"""YAML 1.1, and PyYAML with it, ends lines and comments there; YAML 1.2, and DVC with it, does not."""
_MAX_BYTES = 1_000_000
_MAX_VALUES = 100_000
"""Of a params file, with every alias counted in full: people write it, and each stage reads and keeps it."""


Model = TypeVar("Model", bound=BaseModel)


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
    try:
        return sign * int(digits[2:] if base != 10 else digits, base)
    except ValueError as error:  # Python reads no more than 4,300 digits
        problem = f"a number of {len(digits)} digits"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = _number_text(loader, node, "float", "int").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _refuse_tag(_: _Loader, node: yaml.Node) -> None:
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    problem = f"the tag {tag} makes something else than plain data; write the value itself"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


# Types of YAML 1.1 beyond plain data: neither JSON nor DVC knows them.
for _tag in ("binary", "omap", "pairs", "set", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse_tag)
_Loader.add_constructor(None, _refuse_tag)  # every tag that is not known
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(data: bytes, where: str | Path) -> tuple[dict[str, Any], yaml.Node]:
    """Parse YAML 1.2 into plain data and the node tree that knows the lines.

    Raises:
        ReproofError: not UTF-8, not YAML, a duplicate key, a custom tag, too large, empty, or no mapping at
            the top.
    """
    if len(data) > _MAX_BYTES:
        raise ReproofError(
            "too large for params",
            where=where,
            expected=f"at most {_MAX_BYTES:,} bytes",
            found=f"{len(data):,} bytes",
            hint="put data into a file under data/, and its path here",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise ReproofError(
            "not UTF-8", where=f"{where}:{number}", found=str(error), hint="save the file as UTF-8"
        ) from error
    if conflict := re.search(r"^(<{7}|>{7}) ", text, flags=re.MULTILINE):
        raise ReproofError(
            "a merge conflict that nobody has settled",
            where=f"{where}:{text.count(chr(10), 0, conflict.start()) + 1}",
            found=text[conflict.start() :].splitlines()[0],
            hint="keep the lines that you want, and delete the three marks of Git",
        )
    if odd := _ODD_BREAK.search(text):
        raise ReproofError(
            "a line separator that only some readers of YAML take for one",
            where=f"{where}:{text.count(chr(10), 0, odd.start()) + 1}",
            found=f"U+{ord(odd.group()):04X}",
            hint='delete it, or write it as an escape in double quotes, such as "\\u2028"',
        )
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node:
            _count(node, {}, where)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader: plain data, no objects)  # nosec B506
    except RecursionError as error:
        raise ReproofError("blocks in blocks, too deep to be read", where=where) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        problem = problem.replace("but found another document", "a second document begins here")
        if isinstance(error, yaml.reader.ReaderError):
            line = f":{text.count(chr(10), 0, error.position) + 1}"
        raise ReproofError(f"not valid YAML: {problem}", where=f"{where}{line}") from error
    if not isinstance(value, dict) or node is None:
        raise ReproofError(
            "no params here",
            where=where,
            expected="a mapping, such as `seed: 0`",
            found="nothing" if value is None else type(value).__name__,
        )
    return value, node


def _count(node: yaml.Node, known: dict[yaml.Node, int | None], where: str | Path) -> int:
    """The number of values in `node`, those behind an alias each time: a few lines can stand for billions.

    Raises:
        ReproofError: when there are too many, or an alias stands inside what it names.
    """
    if node in known:
        if (count := known[node]) is None:
            raise ReproofError(
                "an alias inside the block that it names", where=f"{where}:{node.start_mark.line + 1}"
            )
        return count
    known[node] = None
    children = [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else []
    children = node.value if isinstance(node, yaml.SequenceNode) else children
    known[node] = count = 1 + sum(_count(child, known, where) for child in children)
    if count > _MAX_VALUES:
        raise ReproofError(
            "too many values for params",
            where=f"{where}:{node.start_mark.line + 1}",
            expected=f"at most {_MAX_VALUES:,}, with each alias (`*name`) counted in full",
            found=f"{count:,}",
        )
    return count


def load(path: Path, model: type[Model], *, shown: str | Path | None = None) -> Loaded[Model]:
    """Read and check a params file.

    Args:
        path: the file.
        model: the pydantic model that it must fit.
        shown: how the file is called in errors; default its own path.

    Raises:
        ReproofError: with one line for each wrong key: file, line, key, expected, found; or for a credential
            anywhere in the file: Git keeps it.
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
    _refuse_credentials(text, shown)
    try:
        return Loaded(path, model.model_validate(raw), raw, text)
    except ValidationError as error:
        raise _explain(error, node, model, shown) from error


def _refuse_credentials(text: bytes, shown: str | Path) -> None:
    """Comments count too: every run keeps a copy of the file, byte for byte."""
    for number, line in enumerate(text.decode("utf-8-sig").split("\n"), start=1):
        if kind := redact.credential(line):
            raise ReproofError(
                "a credential in the params, which Git and every run keep",
                where=f"{shown}:{number}",
                found=kind,
                hint="take it out, let the code read it from an environment variable, and revoke it if it "
                "was committed",
            )


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
        if (key in before) != (key in after) or not _same(before.get(key), after.get(key))
    }


def _same(one: Any, other: Any) -> bool:
    """Equal, where NaN is equal to itself and true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    nan = one != one and other != other
    return nan or (isinstance(one, bool) == isinstance(other, bool) and bool(one == other))


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
    if detail["type"] == "invalid_key":
        return f"{shown}:{line}: {key}: expected a word for a key; write it as '{key}'"
    if detail["type"] == "bool_type":
        detail["msg"] = "true or false"  # YAML 1.2: `yes` and `on` are words
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = re.sub(r"^List should have (.*) after validation, not (\d+)$", r"\1", message)
    given = detail["input"]
    if detail["type"] == "value_error" and isinstance(given, dict):
        return f"{shown}:{line}: {key}: expected {message}"  # the model's own words, on several keys
    found = (
        f"{type(given).__name__} {given!r}" if not isinstance(given, dict | list) else type(given).__name__
    )
    # Cut after hiding: a part of a secret would not be known for one.
    return f"{shown}:{line}: {key}: expected {message}; found {redact.text(found)[:120]}"


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
