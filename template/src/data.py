"""Your data: how it is read, what the model is given, and what its answer means.

No torch here: evaluation and benchmark of the exported model use these functions without it.
"""

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
    tables = sorted(RAW.glob("*.csv"))
    if len(tables) > 1:
        raise ReproofError("more than one .csv file", where=RAW, found=", ".join(p.name for p in tables[:5]))
    return table(tables[0]) if tables else images(RAW)


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
        frame = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ReproofError("not a table", where=path, found=str(error)) from error
    if holes := [name for name in frame.columns if frame[name].isna().any()]:
        raise ReproofError(
            "missing values", where=path, found=", ".join(holes[:10]), hint="fill or drop them"
        )
    if "label" not in frame:
        raise ReproofError("no column `label`", where=path, found=", ".join(frame.columns[:10]))
    classes, y = np.unique(frame.pop("label").astype(str), return_inverse=True)
    ids = frame.pop("id").astype(str) if "id" in frame else [f"row-{i:06d}" for i in range(len(frame))]
    words = frame.select_dtypes(exclude="number").columns
    if len(words):
        raise ReproofError("a column is not of numbers", where=path, found=", ".join(words[:10]))
    x = frame.to_numpy(np.float32)
    return Split(x, y.astype(np.int64), np.array(list(ids), dtype=str)), classes.tolist()


def images(folder: Path) -> tuple[Split, list[str]]:
    """A folder for each class, with images of one size in it: data/raw/<class>/<name>.png"""
    from PIL import Image

    files = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"})
    if not files:
        raise ReproofError(
            "neither a .csv file nor <class>/<image> here", where=folder, hint="see src/data.py"
        )
    classes = sorted({path.parent.name for path in files})
    first = Image.open(files[0])
    mode, size = ("L" if first.mode in {"1", "L"} else "RGB"), first.size
    pixels = []
    for path in files:
        image = Image.open(path)
        if image.size != size:
            raise ReproofError("images differ in size", where=path, expected=str(size), found=str(image.size))
        pixels.append(np.atleast_3d(np.asarray(image.convert(mode))).transpose(2, 0, 1))
    y = np.array([classes.index(path.parent.name) for path in files], dtype=np.int64)
    return Split(np.stack(pixels), y, np.array([p.relative_to(folder).as_posix() for p in files])), classes


def preprocess(x: np.ndarray) -> np.ndarray:
    """Raw examples, shape (batch, …), to what the model takes: float32, pixels in 0–1."""
    return x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)


def postprocess(logits: np.ndarray) -> np.ndarray:
    """Logits, shape (batch, classes), to probabilities."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
