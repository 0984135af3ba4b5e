"""The difference of two runs as text for a terminal, as Markdown for a forge, and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reproof import redact
from reproof.difference import findings, words
from reproof.difference.metrics import Line
from reproof.difference.sides import Side
from reproof.difference.whole import Difference
from reproof.report import templating
from reproof.report.markdown import between, score, signed

SCHEMA_VERSION = 1
TEMPLATE = "difference.md.jinja"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def as_text(found: Difference) -> str:
    """Return it as text: first what probably matters, then part by part."""
    lines = [findings.headline(found)]
    if said := findings.consequence(found):
        lines.append(said)
    if not found.is_one_run:
        lines += [words.verdict(line) for line in found.metrics.headline]
        lines += [words.mcnemar(one) for one in found.metrics.models.splits.values()]
    if said := findings.claim(found):
        lines.append(said)
    lines += [f"warning: {one}" for one in findings.warnings(found)]
    lines.append("")
    for letter, row in (("A", found.a.row), ("B", found.b.row)):
        lines.append(f"{letter}  {row.name}: {words.place(row)}")
    if not found.is_one_run:
        lines += _parts(found)
    return "\n".join(map(_on_screen, lines))


def _on_screen(line: str) -> str:
    """Without a secret, and without a character that a terminal would obey: names come out of records."""
    kept = (
        letter if letter.isprintable() or letter == "\N{NO-BREAK SPACE}" else "?"
        for letter in redact.text(line)
    )
    return "".join(kept)


def _parts(found: Difference) -> list[str]:
    matters, others = words.environment(found)
    environment = matters or ["nothing that numbers depend on" if others else "the same"]
    environment += [f"also {'; '.join(others)}"] if others else []
    differing = [line for line in found.metrics.lines if not line.is_headline and not _is_equal(line)]
    shown = [line for line in differing if line.verdict.interval]
    lines: list[str] = []
    if differing:
        lines += ["", "Other metrics that differ", *_indented(_table(shown) if shown else [])]
        more = len(differing) - len(shown)
        lines += [f"  {more} of which no spread is known: --format md or json has them"] if more else []
    for title, part in (
        ("Params", words.params(found) or ["the same"]),
        ("Data", words.data(found.data)),
        ("Code", words.code(found.code)),
        ("Environment", environment),
        ("Artefacts, by content", words.artefacts(found)),
    ):
        lines += ["", title, *_indented(part)]
    return lines


def _is_equal(line: Line) -> bool:
    return line.a is not None and line.a == line.b


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _table(lines: Sequence[Line]) -> list[str]:
    rows = [("", "A", "B", "B − A", "95% interval", "B is")]
    rows += [
        (
            line.full or line.name,
            score(line.a),
            score(line.b),
            signed(line.verdict.difference),
            between(line.verdict.interval, with_sign=True),
            line.word,
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def as_markdown(found: Difference, root: Path | None = None, *, level: int = 1) -> str:
    """Return it as Markdown.

    Args:
        found: what differs.
        root: the project, for a template of its own in templates/difference.md.jinja.
        level: of the first heading.

    Raises:
        ReproofError: for a mistake in a template of the project's own.
    """
    matters, others = words.environment(found)
    context = {
        "found": found,
        "words": words,
        "h": "#" * level,
        "headline": findings.headline(found),
        "consequence": findings.consequence(found),
        "claim": findings.claim(found),
        "warnings": findings.warnings(found),
        "matters": matters,
        "others": others,
        "metrics": [line for line in found.metrics.lines if line.is_headline],
        "other_metrics": [line for line in found.metrics.lines if not line.is_headline],
    }
    filled = templating.fill(templating.environment(root), TEMPLATE, context)
    return "\n".join(map(_on_screen, filled.split("\n")))


def as_json(found: Difference) -> str:
    """Return it as JSON; a number that is missing is null."""
    models = found.metrics.models
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "a": _side(found.a),
        "b": _side(found.b),
        "headline": findings.headline(found),
        "consequence": findings.consequence(found),
        "claim": findings.claim(found),
        "warnings": findings.warnings(found),
        "params": asdict(found.params),
        "data": asdict(found.data) | {"from_train_to_test": found.data.from_train_to_test},
        "code": {**asdict(found.code), "modules": sorted(found.code.modules)},
        "environment": asdict(found.environment),
        "metrics": [asdict(line) for line in found.metrics.lines],
        "models": asdict(models),
        "artefacts": asdict(found.artefacts) | {"same_model": found.artefacts.same_model},
    }
    return json.dumps(redact.data(data), indent=2, ensure_ascii=False, allow_nan=False)


def _side(one: Side) -> dict[str, Any]:
    run = one.run
    return {
        "name": one.row.name,
        "names": list(one.row.names),
        "kind": one.row.kind,
        "run_id": run.run_id,
        "commit": run.commit,
        "status": run.status,
        "start_time": run.start_time,
        "seed": run.seed,
        "code_tree": run.code_tree,
        "data": run.data,
        "fingerprint": run.fingerprint,
        "warnings": list(one.row.warnings),
    }
