"""params.yaml, whatever is in it: a value or an error of the user's that names a line of the file."""

from __future__ import annotations

import io
import math
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from ruamel.yaml import YAML

from reproof.errors import ReproofError
from reproof.params import Params, RunParams, differences, flatten, load, parse


class Train(Params):
    lr: float = Field(gt=0)
    layers: list[int] = Field(default_factory=list)


class Config(RunParams):
    train: Train


GOOD = "seed: 0\nthreads: 1\nsummary: {loss: train.loss}\ntrain:\n  lr: 0.1\n  layers: [1, 2]\n"

# YAML's own signs, often enough to make structure, and what no writer of params thinks of.
_signs = st.sampled_from([
    "key: ", "- ", "? ", ": ", "{", "}", "[", "]", "&a ", "*a", "<<: *a", "!!int ", "!!python/name:os ",
    "|\n", ">\n", "'", '"', "#", "\n", "\n  ", "\n    ", "\t", "---\n", "...\n", "%YAML 1.1\n", "0x",
    "~", "\0", "\x07", "\ufeff", "\u2028", "\x85", "é", "\U0001f600", "<<<<<<< HEAD\n", "1e", ".nan",
    "seed", "train", "0", ",",
])  # fmt: skip
_yaml_like = st.lists(_signs, max_size=25).map(lambda parts: "".join(parts).encode())
_changed = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 4), _yaml_like).map(
    lambda change: GOOD.encode()[: change[0]] + change[2] + GOOD.encode()[change[0] + change[1] :]
)
_bytes = st.binary(max_size=60) | _yaml_like | _changed


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params") / "params.yaml"


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fail, instead of waiting for ever."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it takes more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def error_of(path: Path, data: bytes) -> ReproofError | None:
    """The error that loading ends with; None where the params are read."""
    path.write_bytes(data)
    try:
        with at_most(20):
            load(path, Config, shown="params.yaml")
    except ReproofError as error:
        return error
    return None


@settings(max_examples=250)
@given(_bytes)
def test_any_bytes_are_params_or_an_error_with_lines_of_the_file(path: Path, data: bytes) -> None:
    error = error_of(path, data)
    if error is not None:
        text = data.decode("utf-8", "replace")
        last = len(re.split(r"\r\n|[\n\r]", text))
        numbers = [int(number) for number in re.findall(r"params\.yaml:(\d+)", str(error))]
        assert all(1 <= number <= last for number in numbers)
        assert str(error).startswith("params.yaml")


@given(_bytes)
def test_any_bytes_are_plain_data_or_an_error(data: bytes) -> None:
    try:
        value, node = parse(data, "params.yaml")
    except ReproofError:
        return
    assert isinstance(node, yaml.MappingNode)
    assert plain(value)


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(map(plain, value))
    return value is None or type(value) in (bool, int, float, str)


@pytest.mark.parametrize(
    "data",
    [
        b"a: " + b"[" * 100_000,
        b"a: " + b"{a: " * 5_000,
        b"".join(b"%sa:\n" % (b" " * depth) for depth in range(1200)),
        b"- " * 100_000,
        b"a0: &a0 x\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b"*a%d," % (i - 1) * 9) for i in range(1, 20)),
        b"a: &a {x: 1}\n" + b"".join(b"b%d: &b%d {<<: [*a, *a], y%d: 1}\n" % (i, i, i) for i in range(500)),
        b"a: &a\n  b: *a\n",
        b"a: &a [*a]\n",
        b"seed: " + b"9" * 100_000,
        b"seed: -0x" + b"f" * 100_000,
        b"seed: 1e999999999\nlr: " + b"1" * 4000 + b"." + b"1" * 4000,
        b"seed: !!int '" + b"1" * 5000 + b"'",
        b"? [1, 2]\n: 3\n",
        b"? {a: 1}\n: 3\n",
        b"1: 2\ntrue: 3\n~: 4\n.nan: 5\n",
        b"'" + b"''" * 400_000 + b"'",
        b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system x\n",
        b"a: !!python/object/apply:os.system ['touch ran']\n",
        "a: \ud800".encode("utf-8", "surrogatepass"),
        b"\xff\xfea\x00:\x00 \x001\x00",
        b"a: \"\\ud800\"\n",
        b"a: \"\\0\"\n",
        b"#" * 2_000_000,
        b"\n" * 200_000,
    ],
    ids=lambda data: repr(data[:24]),
)  # fmt: skip
def test_what_is_made_to_break_a_reader_is_an_error_in_short_time(path: Path, data: bytes) -> None:
    assert error_of(path, data) is not None
    assert not Path("ran").exists()


