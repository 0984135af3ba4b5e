"""What the README shows of the committed reports is what they hold."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


def test_the_proof_on_the_first_screen_is_that_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "pipeline"))
    for name in ("example", "rendered"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    example = importlib.import_module("example")
    shown = example.PROVED.search((ROOT / "README.md").read_text())
    assert shown is not None
    assert shown[0] == example.proved(), "the stage example writes it: make example"
    assert "VERDICT      BIT MATCH" in shown[0]


def test_the_root_pipeline_holds_no_stage_of_the_template() -> None:
    """`dvc repro` at the root would run them; the names of the template's dvc.yaml files end in .jinja."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--all", "--name-only"],
        cwd=ROOT,
        env=os.environ | {"DVC_NO_ANALYTICS": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert sorted(done.stdout.split()) == sorted(declared)
