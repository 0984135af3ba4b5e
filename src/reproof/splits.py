"""Train, validation and test: who is in which, and proof that it is still so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof import digest, files, npz
from reproof.errors import ReproofError
from reproof.quality import quality as quality  # under this name in scripts that people have

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
        y: class indices, shape (examples,), int64; or the targets of a regressor, floats.
        ids: stable names of the examples, shape (examples,), strings.
        groups: the group that each example belongs to, such as its site, its device or a demographic
            group, shape (examples,), strings; None where the data has none.
        features: names of the columns of `x`, shape (columns,), strings; None where they have none.
    """

    x: Array
    y: Array
    ids: Array
    groups: Array | None = None
    features: Array | None = None

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.ids):
            raise ReproofError(
                "features, labels and ids differ in number",
                found=f"{len(self.x)}, {len(self.y)} and {len(self.ids)}",
            )
        if self.groups is not None and len(self.groups) != len(self.x):
            raise ReproofError(
                "examples and groups differ in number", found=f"{len(self.x)} and {len(self.groups)}"
            )
        if self.features is not None and (len(self.features),) != self.x.shape[1:]:
            raise ReproofError(
                "the names of the features are not those of the columns",
                expected=f"a name for each column of features of shape {self.x.shape[1:]}",
                found=f"{len(self.features)} names",
            )

    def arrays(self) -> dict[str, Array]:
        """Return its arrays by name; `groups` and `features` only where there are any."""
        held = {"x": self.x, "y": self.y, "ids": self.ids, "groups": self.groups, "features": self.features}
        return {name: array for name, array in held.items() if array is not None}

    def take(self, rows: Array) -> Split:
        """Return the examples in `rows`, an index of the first axis."""
        groups = None if self.groups is None else self.groups[rows]
        return Split(self.x[rows], self.y[rows], self.ids[rows], groups, self.features)

    def digest(self) -> str:
        """Return the content digest of everything in it."""
        return digest.arrays(self.arrays())


def stratified(
    whole: Split, fractions: Mapping[str, float], seed: int, *, classes: Sequence[str] = ()
) -> dict[str, Split]:
    """Split examples so that each part has the classes in the same shares.

    Args:
        whole: all examples.
        fractions: of `train`, `validation` and `test`; they sum to one.
        seed: decides who goes where, together with the order of the examples.
        classes: names of the classes by index, for errors.

    Raises:
        ReproofError: fractions that do not sum to one, an id that occurs twice, a class with fewer
            members than splits, or a split that would be empty or lack a class.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    _check(whole, fractions)
    present, members = np.unique(whole.y, return_counts=True)
    names = {index: classes[index] if index < len(classes) else str(index) for index in present.tolist()}
    if members.min() < len(NAMES):
        raise ReproofError(
            "a class has too few members to be in every split",
            expected=f"at least {len(NAMES)} members",
            found=f"class {names[int(present[members.argmin()])]} with {members.min()}",
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
            "the data cannot be split so",
            where="data.fractions",
            expected="an example of each class in every split",
            found=f"{dict(fractions)} of {len(whole.y)} examples, {members.min()} in the smallest class",
            hint="give the small splits a larger share, or add examples",
        ) from error
    chosen = {"train": train, "validation": validation, "test": test}
    parts = {name: whole.take(np.sort(rows)) for name, rows in chosen.items()}
    for name, part in parts.items():
        if absent := sorted(set(names) - set(part.y.tolist())):
            raise ReproofError(
                f"the {name} split would have no example of a class",
                where="data.fractions",
                found=f"class {names[absent[0]]}, {(whole.y == absent[0]).sum()} examples in all",
                hint="give the split a larger share, or merge the class with another in src/data.py",
            )
    return parts


def shuffled(whole: Split, fractions: Mapping[str, float], seed: int) -> dict[str, Split]:
    """Split examples by chance alone: for targets that are numbers, which have no classes to keep in share.

    Args:
        whole: all examples; `y` holds the targets, shape (examples,).
        fractions: of `train`, `validation` and `test`; they sum to one.
        seed: decides who goes where, together with the order of the examples.

    Raises:
        ReproofError: fractions that do not sum to one, an id that occurs twice, or an empty split.
    """
    import numpy as np

    _check(whole, fractions)
    count = len(whole.y)
    ends = np.rint(np.cumsum([fractions[name] for name in NAMES]) * count).astype(int)
    order = np.random.default_rng(seed).permutation(count)
    parts = dict(zip(NAMES, np.split(order, ends[:-1]), strict=True))
    if empty := [name for name, rows in parts.items() if not len(rows)]:
        raise ReproofError(
            "a split would have no example",
            where="data.fractions",
            found=f"{empty[0]}, of {count} examples in all",
            hint="give it a larger share, or add examples",
        )
    return {name: whole.take(np.sort(rows)) for name, rows in parts.items()}


def _check(whole: Split, fractions: Mapping[str, float]) -> None:
    import numpy as np

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


def save(folder: Path, splits: Mapping[str, Split]) -> None:
    """Write `<folder>/<split>.npz`; the same content gives the same bytes."""
    import numpy as np

    for name, split in splits.items():
        arrays: dict[str, Any] = dict(split.arrays())
        with files.replacing(folder / f"{name}.npz") as stream:
            np.savez(stream, **arrays)


def load(path: Path) -> Split:
    """Read one split.

    Raises:
        ReproofError: when it is missing or no such file.
    """
    try:
        arrays = npz.read(path)
        optional = (arrays.get(name) for name in ("groups", "features"))
        return Split(arrays["x"], arrays["y"], arrays["ids"], *optional)
    except FileNotFoundError as error:
        raise ReproofError("no such split", where=path, hint="`dvc repro prepare` makes it") from error
    except (ReproofError, KeyError, TypeError) as error:  # TypeError: an array without axes has no length
        found = (error.found or error.what) if isinstance(error, ReproofError) else str(error)
        raise ReproofError(
            "not a split", where=path, found=found, hint="`dvc repro -f prepare` makes it anew"
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
            where=f"{path.parent.name}/ and the block `data`",
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
        "method": "by chance" if _has_numbers(splits) else "stratified by class",
        "seed": seed,
        "fractions": dict(fractions),
        "sizes": {name: len(split.y) for name, split in splits.items()},
        "ids_digest": {name: digest.arrays({"ids": split.ids}) for name, split in splits.items()},
        "ids": {name: [str(i) for i in split.ids] for name, split in splits.items()} if listed else None,
        "ids_missing_reason": None
        if listed
        else f"more than {MAX_LISTED_IDS:,} examples; see the split files",
    }


def _has_numbers(splits: Mapping[str, Split]) -> bool:
    return any(split.y.dtype.kind == "f" for split in splits.values())


def checksums(splits: Mapping[str, Split]) -> Any:
    """Return what split_checksums.json holds: SHA-256 over the contents of each split."""
    return {
        "schema_version": SCHEMA_VERSION,
        "algorithm": "sha256 over content (reproof.digest)",
        "splits": {name: split.digest() for name, split in splits.items()},
    }


def inventory(folder: Path) -> dict[str, dict[str, Any]]:
    """Return `size_bytes` and `sha256` (of its bytes, in hex) of each file, by `<folder>/<file>`."""
    return {
        f"{folder.name}/{path.name}": {"size_bytes": path.stat().st_size, "sha256": files.sha256(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != ".gitignore"
    }
