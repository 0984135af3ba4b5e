"""Which stages are executed again, which are refused, and which are left out and said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import commit_all
from verify_places import LATEST, digests, opened

from reproof.errors import ReproofError
from reproof.verify.errors import CannotVerify


class TestStages:
    """Which stages are executed."""

    def change(self, project: Path, **options: object) -> None:
        pipeline = yaml.safe_load((project / "dvc.yaml").read_text())
        stage = pipeline["stages"]["train"]
        if "persist" in options:
            stage["outs"][0] = {stage["outs"][0]: {"persist": True}}
        else:
            stage |= options
        (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        commit_all(project, "Another pipeline")

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"frozen": True}, "frozen"),
            ({"persist": True}, "persistent"),
            ({"always_changed": True}, "always changed"),
        ],
    )
    def test_without_proof_are_named_and_refused(
        self, data_copy: Path, options: dict[str, object], word: str
    ) -> None:
        self.change(data_copy, **options)
        with (
            pytest.raises(CannotVerify, match="cannot be executed again with proof") as told,
            opened(data_copy),
        ):
            pass
        assert str(told.value.found).startswith("train: ")
        assert word in str(told.value.found)
        assert "--exclude train" in str(told.value.hint)
        with opened(data_copy, exclude=["train"]) as ready:
            assert ready.plan.executed == ("prepare", "evaluate")
            assert ready.plan.left_out["train"] == "excluded by name"
            assert (ready.place.project / LATEST / "checkpoint/weights.npz").is_file()
            digests(ready, {name: record["writes"] for name, record in ready.execute().stages.items()})

    def test_without_a_record_are_named_and_refused(self, data_copy: Path) -> None:
        pipeline = yaml.safe_load((data_copy / "dvc.yaml").read_text())
        pipeline["stages"]["copy"] = {"cmd": "cp params.yaml copy", "deps": ["params.yaml"], "outs": ["copy"]}
        pipeline["stages"]["train"]["deps"].append("copy")
        (data_copy / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        lock = yaml.safe_load((data_copy / "dvc.lock").read_text())
        lock["stages"]["copy"] = {"cmd": "cp params.yaml copy"}
        (data_copy / "dvc.lock").write_text(yaml.safe_dump(lock))
        commit_all(data_copy, "A stage without run_stage")
        with (
            pytest.raises(CannotVerify, match="cannot be executed again with proof") as told,
            opened(data_copy),
        ):
            pass
        assert "copy: its script does not call run_stage" in str(told.value.found)

    def test_that_only_gather_are_left_out_and_said(self, data_run: Path) -> None:
        with opened(data_run) as ready:
            assert set(ready.plan.left_out) == {"summarize"}

    def test_that_something_depends_on_are_executed(self, data_copy: Path) -> None:
        pipeline = yaml.safe_load((data_copy / "dvc.yaml").read_text())
        pipeline["stages"]["evaluate"]["deps"].append(f"{LATEST}/benchmark.json")
        pipeline["stages"]["benchmark"] = {
            "cmd": "python src/benchmark.py",
            "deps": [f"{LATEST}/checkpoint"],
            "plots": [{f"{LATEST}/benchmark.json": {"cache": False}}],
        }
        (data_copy / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        for name in ("benchmark.json", "stages/benchmark.json"):
            (data_copy / LATEST / name).write_bytes((data_copy / LATEST / "stages/train.json").read_bytes())
        commit_all(data_copy, "A benchmark")
        with opened(data_copy) as ready:
            assert ready.plan.executed == ("prepare", "train", "benchmark", "evaluate")

    def test_of_another_name_are_refused(self, data_run: Path) -> None:
        with pytest.raises(ReproofError, match="no such stage: 'trian'"), opened(data_run, only=["trian"]):
            pass

    def test_none_is_no_verification(self, data_run: Path) -> None:
        with (
            pytest.raises(CannotVerify, match="no stage is left"),
            opened(data_run, exclude=["prepare", "train", "evaluate"]),
        ):
            pass
