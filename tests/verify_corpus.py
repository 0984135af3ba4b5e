"""All cases of the corpus, by what is changed in them: tests and reports/verify-corpus.md are made of it."""

from __future__ import annotations

import corpus_bits
import corpus_copies
import corpus_data
import corpus_forged
import corpus_names
import corpus_readers
import corpus_record
import corpus_stages
import corpus_untouched
from corpus_case import Case

GROUPS: dict[str, list[Case]] = {
    "Nothing is changed": corpus_untouched.CASES,
    "The record is edited": corpus_record.CASES,
    "The record is edited everywhere": corpus_forged.CASES,
    "What a reader passes over": corpus_readers.CASES,
    "Names and clones": corpus_names.CASES,
    "The data": corpus_data.CASES,
    "Old results": corpus_copies.CASES,
    "Code and stages": corpus_stages.CASES,
    "What changes bits": corpus_bits.CASES,
}
CASES = [case for cases in GROUPS.values() for case in cases]

SELDOM = frozenset(
    (
        *(case.name for case in corpus_readers.CASES[2:-1]),
        "an honest experiment called by the commit of a forged run",
        "files of a forged run, replaced by `git replace`",
        "a clone of depth 1",
        "a partial clone, asked about a commit that it lacks files of",
        "code out of an archive, which is allowed to be read",
        "a metric that fresh seeds do not measure; three of them",
        "nothing; executed twice",
        "an experiment that DVC ran in a temporary folder",
        "an output that dvc.yaml does not declare",
        "data are links into a cache elsewhere",
        "a fresh clone; the commit was never pushed",
        "the recorded outputs are lost, their digests are not",
        "a metric that could not be measured, with its reason",
        "a metric that nothing computes, everywhere",
        "a metric in seconds, everywhere",
        "a picture exchanged everywhere, every hash made to fit",
        "one bit of one weight, everywhere, and bits are asked for",
        "answers on single examples, everywhere",
        "the weights swapped by another object of the cache, and dvc.lock with them",
        "an input that DVC holds, changed, and dvc.lock with it",
        "an input is in the remote alone, and corrupt there",
        "an input that nobody committed, and no stage declares",
        "an input that is declared, and neither Git nor DVC holds",
        "weights copied from an absolute path",
        "weights copied from an absolute path by `cp`",
        "weights copied from an absolute path by a shell",
        "weights copied by a Python without site packages and variables",
        "weights copied from shared memory",
        "weights copied through a symbolic link that Git holds",
        "metrics taken from the commit before",
        "a start from weights in the workspace, which no stage declares",
        "a module that nobody committed, and no stage declares",
        "a script that calls no run_stage, and writes an old record",
        "a run that needs a variable of the author's",
        "code of another place on the module search path of a stage alone",
        "a seed of the system's, executed twice",
        "the time in an output, under the key `timestamp`, and bits are asked for",
        "the time in the head of a .gz file, and bits are asked for",
        "the checkout's path in an output",
        "the process id in a metric",
        "a random name in an output folder",
        "the order of a set, in the stage",
        "a rate out of a variable of the author's; three fresh seeds",
        "sums in as many parts as there are cores, and bits are asked for",
        "the same with the deterministic flag, executed twice",
        "the same, the package as it was",
        "two threads, declared",
    )
)
"""Outside the default suite, for a case beside it shows much the same; the soak and the report have all."""
