"""Which functions of a Python file differ, by the meaning that its parser gives them.

Comments, formatting and docstrings are no difference; where nothing else differs, that is what is said.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

MAX_BYTES = 1_000_000
"""A larger file is no source that people write: it is compared by its bytes."""

MODULE = "module level"
"""What stands outside functions and classes: imports, constants, calls."""


@dataclass(frozen=True)
class Functions:
    """Names such as `train`, `Model.forward` and `module level`; those of one that only moved are no change.

    `renamed` are pairs of an old and a new name with the same body.
    """

    changed: tuple[str, ...]
    came: tuple[str, ...]
    went: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.came or self.went or self.renamed)


def touched(before: bytes | None, after: bytes | None) -> Functions | None:
    """Return the functions that differ between two versions of a file; None where one is no Python.

    Args:
        before: the file's bytes in the first run; None where it has none.
        after: the same of the second.
    """
    first, second = _outline(before), _outline(after)
    if first is None or second is None:
        return None
    went, came = [n for n in first if n not in second], [n for n in second if n not in first]
    renamed: list[tuple[str, str]] = []
    for old in went:
        new = next((n for n in came if n != MODULE and second[n] == first[old]), None)
        if new and old != MODULE and new not in (pair[1] for pair in renamed):
            renamed.append((old, new))
    gone, new_names = {old for old, _ in renamed}, {new for _, new in renamed}
    return Functions(
        tuple(name for name in first if name in second and first[name] != second[name]),
        tuple(name for name in came if name not in new_names),
        tuple(name for name in went if name not in gone),
        tuple(renamed),
    )


def imported(source: bytes) -> set[str]:
    """Return the top-level modules that a file imports anywhere in it; none where it is no Python."""
    tree = _parsed(source)
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _parsed(source: bytes) -> ast.Module | None:
    if len(source) > MAX_BYTES:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _outline(source: bytes | None) -> dict[str, str] | None:
    """A digest of each function, method, and of what stands outside them, by name."""
    if source is None:
        return {}
    tree = _parsed(source)
    if tree is None:
        return None
    found: dict[str, str] = {}
    try:
        _walk(tree.body, "", found)
    except RecursionError:
        return None
    return found


def _walk(body: Iterable[ast.stmt], prefix: str, found: dict[str, str]) -> None:
    rest: list[str] = []
    for index, statement in enumerate(body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            _add(found, f"{prefix}{statement.name}", _function(statement))
        elif isinstance(statement, ast.ClassDef):
            name = f"{prefix}{statement.name}"
            bases = [*statement.decorator_list, *statement.bases, *statement.keywords]
            rest.append("\n".join([f"class {statement.name}", *map(ast.dump, bases)]))
            _walk(statement.body, f"{name}.", found)
        elif not (index == 0 and _is_words(statement)):
            rest.append(ast.dump(statement))
    if rest:
        _add(found, prefix.rstrip(".") if prefix else MODULE, "\n".join(rest))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Its meaning without its name, so that one that was renamed is known again."""
    body = node.body[1:] if _is_words(node.body[0]) else node.body
    parts: list[ast.AST] = [node.args, *node.decorator_list, *([node.returns] if node.returns else []), *body]
    return "\n".join([type(node).__name__, *map(ast.dump, parts)])


def _is_words(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _add(found: dict[str, str], name: str, meaning: str) -> None:
    """A name can stand twice, such as a property and its setter: both count."""
    whole = found.get(name, "") + hashlib.sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest()
    found[name] = whole
