"""A question about runs, such as `params.train.lr < 0.01 and metrics.accuracy > 0.9`.

The words are Python's, and nothing of it is run: the text is parsed, every part is checked against the few
that are allowed, and what is left is compared by the code below. A value that a run does not have is null;
null is neither larger nor smaller than anything, and equal to null alone.
"""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from reproof.errors import ReproofError
from reproof.history import Row

_MAX_CHARACTERS = 2000
_MAX_DEPTH = 50
_QUOTED = re.compile(r"`([^`]*)`")
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_FIELDS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name,
    "names": lambda row: list(row.names),
    "kind": lambda row: row.kind,
    "branches": lambda row: list(row.branches),
} | {
    name: operator.attrgetter(f"run.{name}")
    for name in [
        "run_id",
        "commit",
        "experiment",
        "branch",
        "baseline",
        "status",
        "start_time",
        "end_time",
        "runtime_seconds",
        "seed",
        "device",
        "code_tree",
        "data",
        "fingerprint",
        "pull_request",
    ]
}
_BLOCKS = ("params.", "metrics.")
_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EXPECTED = (
    "comparisons (<, <=, >, >=, ==, !=, in, not in) of params.*, metrics.*, seed, status, name, … with "
    "numbers and 'words', joined by and, or, not"
)

Holds = Callable[[Row], bool]
Value = Callable[[Row], Any]


def select(rows: Sequence[Row], question: str) -> list[Row]:
    """Return the rows of which a question holds.

    Raises:
        ReproofError: for a question that cannot be read, that names what no run has, or that orders values
            that have no order.
    """
    holds = _Reading(question, rows).holds()
    return [row for row in rows if holds(row)]


