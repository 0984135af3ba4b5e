"""JSON that people read and Git keeps: the same data whatever the layout, on as few lines as read well."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproof import files

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@given(VALUES)
def test_the_layout_changes_no_value(value: Any) -> None:
    assert json.loads(files.json_text(value)) == json.loads(json.dumps(value))


@given(VALUES)
def test_lines_are_short_but_for_single_values(value: Any) -> None:
    for line in files.json_text(value).split("\n"):
        assert len(line) <= 112 or line.count(",") <= 2 or '"' in line


def test_what_fits_a_line_stands_on_one_and_lists_are_filled() -> None:
    ids = [f"digit-{number:04d}" for number in range(40)]
    lines = files.json_text({"a": {"b": [1, 2.5, None], "c": True}, "ids": ids}).split("\n")
    assert lines[1] == '  "a": {"b": [1, 2.5, null], "c": true},'
    assert lines[2:4] == ['  "ids": [', f"    {', '.join(json.dumps(name) for name in ids[:7])},"]
    assert len(lines) == 11


@pytest.mark.parametrize("value", [float("nan"), {"x": float("inf")}, [[-float("inf")]]])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.json_text(value)


def test_keys_that_are_no_strings_become_what_json_makes_of_them() -> None:
    value = {2: "x" * 120, None: 2, True: 3, "s": 4}
    assert json.loads(files.json_text(value)) == json.loads(json.dumps(value))
