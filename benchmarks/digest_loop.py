"""One subject of `capture_and_digests.py` in a process of its own: python digest_loop.py PATH REPEAT

It times `reproof.digest` and plain SHA-256 over the same bytes, a folder's listing included in both; who is
first alternates by repeat. SHA-256 gets all cores where there are several files, and one where there is one:
its blocks form a chain.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reproof import digest, environment


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    path, repeat = Path(sys.argv[1]), int(sys.argv[2])
    cores = environment.usable_cores()

    def listed() -> list[Path]:
        return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]

    def plain() -> list[str]:
        with ThreadPoolExecutor(cores) as pool:
            return list(pool.map(sha256, listed()))

    timed = {"digest_s": lambda: digest.digest(path), "sha256_s": plain}
    for function in timed.values():  # imports, and the page cache
        function()
    order = list(timed) if repeat % 2 else list(reversed(timed))
    told: dict[str, float] = {name: seconds(timed[name]) for name in order}
    paths = listed()
    told |= {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)}
    told |= {"cores": min(cores, len(paths))}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
