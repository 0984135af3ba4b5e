"""`make picture`: the example's page as a browser shows it, for the README; needs Chromium on PATH."""

from __future__ import annotations

import shutil
import sys

from example import BUILD
from playwright.sync_api import sync_playwright
from rendered import ROOT

PAGE = BUILD / "reports" / "index.html"
PICTURE = ROOT / "docs" / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1280, "height": 1250}


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is needed for the picture: apt-get install chromium")
    if not PAGE.exists():
        sys.exit(f"no {PAGE.relative_to(ROOT)}: `make example` makes it (Git does not hold it)")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport=SIZE, color_scheme="light")
        page.goto(PAGE.as_uri())
        page.screenshot(path=PICTURE)
        opened.close()
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
