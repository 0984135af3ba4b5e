"""The page in a real browser: headless Chromium, with all that it says and asks for written down."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Opened:
    """A page, what its console said, what it asked of the network, and the dialogs that it opened."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        return not (self.said or self.asked or self.dialogs)


@pytest.fixture(scope="session", name="browser")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; a test that wants one is skipped where there is none on PATH."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on PATH ({', '.join(NAMES)}): apt-get install chromium")
    with (
        sync_playwright() as playwright,
        # Chromium refuses its sandbox to root, whom containers run as; the pages are our own.
        playwright.chromium.launch(executable_path=found, args=["--no-sandbox"]) as launched,
    ):
        yield launched


@contextmanager
def opened(browser: Browser, path: Path, **settings: Any) -> Iterator[Opened]:
    """Open an HTML file; `settings` are those of Playwright's `new_context`."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | settings))
    page = context.new_page()
    seen = Opened(page)
    page.on("console", lambda message: seen.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    own = path.resolve().as_uri()

    def answer(route: Any) -> None:
        if route.request.url.split("#")[0] == own:
            route.continue_()
        else:
            seen.asked.append(route.request.url)
            route.abort()

    context.route(lambda url: not url.startswith(("data:", "blob:")), answer)
    page.goto(own)
    yield seen
    context.close()


def draw_all(page: Page) -> None:
    """Bring every figure near, open what is folded, and wait until each is drawn or has failed."""
    page.evaluate(
        "document.querySelectorAll('main details:not(.chart *)').forEach((part) => { part.open = true; })"
    )
    for figure in page.query_selector_all("figure[data-figure]"):
        figure.scroll_into_view_if_needed()
    waited_until(
        page,
        "[...document.querySelectorAll('figure[data-figure]')]"
        ".every((figure) => figure.querySelector('.drawn svg') || figure.dataset.failed)",
    )


def waited_until(page: Page, condition: str, seconds: float = 20) -> None:
    """Wait until a condition in JavaScript holds (Playwright's own way evals, which the page forbids)."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        page.wait_for_timeout(20)
