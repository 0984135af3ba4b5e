"""`make security`: which pinned versions have known vulnerabilities, and which ones nobody could tell of.

pip-audit alone ends well, and says "No known vulnerabilities found", when its service knows none of the
packages. Here that is no verdict, and an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"

# A vulnerability's id, and why it does not matter here. Each has a line in docs/explanation/security.md.
ANSWERED: dict[str, str] = {}


def main() -> None:
    command = [sys.argv[1], "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        sys.exit(f"no verdict: pip-audit could not ask its service. It says:\n  {last}")
    sys.exit(told(found))


def told(packages: list[dict[str, Any]]) -> str | None:
    """Print what was found; return why it is no clean verdict, or None."""
    open_ones = []
    for package in packages:
        for flaw in package.get("vulns", []):
            answer = next(
                (ANSWERED[name] for name in [flaw["id"], *flaw["aliases"]] if name in ANSWERED), None
            )
            mended = ", ".join(flaw["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {flaw['id']}, mended in {mended}")
            print(f"  answered: {answer}" if answer else "  not answered")
            if not answer:
                open_ones.append(flaw["id"])
    unknown = [package for package in packages if "skip_reason" in package]
    if unknown:
        return (
            f"no verdict: of {len(packages)} packages {len(unknown)} could not be audited. pip-audit says:\n"
            f"  {unknown[0]['skip_reason']}\n"
            "If it is so for nearly all, the index in use does not serve PyPI's JSON API by version "
            "(/pypi/<name>/<version>/json): run this where it is served."
        )
    if open_ones:
        return f"{len(open_ones)} vulnerabilities without an answer: move the pin, or answer in audit.py"
    print(f"{len(packages)} packages, no known vulnerability without an answer")
    return None


if __name__ == "__main__":
    main()
