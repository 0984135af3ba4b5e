"""Train, validation and test: who is in which, and proof that it is still so."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reproof import digest, files
from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NAMES = ("train", "validation", "test")
SCHEMA_VERSION = 1
MAX_LISTED_IDS = 20_000
"""Beyond this many examples the manifest holds the digest of the ids, and the split files the ids."""


@dataclass(frozen=True)
class Split:
    """Examples of one split.

    Attributes:
        x: features, first axis = examples.
        y: class indices, shape (examples,), int64.
        ids: stable names of the examples, shape (examples,), strings.
    """

    x: Array
    y: Array
    ids: Array

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.ids):
            raise ReproofError(
                "features, labels and ids differ in number",
                found=f"{len(self.x)}, {len(self.y)} and {len(self.ids)}",
            )

    def digest(self) -> str:
        """Return the content digest of everything in it."""
        return digest.arrays({"ids": self.ids, "x": self.x, "y": self.y})


def stratified(whole: Split, fractions: Mapping[str, float], seed: int) -> dict[str, Split]:
    """Split examples so that each part has the classes in the same shares.

    Args:
        whole: all examples.
        fractions: of `train`, `validation` and `test`; they sum to one.
        seed: decides who goes where, together with the order of the examples.

    Raises:
        ReproofError: fractions that do not sum to one, an id that occurs twice, a class with fewer
            members than splits, or a split that would be empty or lack a class.
    """
    from sklearn.model_selection import train_test_split

    if set(fractions) != set(NAMES) or abs(sum(fractions.values()) - 1) > 1e-9:
        raise ReproofError(
            "the fractions are not those of three splits",
            where="data.fractions",
            expected="train, validation and test, with the sum 1",
            found=f"{dict(fractions)}, with the sum {sum(fractions.values()):g}",
        )
    ids, counts = np.unique(whole.ids, return_counts=True)
    if len(ids) != len(whole.ids):
        raise ReproofError("an id stands for more than one example", found=str(ids[counts > 1][0]))
    if not len(whole.y):
        raise ReproofError("there are no examples to split", hint="look at `load` in src/data.py")
    classes, members = np.unique(whole.y, return_counts=True)
    if members.min() < len(NAMES):
        raise ReproofError(
            "a class has too few members to be in every split",
            expected=f"at least {len(NAMES)} members",
            found=f"class {classes[members.argmin()]} with {members.min()}",
            hint="merge or drop the class in src/data.py",
        )
    everyone = np.arange(len(whole.y))
    try:
        train, rest = train_test_split(
            everyone, train_size=fractions["train"], stratify=whole.y, random_state=seed
        )
        validation, test = train_test_split(
            rest,
            train_size=fractions["validation"] / (fractions["validation"] + fractions["test"]),
            stratify=whole.y[rest],
            random_state=seed,
        )
    except (ValueError, ZeroDivisionError) as error:
        raise ReproofError(
            "the data cannot be split so", where="data.fractions", found=f"{dict(fractions)}: {error}"
        ) from error
    chosen = {"train": train, "validation": validation, "test": test}
    parts = {name: _take(whole, np.sort(rows)) for name, rows in chosen.items()}
    for name, part in parts.items():
        if absent := sorted(set(classes.tolist()) - set(part.y.tolist())):
            raise ReproofError(
                f"the {name} split would have no example of a class",
                where="data.fractions",
                found=f"class {absent[0]} with {members[list(classes).index(absent[0])]} examples in all",
                hint="give the split a larger share, or merge the class with another in src/data.py",
            )
    return parts


def save(folder: Path, splits: Mapping[str, Split]) -> None:
    """Write `<folder>/<split>.npz`; the same content gives the same bytes."""
    for name, split in splits.items():
        with files.replacing(folder / f"{name}.npz") as stream:
            np.savez(stream, x=split.x, y=split.y, ids=split.ids)


def load(path: Path) -> Split:
    """Read one split.

    Raises:
        ReproofError: when it is missing or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Split(archive["x"], archive["y"], archive["ids"])
    except FileNotFoundError as error:
        raise ReproofError("no such split", where=path, hint="dvc repro prepare") from error
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ReproofError(
            "not a split", where=path, found=str(error)[:200], hint="dvc repro -f prepare"
        ) from error


