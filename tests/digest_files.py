"""Files for the tests of digests, and the digest of bytes under a name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from reproof import digest

WEIGHTS = {
    "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layer.bias": np.zeros(2, np.float32),
}


def of(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return digest.digest(path)


def npz(named: dict[str, Any], *, compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **named)
    return stream.getvalue()
