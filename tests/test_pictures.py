"""Pictures show every kind of example, hold any words, stay small, and are the same again."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reproof import pictures
from reproof.errors import ReproofError
from reproof.splits import Split

Array = np.ndarray[Any, Any]


def drawn(examples: list[Array], folder: Path, **options: Any) -> Array:
    """Return the pixels of a grid, shape (height, width) or (height, width, 3)."""
    captions = options.pop("captions", [[] for _ in examples])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures.grid(examples, captions, folder / "grid.png", **options)
    return np.asarray(Image.open(folder / "grid.png"))


def digit(value: int = 200) -> Array:
    pixels = np.zeros((1, 8, 8), np.uint8)
    pixels[0, 2, 3] = value
    return pixels


def test_a_small_image_is_enlarged_pixel_by_pixel(tmp_path: Path) -> None:
    found = drawn([digit()], tmp_path)
    tile = found[8:104, 8:104]
    expected = np.kron(digit()[0], np.ones((12, 12), np.uint8))
    assert np.array_equal(tile, expected)
    assert (found[:8] == 255).all()


def test_a_large_image_becomes_smaller_and_keeps_its_proportions(tmp_path: Path) -> None:
    found = drawn([np.zeros((3, 300, 600), np.uint8)], tmp_path)
    dark = np.argwhere(found.sum(axis=2) == 0)
    assert (dark.max(axis=0) - dark.min(axis=0) + 1).tolist() == [48, 96]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (np.full((3, 4, 4), 7, np.uint8), (7, 7, 7)),
        (np.array([200, 10, 30], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8), (200, 10, 30)),
        (np.array([0, 0, 0, 0], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8), (255, 255, 255)),
        (np.full((1, 4, 4), 0.5, np.float32), 128),
        (np.full((4, 4), 80, np.uint8), 80),
        (np.array([10, 20], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8), 15),
        (np.ones((1, 4, 4), bool), 255),
        (np.full((1, 4, 4), np.nan), 0),
    ],
    ids=["grey-rgb", "rgb", "clear-rgba", "share", "flat", "two-channels", "bool", "nan"],
)
def test_every_kind_of_image_has_its_colour(tmp_path: Path, example: Array, expected: Any) -> None:
    assert drawn([example], tmp_path)[50, 50].tolist() == (
        list(expected) if isinstance(expected, tuple) else expected
    )


def test_numbers_of_any_range_are_scaled_to_the_examples_range(tmp_path: Path) -> None:
    low, high = np.full((1, 4, 4), -3.0), np.full((1, 4, 4), 900.0)
    found = drawn([low, high], tmp_path)
    assert (found[50, 50], found[50, 154]) == (0, 255)
    counts = drawn([np.full((1, 4, 4), 5000), np.full((1, 4, 4), 60000)], tmp_path)
    assert (counts[50, 50], counts[50, 154]) == (0, 255)


def test_a_vector_is_a_strip_in_which_each_feature_has_its_own_range(tmp_path: Path) -> None:
    found = drawn([np.array([0.0, 1e6, 5.0]), np.array([1.0, 0.0, 5.0])], tmp_path)
    light, dark = list(pictures._LOW), list(pictures._HIGH)
    first = [found[20, 8 + x].tolist() for x in (10, 48, 80)]
    second = [found[20, 112 + x].tolist() for x in (10, 48, 80)]
    assert first == [light, dark, light]
    assert second == [dark, light, light]


def test_a_vector_of_a_thousand_features_and_one_of_one_are_drawn(tmp_path: Path) -> None:
    assert drawn([np.arange(1000.0), np.zeros(1000)], tmp_path).shape[1] < 300
    assert drawn([np.array([1.0]), np.array([2.0])], tmp_path).size


def test_a_title_begins_a_new_row_and_captions_stand_below(tmp_path: Path) -> None:
    plain = drawn([digit()] * 4, tmp_path)
    rows = drawn([digit()] * 4, tmp_path, title_rows={0: "Hardest", 2: "Easiest"})
    assert rows.shape[0] > 1.9 * plain.shape[0]
    assert rows.shape[1] < plain.shape[1]
    captioned = drawn([digit()] * 4, tmp_path, captions=[["true 3", "said 8"]] * 4)
    assert captioned.shape[0] == plain.shape[0] + 30
    assert (captioned[104:] < 200).any(), "there is ink"


HOSTILE = [
    "a" * 5000, "line\nbreak\ttab", "中文字符", "Łódź Zürich", "\x00\x1b[31m\u202e", "👩‍🔬", "", " ",
    "<b>|`", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_any_words_fit_under_a_tile(tmp_path: Path, words: str) -> None:
    harmless = drawn([digit(), digit()], tmp_path, captions=[["b"]] * 2, title_rows={0: "c"})
    found = drawn([digit(), digit()], tmp_path, captions=[[words]] * 2, title_rows={0: words})
    assert found.shape[0] == harmless.shape[0]
    assert found.shape[1] <= 700
    left, right = found[125:, 8:104], found[125:, 112:208]
    assert np.array_equal(left, right), "no caption runs into the next"


def test_signs_that_the_font_lacks_lose_their_accents_or_are_marked(tmp_path: Path) -> None:
    font = pictures._font(12)
    assert pictures._plain("Zürich\n→ 中", font) == "Zurich ? ?"
    assert pictures._cut("a label that is long", font, 60).endswith("…")
    assert font.getlength(pictures._cut("W" * 90, font, 96)) <= 96


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    examples = [np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)] * 3
    for name in ("one", "other"):
        pictures.grid(examples, [["x"]] * 3, tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(("channels", "edge"), [(3, 96), (1, 300)])
def test_noise_in_colour_stays_small_too(tmp_path: Path, channels: int, edge: int) -> None:
    random = np.random.default_rng(1)
    examples = [random.integers(0, 256, (channels, edge, edge), np.uint8) for _ in range(24)]
    pictures.grid(examples, [["true a", "said b"]] * 24, tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size < pictures.MAX_BYTES


def test_what_cannot_be_pictured_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReproofError, match="no picture can be made"):
        drawn([np.array(["a", "text"])], tmp_path)
    with pytest.raises(ReproofError, match="different shapes"):
        drawn([np.zeros(3), np.zeros(4)], tmp_path)
    with pytest.raises(ReproofError, match="no examples"):
        drawn([], tmp_path)


def test_samples_show_each_class_up_to_ten(tmp_path: Path) -> None:
    labels = np.arange(120) % 12
    x = np.zeros((120, 1, 8, 8), np.uint8)
    split = Split(x, labels, np.arange(120).astype(str))
    pictures.samples(split, [f"class {i}" for i in range(12)], tmp_path / "many.png")
    few = Split(x[:6], labels[:6] // 5, np.arange(6).astype(str))
    pictures.samples(few, ["five", "one", "none"], tmp_path / "few.png")
    many, some = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("many", "few"))
    assert (many == 0).all(axis=1).sum() == 0
    columns, rows = (many[:, 9] == 0).sum() // 56, (many[40] == 0).sum() // 56
    assert (columns, rows) == (10, 8)
    assert ((some[:, 9] == 0).sum() // 56, (some[40] == 0).sum() // 56) == (2, 5)


def test_samples_of_a_regression_show_their_targets(tmp_path: Path) -> None:
    split = Split(np.random.default_rng(0).normal(size=(50, 6)), np.linspace(0, 1, 50), np.arange(50))
    pictures.samples(split, None, tmp_path / "samples.png")
    assert np.asarray(Image.open(tmp_path / "samples.png")).shape[0] > 2 * 40


def test_answers_show_the_hardest_first(tmp_path: Path) -> None:
    x = np.stack([digit(0), digit(255)])
    split = Split(x, np.array([0, 1]), np.array(["dark", "light"]))
    entry = {"label": "a", "predicted": "b", "probability": 0.001, "loss": 7.0}
    report = {"hardest": {"0": {"id": "light", **entry}}, "easiest": {"0": {"id": "dark", **entry}}}
    pictures.answers(report, split, tmp_path / "examples.png")
    found = np.asarray(Image.open(tmp_path / "examples.png"))
    bright = np.argwhere(found[:, 8 + 3 * 12 + 6] == 255)
    assert found[28 + 2 * 12 + 6, 8 + 3 * 12 + 6] == 255
    assert found[found.shape[0] // 2 + 60, 50] == 0
    assert len(bright)
    values = {
        "hardest": {"0": {"id": "light", "target": 2.0, "predicted": 3.25, "error": 1.25}},
        "easiest": {},
    }
    pictures.answers(values, split, tmp_path / "examples.png")
    assert np.asarray(Image.open(tmp_path / "examples.png")).shape[0] < found.shape[0] / 1.8


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, "1.00"), (0.9999, "> 0.99"), (0.5, "0.50"), (0.0001, "< 0.01"), (0.0, "0.00")],
)
def test_a_probability_is_not_rounded_to_certainty(probability: float, shown: str) -> None:
    entry = {"label": "a", "predicted": "b", "probability": probability}
    assert pictures._said(entry) == ["true a", "said b", f"p(true) {shown}"]
