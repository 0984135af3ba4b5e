"""The page of a model's report: whole, offline, and as people meet it in a browser."""

from __future__ import annotations

from pathlib import Path

import brought_records as brought
import pytest
from browser import chromium, draw_all, opened  # noqa: F401 (a fixture)
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = brought.write(tmp_path_factory.mktemp("page"))
    brought.rendered(root)
    return root


def test_the_page_holds_report_tutorial_plot_and_picture(project: Path) -> None:
    page = (project / "reports/index.html").read_text()
    assert "<title>resnet50: first-look</title>" in page
    assert page.count("data:image/png;base64") == 1
    assert '"figures/latency.svg":' in page
    assert "Step by Step: resnet50" in page
    assert 'href="#tutorialstep-by-step' in page, "the link to the tutorial stays in the page"
    assert "http-equiv" in page


def test_it_draws_its_plot_without_a_network_or_a_complaint(browser: Browser, project: Path) -> None:
    with opened(browser, project / "reports/index.html") as seen:
        draw_all(seen.page)
        assert seen.page.locator("figure[data-figure] .drawn svg.marks").count() == 1
        assert seen.is_quiet, (seen.said, seen.asked)


def test_its_wide_tables_fit_a_phone(browser: Browser, project: Path) -> None:
    with opened(browser, project / "reports/index.html", viewport={"width": 375, "height": 812}) as seen:
        draw_all(seen.page)
        assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= 375
