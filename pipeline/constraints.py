"""Write constraints.txt: every version that the tests passed with."""

from __future__ import annotations

from pathlib import Path

from reproof import files, lock

HEAD = (
    "# Every version that the tests passed with; `make constraints` writes it. torch is pinned on purpose.\n"
)


def main() -> None:
    path = Path(__file__).resolve().parents[1] / "constraints.txt"
    files.write_text(path, HEAD + "\n".join(lock.lines()) + "\n")
    print(f"{path.name}: {len(lock.lines())} packages")


if __name__ == "__main__":
    main()
