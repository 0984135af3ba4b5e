"""The page: one offline file that is safe to open; what browsers make of it is in test_page_in_browser.py."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from page_figures import curve, documents, figures, write_report

from reproof.errors import ReproofError
from reproof.report import page
from reproof.report.page import Document
from reproof.report.page.markdown_to_html import convert
from reproof.report.page.pictures import Pictures

VOID = {"br", "hr", "img", "input", "meta"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<ScRiPt src=//evil.example>",
    "<details open ontoggle=alert(1)>",
    "<details onclick=alert(1)><summary>x</summary></details>",
    "<svg/onload=alert(1)>",
    "<iframe src=https://evil.example></iframe>",
    "<style>*{display:none}</style>",
    "</article></main><script>alert(1)</script>",
    "<!-- never closed",
    "<!--> <script>alert(1)</script> -->",
    "<kbd style=position:fixed>x</kbd>",
    "<br onclick=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java%0ascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](//evil.example/x)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    '![" onerror="alert(1)](missing.png)',
    '![x](https://evil.example/x.png "title\\" onerror=\\"alert(1)")',
    "# <script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
]


class Outline(HTMLParser):
    """The tags of a page: whether they are balanced, their attributes, and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def html(text: str, **settings: object) -> str:
    """One document as HTML, without the page around it."""
    frames = settings.get("frames", ())
    assert isinstance(frames, tuple)
    return convert([("experiment", "Experiment", text)], Pictures({}, None), frames)[0].html


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two long documents with seven figures; for looking at."""
    return write_report(tmp_path_factory.mktemp("report"))


def test_the_page_is_well_formed_and_its_contents_lead_somewhere(written: Path) -> None:
    outline = Outline(written.read_text())
    assert outline.wrong == []
    ids = Counter(attrs["id"] for _, attrs in outline.tags if "id" in attrs)
    assert [name for name, count in ids.items() if count > 1] == []
    anchors = [str(attrs["href"])[1:] for attrs in outline.of("a") if str(attrs["href"]).startswith("#")]
    assert len(anchors) > 40
    assert [anchor for anchor in anchors if anchor not in ids] == []
    assert outline.of("html") == [{"lang": "en"}]


def test_the_page_holds_every_part_of_both_documents(written: Path) -> None:
    words = Outline(written.read_text()).words
    for title in ("Executive Summary", "5.2 Per-Class Performance", "10.2 Long-term (3+ months)", "C. Code"):
        assert words.count(title) == 2  # in the contents and in its place
    assert "Model Contract (I/O)" in words
    assert "ml-experiment-report" not in words  # front matter


def test_the_same_documents_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = write_report(tmp_path)
    assert again.read_bytes() == written.read_bytes()


def test_the_page_stays_under_its_size(written: Path) -> None:
    assert written.stat().st_size < 1_600_000


def test_a_page_without_figures_has_no_vega(tmp_path: Path) -> None:
    page.write(
        tmp_path / "a.html", title="a", documents=[Document("a", "A", "words")], figures={}, folder=None
    )
    assert (tmp_path / "a.html").stat().st_size < 60_000


def test_writing_imports_neither_torch_nor_pandas(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from page_figures import write_report\n"
        f"write_report(Path({str(tmp_path)!r})); print({{'torch', 'pandas', 'numpy'}} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_policy_allows_nothing_from_elsewhere(written: Path) -> None:
    policy = next(m["content"] for m in Outline(written.read_text()).of("meta") if "http-equiv" in m)
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    assert all(source.startswith("'sha256-") for source in rules["script-src"] + rules["style-src"])
    assert "frame-src" not in rules


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    for text in (words, f"before {words} after", f"- {words}\n", f"> {words}"):
        outline = Outline(html(f"{text}\n\n## After\n"))
        assert outline.wrong == []
        allowed = {"article", "h1", "h2", "p", "a", "ul", "li", "blockquote", "br", "div", "table", "thead"}
        allowed |= {"tbody", "tr", "th", "td", "details", "summary"}
        assert {tag for tag, _ in outline.tags} <= allowed
        for _, attrs in outline.tags:
            assert set(attrs) <= {"id", "href", "rel", "class", "scope"}
            assert str(attrs.get("href", "missing.png")).startswith(
                ("https://evil.example/x.png", "missing.png")
            )
        assert "After" in outline.words


@pytest.mark.parametrize(
    "words",
    [
        "<details>",
        "</details>",
        "<details><summary>never closed\n\nwords",
        "- <details>\n\nwords\n\n</details>",
        "<sub>\n\nwords\n\n</sub>",
        "a <kbd> b\n\nc </kbd> d",
        "<kbd><details></kbd></details>",
        "<summary><details><summary></details></summary>",
        "**a <sub> b** c </sub>",
    ],
)
def test_tags_that_people_leave_open_swallow_nothing(words: str) -> None:
    outline = Outline(html(f"{words}\n\n## After\n\nlast"))
    assert outline.wrong == []
    shown = html(f"{words}\n\n## After\n\nlast")
    assert shown.index("<h2") > max(shown.rfind("</details>"), shown.rfind("</sub>"), shown.rfind("</kbd>"))


def test_the_few_harmless_tags_work() -> None:
    shown = html(
        "<details><summary>More & <b>more</b> &lt;x&gt;</summary>\n\n| a |\n|---|\n| 1 |\n\n</details>\n\n"
        "H<sub>2</sub>O, press <kbd>Esc</kbd><br>x<sup>2</sup> <!-- a remark -->\n"
    )
    assert "<details><summary>More &amp; &lt;b&gt;more&lt;/b&gt; &lt;x&gt;</summary>" in shown
    assert shown.index("<summary>") < shown.index("<table>") < shown.index("</details>")
    assert "H<sub>2</sub>O, press <kbd>Esc</kbd><br>x<sup>2</sup>" in shown
    assert "remark" not in shown


def test_links_go_where_they_should() -> None:
    parts = convert(
        [
            (
                "experiment",
                "Experiment",
                "[a](inference.md#timing--benchmark) [b](#own) [c](../results/x.json)\n\n# Own",
            ),
            (
                "inference",
                "Inference",
                "## Timing / Benchmark\n\n[d](https://a.example/?q=1&r=2) [e](experiment.md)",
            ),
        ],
        Pictures({}, None),
    )
    first, second = (Outline(part.html) for part in parts)
    assert [attrs["href"] for attrs in first.of("a")] == [
        "#inference-timing--benchmark",
        "#experiment-own",
        "../results/x.json",
    ]
    assert [attrs["href"] for attrs in second.of("a")] == ["https://a.example/?q=1&r=2", "#experiment"]
    assert [attrs.get("rel") for attrs in second.of("a")] == ["noopener noreferrer", None]


def test_ids_are_unique_over_documents_and_equal_headings() -> None:
    parts = convert(
        [("a", "A", "## X\n\n## X\n"), ("a", "A", "## X\n"), ("a-x", "B", "## Ä ö\n")], Pictures({}, None)
    )
    ids = [part.id for part in parts] + [heading.id for part in parts for heading in part.headings]
    assert len(set(ids)) == len(ids)


def test_a_document_without_a_title_gets_its_own() -> None:
    assert html("words") == '<h1 id="experiment-experiment">Experiment</h1>\n<p>words</p>\n'


def test_a_table_keeps_its_alignment_and_its_row_names() -> None:
    shown = html("| | |\n|---|---:|\n| a | 0.97 (0.95–0.99) |\n")
    assert "<thead>" not in shown
    assert '<th class="short" scope="row">a</th>' in shown
    assert '<td class="right loose">0.97 <span class="whole">(0.95–0.99)</span></td>' in shown


def test_tasks_and_the_status_are_marked() -> None:
    shown = html("**Status: in\\_progress** x\n\n- [ ] one\n- [x] two\n- [y] three\n")
    assert '<strong class="status in-progress">Status: in_progress</strong>' in shown
    assert shown.count('<li class="task">') == 2
    assert shown.count("checked") == 1


def test_pictures_are_read_from_the_reports_folder_and_beside_it_alone(tmp_path: Path) -> None:
    folder = write_report(tmp_path / "project" / "reports").parent
    sample = (folder / "figures/samples.png").read_bytes()
    (tmp_path / "outside.png").write_bytes(sample)
    (tmp_path / "project/beside.png").write_bytes(sample)
    (folder / "figures/link.png").symlink_to(tmp_path / "outside.png")
    (folder / "secret.txt").write_text("secret")
    pictures = Pictures({}, folder)
    uri = f"data:image/png;base64,{base64.b64encode(sample).decode()}"
    for inside in ("figures/samples.png", "./figures/samples.png", "figures%2Fsamples.png", "../beside.png"):
        assert pictures.data_uri(inside) == uri
    for not_here in (
        "../../outside.png",
        "figures/link.png",
        "secret.txt",
        "missing.png",
        "https://a.example/x.png",
        str(folder / "figures/samples.png"),
        "x" * 5000 + ".png",
        "a%00b.png",
        "http://[",
    ):
        assert pictures.data_uri(not_here) is None


def test_a_figure_keeps_its_words_and_a_remote_picture_becomes_a_link(tmp_path: Path) -> None:
    drawn = Pictures({"figures/loss.svg": curve("Loss", [("train", 2.0, 0.1)])}, tmp_path)
    text = "![Loss by step; last: train 0.1](figures/loss.svg)\n![far](https://a.example/x.png)\n"
    (part,) = convert([("a", "A", text)], drawn)
    outline = Outline(part.html)
    assert outline.of("figure") == [{"data-figure": "figures/loss.svg"}]
    (image,) = outline.of("img")
    assert image["alt"] == "Loss by step; last: train 0.1"
    assert base64.b64decode(str(image["src"]).removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")
    assert "Loss by step" in outline.words
    assert "last:" not in outline.words
    assert outline.of("a") == [{"href": "https://a.example/x.png", "rel": "noopener noreferrer"}]
    assert part.figures == ["figures/loss.svg"]


def test_only_a_declared_address_alone_in_its_paragraph_gets_a_frame() -> None:
    frame = "https://trackio.example/run?a=1&b=2"
    text = f"[Trackio]({frame})\n\nsee [Trackio]({frame})\n\n[other](https://other.example/)\n"
    (shown,) = Outline(html(text, frames=(frame,))).of("iframe")
    assert shown["src"] == frame
    assert shown["title"] == "Trackio"
    assert shown["sandbox"] == "allow-scripts allow-same-origin"
    assert Outline(html(text)).of("iframe") == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "/x", "https://a;b/", "https:"]
)
def test_a_frame_from_anywhere_but_the_web_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ReproofError, match="http or https"):
        page.write(tmp_path / "a.html", title="a", documents=[], figures={}, folder=None, frames=[address])


def test_a_specification_cannot_end_its_script(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><!-- ]]> &"
    spec = curve(name, [(name + "\u2028", 2.0, 0.1)])
    document = Document("a", "A", "![x](figures/x.svg)")
    target = tmp_path / "a.html"
    page.write(target, title=name, documents=[document], figures={"figures/x.svg": spec}, folder=None)
    text = target.read_text()
    assert Outline(text).wrong == []
    assert len(Outline(text).of("script")) == 3
    held = text.split('<script type="application/json" class="specs">')[1].split("</script>")[0]
    assert json.loads(held)["figures/x.svg"]["title"]["text"] == name


def test_every_document_of_the_tests_has_its_figures() -> None:
    text = "".join(document.text for document in documents())
    assert [name for name in figures() if name not in text] == []
