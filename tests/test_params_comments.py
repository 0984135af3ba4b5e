"""The comment beside a value of params.yaml: why it is what it is."""

from __future__ import annotations

import pytest

from reproof import params
from reproof.params import comments


def beside(text: str) -> dict[str, str]:
    _, node = params.parse(text.encode(), "params.yaml")
    return comments.beside(text, node)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lr: 1  # small\n", {"lr": "small"}),
        ("lr: 1 #small", {"lr": "small"}),
        ("lr: '# no'  # yes\n", {"lr": "yes"}),
        ('lr: "a \\" # b"  # yes\n', {"lr": "yes"}),
        ("lr: a#b\n", {}),
        ("# above\nlr: 1\n# below\n", {}),
        ("train:\n  lr: 1  # one\n  wd: 2\n", {"train.lr": "one"}),
        ("lr: 1  # first\n       # second\nwd: 2\n", {"lr": "first second"}),
        ("lr: 1  # first\n  # not it\nwd: 2\n", {"lr": "first"}),
        ("sizes: [1,\n  2]  # both\n", {"sizes": "both"}),
        ("f: {a: 1, b: 2}  # of the last\n", {"f.b": "of the last"}),
        ("e: {}  # empty\n", {"e": "empty"}),
        ("n:  # nothing\n", {"n": "nothing"}),
        ("n: null  # nothing\r\nm: 1  # one\r\n", {"n": "nothing", "m": "one"}),
        ("train:  # the block\n  lr: 1\n", {}),
        ("lr: 1  #\n", {}),
    ],
)
def test_the_comment_in_the_line_of_a_value_is_its_own(text: str, found: dict[str, str]) -> None:
    assert beside(text) == found
