"""Training reports, for the tests of what they say: written, and taken apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from many_runs import record_of

from reproof.report import training_report

LATEST = "results/latest"


def log(project: Path, experiment: str | None = None) -> str:
    return training_report.write(project, experiment).markdown.read_text()


def titles(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^## `+(.+?)`+ - `(.+?)` - `(.+?)`$", text, flags=re.MULTILINE)


def statuses(text: str) -> list[str]:
    return [status for _, _, status in titles(text)]


def edited(record: dict[str, bytes], name: str, **values: Any) -> dict[str, bytes]:
    return record | {name: json.dumps(json.loads(record[name]) | values).encode()}


def of_example() -> dict[str, bytes]:
    return record_of(Path(__file__).parent / "old_records" / "0.1")


def linked(record: dict[str, bytes], **links: str) -> dict[str, bytes]:
    """The record of a run whose params.yaml has links, as meta.json then has them."""
    recorded = json.loads(record["meta.json"])["links"]
    return edited(record, "meta.json", links=recorded | links)
