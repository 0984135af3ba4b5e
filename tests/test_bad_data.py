"""Data that cannot be used, by the template's own prepare.py: rows `data-…` of docs/reference/errors.md."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import assert_recorded, stage_fails
from PIL import Image
from projects import render
from stages import record
from warm import stage

SPLIT = "fractions: {train: 0.7, validation: 0.15, test: 0.15}"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(tmp_path_factory.mktemp("bad-data") / "project")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the rendered project, with an empty data/raw."""
    project = Path(shutil.copytree(rendered, tmp_path / "project"))
    (project / "data/raw").mkdir()
    return project


def table(project: Path, text: str | bytes, name: str = "table.csv") -> None:
    (project / "data/raw" / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def image(project: Path, name: str, pixels: np.ndarray | None = None, mode: str = "L") -> Path:
    """An image of 8×8 pixels, made as any program makes one."""
    path = project / "data/raw" / name
    path.parent.mkdir(exist_ok=True)
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) if pixels is None else pixels)
    grey.convert(mode).save(path)
    return path


def rows(*classes: str) -> str:
    """A table of one feature with a row for each of these labels."""
    return "x,label\n" + "".join(f"{index},{name}\n" for index, name in enumerate(classes))


def prepare_fails(slug: str, project: Path) -> None:
    stage_fails(slug, project, name="prepare", runner=stage)
    assert not (project / "prepared").exists(), "a split that could be trained on"


def test_data_empty_folder(project: Path) -> None:
    prepare_fails("data-empty-folder", project)


def test_data_two_tables(project: Path) -> None:
    table(project, rows("a", "b"), "first.csv")
    table(project, rows("a", "b"), "second.csv")
    prepare_fails("data-two-tables", project)


def test_data_table_and_images(project: Path) -> None:
    table(project, rows("a", "b"))
    image(project, "a/1.png")
    prepare_fails("data-table-and-images", project)


def test_data_no_label(project: Path) -> None:
    table(project, "x,y,class\n1,2,a\n")
    prepare_fails("data-no-label", project)


def test_data_semicolons(project: Path) -> None:
    table(project, "x;label\n1.5;a\n")
    prepare_fails("data-semicolons", project)


def test_data_empty_table(project: Path) -> None:
    table(project, "")
    prepare_fails("data-empty-table", project)


def test_data_header_only(project: Path) -> None:
    table(project, "x,label\n")
    prepare_fails("data-header-only", project)


def test_data_holes(project: Path) -> None:
    table(project, "x,y,label\n1,2,a\n1,,b\n")
    prepare_fails("data-holes", project)


def test_data_words(project: Path) -> None:
    table(project, "x,colour,label\n1,red,a\n2,blue,b\n")
    prepare_fails("data-words", project)


def test_data_labels_only(project: Path) -> None:
    table(project, "id,label\n1,a\n2,b\n")
    prepare_fails("data-labels-only", project)


def test_data_long_row(project: Path) -> None:
    table(project, "x,label\n1,a\n2,b,3\n")
    prepare_fails("data-long-row", project)


def test_data_rows_longer_than_the_header(project: Path) -> None:
    table(project, "x,label\n1,a,0\n2,b,0\n")
    prepare_fails("data-rows-longer-than-the-header", project)


def test_data_infinite(project: Path) -> None:
    table(project, "x,label\n1,a\n1e300,b\n")
    prepare_fails("data-infinite", project)


def test_data_not_utf8(project: Path) -> None:
    table(project, "x,label\n1,grün\n".encode("latin-1"))
    prepare_fails("data-not-utf8", project)


def test_data_one_id_twice(project: Path) -> None:
    table(project, "id,x,label\nann,1,a\nbob,2,b\nann,3,a\n")
    prepare_fails("data-one-id-twice", project)


def test_data_one_class(project: Path) -> None:
    table(project, rows(*"aaaaaa"))
    prepare_fails("data-one-class", project)


def test_data_class_with_one_member(project: Path) -> None:
    table(project, rows(*"aaaaaaaaaabbbbbbbbbbc"))
    prepare_fails("data-class-with-one-member", project)


def test_data_split_that_would_be_empty(project: Path) -> None:
    table(project, rows(*"aaabbb"))
    params = project / "params.yaml"
    few = "fractions: {train: 0.9, validation: 0.05, test: 0.05}"
    params.write_text(params.read_text().replace(SPLIT, few))
    prepare_fails("data-split-that-would-be-empty", project)


def test_data_split_without_a_class(project: Path) -> None:
    table(project, rows(*"a" * 97, *"bbb"))
    prepare_fails("data-split-without-a-class", project)


def test_data_fractions_not_one(project: Path) -> None:
    table(project, rows("a", "b"))
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("test: 0.15}", "test: 0.25}"))
    prepare_fails("data-fractions-not-one", project)


def test_data_image_cut_short(project: Path) -> None:
    image(project, "a/1.png")
    path = image(project, "b/2.png", np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:-40])
    prepare_fails("data-image-cut-short", project)


def test_data_image_that_is_none(project: Path) -> None:
    image(project, "a/1.png").write_text("<html>404 Not Found</html>")
    prepare_fails("data-image-that-is-none", project)


def test_data_image_16_bit(project: Path) -> None:
    image(project, "a/1.png", np.full((8, 8), 40_000, np.uint16), mode="I;16")
    prepare_fails("data-image-16-bit", project)


def test_data_image_huge(project: Path) -> None:
    """A PNG whose header promises 40,000 × 40,000 pixels, as a decompression bomb does."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b"")]
    body = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    image(project, "a/1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    prepare_fails("data-image-huge", project)


def test_data_images_of_two_sizes(project: Path) -> None:
    image(project, "a/1.png")
    image(project, "b/2.png", np.zeros((9, 8), np.uint8))
    prepare_fails("data-images-of-two-sizes", project)


def test_data_images_grey_and_colour(project: Path) -> None:
    image(project, "a/1.png")
    image(project, "b/2.png", mode="RGB")
    prepare_fails("data-images-grey-and-colour", project)


def test_data_images_without_class_folders(project: Path) -> None:
    image(project, "1.png")
    prepare_fails("data-images-without-class-folders", project)


def test_data_duplicates_across_splits(project: Path) -> None:
    table(project, "x,label\n" + "1,a\n2,b\n" * 20)
    stage(project, name="prepare", check=True)
    assert_recorded("data-duplicates-across-splits", record(project, "prepare"))
