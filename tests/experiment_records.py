"""Experiment records, for the tests of what they say: written, and taken apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reproof.report import experiment_record

LATEST = "results/latest"
EXAMPLE = Path(__file__).parents[1] / "reports" / "example" / "results" / "latest"


def write(project: Path, title: str = "A record", *revisions: str, **options: Any) -> str:
    return experiment_record.write(project, title, revisions, **options).path.read_text()


def section(text: str, name: str) -> str:
    return re.split(r"^## ", text.split(f"\n## {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def edit(project: Path, name: str, **values: Any) -> None:
    path = project / LATEST / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
