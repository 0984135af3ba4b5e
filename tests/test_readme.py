"""What the README shows of the committed reports is what they hold."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_table_of_the_model_check_is_that_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "pipeline"))
    for name in ("checked", "rendered"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    checked = importlib.import_module("checked")
    shown = checked.SHOWN.search((ROOT / "README.md").read_text())
    assert shown is not None
    assert shown[0] == checked.table(), "the stage checked writes it: make example"
    assert "95% interval" in shown[0]
