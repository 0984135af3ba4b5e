"""params.yaml: what DVC writes is what the program reads, and a mistake is named by file, line and key."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML

from reproof.errors import ReproofError
from reproof.params import Params, RunParams, differences, flatten, load, parse


class Train(Params):
    lr: float = Field(gt=0)
    epochs: int = Field(ge=1)
    betas: list[float] = Field(default_factory=lambda: [0.9, 0.999])
    schedule: int | str = 1
    start: float = 0.0
    stop: float = 1.0

    @model_validator(mode="after")
    def _start_before_stop(self) -> Train:
        if self.start > self.stop:
            raise ValueError(f"start before stop; {self.start:g} is after {self.stop:g}")
        return self


class Config(RunParams):
    train: Train


GOOD = """\
seed: 0
threads: 1
summary: {loss: train.loss}
train:
  lr: 0.1
  epochs: 3
"""


def value_of(text: str) -> Any:
    return parse(f"key: {text}\n".encode(), "params.yaml")[0]["key"]


def error_of(tmp_path: Path, text: str) -> list[str]:
    """The lines of the error that loading `text` ends with."""
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(ReproofError) as caught:
        load(path, Config, shown="params.yaml")
    return str(caught.value).splitlines()


# What DVC writes.


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-05", 1e-05),  # as `dvc exp run -S train.lr=0.00001` writes it
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+0.0", 0.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_numbers_with_a_point_or_an_exponent_are_floats(text: str, number: float) -> None:
    value = value_of(text)
    assert isinstance(value, float)
    assert value == number


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("-0", 0), ("+7", 7), ("017", 17), ("0o17", 15), ("0x1F", 31)]
)
def test_integers_are_those_of_yaml_1_2(text: str, number: int) -> None:
    value = value_of(text)
    assert type(value) is int
    assert value == number


@pytest.mark.parametrize(
    "text", ["no", "on", "off", "yes", "y", "12:30", "2026-01-31", "1e", "e5", ".", "0b1e"]
)
def test_words_that_yaml_1_1_takes_for_something_else_stay_strings(text: str) -> None:
    assert value_of(text) == text


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None)]
)
def test_booleans_and_nulls_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert value_of(text) is value


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(value_of(".nan"))


_scalars = (
    st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_keys = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
_trees = st.dictionaries(
    _keys,
    st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_keys, inner), max_leaves=8),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50)
@given(_trees)
def test_what_dvc_writes_is_read_as_it_was(tree: dict[str, Any]) -> None:
    text = io.StringIO()
    writer = YAML()  # as DVC writes params.yaml after `-S`
    writer.dump(tree, text)
    read = parse(text.getvalue().encode(), "params.yaml")[0]
    assert repr(read) == repr(tree)  # repr tells 1 from 1.0 and True, and 0.0 from -0.0


@given(
    st.from_regex(r"[-+]?(0|[1-9][0-9]{0,20})(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
    | st.sampled_from(["true", "False", "NULL", "~", "0o17", "0x1f", "-.inf", "no", "on", "Yes", "017"])
)
def test_a_scalar_is_what_dvc_takes_it_for(text: str) -> None:
    theirs = YAML(typ="safe", pure=True).load(f"key: {text}\n")["key"]
    ours = value_of(text)
    assert (type(ours), ours) == (type(theirs), theirs)


# What is no params file.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: 0\nthreads: 1\nseed: 1\n", 3),
        ("train:\n  lr: 1.0\n  epochs: 2\n  lr: 2.0\n", 4),
        ("models:\n  - {depth: 1, depth: 2}\n", 2),
    ],
)
def test_a_key_that_stands_twice_is_named_with_the_line_of_the_second(text: str, line: int) -> None:
    with pytest.raises(ReproofError, match=rf"^params\.yaml:{line}: .*twice"):
        parse(text.encode(), "params.yaml")


def test_a_merged_block_may_override_what_it_merges() -> None:
    text = "base: &base {lr: 1, epochs: 2}\ntuned:\n  <<: *base\n  lr: 3\n"
    assert parse(text.encode(), "params.yaml")[0]["tuned"] == {"lr": 3, "epochs": 2}


def test_a_merged_block_may_itself_be_merged() -> None:
    text = "base: &base {lr: 1}\nouter:\n  middle: &middle\n    <<: *base\n    lr: 2\ntop:\n  <<: *middle\n"
    read = parse(text.encode(), "params.yaml")[0]
    assert read == {"base": {"lr": 1}, "outer": {"middle": {"lr": 2}}, "top": {"lr": 2}}


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.getcwd []",
        "!custom 1",
        "!!int abc",
        "!!float abc",
        "!!timestamp 2026-13-45",
        "!!set {a, b}",
        "!!binary aGk=",
    ],
)
def test_a_tag_is_refused_with_its_line(value: str) -> None:
    with pytest.raises(ReproofError, match=r"^params\.yaml:2: "):
        parse(f"seed: 0\nkey: {value}\n".encode(), "params.yaml")


def test_a_block_that_contains_itself_is_refused(tmp_path: Path) -> None:
    assert "params.yaml" in error_of(tmp_path, "seed: 0\ntrain: &self\n  inner: *self\n")[0]


@pytest.mark.parametrize(
    ("data", "line"), [(b"seed: 0\nname: caf\xe9\n", 2), ("seed: 0\n".encode("utf-16"), 1), (b"\xff", 1)]
)
def test_a_file_that_is_not_utf_8_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(ReproofError, match=rf"^params\.yaml:{line}: not UTF-8"):
        parse(data, "params.yaml")


@pytest.mark.parametrize("text", ["a: [1\n", "a:\n\tb: 1\n", "a: 1\n---\nb: 2\n", "a: b: c\n", "a: \0\n"])
def test_a_file_that_is_not_yaml_is_refused(text: str) -> None:
    with pytest.raises(ReproofError, match=r"^params\.yaml.*not valid YAML"):
        parse(text.encode(), "params.yaml")


@pytest.mark.parametrize(
    ("text", "found"), [("", "nothing"), ("# seed: 0\n", "nothing"), ("- seed\n", "list")]
)
def test_a_file_without_a_mapping_is_refused(text: str, found: str) -> None:
    with pytest.raises(ReproofError, match=rf"no params here[\s\S]*found: {found}"):
        parse(text.encode(), "params.yaml")


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    data = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    path.write_bytes(data)
    loaded = load(path, Config)
    assert loaded.model.train.lr == 0.1
    assert loaded.text == data


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_params_that_cannot_be_read_are_an_error_that_says_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReproofError, match=r"cannot read the params[\s\S]*--config"):
        load(tmp_path / name, Config)


# What does not fit the model.


def test_every_wrong_param_is_named_at_once_with_its_own_line(tmp_path: Path) -> None:
    text = """\
