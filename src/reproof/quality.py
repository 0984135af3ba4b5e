"""What the data is like: types, holes, duplicates, conflicts, outliers, balance, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reproof.splits import Split

MAX_DESCRIBED = 100
"""Of features the first, which are described one by one; beyond so many groups, none."""
OUTLIER_RULE = "the Euclidean norm of an example has a modified z-score over 3.5 (Iglewicz and Hoaglin, 1993)"


def quality(splits: Mapping[str, Split], classes: Sequence[str]) -> dict[str, Any]:
    """Return facts on the data as plain JSON: types, missing values, duplicates, balance, outliers, groups.

    Duplicates are examples with equal features, whatever their label. Across splits they are leakage:
    `duplicates_across` counts the distinct ones that two splits share, `examples_in_other_splits` the
    examples of each split that stand in another one too, each as often as it occurs.
    Conflicting labels are examples whose features stand with another label too, in any split.
    Outliers are examples whose Euclidean norm has a modified z-score over 3.5 (Iglewicz and Hoaglin,
    "How to Detect and Handle Outliers", 1993), counted over all splits together; where half of the norms are
    equal there is no such score, and `outliers` is None with a reason. Classes have counts and the
    ratio of the largest to the smallest; targets, which are numbers, have their range, mean and deviation.
    """
    import numpy as np

    rows = {name: split.x.reshape(len(split.x), -1) for name, split in splits.items()}
    seen = {name: [row.tobytes() for row in table] for name, table in rows.items()}
    pairs = [(a, b) for i, a in enumerate(seen) for b in list(seen)[i + 1 :]]
    return {
        "examples": sum(len(split.y) for split in splits.values()),
        "feature_shape": "x".join(map(str, next(iter(splits.values())).x.shape[1:])),
        "feature_dtype": str(next(iter(splits.values())).x.dtype),
        **_features(splits),
        "missing_values": {name: int(np.isnan(table).sum()) for name, table in rows.items()},
        "duplicates_within": {name: len(keys) - len(set(keys)) for name, keys in seen.items()},
        "duplicates_across": {f"{a}/{b}": len(set(seen[a]) & set(seen[b])) for a, b in pairs},
        "examples_in_other_splits": _in_other_splits(seen),
        "conflicting_labels": _conflicts(seen, splits),
        **_answers(splits, classes),
        **_outliers(rows.values()),
        **_group_sizes(splits),
    }


def _in_other_splits(seen: Mapping[str, Sequence[bytes]]) -> dict[str, int]:
    """How many examples of each split have features that occur in any other split."""
    distinct = {name: set(keys) for name, keys in seen.items()}
    found = {}
    for name, keys in seen.items():
        elsewhere = set[bytes]().union(*(others for other, others in distinct.items() if other != name))
        found[name] = sum(key in elsewhere for key in keys)
    return found


def _outliers(tables: Iterable[Any]) -> dict[str, Any]:
    """How many examples are far from the others, by their norms; without a spread there is no telling."""
    import numpy as np

    norms = np.concatenate([np.linalg.norm(np.nan_to_num(table), axis=1) for table in tables])
    deviation = np.abs(norms - np.median(norms))
    spread = float(np.median(deviation))
    count, reason = None, None
    if spread > 0:
        count = int((0.6745 * deviation > 3.5 * spread).sum())
    else:
        reason = "the median absolute deviation of the norms is 0, so no example has a modified z-score"
    return {"outliers": count, "outliers_missing_reason": reason, "outlier_rule": OUTLIER_RULE}


def _answers(splits: Mapping[str, Split], classes: Sequence[str]) -> dict[str, Any]:
    """How often each class occurs, or how the targets of a regressor are spread."""
    import numpy as np

    everything = np.concatenate([split.y for split in splits.values()])
    if everything.dtype.kind == "f" or not classes:
        spread = {"low": everything.min(), "high": everything.max()}
        spread |= {"mean": everything.mean(), "standard_deviation": everything.std()}
        target = {name: _finite(value) for name, value in spread.items()} if len(everything) else None
        return {"class_counts": None, "imbalance_ratio": None, "target": target}
    counts = {name: np.bincount(split.y, minlength=len(classes)) for name, split in splits.items()}
    everyone = np.sum(list(counts.values()), axis=0)
    return {
        "class_counts": {
            label: {name: int(count[index]) for name, count in counts.items()}
            for index, label in enumerate(classes)
        },
        "imbalance_ratio": float(everyone.max() / everyone.min()) if everyone.min() else None,
        "target": None,
    }


def _features(splits: Mapping[str, Split]) -> dict[str, Any]:
    """Types and ranges of the features over all splits; those of single ones where they have names."""
    import numpy as np

    first = next(iter(splits.values()))
    tables = [split.x.reshape(len(split.x), -1) for split in splits.values()]
    known = [~np.isnan(table) for table in tables]
    count = np.sum([there.sum(axis=0) for there in known], axis=0)
    total = np.sum([np.nansum(table, axis=0, dtype=np.float64) for table in tables], axis=0)
    mean = np.where(count > 0, total / np.maximum(1, count), np.nan)
    # fmin and fmax pass over what is missing.
    low = np.fmin.reduce([np.fmin.reduce(table, axis=0) for table in tables])
    high = np.fmax.reduce([np.fmax.reduce(table, axis=0) for table in tables])
    if first.x.ndim == 4:
        kinds = np.full(len(low), "pixel")
    else:
        pairs = list(zip(tables, known, strict=True))
        whole = np.all([((t == np.rint(t)) | ~k).all(axis=0) for t, k in pairs], axis=0)
        ends = np.all([((t == low) | (t == high) | ~k).all(axis=0) for t, k in pairs], axis=0)
        kinds = np.select(
            [count == 0, ends, whole], ["no values", "at most two values", "whole number"], "continuous"
        )
    names, amounts = np.unique(kinds, return_counts=True)
    described = None
    if first.features is not None:
        described = {
            str(name): {
                "type": str(kinds[i]),
                "low": _finite(low[i]),
                "high": _finite(high[i]),
                "mean": _finite(mean[i]),
            }
            for i, name in enumerate(first.features[:MAX_DESCRIBED])
        }
    return {
        "feature_types": dict(zip(names.tolist(), amounts.tolist(), strict=True)),
        "value_range": {"low": _finite(np.fmin.reduce(low)), "high": _finite(np.fmax.reduce(high))},
        "features": described,
    }


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if number - number == 0 else None


def _conflicts(seen: Mapping[str, Sequence[bytes]], splits: Mapping[str, Split]) -> int:
    """How many examples have features that stand with another label too."""
    labels: dict[bytes, set[Any]] = {}
    keys = [key for name in splits for key in seen[name]]
    for key, label in zip(keys, (y for split in splits.values() for y in split.y.tolist()), strict=True):
        labels.setdefault(key, set()).add(label)
    return sum(len(labels[key]) > 1 for key in keys)


def _group_sizes(splits: Mapping[str, Split]) -> dict[str, Any]:
    """How many examples of each group are in each split."""
    held = {name: split.groups for name, split in splits.items() if split.groups is not None}
    names = sorted({str(group) for groups in held.values() for group in groups})
    sizes, reason = None, None
    if not held:
        reason = "the data names no groups"
    elif len(names) > MAX_DESCRIBED:
        reason = f"{len(names):,} groups, more than {MAX_DESCRIBED}"
    else:
        sizes = {
            name: {split: int((groups == name).sum()) for split, groups in held.items()} for name in names
        }
    return {"group_sizes": sizes, "group_sizes_missing_reason": reason}
