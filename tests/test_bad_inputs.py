"""The table of bad inputs and its tests: each row has one, and each one has a row."""

from __future__ import annotations

import re
from pathlib import Path

from bad_inputs import PAGE, rows

FILES = sorted(set(Path(__file__).parent.glob("test_bad_*.py")) - {Path(__file__)})


def test_every_row_has_its_test_and_every_test_its_row() -> None:
    functions = [
        name.replace("_", "-")
        for path in FILES
        for name in re.findall(r"^def test_(\w+)\(", path.read_text(encoding="utf-8"), flags=re.M)
    ]
    assert len(functions) == len(set(functions))
    assert sorted(functions) == sorted(rows())


def test_the_table_is_long_enough_to_be_of_use() -> None:
    assert len(rows()) >= 60


def test_no_row_of_the_page_escapes_the_reader_of_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = [line for line in text.splitlines() if re.match(r"\| `", line)]
    assert len(written) == len(rows())


def test_every_exit_code_is_a_documented_one() -> None:
    documented = (PAGE.parent / "exit-codes.md").read_text(encoding="utf-8")
    of_scripts = {rows()["script-exit-code"].code}
    found = {row.code for row in rows().values()} - of_scripts
    assert found <= {int(code) for code in re.findall(r"\b\d+\b", documented)}
