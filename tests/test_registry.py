"""The registry shows what runs and what died, and no result depends on it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import run

from reproof import dvc, registry


def facts(number: int = 0, stage: str = "train") -> dict[str, Any]:
    return {"run_id": f"20260131-12000{number}-abcdef", "stage": stage, "experiment": None, "workspace": "/w"}


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def test_a_stage_in_progress_is_listed_with_its_process(tmp_path: Path) -> None:
    beat = registry.Heartbeat(tmp_path, facts())
    (entry,) = registry.entries(tmp_path)
    beat.end("success", None)
    assert entry["status"] == "in_progress"
    assert entry["pid"] == os.getpid()
    assert entry["run_id"] == facts()["run_id"]
    assert entry["heartbeat"].endswith("Z")


def test_the_heartbeat_tells_the_progress_and_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "HEARTBEAT_SECONDS", 0.02)
    beat = registry.Heartbeat(tmp_path, facts())
    (first,) = registry.entries(tmp_path)
    beat.step(7, 30)
    wait_for(lambda: registry.entries(tmp_path)[0]["step"] == 7)
    (later,) = registry.entries(tmp_path)
    beat.end("success", None)
    assert later["total_steps"] == 30
    assert later["heartbeat"] > first["heartbeat"]


def test_the_end_is_written_with_its_error_and_nothing_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "HEARTBEAT_SECONDS", 0.02)
    beat = registry.Heartbeat(tmp_path, facts())
    beat.end("failed", "the loss is not finite")
    (entry,) = registry.entries(tmp_path)
    time.sleep(0.1)
    assert registry.entries(tmp_path) == [entry]
    assert (entry["status"], entry["error"]) == ("failed", "the loss is not finite")


def test_a_killed_process_stays_in_progress_with_its_last_heartbeat(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from reproof import registry
registry.Heartbeat(Path("."), {facts()!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(sys.executable, "-c", script, cwd=tmp_path, check=False)
    (entry,) = registry.entries(tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert entry["status"] == "in_progress"
    assert entry["pid"] != os.getpid()


def test_entries_come_in_the_order_of_their_starts(tmp_path: Path) -> None:
    for number, stage in ((2, "train"), (1, "train"), (1, "evaluate")):
        registry.Heartbeat(tmp_path, facts(number, stage)).end("success", None)
    assert [(entry["run_id"][:15], entry["stage"]) for entry in registry.entries(tmp_path)] == [
        ("20260131-120001", "evaluate"),
        ("20260131-120001", "train"),
        ("20260131-120002", "train"),
    ]


def test_a_torn_or_foreign_file_is_passed_over(tmp_path: Path) -> None:
    registry.Heartbeat(tmp_path, facts()).end("success", None)
    folder = tmp_path / "registry"
    (folder / "torn.json").write_text('{"schema_version": 1, "run')
    (folder / "foreign.json").write_text("[1]")
    (folder / "newer.json").write_text(json.dumps({"schema_version": 2}))
    (folder / "latin.json").write_bytes(b'{"a": "\xe9"}')
    (folder / "folder.json").mkdir()
    assert [entry["stage"] for entry in registry.entries(tmp_path)] == ["train"]


def test_without_a_registry_there_are_no_entries(tmp_path: Path) -> None:
    assert registry.entries(tmp_path / "absent") == []


def test_the_oldest_entries_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MAX_ENTRIES", 3)
    for number in range(5):
        registry.Heartbeat(tmp_path, facts(number)).end("success", None)
    assert [entry["run_id"][14] for entry in registry.entries(tmp_path)] == ["2", "3", "4"]


def test_a_registry_that_cannot_be_written_costs_a_warning_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "registry").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="registry of runs cannot be written"):
        beat = registry.Heartbeat(tmp_path, facts())
    with pytest.warns(UserWarning, match="registry of runs cannot be written"):
        beat.end("success", None)


def test_the_registry_lies_in_the_main_repository_also_from_dvcs_temporary_workspaces(tmp_path: Path) -> None:
    main, workspace = tmp_path / "main", tmp_path / "main/.dvc/tmp/exps/tmpabc"
    assert dvc.private_folder(workspace, {"DVC_ROOT": str(main)}) == main / ".dvc/tmp/reproof"
    assert dvc.private_folder(main, {}) == main / ".dvc/tmp/reproof"
