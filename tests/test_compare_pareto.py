"""Quality against latency: which runs nothing beats in both."""

from __future__ import annotations

from typing import Any

from compared import NO_RULES, RULES, benchmark, row

from reproof.comparison import compare
from reproof.history import Row

# The Pareto front.


def points(*costs: tuple[str, float, float], **changes: Any) -> list[Row]:
    return [
        row(name, accuracy, latency=latency, train__lr=1.0 + i, **changes)
        for i, (name, accuracy, latency) in enumerate(costs)
    ]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    rows = points(("good", 0.95, 3.0), ("fast", 0.90, 1.0), ("beaten", 0.89, 2.0), ("middle", 0.93, 2.0))
    found = compare(rows, RULES, baseline=rows[0], read=lambda *_: benchmark()).pareto
    assert found.front == ("good", "middle", "fast")
    assert found.beaten == {"beaten": "middle"}
    assert found.machine == "machine"


def test_the_front_is_of_one_machine_one_data_and_stable_verdicts() -> None:
    rows = points(("good", 0.95, 3.0), ("shaky", 0.99, 0.5), ("fast", 0.90, 1.0))
    rows += [
        row("elsewhere", 0.999, latency=0.1, machine="other"),
        row("else", 0.999, latency=0.1, data="other"),
    ]
    read = {"shaky": benchmark("noisy")}
    found = compare(rows, RULES, baseline=rows[0], read=lambda one, _: read.get(one.name, benchmark())).pareto
    assert found.front == ("good", "fast")
    assert found.left_out == {
        "elsewhere": "measured on another machine",
        "else": "other data",
        "shaky": "the benchmark of shaky is noisy",
    }


def test_no_front_without_a_direction_a_benchmark_or_a_second_run() -> None:
    rows = points(("good", 0.95, 3.0), ("fast", 0.90, 1.0))
    assert compare(rows, NO_RULES, baseline=rows[0], read=lambda *_: benchmark()).pareto.missing
    assert (
        compare(rows, RULES, baseline=rows[0]).pareto.missing == "the benchmarks' verdicts were not looked at"
    )
    none = compare(rows, RULES, baseline=rows[0], read=lambda *_: None).pareto
    assert none.missing == "no group has a stable timing on this machine"
