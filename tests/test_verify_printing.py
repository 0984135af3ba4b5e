"""What the screen says of a verification, line by line; and the JSON of the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import verify_pair as files
from verify_pair import LATEST, Pair, pair

from reproof.verify import factors, printing, statistics
from reproof.verify.chain import Link
from reproof.verify.checks.checked import Checked
from reproof.verify.control import Control
from reproof.verify.errors import CannotVerify, Contradiction, RerunFailed
from reproof.verify.explain import Cause
from reproof.verify.factors import Factor
from reproof.verify.inputs import Inputs
from reproof.verify.levels import Level, Verdict
from reproof.verify.stages import Plan
from reproof.verify.verification import Verification

FACTORS = (
    Factor("torch", "package", "2.13.0", "2.13.0"),
    Factor("CPU", "machine", "EPYC", "Xeon"),
    Factor("threads", "threads", "8", "8"),
    Factor("ISA", "isa", "AVX512", "AVX2"),
    Factor("system", "machine", "Debian", "Ubuntu", matters=False),
)


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    return pair(tmp_path)


def verification(both: Pair, **changes: Any) -> Verification:
    outcome = both.outcome()
    recorded, made = both.snapshots()
    assert recorded.artefacts
    found = Verification(
        run=both.run(),
        required=Level.NUMERIC,
        verdict=outcome.verdict,
        reasons=outcome.reasons,
        checked=(Checked("a", True), Checked("b", True), Checked("c", None, reason="not here")),
        tolerances=both.tolerances,
        plan=Plan(("prepare", "train", "evaluate"), {"benchmark": "timings"}, (), {}, {}),
        inputs=Inputs(412, 1000, {}, {}, {}, {}),
        attempts=(both.attempt(),),
        made=made,
        factors=FACTORS,
        outcome=outcome,
        seconds={"worktree": 0.4, "execution": 12.3},
        certificate=both.made / "results/verify/exp-0042-bit-match.json",
    )
    return dataclasses.replace(found, **changes)


def lines(found: Verification, both: Pair) -> dict[str, str]:
    """The screen by label; several lines of one label are joined."""
    told: dict[str, str] = {}
    label = ""
    for line in printing.as_text(found, both.made).splitlines():
        assert len(line) <= 160
        assert line == line.rstrip()
        label = line[:13].strip() or label
        told[label] = f"{told[label]} | {line[13:]}" if label in told else line[13:]
    return told


def test_a_bit_match_in_full(both: Pair) -> None:
    assert printing.as_text(verification(both), both.made).splitlines() == [
        "record       exp-0042 @ 3f2c1ab   clean, files intact   (2 checks agree, 1 not possible here)",
        "inputs       412/412 SHA-256 match",
        "executed     prepare train evaluate   (proof of execution in each, imports confined: audit hook)",
        "environment  CPU EPYC ≠ Xeon   ISA AVX512 ≠ AVX2   torch 2.13.0 =   threads 8 =",
        "metrics      accuracy 0.9673 = 0.9673   loss 0.1 = 0.1   and 3 more identical",
        "artefacts    splits identical   12/12 identical",
        "took         worktree 0.4 s   execution 12 s",
        "VERDICT      BIT MATCH   certificate results/verify/exp-0042-bit-match.json",
    ]


def test_a_numeric_match_says_by_how_much_and_where_it_begins(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.loss"] = 0.10027
    files.write_weights(both.made / LATEST / "checkpoint/model.safetensors", shift=0.004)
    files.write_log(both.made / LATEST / "metrics.ndjson", changed=7)
    cause = Cause("ISA", "confirmed", "this machine limited to AVX2 reproduces the record")
    told = lines(verification(both, control=Control(2, ()), causes=(cause,)), both)
    assert told["control"] == "A = A  identical (2 runs)"
    assert (
        told["metrics"] == "accuracy 0.9673 = 0.9673   loss +0.00027 (tolerance 0.001)   and 3 more identical"
    )
    assert "checkpoint: model.safetensors: weights differ (max |Δ| 0.004 in" in told["artefacts"]
    assert told["diverges"] == "step 7 of 30 (train.loss)"
    assert told["cause"] == "ISA  [confirmed: this machine limited to AVX2 reproduces the record]"
    assert told["VERDICT"].startswith("NUMERIC MATCH   certificate ")


def test_a_difference_names_both_values_the_tolerance_and_the_reasons(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.accuracy"] = 0.91
    found = verification(both)
    told = lines(found, both)
    assert told["metrics"].startswith("accuracy 0.9673 ≠ 0.91 (-0.057, tolerance 0.001)   loss 0.1 = 0.1")
    assert told["because"] == "evaluate.test.accuracy differs"
    assert told["VERDICT"].startswith("DIFFERENT   (numeric was required)")
    assert found.exit_code == 1


def test_a_match_that_is_too_weak_says_what_was_required(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.loss"] = 0.1001
    found = verification(both, required=Level.BIT)
    assert lines(found, both)["VERDICT"].startswith("NUMERIC MATCH   (bit was required)")
    assert found.exit_code == 1


def test_undeclared_tolerances_are_said_where_they_were_used(both: Pair) -> None:
    both.tolerances = dataclasses.replace(both.tolerances, declared=False)
    assert "library's defaults" not in lines(verification(both), both)["metrics"]
    both.metrics_made["evaluate"]["test.loss"] = 0.1001
    assert "(tolerances not declared: the library's defaults)" in lines(verification(both), both)["metrics"]


def test_stages_that_ran_from_recorded_files_say_what_came_out(both: Pair) -> None:
    links = (
        Link("evaluate", (f"{LATEST}/checkpoint",), Verdict.BIT),
        Link("export", (f"{LATEST}/checkpoint",), Verdict.DIFFERENT, "export, from the recorded … does not"),
    )
    told = lines(verification(both, links=links), both)
    assert told["chain"] == (
        "evaluate from the recorded checkpoint gives a bit match"
        " | export from the recorded checkpoint does not give its recorded results"
    )


def test_packages_that_are_far_from_arithmetic_are_counted(both: Pair) -> None:
    far = [Factor(name, "package", None, "1.0") for name in ("regress", "rich", "tqdm")]
    told = lines(verification(both, factors=(*FACTORS, *far)), both)
    assert "3 other packages ≠, such as regress none ≠ 1.0" in told["environment"]
    assert "tqdm" not in told["environment"]


def test_racy_code_is_called_so_on_the_line_of_the_control(both: Pair) -> None:
    told = lines(verification(both, control=Control(2, ("results/latest/checkpoint", "x"))), both)
    assert told["control"] == (
        "A ≠ A  racy: results/latest/checkpoint and 1 more differ from run to run on this machine"
    )


def test_stages_that_somebody_left_out_are_named_and_timings_are_not(both: Pair) -> None:
    left_out = {"benchmark": "timings are never a reason to differ", "train": "excluded by name"}
    told = lines(verification(both, plan=Plan(("prepare",), left_out, (), {}, {})), both)
    assert told["not executed"] == "train"


def test_fresh_seeds_show_the_interval_and_the_value_that_left_it(both: Pair) -> None:
    headline = {"accuracy": "evaluate.test.accuracy", "latency": "benchmark.b1.latency_ms"}
    runs = [{"evaluate.test.accuracy": value} for value in (0.90, 0.91, 0.92)]
    recorded = {"evaluate.test.accuracy": 0.9673}
    replication = statistics.replicate(
        headline, recorded, [5, 6, 7], runs, {"benchmark.b1.latency_ms": "a timing"}
    )
    found = verification(both, outcome=None, replication=replication, verdict=Verdict.DIFFERENT)
    told = lines(found, both)
    assert told["seeds"] == "3 fresh ones   95.0% interval of one more run: ± 5.0 standard deviations"
    assert told["accuracy"] == "recorded 0.9673   OUTSIDE 0.860317 to 0.959683"
    assert told["latency"] == "not judged: a timing"
    assert "metrics" not in told


def test_many_differences_are_counted_after_the_gravest(both: Pair) -> None:
    for index in range(9):
        both.metrics["evaluate"][f"m{index}"] = 1.0
        both.metrics_made["evaluate"][f"m{index}"] = 2.0 if index == 8 else 1.0001
    told = lines(verification(both), both)
    assert told["metrics"].count("evaluate.m") == 6
    assert told["metrics"].index("evaluate.m8") < told["metrics"].index("evaluate.m0")
    assert "and 3 more that differ" in told["metrics"]


def test_json_holds_every_number_behind_the_screen(both: Pair) -> None:
    both.metrics_made["evaluate"]["test.loss"] = 0.1 + 1e-9
    files.write_log(both.made / LATEST / "metrics.ndjson", changed=7)
    told = json.loads(printing.as_json(verification(both, causes=())))
    assert told["verdict"] == "NUMERIC MATCH"
    assert (told["level"], told["required"], told["exit_code"]) == ("numeric", "numeric", 0)
    loss = next(line for line in told["metrics"] if line["name"] == "evaluate.test.loss")
    assert (loss["recorded"], loss["found"], loss["standing"]) == (0.1, 0.1 + 1e-9, "close")
    assert loss["tolerance"] == {"absolute": 0.001, "relative": 0.001}
    log = next(line for line in told["artefacts"] if line["path"].endswith("metrics.ndjson"))
    assert log["standing"] == "close"
    assert log["recorded"] != log["found"]
    assert told["divergence"]["step"] == 7
    assert told["causes"] == []
    assert told["not_compared"][f"{LATEST}/stages/train.json"]
    assert told["environment"][1] == {
        "name": "CPU", "kind": "machine", "recorded": "EPYC", "here": "Xeon", "matters": True, "same": False,
    }  # fmt: skip
    assert told["seconds"] == {"worktree": 0.4, "execution": 12.3}


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (CannotVerify, 3, "it cannot be verified here"),
        (RerunFailed, 4, "the re-run failed"),
        (Contradiction, 5, "the record contradicts itself"),
    ],
)
def test_what_came_to_no_comparison_says_why(kind: type[CannotVerify], code: int, words: str) -> None:
    error = kind("something", where="somewhere", expected="this", found="that")
    assert printing.failure_as_text(error) == f"VERDICT      UNVERIFIABLE   {words}"
    told = json.loads(printing.failure_as_json(error))
    assert (told["verdict"], told["exit_code"]) == ("UNVERIFIABLE", code)
    assert told["error"] == {"what": "something", "where": "somewhere", "expected": "this", "found": "that"}


def test_the_certificate_of_an_experiment_whose_name_looks_like_a_token_can_be_opened(both: Pair) -> None:
    path = both.made / "results/verify/gluey-bunk-statistical-match-20261121T171333Z.json"
    found = verification(both, certificate=path)
    assert printing.as_text(found, both.made).endswith(f"certificate results/verify/{path.name}")
    assert json.loads(printing.as_json(found))["certificate"] == str(path)


def test_secrets_stay_off_the_screen(both: Pair) -> None:
    token = "ghp_" + "a1B2" * 9
    odd = (*FACTORS, factors.Factor("X", "variable", None, token))
    found = verification(both, factors=odd, reasons=(token,), verdict=Verdict.DIFFERENT)
    assert token not in printing.as_text(found, both.made)
    assert token not in printing.as_json(found)
