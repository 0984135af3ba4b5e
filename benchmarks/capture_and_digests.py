"""Part e: capturing the environment in a fresh process; content digests beside SHA-256 of the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from measuring import BUILD, HERE, PYTHON, ratios, say, summary, told_by, verdict
from safetensors.numpy import save_file

CAPTURE_TARGET_S = 0.3
DIGEST_TARGET_RATIO = 1.15
"""As fast as SHA-256, but for what reading the format costs."""

FILES = BUILD / "digests"
_ARRAYS = 16
_MANY = 1000
_SHARDS = 4
_CAPTURE = """
import json, time
begin = time.perf_counter()
from reproof import environment
imported = time.perf_counter()
environment.capture()
print(json.dumps({"import_s": imported - begin, "capture_s": time.perf_counter() - imported}))
"""


def measure(repeats: int, megabytes: int) -> dict[str, Any]:
    """Time both; files are in the page cache, since disks differ more than digests do."""
    captures = [told_by([PYTHON, "-c", _CAPTURE], cwd=BUILD) for _ in range(repeats)]
    capture = summary([once["capture_s"] for once in captures])
    say(f"  capture: {capture['median']:.3f} s")
    subjects = make_files(megabytes)
    digests = {}
    for name, path in subjects.items():
        runs = [told_by([PYTHON, HERE / "digest_loop.py", path, str(i)], cwd=BUILD) for i in range(repeats)]
        ratio = ratios([once["digest_s"] for once in runs], [once["sha256_s"] for once in runs])
        digests[name] = {
            "files": runs[0]["files"],
            "bytes": runs[0]["bytes"],
            "cores": runs[0]["cores"],
            "digest_s": summary([once["digest_s"] for once in runs]),
            "sha256_s": summary([once["sha256_s"] for once in runs]),
            "ratio": ratio,
            "verdict": verdict(ratio, DIGEST_TARGET_RATIO),
        }
        say(f"  digest of {name}: {ratio['median']:.2f} times SHA-256")
    shutil.rmtree(FILES)
    return {
        "capture": {
            "target_s": CAPTURE_TARGET_S,
            "capture_s": capture,
            "import_s": summary([once["import_s"] for once in captures]),
            "verdict": verdict(capture, CAPTURE_TARGET_S),
        },
        "target_ratio": DIGEST_TARGET_RATIO,
        "digests": digests,
    }


def make_files(megabytes: int) -> dict[str, Path]:
    """Write the files to digest, each kind about `megabytes` large, of random bytes."""
    shutil.rmtree(FILES, ignore_errors=True)
    size = megabytes * 1_000_000
    generator = np.random.default_rng(0)
    arrays = {f"layer{i:02d}": generator.random(size // 4 // _ARRAYS, "float32") for i in range(_ARRAYS)}
    paths = {
        "one large file": FILES / "data.bin",
        ".safetensors": FILES / "model.safetensors",
        ".npz of many arrays": FILES / "many.npz",
        ".npz of one array": FILES / "one.npz",
        ".npy": FILES / "one.npy",
        f"a folder of {_SHARDS} large files": FILES / "shards",
        f"a folder of {_MANY:,} small files": FILES / "small",
    }
    whole = np.concatenate(list(arrays.values()))
    for name in ("shards", "small"):
        (FILES / name).mkdir(parents=True)
    (FILES / "data.bin").write_bytes(whole.tobytes())
    save_file(arrays, FILES / "model.safetensors")
    np.savez(FILES / "many.npz", **arrays)
    np.savez(FILES / "one.npz", x=whole)
    np.save(FILES / "one.npy", whole)
    for folder, count in (("shards", _SHARDS), ("small", _MANY)):
        for number, part in enumerate(np.array_split(whole, count)):
            (FILES / folder / f"{number:04d}.bin").write_bytes(part.tobytes())
    return paths
