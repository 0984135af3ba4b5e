"""A neighbour that comes and goes: python burner.py SEED, until it is killed or its parent has gone.

It keeps a core busy for a while, then sleeps for a while, and so on. Started several times with one seed, all
of them burn at the same time, since both lengths come out of the seed and the machine's clock.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BURNS_S = (0.5, 3.0)
SLEEPS_S = (0.5, 3.0)


def main() -> None:
    lengths = random.Random(int(sys.argv[1]))  # no secret  # nosec B311
    parent = os.getppid()
    until = float(int(time.time()))
    while os.getppid() == parent:
        until += lengths.uniform(*BURNS_S)
        while time.time() < until:
            pass
        until += lengths.uniform(*SLEEPS_S)
        time.sleep(max(0.0, until - time.time()))


@contextmanager
def burning(burners: int, seed: int) -> Iterator[None]:
    """Run so many burners during the block."""
    started = [
        subprocess.Popen([sys.executable, str(Path(__file__).resolve()), str(seed)]) for _ in range(burners)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


if __name__ == "__main__":
    main()
