"""Your data: how it is read, what the model is given, and what its answer means.

No torch here: evaluation and benchmark of the exported model use these functions without it.
"""

import warnings
from pathlib import Path

import numpy as np
from reproof.errors import ReproofError
from reproof.splits import Split

RAW = Path("data/raw")


def load() -> tuple[Split, list[str]]:
    """Return all examples, and the names of the classes in the order of their indices.

    What lies in data/raw is used: one .csv file with a column `label`, or a folder of images for each
    class. Without it, the UCI handwritten digits that scikit-learn carries.
    """
    if not RAW.exists():
        return digits()
    tables, pictures = sorted(RAW.glob("*.csv")), pictures_in(RAW)
    if len(tables) > 1:
        raise ReproofError("more than one .csv file", where=RAW, found=", ".join(p.name for p in tables[:5]))
    if tables and pictures:
        raise ReproofError(
            "a table and images",
            where=RAW,
            found=f"{tables[0].name} and {len(pictures)} images",
            hint="keep one",
        )
    examples, classes = table(tables[0]) if tables else images(RAW)
    if len(classes) < 2:
        raise ReproofError("one class alone: there is nothing to tell apart", where=RAW, found=classes[0])
    return examples, classes


def digits() -> tuple[Split, list[str]]:
    """1,797 handwritten digits of 8×8 pixels, grey values 0–255."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    x = np.round(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    ids = np.array([f"digit-{i:04d}" for i in range(len(x))])
    return Split(x, raw.target.astype(np.int64), ids), [str(name) for name in raw.target_names]


def table(path: Path) -> tuple[Split, list[str]]:
    """A CSV file: `label` is the class, `id` (optional) names the row, the other columns are numbers."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            frame = pd.read_csv(path, index_col=False)
    except UnicodeDecodeError as error:
        raise ReproofError("not UTF-8", where=path, found=str(error), hint="save it as UTF-8") from error
    except pd.errors.ParserWarning as error:
        hint = "name every column in the first line"
        raise ReproofError("rows are longer than the header", where=path, hint=hint) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ReproofError("not a table", where=path, found=str(error).strip()) from error
    if "label" not in frame:
        hint = "the first line names the columns, with commas between them"
        raise ReproofError("no column `label`", where=path, found=", ".join(frame.columns[:10]), hint=hint)
    if frame.empty:
        raise ReproofError("no rows below the header", where=path)
    if holes := [name for name in frame.columns if frame[name].isna().any()]:
        line = int(frame[holes[0]].isna().to_numpy().argmax()) + 2
        found = f"{', '.join(holes[:10])}; the first in line {line}"
        raise ReproofError("missing values", where=path, found=found, hint="fill them, or drop their rows")
    classes, y = np.unique(frame.pop("label").astype(str), return_inverse=True)
    ids = frame.pop("id").astype(str) if "id" in frame else [f"row-{i:06d}" for i in range(len(frame))]
    words = frame.select_dtypes(exclude="number").columns
    if len(words):
        hint = "drop it, or write a number for each word"
        raise ReproofError("a column is not of numbers", where=path, found=", ".join(words[:10]), hint=hint)
    if not len(frame.columns):
        raise ReproofError("no columns of numbers beside `label`", where=path)
    with np.errstate(over="ignore"):
        x = frame.to_numpy(np.float32)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        found = f"{frame.iat[row, column]} in line {row + 2}, column {frame.columns[column]}"
        raise ReproofError("a number that is not finite as float32", where=path, found=found)
    return Split(x, y.astype(np.int64), np.array(list(ids), dtype=str)), classes.tolist()


def images(folder: Path) -> tuple[Split, list[str]]:
    """A folder for each class, with images of one size and kind in it: data/raw/<class>/<name>.png"""
    files = pictures_in(folder)
    if not files:
        raise ReproofError(
            "neither a .csv file nor <class>/<image> here",
            where=folder,
            hint="see data/README.md and src/data.py",
        )
    classes = sorted({path.parent.name for path in files})
    pixels = [read_image(path) for path in files]
    for path, found in zip(files, pixels, strict=True):
        if found.shape != pixels[0].shape:
            raise ReproofError(
                "images differ in channels, height or width",
                where=path,
                expected=f"{pixels[0].shape}, as {files[0].name} has",
                found=str(found.shape),
                hint="bring all of them to one size, and all to grey or all to colour",
            )
    y = np.array([classes.index(path.parent.name) for path in files], dtype=np.int64)
    return Split(np.stack(pixels), y, np.array([p.relative_to(folder).as_posix() for p in files])), classes


def pictures_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*/*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"})


def read_image(path: Path) -> np.ndarray:
    """Pixels of shape (channels, height, width), 0–255, as the file has them: grey, RGB or RGBA."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode not in {"1", "L", "P", "RGB", "RGBA"}:
                raise ReproofError(
                    "pixels of a kind that would be cut to 8 bits or recoloured",
                    where=path,
                    expected="grey, RGB or RGBA, 8 bits a channel",
                    found=f"mode {image.mode}",
                    hint="convert the images, or read them otherwise in src/data.py",
                )
            kept = image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ReproofError(
            "not an image, or cut short", where=path, found=str(error), hint="replace or remove the file"
        ) from error
    return np.atleast_3d(np.asarray(kept)).transpose(2, 0, 1)


def preprocess(x: np.ndarray) -> np.ndarray:
    """Raw examples, shape (batch, …), to what the model takes: float32, pixels in 0–1."""
    return x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)


def postprocess(logits: np.ndarray) -> np.ndarray:
    """Logits, shape (batch, classes), to probabilities."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