# What DVC writes with -S, and what it writes of it.

_values = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(
        ["no", "1e5", "0x1F", "1_000", "12:30", "null", "~", ".inf", "<<", "2026-01-31", "", " ", "#a"]
    )
)
_values = _values | st.lists(_values, max_size=4)


class Anything(Params):
    value: Any


@settings(max_examples=150)
@given(_values)
def test_any_value_that_dvc_writes_is_loaded_as_it_was(path: Path, value: Any) -> None:
    text = io.StringIO()
    YAML().dump({"value": value}, text)  # as DVC writes params.yaml after `-S`
    path.write_bytes(text.getvalue().encode())
    if re.search("[\x85\u2028\u2029]", text.getvalue()):
        with pytest.raises(ReproofError, match=r"params\.yaml:\d+: a line separator"):
            load(path, Anything)
    else:
        assert repr(load(path, Anything).model.value) == repr(value)  # tells 1, 1.0, True and -0.0 apart


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30))
def test_any_number_that_dvc_passes_on_the_command_line_is_that_number(number: float) -> None:
    text = io.StringIO()
    YAML().dump({"value": YAML(typ="safe", pure=True).load(repr(number))}, text)
    assert parse(text.getvalue().encode(), "x")[0]["value"] == number


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
def test_a_comment_that_ends_early_for_some_readers_is_refused(path: Path, sign: str) -> None:
    error = error_of(path, (GOOD + f"# harmless{sign}seed: 7\n").encode())
    assert str(error).startswith("params.yaml:7: a line separator")


def test_true_is_not_one_and_not_a_number_is_itself() -> None:
    nan = float("nan")
    assert differences({"a": 1, "b": [nan], "c": 1}, {"a": True, "b": [float("nan")], "c": 1.0}) == {
        "a": {"from": 1, "to": True}
    }


# Laws.

_leaves = st.integers(-3, 3) | st.floats() | st.text(max_size=2) | st.none() | st.booleans()
_keys = st.text("ab.", min_size=1, max_size=2)
_trees = st.dictionaries(
    _keys,
    st.recursive(
        _leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)  # fmt: skip
_plain_trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(-3, 3),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)  # fmt: skip


@given(_trees)
def test_flattening_is_done_once_and_leaves_no_block(tree: dict[str, Any]) -> None:
    flat = flatten(tree)
    assert flatten(flat) == flat or any(isinstance(leaf, float) and math.isnan(leaf) for leaf in leaves(flat))
    assert not [leaf for leaf in flat.values() if isinstance(leaf, dict) and leaf]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


@given(_plain_trees)
def test_a_flat_key_leads_to_its_value(tree: dict[str, Any]) -> None:
    for key, value in flatten(tree).items():
        found: Any = tree
        for part in key.split("."):
            found = found[part]
        assert found == value


@given(_trees)
def test_params_do_not_differ_from_themselves_read_again(tree: dict[str, Any]) -> None:
    text = io.StringIO()
    YAML().dump({"tree": tree}, text)
    once, again = (parse(text.getvalue().encode(), "x")[0] for _ in range(2))
    assert differences(once, again) == {}


@given(_plain_trees, _plain_trees)
def test_the_differences_lead_from_one_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    moved = flatten(old)
    for key, change in differences(old, new).items():
        assert moved.get(key) == change["from"]
        if key in flatten(new):
            moved[key] = change["to"]
        else:
            del moved[key]
    assert moved == flatten(new)


@given(st.binary(max_size=30), st.integers(1, 30))
def test_the_line_of_what_is_no_utf8_is_counted_in_the_file(path: Path, junk: bytes, line: int) -> None:
    data = b"# comment\n" * (line - 1) + b"a: \xff" + junk
    error = error_of(path, data)
    assert error is not None
    assert str(error).startswith(f"params.yaml:{line}: not UTF-8")


@given(st.integers(0, 40), st.sampled_from(["\n", "\r\n"]))
def test_the_line_of_a_wrong_value_is_where_it_stands(path: Path, above: int, end: str) -> None:
    text = "# comment\n" * above + GOOD.replace("lr: 0.1", "lr: fast")
    error = error_of(path, text.replace("\n", end).encode())
    assert f"params.yaml:{above + 5}: train.lr: " in str(error)
