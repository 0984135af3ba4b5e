"""NumPy's archives: plain arrays or an error, whatever the file holds, and never a pickle."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reproof.errors import ReproofError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What readers of files raise on bytes that are not what their name says: the bytes decide which."""


def read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an .npz file, by name.

    Raises:
        FileNotFoundError: when it is missing.
        ReproofError: no archive, cut short, or something in it is no plain array.
    """
    import numpy as np

    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise ReproofError("a single array, not an archive of them", where=path)
        with loaded as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise _refusal(path, told(error)) from error
    # A member that is no array, NumPy gives as bytes.
    if odd := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise _refusal(path, f"{odd[0]}, which is no array")
    return arrays


@dataclass(frozen=True)
class Stored:
    """Where the bytes of an array lie in a file, in the order of C and little-endian."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def stored(stream: IO[bytes]) -> dict[str, Stored] | None:
    """Return where the arrays of an .npz file lie; None where one is compressed, or not so plain.

    `read` copies each array and checks its CRC-32, which takes as long as its SHA-256 does: who hashes the
    bytes need not.
    Format: PKWARE's APPNOTE.TXT, 4.3.7 (local file header).
    """
    found = {}
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
        for member in members:
            stream.seek(member.header_offset)
            mark, name_length, extra_length = struct.unpack("<4s22xHH", stream.read(30))
            stream.seek(name_length + extra_length, 1)
            plain = mark == b"PK\x03\x04" and member.compress_type == zipfile.ZIP_STORED
            array = stored_array(stream, member.file_size) if plain else None
            if array is None or not member.filename.endswith(".npy"):
                return None
            found[member.filename.removesuffix(".npy")] = array
    except UNREADABLE:
        return None  # `read` says what is wrong with it
    return found


def stored_array(stream: IO[bytes], size: int) -> Stored | None:
    """Return where the array lies whose .npy file of `size` bytes begins here; None where it is not so plain.

    Format: numpy.lib.format.
    """
    from numpy.lib import format as npy

    top = stream.tell()
    try:
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, fortran, dtype = read_header[npy.read_magic(stream)](stream)
        begin = stream.tell()
        end = begin + math.prod(shape) * dtype.itemsize
    except UNREADABLE:
        return None
    odd = dtype.hasobject or dtype != dtype.newbyteorder("<") or (fortran and len(shape) > 1)
    if odd or min(shape, default=0) < 0 or end > top + size or stream.seek(0, 2) < end:
        return None
    return Stored(dtype, shape, begin, end)


def told(error: BaseException) -> str:
    """Return what a reader says is wrong, without NumPy's advice to load a pickle after all."""
    if "pickle" in str(error):
        return "Python objects (a pickle, which is never loaded), or no arrays at all"
    return str(error)[:200] or type(error).__name__


def _refusal(path: Path, found: str) -> ReproofError:
    return ReproofError(
        "not a readable .npz file",
        where=path,
        expected="an archive of plain arrays",
        found=found,
        hint="make it anew; where DVC holds it, `dvc checkout --force` restores it",
    )