def write_dataset(path: Path, *, name: str, classes: Sequence[str], made_with: Mapping[str, Any]) -> None:
    """Write dataset.json beside the splits: the data's name, its classes, and the params it was made with."""
    files.write_json(path, {"name": name, "classes": list(classes), "made_with": dict(made_with)})


def read_dataset(path: Path, made_with: Mapping[str, Any]) -> dict[str, Any]:
    """Return `name` and `classes` of the splits that lie beside `path`.

    Raises:
        ReproofError: when the splits were made with other params than `made_with`: a stage that is run by
            hand with another config would else train on data that it does not mean.
    """
    found = files.read_json(path)
    if found.get("made_with") != dict(made_with):
        raise ReproofError(
            "the splits were made with other params than this config has",
            where=f"{path.parent.name}/ and data:",
            expected=str(dict(made_with)),
            found=str(found.get("made_with")),
            hint="put this config's `data:` block into params.yaml, and `dvc repro prepare`",
        )
    return {"name": found["name"], "classes": found["classes"]}


def manifest(splits: Mapping[str, Split], *, dataset: str, seed: int, fractions: Mapping[str, float]) -> Any:
    """Return what split_manifest.json holds: how the splits were made, and who is in each."""
    total = sum(len(split.y) for split in splits.values())
    listed = total <= MAX_LISTED_IDS
    return {
        "schema_version": SCHEMA_VERSION,
        "dataset": dataset,
        "method": "stratified by class",
        "seed": seed,
        "fractions": dict(fractions),
        "sizes": {name: len(split.y) for name, split in splits.items()},
        "ids_digest": {name: digest.arrays({"ids": split.ids}) for name, split in splits.items()},
        "ids": {name: [str(i) for i in split.ids] for name, split in splits.items()} if listed else None,
        "ids_missing_reason": None
        if listed
        else f"more than {MAX_LISTED_IDS:,} examples; see the split files",
    }


def checksums(splits: Mapping[str, Split]) -> Any:
    """Return what split_checksums.json holds: SHA-256 over the contents of each split."""
    return {
        "schema_version": SCHEMA_VERSION,
        "algorithm": "sha256 over content (reproof.digest)",
        "splits": {name: split.digest() for name, split in splits.items()},
    }


def quality(splits: Mapping[str, Split], classes: Sequence[str]) -> dict[str, Any]:
    """Return facts on the data as plain JSON: missing values, duplicates, balance, outliers.

    Duplicates are examples with equal features, whatever their label; across splits they are leakage.
    Outliers are examples whose Euclidean norm has a modified z-score over 3.5 (Iglewicz and Hoaglin,
    "How to Detect and Handle Outliers", 1993), counted over all splits together.
    """
    rows = {name: split.x.reshape(len(split.x), -1) for name, split in splits.items()}
    seen = {name: [row.tobytes() for row in table] for name, table in rows.items()}
    norms = np.concatenate([np.linalg.norm(np.nan_to_num(table), axis=1) for table in rows.values()])
    deviation = np.abs(norms - np.median(norms))
    spread = float(np.median(deviation))
    pairs = [(a, b) for i, a in enumerate(seen) for b in list(seen)[i + 1 :]]
    counts = {n: np.bincount(split.y, minlength=len(classes)) for n, split in splits.items()}
    everyone = np.sum(list(counts.values()), axis=0)
    return {
        "examples": int(everyone.sum()),
        "feature_shape": "x".join(map(str, next(iter(splits.values())).x.shape[1:])),
        "feature_dtype": str(next(iter(splits.values())).x.dtype),
        "missing_values": {name: int(np.isnan(table).sum()) for name, table in rows.items()},
        "duplicates_within": {name: len(keys) - len(set(keys)) for name, keys in seen.items()},
        "duplicates_across": {f"{a}/{b}": len(set(seen[a]) & set(seen[b])) for a, b in pairs},
        "class_counts": {
            label: {name: int(count[index]) for name, count in counts.items()}
            for index, label in enumerate(classes)
        },
        "imbalance_ratio": float(everyone.max() / everyone.min()) if everyone.min() else None,
        "outliers": int((0.6745 * deviation > 3.5 * spread).sum()) if spread else 0,
    }


def _take(whole: Split, rows: Array) -> Split:
    return Split(whole.x[rows], whole.y[rows], whole.ids[rows])
