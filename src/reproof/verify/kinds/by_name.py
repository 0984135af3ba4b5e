"""Which kind a file is of, and two folders as the files in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reproof import checkpoint, digest, npz
from reproof.errors import ReproofError
from reproof.params.models import Tolerance
from reproof.verify.kinds import answers, arrays, graphs, texts
from reproof.verify.kinds.found import IDENTICAL, Found, Standing, different
from reproof.verify.tolerances import Tolerances

DRAWN = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".html")
"""Pictures and documents: drawn from numbers, by libraries of which each version draws otherwise."""


def compare(recorded: Path, found: Path, tolerances: Tolerances) -> Found:
    """Compare two files, or two folders file by file, by their kinds.

    Nothing here raises for what a file holds: a file that cannot be read is different.
    """
    if recorded.is_dir() != found.is_dir():
        return different("a folder in one of the two, a file in the other")
    if recorded.is_dir():
        return _folders(recorded, found, tolerances)
    if _same_bytes(recorded, found):
        return IDENTICAL
    try:
        return _READERS.get(found.suffix.lower(), _by_bytes)(recorded, found, tolerances)
    except ReproofError as error:
        return different(error.what)
    except npz.UNREADABLE as error:
        return different(f"cannot be compared: {npz.told(error)}")
    except Exception as error:  # noqa: BLE001 (readers of files have classes of their own; it is no match)
        return different(f"cannot be compared: {type(error).__name__}: {str(error)[:100]}")


def _folders(recorded: Path, found: Path, tolerances: Tolerances) -> Found:
    names, others = (_names(folder) for folder in (recorded, found))
    if odd := sorted(names ^ others):
        side = "recorded" if odd[0] in names else "made here"
        return different(f"{odd[0]} is only in the one {side}")
    each = {name: compare(recorded / name, found / name, tolerances) for name in sorted(names)}
    worst = max((told.standing for told in each.values()), default=Standing.IDENTICAL)
    states = [
        name
        for name, told in each.items()
        if name.endswith(checkpoint.STATE) and told.standing is Standing.FOLLOWS
    ]
    if states and not any(told.of_weights for told in each.values()):
        return different(f"{states[0]}: {each[states[0]].words}, and the weights do not")
    # Weights that are close say more than a state that may differ by anything: both are no reason to differ.
    told_of = (Standing.CLOSE, Standing.FOLLOWS) if worst is Standing.FOLLOWS else (worst,)
    for standing in told_of:
        for name, told in each.items():
            if told.standing is standing and worst is not Standing.IDENTICAL:
                return replace(
                    told,
                    standing=worst,
                    words=f"{name}: {told.words}",
                    of_weights=any(one.of_weights for one in each.values()),
                    drawn=any(one.drawn for one in each.values()),
                )
    return IDENTICAL


def _names(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not digest.is_dvcs(path)
    }


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while chunk := first.read(1 << 20):
            if chunk != second.read(1 << 20):
                return False
    return True


def _tensors(recorded: Path, found: Path, _: Tolerances) -> Found:
    if found.name == checkpoint.STATE:
        return arrays.state(recorded, found)
    return arrays.weights(recorded, found)


def _by_bytes(_: Path, found: Path, __: Tolerances) -> Found:
    kind = f"a {found.suffix} file" if found.suffix else "such a file"
    return different(f"its bytes differ, and nothing else of {kind} can be compared")


def _pictures(recorded: Path, found: Path) -> Found:
    sizes = {_size(path) for path in (recorded, found)}
    if len(sizes) > 1:
        return different("a picture of another size")
    return Found(Standing.FOLLOWS, "drawn otherwise", drawn=True)


def _size(path: Path) -> bytes:
    """Width and height of a PNG, which stand in its first chunk (W3C, PNG, 11.2.2); b'' for others."""
    with path.open("rb") as stream:
        head = stream.read(24)
    return head[16:24] if head.startswith(b"\x89PNG\r\n\x1a\n") else b""


def _numbers(path: Path, told: Tolerances) -> Tolerance:
    """The tolerance for the numbers in a file: answers are known by their name, others are as metrics."""
    return told.predictions if path.stem.startswith("predictions") else told.metrics


_READERS: dict[str, Callable[[Path, Path, Tolerances], Found]] = {
    ".safetensors": _tensors,
    ".onnx": lambda one, other, _: graphs.compare(one, other),
    ".npz": lambda one, other, told: arrays.data(one, other, _numbers(one, told)),
    ".npy": lambda one, other, told: arrays.data(one, other, _numbers(one, told)),
    ".parquet": lambda one, other, told: answers.compare(one, other, told.predictions),
    ".json": lambda one, other, told: texts.compare_json(one, other, _numbers(one, told)),
    ".csv": lambda one, other, told: texts.compare_csv(one, other, _numbers(one, told)),
    ".ndjson": lambda one, other, told: texts.compare_lines(one, other, _numbers(one, told)),
    ".jsonl": lambda one, other, told: texts.compare_lines(one, other, _numbers(one, told)),
    ".gz": lambda one, other, _: texts.compare_unpacked(one, other),
    **{suffix: lambda one, other, _: _pictures(one, other) for suffix in DRAWN},
}
