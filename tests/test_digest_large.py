"""Large files are read in parts and on all cores; what they mean does not depend on that."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from digest_files import npz, of

from reproof import digest, environment
from reproof.errors import ReproofError

LARGE = np.arange(400_000, dtype="<f4")  # 1.6 MB: several parts, and large among the files of a folder
ODD = {
    "fortran": np.asfortranarray(LARGE.reshape(400, 1000)),
    "big-endian": LARGE.astype(">f4"),
    "strided": LARGE[::3],
    "strings": np.array(["a", "long", "é"]),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 4)),
    "booleans": LARGE > 7,
    "times": np.array(["2026-01-31"], "M8[D]"),
    "records": np.zeros(3, [("x", "<f4"), ("y", ">i2")]),
}


@pytest.mark.parametrize("name", ODD)
def test_an_array_has_one_digest_however_it_lies_in_its_file(tmp_path: Path, name: str) -> None:
    expected = digest.arrays({name: ODD[name]})
    assert of(tmp_path / "stored.npz", npz({name: ODD[name]})) == expected
    assert of(tmp_path / "compressed.npz", npz({name: ODD[name]}, compressed=True)) == expected
    np.save(tmp_path / "single.npy", ODD[name])
    assert digest.digest(tmp_path / "single.npy") == digest.arrays({"": ODD[name]})


def test_every_part_of_a_long_array_counts(tmp_path: Path) -> None:
    whole = digest.arrays({"x": LARGE})
    for index in (0, 65_535, 65_536, 399_999):  # at the edges of the parts that are read
        other = LARGE.copy()
        other[index] += 1
        assert of(tmp_path / "x.npz", npz({"x": other})) == digest.arrays({"x": other}) != whole


def test_an_array_longer_than_its_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, LARGE)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ReproofError, match=r"x\.npy"):
        digest.digest(path)


def test_an_archive_whose_entries_lead_elsewhere_is_an_error(tmp_path: Path) -> None:
    data = bytearray(npz({"x": LARGE}))
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 42, 17)  # where the member begins: not there
    with pytest.raises(ReproofError, match=r"x\.npz"):
        of(tmp_path / "x.npz", bytes(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Large files among small ones, in two folders."""
    for number in range(6):
        path = tmp_path / "data" / f"part-{number % 2}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((LARGE[: 100 if number % 3 else None] + number).tobytes())
    return tmp_path / "data"


@pytest.mark.parametrize("cores", [1, 4])
def test_a_folder_has_one_digest_on_any_number_of_cores(
    folder: Path, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "usable_cores", lambda: cores)
    lines = b"".join(
        f"{path.relative_to(folder).as_posix()}\0sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        for path in sorted(folder.rglob("*.bin"))
    )
    assert digest.digest(folder) == f"sha256:{hashlib.sha256(lines).hexdigest()}"


def test_a_large_file_that_is_broken_is_named(folder: Path) -> None:
    (folder / "torn.json").write_text(json.dumps(list(range(300_000)))[:-1])
    with pytest.raises(ReproofError, match=r"torn\.json"):
        digest.digest(folder)
