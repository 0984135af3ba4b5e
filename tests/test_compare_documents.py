"""A comparison as text, Markdown, a page, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from compared import RULES, benchmark, method, row
from markdown_it import MarkdownIt

from reproof.comparison import Comparison, compare, documents, figures
from reproof.report.figures.svg import slim

WIDTH = 120


def comparison(count: int = 6, **changes: Any) -> Comparison:
    base = [0.9 + 0.001 * (i % 3) for i in range(count)]
    rows = method("main", base, latency=1.0)
    rows += method(
        "wide", [v + 0.02 + 0.001 * (i % 2) for i, v in enumerate(base)], model__channels=32, latency=2.0
    )
    rows += method(
        "deep", [v - 0.01 - 0.001 * (i % 2) for i, v in enumerate(base)], train__lr=0.2, latency=0.5
    )
    rows += [row("other", 0.99, data="other", model__channels=64), row("broken", status="failed")]
    return compare(
        rows,
        RULES,
        baseline=rows[0],
        read=lambda _, name: benchmark() if "bench" in name else None,
        **changes,
    )


def test_the_first_screen_answers_and_fits() -> None:
    text = documents.as_table(comparison())
    lines = text.splitlines()
    assert lines[0].startswith(
        "wide has the best accuracy: 0.9215 ± 0.0010 (n = 6), really better than main: +0.0205"
    )
    assert max(map(len, lines)) <= WIDTH
    head = next(line for line in lines if line.startswith("run (* baseline)"))
    assert re.split(r"\s{2,}", head)[:3] == ["run (* baseline)", "n", "channels"]
    assert re.search(r"^wide .* better", text, flags=re.M)
    assert re.search(r"^deep .* worse", text, flags=re.M)
    assert "Not counted: 1 failed (broken)." in text
    assert "not comparable" in text


def test_the_best_comes_first_and_the_baseline_is_marked() -> None:
    lines = documents.as_table(comparison()).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("run (* baseline)"))
    names = [line.split()[0] for line in lines[start + 2 : start + 6]]
    assert names == ["wide", "main", "deep", "other"]
    assert lines[start + 3].startswith("main *")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_column_is_lost_without_a_word(width: int) -> None:
    rows = [
        row(f"run-{i}", 0.9 + i / 100, **{f"block__param{j}": i * j for j in range(1, 12)}) for i in range(5)
    ]
    text = documents.as_table(compare(rows, RULES, baseline=rows[0]), width=width)
    for j in range(1, 12):
        assert f"param{j}" in text
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width


def test_params_of_one_odd_run_do_not_crowd_the_table() -> None:
    rows = [
        *method("a", [0.9, 0.91]),
        *method("b", [0.8, 0.81], train__lr=0.2),
        *method("c", [0.7, 0.72], train__lr=0.3),
    ]
    odd = {f"old__param{i}": i for i in range(20)}
    text = documents.as_table(
        compare([*rows, row("ancient", 0.5, data="old", **odd)], RULES, baseline=rows[0])
    )
    assert "only ancient differs in old.param0, " in text
    assert "15 more" in text
    written = documents.as_markdown(
        compare([*rows, row("ancient", 0.5, data="old", **odd)], RULES, baseline=rows[0])
    )
    assert "| Run | n | `train.lr` | accuracy" in written
    assert re.search(r"^Only ancient differs in old\.param0, .* and 15 more\.$", written, flags=re.M)


def test_a_table_of_hundreds_of_lines_shows_the_best_and_the_baseline() -> None:
    rows = [row(f"run{i}", 0.5 + i / 1000, train__lr=1.0 + i) for i in range(200)]
    text = documents.as_table(compare(rows, RULES, baseline=rows[0]))
    assert "run199" in text
    assert "run0 *" in text
    assert "run100" not in text
    assert "169 more lines of 200" in text


def test_json_holds_everything_and_is_valid() -> None:
    found = json.loads(documents.as_json(comparison()), parse_constant=lambda word: pytest.fail(word))
    assert found["baseline"] == "main"
    assert [one["name"] for one in found["groups"]] == ["wide", "main", "deep", "other"]
    wide = found["groups"][0]
    assert [one["seed"] for one in wide["runs"]] == [0, 1, 2, 3, 4, 5]
    accuracy = wide["metrics"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(sum(accuracy["values"]) / 6)
    assert accuracy["verdict"]["kind"] == "better"
    assert accuracy["verdict"]["test"] == "paired t"
    assert wide["metrics"]["latency_ms"]["verdict"]["test"] != "paired t"
    judged = {"better": "higher", "margin": 0.005, "source": "comparison"}
    assert found["metrics"][0] == {"name": "accuracy", "full": "evaluate.test.accuracy", **judged}
    assert found["pareto"]["front"] == ["wide", "main", "deep"]
    assert found["left_out"][0]["status"] == "failed"


def test_csv_has_a_line_a_group_and_runs_no_formula() -> None:
    rows = [row("=SUM(A1)", 0.9), row("-1", 0.8, train__lr=-0.5), row("ok", 0.7, train__lr="@cmd")]
    found = list(csv.DictReader(io.StringIO(documents.as_csv(compare(rows, RULES, baseline=rows[0])))))
    assert [line["run"] for line in found] == ["'=SUM(A1)", "-1", "ok"]
    assert found[2]["params.train.lr"] == "'@cmd"
    assert found[1]["params.train.lr"] == "-0.5"
    assert found[0]["accuracy"] == "0.9"
    assert found[1]["accuracy.verdict"] == "inconclusive"
    assert found[0]["baseline"] == "yes"


def tables(text: str) -> list[list[list[str]]]:
    """The tables that a reader of Markdown sees, as rows of cells."""
    found: list[list[list[str]]] = []
    is_inside = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("table_open", "table_close"):
            is_inside = token.type == "table_open"
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and is_inside:
            found[-1][-1].append(token.content)
    return found


def test_markdown_is_tables_that_every_forge_reads() -> None:
    text = documents.as_markdown(comparison())
    assert text.startswith("# Comparison\n\n**wide has the best accuracy")
    first = tables(text)[0]
    assert first[0][:3] == ["Run", "n", "`model.channels`"]
    assert len({len(line) for line in first}) == 1
    assert first[2][0] == "`main` (baseline)"
    assert "<script" not in text
    assert documents.as_markdown(comparison(), title=None).startswith("**wide")


def test_names_and_values_are_no_markup() -> None:
    rows = [row("a|b`c<img src=x>", 0.9), row("plain", 0.8, train__note="<script>alert(1)</script>|x\n# y")]
    text = documents.as_markdown(compare(rows, RULES, baseline=rows[0]))
    shown = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "alert(1)" in shown
    first = tables(text)[0]
    assert {len(line) for line in first} == {len(first[0])}


def test_a_page_is_one_file_with_its_figures(tmp_path: Path) -> None:
    found = comparison()
    drawn = figures.of(found)
    assert [one.name for one in drawn] == ["effects", "parallel", "pareto"]
    documents.as_html(found, tmp_path / "c.html", figures=drawn)
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "really better than main" in page
    for one in drawn:
        assert f"figures/{one.name}.svg" in page
    assert "Content-Security-Policy" in page


def test_figures_are_drawn_as_svg_and_vega_lite_alike_each_time(tmp_path: Path) -> None:
    drawn = figures.of(comparison())
    for folder in ("a", "b"):
        figures.draw(drawn, tmp_path / folder)
    for one in drawn:
        svg = (tmp_path / "a" / f"{one.name}.svg").read_bytes()
        assert svg.startswith(b"<svg")
        assert svg == (tmp_path / "b" / f"{one.name}.svg").read_bytes()
        assert "vega-lite" in json.loads((tmp_path / "a" / f"{one.name}.vl.json").read_text())["$schema"]
    effects = (tmp_path / "a" / "effects.svg").read_text()
    assert "wide" in effects
    assert "deep" in effects


def test_figures_leave_out_what_has_no_numbers() -> None:
    assert figures.of(compare([row("a")], RULES)) == []
    assert figures.of(compare([], RULES)) == []


def test_values_that_differ_look_different() -> None:
    values = [1, 1.0000001, "1", None, "null", True, "true", 0.1, "0.1", "", "~", "1e5", "plain"]
    shown = [documents.words.value(value) for value in values]
    assert len(set(shown)) == len(values), shown
    assert shown[0] == "1"
    assert shown[-1] == "plain"


def test_wide_letters_and_letters_that_turn_a_line_round_keep_the_table_in_order() -> None:
    rows = [row("模型", 0.9), row("a\u202eb", 0.8, train__lr=0.2)]
    lines = documents.as_table(compare(rows, RULES, baseline=rows[0])).splitlines()
    assert not any("\u202e" in line for line in lines)
    start = next(i for i, line in enumerate(lines) if line.startswith("run (* baseline)"))
    first = next(line for line in lines[start:] if line.startswith("模型"))
    assert first.index("1") + 2 == lines[start].index(" n ") + 1, "two cells a letter"


def test_a_drawing_rounds_places_and_never_words() -> None:
    made = slim('<svg xmlns="http://www.w3.org/2000/svg"><text x="1.23456">lr-0.0125</text></svg>')
    assert made == '<svg xmlns="http://www.w3.org/2000/svg"><text x="1.23">lr-0.0125</text></svg>\n'
