"""The page as people meet it: in a browser, wide and narrow, light and dark, on paper, without scripts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, chromium, draw_all, opened, waited_until  # noqa: F401 (a fixture)
from page_figures import curve, write_report
from playwright.sync_api import Browser, Page

from reproof.report import page
from reproof.report.page import Document

FIGURES = 7
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two long documents with seven figures; for looking at."""
    return write_report(tmp_path_factory.mktemp("report"))


def a_page(tmp_path: Path, text: str, **settings: Any) -> Path:
    target = tmp_path / "index.html"
    plain: dict[str, Any] = {"figures": {}, "folder": None}
    page.write(target, title="t", documents=[Document("a", "A", text)], **(plain | settings))
    return target


def brightness(colour: str) -> float:
    """From 0 (black) to 255 (white), of `rgb(…)` as browsers write it."""
    red, green, blue = (float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


def style(seen: Page, selector: str, name: str) -> str:
    return str(seen.evaluate("([s, n]) => getComputedStyle(document.querySelector(s))[n]", [selector, name]))


def column(seen: Page, number: int = 1) -> list[str]:
    return list(seen.locator(f"tbody td:nth-child({number})").all_inner_texts())


def test_every_figure_is_drawn_with_no_network_and_no_complaint(browser: Browser, written: Path) -> None:
    with opened(browser, written) as seen:
        draw_all(seen.page)
        assert seen.page.locator("figure .drawn > svg, figure .drawn svg.marks").count() == FIGURES
        assert seen.page.locator("[data-failed]").count() == 0
        assert seen.page.locator("figure[data-figure] > img:visible").count() == 0
        assert seen.is_quiet, (seen.said, seen.asked, seen.dialogs)


def test_figures_far_below_wait_until_they_come_near(browser: Browser, written: Path) -> None:
    with opened(browser, written) as seen:
        seen.page.wait_for_timeout(300)
        assert seen.page.locator(".chart").count() == 0
        draw_all(seen.page)
        assert seen.page.locator(".chart").count() == FIGURES


def test_a_curve_tells_its_values_to_the_pointer(browser: Browser, written: Path) -> None:
    with opened(browser, written) as seen:
        draw_all(seen.page)
        chart = seen.page.locator('figure[data-figure="figures/loss.svg"] svg.marks').first
        chart.scroll_into_view_if_needed()
        chart.hover(position={"x": 300, "y": 120})
        waited_until(seen.page, "document.querySelector('#vg-tooltip-element.visible') !== null")
        words = seen.page.locator("#vg-tooltip-element").inner_text()
        assert "step" in words
        assert "train" in words or "validation" in words
        assert seen.is_quiet, (seen.said, seen.asked)


def test_a_figure_is_saved_without_a_network(browser: Browser, written: Path) -> None:
    with opened(browser, written) as seen:
        draw_all(seen.page)
        figure = seen.page.locator('figure[data-figure="figures/confusion.svg"]')
        figure.hover()
        figure.locator("summary").click()
        assert figure.locator(".vega-actions a").all_inner_texts() == ["Save as SVG", "Save as PNG"]
        for number, start in enumerate((b"<svg", b"\x89PNG")):
            with seen.page.expect_download() as download:
                figure.locator(".vega-actions a").nth(number).click()
            assert Path(download.value.path()).read_bytes().startswith(start)
            assert download.value.suggested_filename.startswith("confusion.")
        assert seen.is_quiet, (seen.said, seen.asked)


def test_it_fits_a_phone(browser: Browser, written: Path) -> None:
    with opened(browser, written, **PHONE) as seen:
        draw_all(seen.page)
        assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= 375
        assert all(
            box["x"] >= 0 and box["x"] + box["width"] <= 375
            for chart in seen.page.locator("svg.marks").all()
            if (box := chart.bounding_box())
        )
        assert seen.is_quiet, (seen.said, seen.asked)


def test_the_contents_of_a_phone_open_and_close(browser: Browser, written: Path) -> None:
    with opened(browser, written, **PHONE) as seen:
        link = seen.page.get_by_role("navigation").get_by_role("link", name="5. Results")
        assert not link.is_visible()
        seen.page.get_by_text("Contents", exact=True).click()
        assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= 375
        link.click()
        assert not link.is_visible()
        # Figures above it are drawn, and change their height: the reader's place stays.
        waited_until(seen.page, "document.querySelectorAll('.drawn').length >= 3")
        place = seen.page.locator("#experiment-5-results").bounding_box()
        assert place is not None
        assert 0 <= place["y"] < 100


def test_the_contents_follow_the_reader(browser: Browser, written: Path) -> None:
    with opened(browser, written) as seen:
        nav = seen.page.get_by_role("navigation")
        nav.get_by_role("link", name="4. Training", exact=True).click()
        waited_until(
            seen.page, "document.querySelector('nav [aria-current]')?.hash === '#experiment-4-training'"
        )
        assert nav.get_by_role("link", name="4.2 Training Curves").is_visible()
        assert not nav.get_by_role("link", name="5.4 Calibration").is_visible()
        assert not nav.get_by_role("link", name="Artifacts").is_visible()
        nav.get_by_role("link", name="Inference", exact=True).click()
        waited_until(seen.page, "document.querySelector('nav [aria-current]')?.hash.startsWith('#inference')")
        assert nav.get_by_role("link", name="Artifacts").is_visible()


def test_dark_is_dark_with_charts_in_light_words(browser: Browser, written: Path) -> None:
    with opened(browser, written, color_scheme="dark") as seen:
        draw_all(seen.page)
        assert brightness(style(seen.page, "body", "backgroundColor")) < 50
        assert brightness(style(seen.page, "main p", "color")) > 200
        fills = seen.page.evaluate(
            "[...document.querySelectorAll('.role-axis-label text')].map((t) => getComputedStyle(t).fill)"
        )
        assert len(fills) > 50
        assert min(brightness(fill) for fill in fills) > 140
        # Over a matrix's own colours the words stay as they were chosen.
        cells = seen.page.locator('[data-figure="figures/confusion.svg"] .mark-text.role-mark text')
        assert set(cells.evaluate_all("all => all.map((t) => t.getAttribute('fill'))")) == {"white", "#222"}
        assert seen.is_quiet, (seen.said, seen.asked)


def test_charts_follow_the_system_and_the_switch(browser: Browser, written: Path) -> None:
    label = "document.querySelector('.drawn .role-axis-label text').getAttribute('fill')"
    with opened(browser, written, color_scheme="light") as seen:
        draw_all(seen.page)
        light = seen.page.evaluate(label)
        seen.page.emulate_media(color_scheme="dark")
        waited_until(seen.page, f"{label} !== '{light}'")
        seen.page.get_by_role("button", name="Light or dark").click()
        waited_until(seen.page, f"{label} === '{light}'")
        assert brightness(style(seen.page, "body", "backgroundColor")) > 240
        waited_until(seen.page, f"document.querySelectorAll('.chart').length === {FIGURES}")
        assert seen.is_quiet, (seen.said, seen.asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(browser: Browser, written: Path, scheme: Any) -> None:
    """The contrast of WCAG 2.2, AA: 4.5 to 1."""
    with opened(browser, written, color_scheme=scheme) as seen:
        pairs = seen.page.evaluate(
            """() => {
              const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
              const layer = (colour) => { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); };
              const read = () => [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
              return ['body', 'nav li a', 'main p', 'main a', 'thead th', 'td', 'td code', 'p code',
                      'pre code', 'summary', 'figcaption', '.whole', '.status.partial', '.status.success',
                      'blockquote p']
                .map((selector) => {
                  const part = document.querySelector(selector);
                  const chain = [];
                  for (let above = part; above; above = above.parentElement) chain.unshift(above);
                  chain.forEach((above) => layer(getComputedStyle(above).backgroundColor));
                  const behind = read();
                  layer(getComputedStyle(part).color);
                  return [selector, behind, read()];
                });
            }"""
        )

    def luminance(colour: list[int]) -> float:
        parts = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    ratios = {}
    for selector, behind, front in pairs:
        low, high = sorted((luminance(behind), luminance(front)))
        ratios[selector] = (high + 0.05) / (low + 0.05)
    assert {selector: ratio for selector, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize(
    ("cells", "ascending"),
    [
        (["0.9741", "1,257", "–", "41", "−3"], ["−3", "0.9741", "41", "1,257", "–"]),
        (
            ["41.3 s", "2 min 10 s", "850 ms", "", "1 h 2 min"],
            ["850 ms", "41.3 s", "2 min 10 s", "1 h 2 min", ""],
        ),
        (["83.2 MB", "0.61 GB", "702 kB", "–"], ["702 kB", "83.2 MB", "0.61 GB", "–"]),
        (["12%", "9.5%", "–", "101%"], ["9.5%", "12%", "101%", "–"]),
        (["0.974 (0.95–0.99)", "0.1 (0.0–0.9)", "0.98"], ["0.1 (0.0–0.9)", "0.974 (0.95–0.99)", "0.98"]),
        (["8.79e+03", "1.48e+05", "960"], ["960", "8.79e+03", "1.48e+05"]),
        (["**2**", "run 10", "run 9", "1"], ["1", "2", "run 9", "run 10"]),
        (["2026-11-20 13:22:12 UTC", "2026-11-20 13:20:05 UTC", "2025-12-31"], None),
        (["≥ 0.97", "≤ 0.05 ms", "\\> 3"], ["≤ 0.05 ms", "≥ 0.97", "> 3"]),
    ],
)
def test_a_table_sorts_up_down_and_back(
    browser: Browser,
    tmp_path: Path,
    cells: list[str],
    ascending: list[str] | None,
) -> None:
    rows = "".join(f"| {number} | {cell} |\n" for number, cell in enumerate(cells))
    with opened(browser, a_page(tmp_path, f"| n | value |\n|---|---:|\n{rows}")) as seen:
        original = column(seen.page, 2)
        head = seen.page.get_by_role("columnheader", name="value")
        button = head.get_by_role("button")
        assert head.get_attribute("aria-sort") == "none"
        button.press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert column(seen.page, 2) == (ascending or sorted(original))
        button.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        missing = [cell for cell in ascending or [] if cell in ("", "–")]
        present = [cell for cell in ascending or sorted(original) if cell not in missing]
        if not any("run" in cell for cell in present):  # numbers stay before words
            assert column(seen.page, 2) == [*reversed(present), *missing]
        button.click()
        assert head.get_attribute("aria-sort") == "none"
        assert column(seen.page, 2) == original


def test_sorting_keeps_the_order_of_equals_and_forgets_the_other_column(
    browser: Browser,
    tmp_path: Path,
) -> None:
    text = "| name | n |\n|---|---:|\n| b | 1 |\n| a | 2 |\n| c | 1 |\n| d | 2 |\n"
    with opened(browser, a_page(tmp_path, text)) as seen:
        number = seen.page.get_by_role("button", name="n", exact=True)
        number.click()
        assert column(seen.page) == ["b", "c", "a", "d"]
        number.click()
        assert column(seen.page) == ["a", "d", "b", "c"]
        seen.page.get_by_role("button", name="name").click()
        assert column(seen.page) == ["a", "b", "c", "d"]
        states = [head.get_attribute("aria-sort") for head in seen.page.locator("thead th").all()]
        assert states == ["ascending", "none"]


def test_only_what_can_be_sorted_has_a_button(browser: Browser, tmp_path: Path) -> None:
    rows = "|---|---|\n| 1 | 2 |\n| 2 | 1 |\n"
    text = f"| one |\n|---|\n| 1 |\n\n| | x |\n{rows}\n| | |\n{rows}"
    with opened(browser, a_page(tmp_path, text)) as seen:
        assert seen.page.locator("th button").all_inner_texts() == ["x"]


def test_on_paper_it_is_whole(browser: Browser, written: Path, tmp_path: Path) -> None:
    with opened(browser, written, color_scheme="dark") as seen:
        seen.page.pdf(path=tmp_path / "page.pdf", format="A4")
        assert seen.page.locator("main details[open]").count() == 0  # folded again
        seen.page.emulate_media(media="print")
        assert brightness(style(seen.page, "main p", "color")) < 60
        assert not seen.page.locator("nav").is_visible()
        assert seen.page.locator("figure > img:visible").count() == FIGURES + 1
        assert seen.is_quiet, (seen.said, seen.asked)
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
        )
        for words in ("Executive Summary", "export.opset", "10.2 Long-term", "Model Contract (I/O)"):
            assert words in text.stdout


def test_without_scripts_it_still_reads(browser: Browser, written: Path) -> None:
    with opened(browser, written, java_script_enabled=False) as seen:
        assert seen.page.locator("figure > img:visible").count() == FIGURES + 1
        assert seen.page.get_by_role("button").count() == 0
        seen.page.get_by_text("Contents", exact=True).click()
        assert seen.page.get_by_role("link", name="5. Results").is_visible()


def test_hostile_names_run_nothing(browser: Browser, tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    parts = (
        f"# {name}",
        name,
        "[x](javascript:alert(3))",
        "<details ontoggle=alert(4) open>",
        f"![{name}](x.svg)",
    )
    text = "\n\n".join(parts)
    spec = curve(name, [(name, 2.0, 0.1), ("`|`\n\u2028", 1.0, 0.2)])
    written = a_page(tmp_path, text, figures={"x.svg": spec})
    with opened(browser, written) as seen:
        draw_all(seen.page)
        assert seen.page.locator(".drawn svg.marks").count() == 1
        seen.page.locator("svg.marks").hover(position={"x": 200, "y": 100})
        waited_until(seen.page, "document.querySelector('#vg-tooltip-element.visible') !== null")
        assert seen.page.locator("script").count() == 3
        assert seen.page.locator("main img").count() == 1
        assert seen.page.locator("#vg-tooltip-element img").count() == 0
        assert seen.is_quiet, (seen.said, seen.asked, seen.dialogs)


def test_a_declared_frame_alone_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    frame = "https://trackio.example/run?a=1"
    text = f"[Trackio]({frame})\n\n[other](https://other.example/)\n"

    def asked(seen: Opened) -> list[str]:
        seen.page.wait_for_timeout(200)
        return seen.asked

    with opened(browser, a_page(tmp_path, text, frames=[frame])) as seen:
        assert asked(seen) == [frame]
        assert seen.page.locator("iframe").count() == 1
    with opened(browser, a_page(tmp_path, text)) as seen:
        assert asked(seen) == []


def test_a_broken_figure_stays_a_picture(browser: Browser, tmp_path: Path) -> None:
    spec = curve("Loss", [("train", 2.0, 0.1)])
    import vl_convert

    (tmp_path / "x.svg").write_text(vl_convert.vegalite_to_svg(spec))
    broken = spec | {"mark": "no such mark"}
    text = "![Loss](x.svg)\n"
    with opened(browser, a_page(tmp_path, text, figures={"x.svg": broken}, folder=tmp_path)) as seen:
        draw_all(seen.page)
        assert seen.page.locator("figure[data-failed] > img").is_visible()
        assert seen.page.locator(".chart").count() == 0
