"""`make picture`: the example's report as a forge shows it, for the README; needs Chromium on PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from rendered import ROOT

REPORT = ROOT / "reports" / "example" / "experiment.md"
PICTURE = ROOT / "docs" / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
STYLE = """
body { font: 15px/1.5 -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; color: #1f2328;
       max-width: 900px; margin: 28px auto; padding: 0 24px; background: #fff }
h1, h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em }
table { border-collapse: collapse; margin: 12px 0 } th, td { border: 1px solid #d1d9e0; padding: 5px 12px }
tr:nth-child(2n) td { background: #f6f8fa }
code { background: #eff1f3; border-radius: 5px; padding: .15em .35em }
img { width: 49% } img:last-of-type:nth-child(3) { display: none }
"""


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is needed for the picture: apt-get install chromium")
    text = re.sub(r"\A---\n.*?\n---\n", "", REPORT.read_text(), flags=re.DOTALL)
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(REPORT.parent / "figures", Path(name) / "figures")
        page = Path(name) / "report.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{body}")
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
                f"--user-data-dir={name}/profile",
                "--window-size=960,1245",
                f"--screenshot={PICTURE}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
