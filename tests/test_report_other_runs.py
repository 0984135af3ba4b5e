"""What a report says of other runs: out of the history file alone, with the seeds that both have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import seed_documents as seed
from documents import example_project, rendered

from reproof import files
from reproof.report import gaps


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return example_project(tmp_path)


def test_other_runs_come_from_the_history_file_alone(project: Path) -> None:
    from reproof import history

    own = history.of_results(project / "results/latest")
    assert own is not None
    row = json.loads(json.dumps(own.__dict__, default=str))
    runs = {
        own.run_id: row,
        "r1": row | {"run_id": "r1", "seed": 1, "params": row["params"] | {"seed": 1}, "experiment": "one",
                     "headline": row["headline"] | {"accuracy": 0.9}},
        "r2": row | {"run_id": "r2", "params": row["params"] | {"train.lr": 0.5}, "experiment": "steep",
                     "metrics": row["metrics"] | {"evaluate.test.accuracy": 0.5}},
    }  # fmt: skip
    files.write_json(project / "results/history.json", {"schema_version": 1, "written_at": "x", "runs": runs})
    found = seed.sections(rendered(project)["experiment.md"])
    here = own.metrics["evaluate.test.accuracy"]
    change = f"{0.5 - here:+.4f}".replace("-", "−")
    row_shown = f"| `train.lr` = 0.5 (here 0.002) | 0.5000 | {here:.4f} | {change} | 1: {own.seed} |"
    assert row_shown in found["6.1 Ablation Study"]
    assert "choose by validation" in found["6.1 Ablation Study"]
    assert "Over 2 seeds" in found["5.2 Statistical Significance"]
    assert "| `latency_ms` (timing) |" in found["5.2 Statistical Significance"]
    assert "timings vary with the machine" in found["5.2 Statistical Significance"]
    assert "`steep`" in found["A. Hyperparameter Search"]
    assert "`one`" in found["A. Hyperparameter Search"]
    assert not [gap for gap in gaps(project, project / "results/latest") if "history" in gap.reason]


def with_history(project: Path, *changes: dict[str, Any]) -> dict[str, str]:
    """The sections of the experiment beside runs that differ from this one's as given; `params` are added."""
    from reproof import history

    own = history.of_results(project / "results/latest")
    assert own is not None
    row = json.loads(json.dumps(own.__dict__, default=str))
    runs = {own.run_id: row}
    for number, change in enumerate(changes):
        added = {key: row[key] | change[key] for key in ("params", "metrics") if key in change}
        runs[f"r{number}"] = row | change | added | {"run_id": f"r{number}"}
    files.write_json(project / "results/history.json", {"schema_version": 1, "written_at": "x", "runs": runs})
    return seed.sections(rendered(project)["experiment.md"])


def test_an_ablation_over_several_seeds_subtracts(project: Path) -> None:
    metric = "evaluate.test.accuracy"
    changes = [
        {"seed": number, "params": {"seed": number, **params}, "metrics": {metric: value}}
        for params, values in (({}, (0.90, 0.92)), ({"train.lr": 0.5}, (0.80, 0.86)))
        for number, value in enumerate(values, start=11)
    ]
    part = with_history(project, *changes)["6.1 Ablation Study"]
    (row,) = [line for line in part.splitlines() if line.startswith("| `train.lr` = 0.5")]
    _, theirs, own, change, seeds = (cell.strip() for cell in row.strip("|").split("|"))
    assert (theirs.split(" ± ")[0], own.split(" ± ")[0], seeds) == ("0.8300", "0.9100", "2: 11, 12")
    found = re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", change.replace("−", "-"))
    assert found
    mean, low, high = map(float, found.groups())
    assert mean == pytest.approx(float(theirs.split()[0]) - float(own.split()[0]))
    assert low < mean < high
    assert (low + high) / 2 == pytest.approx(mean, abs=1e-4)


def test_where_no_other_run_counts_it_says_how_many_there_are_and_why(project: Path) -> None:
    found = with_history(project, {"code_tree": "other"}, {"status": "failed", "seed": 7})
    held = "results/history.json holds 2 other runs, 1 of them failed or in progress; none"
    assert (
        f"{held} has this code, data and params with another seed." in found["5.2 Statistical Significance"]
    )
    assert f"{held} of this code and data differs from this run" in found["6.1 Ablation Study"]
    assert f"{held} has this code and data." in found["A. Hyperparameter Search"]
