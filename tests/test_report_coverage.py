"""Everything that people write by hand into such documents comes out of a run: filled, noted or explained."""

from __future__ import annotations

from pathlib import Path

import pytest
import seed_documents as seed

pytestmark = pytest.mark.torch

DOCUMENTS = {
    "experiment": (seed.EXPERIMENT, seed.EXPERIMENT_COLUMNS, seed.EXPERIMENT_FIELDS),
    "inference": (seed.INFERENCE, seed.INFERENCE_COLUMNS, seed.INFERENCE_FIELDS),
}


@pytest.fixture(scope="module", params=DOCUMENTS)
def document(request: pytest.FixtureRequest, digits_run: Path) -> tuple[str, str]:
    return request.param, (digits_run / "reports" / f"{request.param}.md").read_text()


def test_every_heading_is_there_in_order_with_something_below_it(document: tuple[str, str]) -> None:
    name, text = document
    found = seed.sections(text)
    wanted = DOCUMENTS[name][0]
    assert [heading for heading in found if heading in wanted] == wanted
    assert {heading for heading in wanted if not found[heading].strip("- \n")} == set()


def test_every_table_has_its_columns(document: tuple[str, str]) -> None:
    name, text = document
    found = seed.sections(text)
    lacking = {
        heading: seed.tables(found[heading])
        for heading, columns in DOCUMENTS[name][1].items()
        if not seed.has_columns(found[heading], columns)
    }
    assert lacking == {}


def test_every_field_is_followed_by_something(document: tuple[str, str]) -> None:
    name, text = document
    found = seed.sections(text) | {"Machine Learning Experiment Report": text.partition("\n## ")[0]}
    lacking = [
        (heading, field)
        for heading, fields in DOCUMENTS[name][2].items()
        for field in fields
        if not (seed.field(found[heading], field) or seed.has_columns(found[heading], [field]))
    ]
    assert lacking == []


def test_no_placeholder_is_left(document: tuple[str, str]) -> None:
    assert seed.left_over(document[1]) == []


def test_a_section_that_has_no_numbers_says_why(digits_run: Path) -> None:
    found = seed.sections((digits_run / "reports/experiment.md").read_text())
    assert "robustness.second_data names no folder" in found["7.1 Cross-Dataset Evaluation"]
    assert "no groups" in found["7.3 Fairness Analysis"]
    for heading in ("6.1 Ablation Study", "A. Hyperparameter Search", "5.2 Statistical Significance"):
        assert "`reproof history`" in found[heading]
    assert "notes/analysis.md, Lessons learned" in found["9.3 Lessons Learned"]


def test_what_was_measured_stands_where_it_belongs(digits_run: Path) -> None:
    found = seed.sections((digits_run / "reports/experiment.md").read_text())
    assert "types: 64 pixel" in found["2.1 Data Description"]
    assert "FGSM" in found["7.2 Adversarial Robustness"]
    assert "figures/importance.svg" in found["6.3 Feature Importance"]
    assert "../results/latest/examples.png" in found["5.4 Qualitative Results"]
    assert "../results/latest/samples.png" in found["2.4 Exploratory Analysis"]
    assert "figures/reliability.svg" in found["6.2 Error Analysis"]
    assert "this model" in found["5.1 Quantitative Results"]
    assert "logistic" in found["5.2 Statistical Significance"]
    for link in ("croissant.json", "model_card.md"):
        assert link in found["Appendix"]
        assert (digits_run / "reports" / link).exists()