seed: -1
threads: 1
# a comment
summary: {}
train:

  lr: fast
  epochs: 2.5
  betas:
    - 0.9
    - high
"""
    lines = error_of(tmp_path, text)
    assert lines[0] == "params.yaml: 4 wrong params"
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        ["  params.yaml:1", "seed"],
        ["  params.yaml:7", "train.lr"],
        ["  params.yaml:8", "train.epochs"],
        ["  params.yaml:11", "train.betas.1"],
    ]


def test_a_wrong_param_says_what_was_expected_and_what_was_found(tmp_path: Path) -> None:
    lines = error_of(tmp_path, GOOD.replace("0.1", "-0.1"))
    assert lines[1] == "  params.yaml:5: train.lr: expected greater than 0; found float -0.1"


def test_an_unknown_key_comes_with_the_one_that_was_meant(tmp_path: Path) -> None:
    lines = error_of(tmp_path, GOOD + "  epoch: 4\n")
    assert lines == [
        "params.yaml: 1 wrong param",
        "  params.yaml:7: train.epoch: unknown key; did you mean 'epochs'?",
    ]


def test_an_unknown_key_that_resembles_none_comes_with_all_that_are_known(tmp_path: Path) -> None:
    (line,) = error_of(tmp_path, GOOD + "  xyzzy: 4\n")[1:]
    assert "train.xyzzy: unknown key" in line
    assert all(name in line for name in Train.model_fields)


def test_a_missing_key_is_named_at_the_line_of_its_block(tmp_path: Path) -> None:
    (line,) = error_of(tmp_path, GOOD.replace("  epochs: 3\n", ""))[1:]
    assert line == "  params.yaml:4: train.epochs: missing; expected a value for it"


@pytest.mark.parametrize(
    ("right", "wrong"), [("seed: 0", "seed: true"), ("lr: 0.1", "lr: '0.1'"), ("epochs: 3", "epochs: 3.0")]
)
def test_a_value_of_another_type_is_not_converted(tmp_path: Path, right: str, wrong: str) -> None:
    assert error_of(tmp_path, GOOD.replace(right, wrong))[0] == "params.yaml: 1 wrong param"


def test_a_whole_number_serves_as_a_float(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace("0.1", "1"))
    assert load(path, Config).model.train.lr == 1.0


def test_a_rule_over_several_keys_names_their_block(tmp_path: Path) -> None:
    (line,) = error_of(tmp_path, GOOD + "  start: 3.0\n  stop: 2.0\n")[1:]
    assert line.startswith("  params.yaml:4: train: expected start before stop; 3 is after 2")


def test_a_wrong_value_where_two_types_are_allowed_is_not_called_missing(tmp_path: Path) -> None:
    lines = error_of(tmp_path, GOOD + "  schedule: [1]\n")[1:]
    assert lines
    assert all(line.startswith("  params.yaml:7: train.schedule") for line in lines)
    assert not any("missing" in line for line in lines)


def test_a_wrong_value_out_of_a_merged_block_is_not_called_missing(tmp_path: Path) -> None:
    text = GOOD.replace("train:\n", "train:\n  <<: {start: soon}\n")
    (line,) = error_of(tmp_path, text)[1:]
    assert "train.start" in line
    assert "found str 'soon'" in line


def test_a_headline_metric_whose_name_is_no_string_is_named(tmp_path: Path) -> None:
    (line,) = error_of(tmp_path, GOOD.replace("loss:", "1:"))[1:]
    assert line.startswith("  params.yaml:3: summary.1: expected a valid string; found int 1")


def test_params_cannot_be_changed_after_reading(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD)
    model = load(path, Config).model
    with pytest.raises(ValidationError, match="frozen"):
        model.seed = 1


# What differs between two files.


def test_params_are_flattened_to_their_leaves() -> None:
    params = {"seed": 0, "train": {"lr": 0.1, "betas": [0.9]}, "links": {}}
    assert flatten(params) == {"seed": 0, "train.lr": 0.1, "train.betas": [0.9], "links": {}}


def test_differences_hold_both_values_and_null_for_an_absent_one() -> None:
    old = {"seed": 0, "train": {"lr": 0.1, "decay": None}}
    new = {"seed": 0, "train": {"lr": 0.2}, "device": "cpu"}
    assert differences(old, new) == {
        "device": {"from": None, "to": "cpu"},
        "train.decay": {"from": None, "to": None},
        "train.lr": {"from": 0.1, "to": 0.2},
    }


@settings(max_examples=50)
@given(_trees)
def test_a_file_does_not_differ_from_itself(tree: dict[str, Any]) -> None:
    assert differences(tree, tree) == {}


@settings(max_examples=50)
@given(_trees, _trees)
def test_differences_are_the_same_from_both_sides(one: dict[str, Any], other: dict[str, Any]) -> None:
    there = differences(one, other)
    back = differences(other, one)
    assert {key: {"from": d["to"], "to": d["from"]} for key, d in back.items()} == there
