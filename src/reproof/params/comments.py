"""The comments of params.yaml, by key: why a value is what it is."""

from __future__ import annotations

import re

import yaml


def beside(text: str, root: yaml.Node) -> dict[str, str]:
    """Return the comment that stands in the line of each value, by the key's full name.

    Lines below that hold a comment alone, at the same column, belong to it. Comments above a key do not
    count: they speak of what follows, which may be a whole block.

    Args:
        text: the params file.
        root: the same, as `parse` returned its nodes.
    """
    lines = text.split("\n")
    found: dict[str, str] = {}
    for name, node in _leaves(root, ""):
        line, column = node.end_mark.line, node.end_mark.column
        if line >= len(lines):
            continue
        match = re.match(r"[\s,}\]]*(?<=[\s,}\]])#\s?(.*)$", lines[line][column:]) if column else None
        if not match:
            continue
        at = column + match.group(0).index("#")
        words = [match.group(1)]
        for below in lines[line + 1 :]:
            if below[:at].strip() or not below[at:].startswith("#"):
                break
            words.append(below[at + 1 :])
        found[name] = " ".join(part.strip() for part in words).strip()
    return {name: words for name, words in found.items() if words}


def _leaves(node: yaml.Node, prefix: str) -> list[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    leaves: list[tuple[str, yaml.Node]] = []
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        leaves += [(name, value)] if not _is_block(value) else _leaves(value, f"{name}.")
    return leaves


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.value)