class _Reading:
    """One question, turned into a function of a row."""

    def __init__(self, question: str, rows: Sequence[Row]) -> None:
        self._question, self._rows = question, rows
        self._quoted: list[str] = []

    def holds(self) -> Holds:
        if len(self._question) > _MAX_CHARACTERS:
            self._refuse("this question is too long", f"{len(self._question)} characters")
        text = _QUOTED.sub(self._hide, self._question.strip())
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            at = f", at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            self._refuse("this question cannot be read", f"{getattr(error, 'msg', 'too deep')}{at}")
        return self._condition(tree.body, 0)

    def _hide(self, match: re.Match[str]) -> str:
        """A name in backticks stands in the parsed text as a name that Python can read."""
        self._quoted.append(match.group(1))
        return f"quoted_{len(self._quoted) - 1}_"

    def _condition(self, node: ast.expr, depth: int) -> Holds:
        if depth > _MAX_DEPTH:
            self._refuse("this question cannot be read", "too deep")
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(part, depth + 1) for part in node.values]
            if isinstance(node.op, ast.And):
                return lambda row: all(part(row) for part in parts)
            return lambda row: any(part(row) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._condition(node.operand, depth + 1)
            return lambda row: not inner(row)
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        if isinstance(node, ast.Name | ast.Attribute):
            value = self._value(node, depth)
            return lambda row: value(row) is True
        self._refuse("something in this question is not allowed", self._words(node))

    def _comparison(self, node: ast.Compare, depth: int) -> Holds:
        values = [self._value(part, depth + 1) for part in (node.left, *node.comparators)]
        steps = [
            self._step(kind, left, right, node)
            for kind, left, right in zip(node.ops, values, values[1:], strict=False)
        ]
        return lambda row: all(step(row) for step in steps)

    def _step(self, kind: ast.cmpop, left: Value, right: Value, node: ast.expr) -> Holds:
        if isinstance(kind, ast.Eq | ast.Is):
            return lambda row: _equal(left(row), right(row))
        if isinstance(kind, ast.NotEq | ast.IsNot):
            return lambda row: not _equal(left(row), right(row))
        if isinstance(kind, ast.In):
            return lambda row: _within(left(row), right(row))
        if isinstance(kind, ast.NotIn):
            return lambda row: not _within(left(row), right(row))
        order = _ORDERS[type(kind)]
        self._check_order(left, right, node)
        return lambda row: _is_ordered(a := left(row), b := right(row)) and order(a, b)

    def _check_order(self, left: Value, right: Value, node: ast.expr) -> None:
        """Values that no run can order are a mistake in the question, not a table without lines."""
        pairs = [(left(row), right(row)) for row in self._rows]
        given = [pair for pair in pairs if None not in pair]
        if given and not any(_is_ordered(*pair) for pair in given):
            a, b = given[0]
            self._refuse(
                "the two sides of this comparison have no order", f"{self._words(node)}: {a!r} and {b!r}"
            )

    def _value(self, node: ast.expr, depth: int) -> Value:
        if depth > _MAX_DEPTH:
            self._refuse("this question cannot be read", "too deep")
        if isinstance(node, ast.Constant) and (
            node.value is None or type(node.value) in (int, float, str, bool)
        ):
            found = node.value
            return lambda _: found
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = node.operand.value if isinstance(node.operand, ast.Constant) else None
            if type(number) in (int, float):
                signed = -number if isinstance(node.op, ast.USub) else number  # type: ignore[operator]
                return lambda _: signed
        if isinstance(node, ast.List | ast.Tuple):
            items = [self._value(item, depth + 1) for item in node.elts]
            return lambda row: [item(row) for item in items]
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(self._dotted(node))
        self._refuse("something in this question is not allowed", self._words(node))

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{self._unhidden(node.attr)}"
        if isinstance(node, ast.Name):
            return self._unhidden(node.id)
        self._refuse("something in this question is not allowed", self._words(node))

    def _unhidden(self, name: str) -> str:
        match = re.fullmatch(r"quoted_(\d+)_", name)
        known = match and int(match.group(1)) < len(self._quoted)
        return self._quoted[int(match.group(1))] if match and known else name

    def _named(self, name: str) -> Value:
        if name.lower() in _CONSTANTS:
            constant = _CONSTANTS[name.lower()]
            return lambda _: constant
        if name in _FIELDS:
            return _FIELDS[name]
        block, _, key = name.partition(".")
        if block == "params" and any(key in row.run.params for row in self._rows):
            return lambda row: row.run.params.get(key)
        if block == "metrics" and any(
            key in row.run.headline or key in row.run.metrics for row in self._rows
        ):
            return lambda row: row.run.headline.get(key, row.run.metrics.get(key))
        known = [*_FIELDS, *_names(self._rows)]
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
        raise ReproofError(
            f"no run here has {name!r}",
            where="--query",
            expected="params.<name>, metrics.<name>, or a field such as seed, status, name, start_time",
            hint=f"near ones: {', '.join(near)}"
            if near
            else "words belong in quotation marks: status == 'success'",
        )

    def _words(self, node: ast.AST) -> str:
        return re.sub(
            r"quoted_(\d+)_", lambda match: f"`{self._unhidden(match.group())}`", ast.unparse(node)
        )[:200]

    def _refuse(self, what: str, found: str) -> NoReturn:
        hint = None
        if re.search(r"(?<!&)&(?!&)|&&|\|", self._question):
            hint = "write and, or instead of &, |"
        elif re.search(r"(?<![=!<>])=(?!=)", self._question):
            hint = "equal is =="
        elif "-" in self._question and "`" not in self._question:
            hint = "a name with a dash goes in backticks: metrics.`benchmark.cpu-b1.latency_ms` < 2"
        raise ReproofError(what, where="--query", expected=_EXPECTED, found=found, hint=hint)


def _names(rows: Iterable[Row]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        found |= dict.fromkeys(f"params.{name}" for name in row.run.params)
        found |= dict.fromkeys(f"metrics.{name}" for name in (*row.run.headline, *row.run.metrics))
    return list(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_ordered(a: Any, b: Any) -> bool:
    return (_is_number(a) and _is_number(b)) or (isinstance(a, str) and isinstance(b, str))


def _equal(a: Any, b: Any) -> bool:
    """True is not 1; a list is its items, in their order."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _within(item: Any, holder: Any) -> bool:
    """A word in a text, or a value in a list."""
    if isinstance(holder, str):
        return isinstance(item, str) and item in holder
    return isinstance(holder, list | tuple) and any(_equal(item, one) for one in holder)
