"""The corpus of `reproof verify`: every case, its verdict, and the verdict that had to come.

Run by `dvc repro` at the root of this repository; the table is that of tests/test_verify_corpus.py. It ends
with 1 where a case has another verdict than it must have. With words on the command line only the cases whose
name holds them all are run, and nothing is written.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from corpus_case import Case, answer, lacks, wrong  # noqa: E402
from verify_corpus import GROUPS  # noqa: E402
from verify_project import World, make  # noqa: E402

from reproof import environment  # noqa: E402
from reproof.verify import landlock  # noqa: E402

REPORT = ROOT / "reports" / "verify-corpus.md"
GIT_CONFIG = "[user]\n    name = Corpus\n    email = corpus@localhost\n[init]\n    defaultBranch = main\n"
CODES = {
    0: "the required level is met",
    1: "the result differs, or less than was required",
    2: "a wrong option",
    3: "it cannot be verified",
    4: "the re-run failed",
    5: "the record contradicts itself",
}


@dataclass(frozen=True)
class Outcome:
    """Of one case: what came; why it was not run, or what is wrong with it."""

    case: Case
    verdict: str = ""
    code: int | None = None
    skipped: str | None = None
    wrong: str | None = None


def main(words: Sequence[str]) -> int:
    """Run the corpus, and write the report; return 1 where a case has another verdict than it must have."""
    with tempfile.TemporaryDirectory(prefix="verify-corpus-") as name:
        folder = Path(name)
        isolate(folder / "home")
        recorded = make(folder / "recorded")
        chosen = [case for cases in GROUPS.values() for case in cases if all(w in case.name for w in words)]
        with ThreadPoolExecutor(environment.usable_cores()) as pool:
            numbered = list(enumerate(chosen))
            found = list(pool.map(lambda one: outcome(one[1], recorded, folder / f"case-{one[0]}"), numbered))
    if not words:
        REPORT.write_text(report({one.case.name: one for one in found}), encoding="utf-8")
    bad, left = sum(bool(one.wrong) for one in found), sum(bool(one.skipped) for one in found)
    print(f"{len(found)} cases, {bad} of them wrong, {left} not run")
    return 1 if bad else 0


def isolate(home: Path) -> None:
    """Nothing of this machine's settings counts: a home, Git and DVC of the corpus's own."""
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    for variable in list(os.environ):
        if variable.startswith(("DVC_", "REPROOF_", "GIT_", "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "CI_")):
            del os.environ[variable]
    own = {"HOME": home, "GIT_CONFIG_GLOBAL": home / ".gitconfig", "DVC_SITE_CACHE_DIR": home / "site"}
    own |= {"DVC_GLOBAL_CONFIG_DIR": home / "dvc", "DVC_SYSTEM_CONFIG_DIR": home / "dvc"}
    os.environ.update({variable: str(value) for variable, value in own.items()})
    os.environ.update({"GIT_CONFIG_NOSYSTEM": "1", "DVC_NO_ANALYTICS": "1"})


def outcome(case: Case, recorded: World, folder: Path) -> Outcome:
    """Run one case, and say what came."""
    if lack := lacks(case):
        return Outcome(case, skipped=lack)
    try:
        found = answer(case, recorded, folder)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        print(f"WRONG  the case itself cannot be made: {case.name}\n{error}", flush=True)
        return Outcome(case, wrong="the case itself cannot be made")
    told = wrong(case, found)
    print(f"{'WRONG' if told else 'right'}  {found.verdict or '-':17} {found.code}  {case.name}", flush=True)
    if told:
        print(f"       {told}; {case.verdict}, {case.code} must come\n{found.said[-3000:]}", flush=True)
    return Outcome(case, found.verdict, found.code, wrong=told)


def report(outcomes: dict[str, Outcome]) -> str:
    """Return the page."""
    ran = [one for one in outcomes.values() if one.skipped is None]
    false = sum(bool(one.wrong and one.wrong.startswith("A FALSE MATCH")) for one in ran)
    changed = sum(not one.case.matches for one in ran)
    abi = landlock.abi()
    kernel = f"Landlock ABI {abi}" if abi else "no Landlock: the audit hook alone"
    lines = [
        "# What `reproof verify` says of runs that are not what they seem",
        "",
        f"{len(ran)} cases, each a recorded run with one thing changed in it or around it, and `reproof",
        f"verify` asked about it as a user would. {changed} of them must not match.",
        f"**False matches: {false}.** Other wrong answers: {sum(bool(one.wrong) for one in ran) - false}.",
        "",
        "Made by `dvc repro verify-corpus` (pipeline/verify_corpus.py) from the table that the tests run",
        f"(tests/verify_corpus.py); Python {platform.python_version()},",
        f"DVC {importlib.metadata.version('dvc')}, {kernel}.",
        "",
        "Exit codes: " + "; ".join(f"{code} {words}" for code, words in CODES.items()) + ".",
    ]
    for group, cases in GROUPS.items():
        lines += ["", f"## {group}", "", "| case | asked | verdict | exit code | |", "|---|---|---|---:|---|"]
        lines += [row(outcomes[case.name]) for case in cases]
    return "\n".join([*lines, ""])


def row(one: Outcome) -> str:
    """One case as a row of the table."""
    asked = f"`{' '.join(one.case.options)}`" if one.case.options else ""
    if one.skipped:
        return f"| {one.case.name} | {asked} | not run: needs {one.skipped} | | |"
    mark = f"**wrong**: {one.case.verdict}, {one.case.code} must come" if one.wrong else "right"
    return f"| {one.case.name} | {asked} | {one.verdict or 'none'} | {one.code} | {mark} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
