"""The other trackers, in an environment of their own: `make performance` makes it before anything is timed.

Their pins are in peers.txt. PyTorch, which SummaryWriter needs, is not installed a second time: a path file
lets the peers find ours, behind everything of their own.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sysconfig
import venv

from measuring import HERE, ROOT, say

PINS = HERE / "peers.txt"
FOLDER = ROOT / "build" / "peers" / ".venv"
PEERS_PYTHON = FOLDER / ("Scripts/python.exe" if sysconfig.get_platform().startswith("win") else "bin/python")
_DONE = FOLDER / "installed.txt"


def main() -> None:
    """Make the environment, if it is not what peers.txt says."""
    if _DONE.is_file() and _DONE.read_bytes() == PINS.read_bytes():
        return
    say("Installing the peers to compare with, into build/peers (about 1 GB, once)")
    shutil.rmtree(FOLDER, ignore_errors=True)
    venv.create(FOLDER, with_pip=True)
    subprocess.run(
        [
            str(PEERS_PYTHON),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(PINS),
        ],
        check=True,
    )
    packages = next(FOLDER.glob("**/site-packages"))
    (packages / "torch_of_reproof.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.copy(PINS, _DONE)


@functools.cache
def missing_reason(name: str) -> str | None:
    """Return why a peer cannot be measured here; None when it is installed."""
    if not PEERS_PYTHON.exists():
        return "not installed; `make performance` installs it"
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    found = subprocess.run([str(PEERS_PYTHON), "-c", code], check=False).returncode == 0
    return None if found else "not installed; `make performance` installs it"


if __name__ == "__main__":
    main()
