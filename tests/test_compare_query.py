"""Questions about runs: what they find, and that nothing of them is ever run."""

from __future__ import annotations

from typing import Any

import pytest
from compared import LATENCY, row
from hypothesis import given
from hypothesis import strategies as st

from reproof.comparison.query import select
from reproof.errors import ReproofError

ROWS = [
    row("small", 0.80, seed=0, train__lr=0.1, model__kind="cnn", latency=0.5),
    row("large", 0.95, seed=1, train__lr=0.005, model__kind="vit", latency=2.5),
    row("odd", None, seed=None, train__lr="1e-3", model__kind=None, sizes=[1, 2], status="failed", flag=True),
]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("params.train.lr < 0.01 and metrics.accuracy > 0.9", ["large"]),
        ("params.train.lr < 0.01 or metrics.accuracy < 0.9", ["small", "large"]),
        ("not (seed == 0)", ["large", "odd"]),
        ("seed != null", ["small", "large"]),
        ("seed is None", ["odd"]),
        ("0.7 < metrics.accuracy <= 0.8", ["small"]),
        ("name in ['small', 'odd']", ["small", "odd"]),
        ("'ar' in name", ["large"]),
        ("name not in ('small', 'odd')", ["large"]),
        ("params.model.kind == 'cnn'", ["small"]),
        ("params.model.kind > 'd'", ["large"]),
        ("metrics.loss == 0.05", ["large"]),
        (f"metrics.`{LATENCY}` < 1", ["small"]),
        (f"`metrics.{LATENCY}` < 1", ["small"]),
        ("metrics.evaluate.test.accuracy > -1", ["small", "large"]),
        ("status == 'failed'", ["odd"]),
        ("params.flag", ["odd"]),
        ("params.flag == true", ["odd"]),
        ("params.flag == 1", []),
        ("params.sizes == [1, 2]", ["odd"]),
        ("2 in params.sizes", ["odd"]),
        ("seed in [1, +2, -3]", ["large"]),
        ("start_time > '2025' and kind == 'experiment'", ["small", "large", "odd"]),
    ],
)
def test_questions(question: str, found: list[str]) -> None:
    assert [one.name for one in select(ROWS, question)] == found


@pytest.mark.parametrize(
    "question",
    [
        "__import__('os').system('touch /tmp/x')",
        "name.__class__ == 1",
        "(lambda: 1)() == 1",
        "[x for x in name] == []",
        "name[0] == 's'",
        "f'{name}' == 'small'",
        "seed + 1 == 2",
        "seed ** 9 ** 9 > 1",
        "name == 'a' if True else False",
        "(seed := 3) == 3",
        "-name == 1",
        "{'a': 1} == 1",
        "b'small' == name",
        "1j == seed",
        "... == seed",
        "seed == 0 & seed == 1",
        "~seed == 1",
        "seed = 1",
        "import os",
        "",
        "   ",
        "seed ==",
        "(" * 300 + "seed == 1" + ")" * 300,
        "not " * 900 + "seed == 1",
        "seed == 1 " * 1000,
        "seed == 0\x00",
        "quoted_0_ == 1",
        "quoted_7_.x == 1",
    ],
)
def test_what_is_no_question_is_refused(question: str) -> None:
    with pytest.raises(ReproofError):
        select(ROWS, question)


def test_errors_help() -> None:
    def told(question: str) -> ReproofError:
        with pytest.raises(ReproofError) as caught:
            select(ROWS, question)
        return caught.value

    assert str(told("params.train.rl < 1").hint).startswith("near ones: params.train.lr")
    assert "quotation marks" in str(told("status == zzzzzzzzzzz").hint)
    assert told("seed = 1").hint == "equal is =="
    assert told("seed == 0 & name == 'x'").hint == "write and, or instead of &, |"
    assert "backticks" in str(told("metrics.cpu-b1 < 2").hint)
    assert told("metrics.accuracy > 'high'").what == "the two sides of this comparison have no order"


@given(st.text(max_size=60))
def test_any_text_is_an_answer_or_an_error_that_helps(question: str) -> None:
    try:
        found = select(ROWS, question)
    except ReproofError:
        return
    assert all(one in ROWS for one in found)


_names = st.sampled_from(
    ["seed", "name", "params.train.lr", "metrics.accuracy", "params.model.kind", "status"]
)
_values = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=5)
).map(repr)
_simple = st.builds("{} {} {}".format, _names, st.sampled_from(["==", "!=", "in", "not in"]), _values)


@given(_simple, _simple)
def test_and_or_not_are_those_of_logic(a: str, b: str) -> None:
    def holds(question: str) -> list[bool]:
        found: list[Any] = select(ROWS, question)
        return [any(one is row for row in found) for one in ROWS]

    first, second = holds(a), holds(b)
    assert holds(f"{a} and {b}") == [x and y for x, y in zip(first, second, strict=True)]
    assert holds(f"({a}) or ({b})") == [x or y for x, y in zip(first, second, strict=True)]
    assert holds(f"not ({a})") == [not x for x in first]
