"""What probably matters, in a sentence: what two runs share, what they do not, and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from reproof.comparison.rules import HOW_TO_DECLARE
from reproof.difference.code import File
from reproof.difference.data import Split
from reproof.difference.environment import Change
from reproof.difference.functions import MODULE
from reproof.difference.sides import Side
from reproof.difference.whole import Difference

ARROW = "→"
_MOST_PARAMS, _MOST_FACTS, _MOST_FILES, _MOST_FUNCTIONS = 4, 5, 2, 3
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_MAX_VALUE = 60


def headline(found: Difference) -> str:
    """Return the first sentence: `same code, data and params; numpy 2.3 → 2.4, threads 2 → 8`."""
    if found.is_one_run:
        return f"one run: both names stand for {found.a.run.run_id}"
    same, unknown = _shared(found)
    differing = _differing(found)
    said = [f"same {_listed(same)}"] if same else []
    said += [", ".join(differing)] if differing else []
    if not differing and not unknown:
        nothing = not found.environment.changes and not found.code.files
        said.append(f"nothing that {'is recorded' if nothing else 'numbers depend on'} differs")
    if unknown:
        said.append(f"not known: {_listed(unknown)}")
    return "; ".join(said)


def consequence(found: Difference) -> str | None:
    """Return what came of it in the weights; None where no record tells."""
    same = found.artefacts.same_model
    if same is None or found.is_one_run:
        return None
    training = found.a.execution("train")
    if same and training is not None and training == found.b.execution("train"):
        return "the model is the same: one training for both, from DVC's run cache"
    differing = _differing(found)
    if same:
        return (
            f"the model is the same, bit for bit{': none of this reached its weights' if differing else ''}"
        )
    if not differing and not _shared(found)[1]:
        return (
            "the weights differ all the same: something that no record holds changes them, such as a kernel "
            "that is not deterministic, or code that reads the clock or the network"
        )
    return None


def claim(found: Difference) -> str | None:
    """Return what the verdicts are about, where they could be taken for more; None where there are none."""
    if found.is_one_run or not any(line.verdict.claim for line in found.metrics.headline):
        return None
    if found.params.of("seed") and len(_differing(found)) == 1:
        return "the verdicts are about these two models: of one method, and two of its seeds"
    return (
        "the verdicts are about these two models; about two methods, several seeds of each: "
        f"reproof compare --all --baseline {found.a.row.name}"
    )


def warnings(found: Difference) -> list[str]:
    """Return what a reader must know before believing the numbers."""
    sides = (found.a, found.b)
    told = [_ended(side) for side in sides if side.run.status != "success"]
    if count := found.data.from_train_to_test:
        told.append(
            f"one run trains on examples that the other tests on ({count:,}): a model scores too well on "
            "what it was trained on"
        )
    told += [f"{note}: the files that are shown may not be all that differs" for note in found.code.notes]
    told += [f"{side.row.name}: {'; '.join(side.row.warnings)}" for side in sides if side.row.warnings]
    if found.metrics.undeclared and not found.is_one_run:
        told.append(
            f"nobody has said which way is better for {_listed(found.metrics.undeclared)}: "
            f"{HOW_TO_DECLARE.format(name=found.metrics.undeclared[0])}"
        )
    return told


def _ended(side: Side) -> str:
    message = (side.run.error or {}).get("message")
    stage = (side.run.error or {}).get("stage")
    where = f" in the stage {stage}" if stage else ""
    known = {"failed": "failed", "unknown": "has a record that cannot be read"}
    status = known.get(side.run.status, f"is {side.run.status.replace('_', ' ')}")
    return f"{side.row.name} {status}{where}{f': {message}' if message else ''}"


def _shared(found: Difference) -> tuple[list[str], list[str]]:
    """What is the same, and what nobody knows."""
    known = {
        "code": True if found.code.same else _same_code(found),
        "data": found.data.same,
        "params": None if found.params.missing_reason else not found.params.of("method"),
        "packages": found.environment.same_packages,
        "machine": found.environment.same_machine,
    }
    same = [name for name, is_same in known.items() if is_same]
    if any(one.matters for one in found.environment.changes):
        same = [name for name in same if name not in ("packages", "machine")]  # what differs says it
    return same, [name for name, is_same in known.items() if is_same is None]


def _same_code(found: Difference) -> bool | None:
    """Of trees that differ: the same where only words about the code do."""
    if found.code.same is None:
        return None
    return bool(found.code.files) and not found.code.meaningful


def _differing(found: Difference) -> list[str]:
    method, seed = found.params.of("method"), found.params.of("seed")
    said = [f"{one.name} {_value(one.a, one.in_a)} {ARROW} {_value(one.b, one.in_b)}" for one in method]
    said = [*said[:_MOST_PARAMS], *_more(len(said) - _MOST_PARAMS, "param")]
    if found.data.same is False:
        said.append(_data(found))
    if found.code.same is False and _same_code(found) is False:
        said += _code(found.code.meaningful) or ["code (which files is not known)"]
    said += [f"seed {_value(one.a, one.in_a)} {ARROW} {_value(one.b, one.in_b)}" for one in seed]
    facts = [one for one in found.environment.changes if one.matters]
    if found.environment.same_machine is False and not any(one.kind == "machine" for one in facts):
        facts += found.environment.of("machine")  # cores and memory make another machine, not other bits
    known = {one.name for one in facts}
    said += [  # of a record that is older than what it would stand under
        f"{one.name} {_value(one.a, one.in_a)} {ARROW} {_value(one.b, one.in_b)}"
        for one in found.params.of("machine")
        if one.name not in known
    ]
    said += [_fact(one) for one in facts[:_MOST_FACTS]]
    return said + _more(len(facts) - _MOST_FACTS, "fact", "of the environment")


def _more(count: int, what: str, whose: str = "") -> list[str]:
    words = f"{count} more {what}{'' if count == 1 else 's'} {whose}".strip()
    return [words] if count > 0 else []


def _data(found: Difference) -> str:
    if found.data.is_other_split:
        return "data: the same examples, split otherwise"
    told = ", ".join(map(_split, found.data.splits))
    return f"data: {told}{' examples' if found.data.splits[-1].came or found.data.splits[-1].went else ''}"


def _split(one: Split) -> str:
    if one.content_came == one.content_went == 0 and one.changed:
        return f"{one.name}: the same examples under other ids"
    if one.changed and not one.came and not one.went:
        return f"{one.name}: {one.changed:,} {'example' if one.changed == 1 else 'examples'} changed"
    if one.came or one.went:
        moved = [f"+{one.came:,}"] if one.came else []
        return " ".join([one.name, *moved, *([f"−{one.went:,}"] if one.went else [])])
    return f"{one.name}: {(one.note or 'other content').partition(';')[0]}"


def _code(files: Sequence[File]) -> list[str]:
    told = [
        f"code: {_touched(one)}" if index == 0 else _touched(one)
        for index, one in enumerate(files[:_MOST_FILES])
    ]
    return told + _more(len(files) - _MOST_FILES, "file")


def _touched(one: File) -> str:
    touched = one.functions
    if one.state != "changed" or not touched:
        return {"came": f"{one.path} is new", "went": f"{one.path} is gone"}.get(one.state, one.path)
    names = [*touched.changed, *touched.came, *touched.went, *(new for _, new in touched.renamed)]
    names.sort(key=lambda name: name == MODULE)
    shown = names[:_MOST_FUNCTIONS] + _more(len(names) - _MOST_FUNCTIONS, "function")
    return f"{_listed(shown)} in {one.path}"


def _fact(one: Change) -> str:
    if one.a is None or one.b is None:
        return f"{one.name} {one.b} is new" if one.a is None else f"{one.name} is gone"
    if one.kind == "package" or one.name == "Python":
        return " ".join((one.name, *_versions(one.a, one.b)))
    return f"{one.name} {one.a} {ARROW} {one.b}"


def _versions(a: str, b: str) -> tuple[str, str, str]:
    """Two versions up to the part that differs: `2.3`, `→` and `2.4` for 2.3.1 and 2.4.6."""
    if not _VERSION.fullmatch(a) or not _VERSION.fullmatch(b):
        return a, ARROW, b
    first, second = a.split("."), b.split(".")
    parts = next((i for i, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
    if parts is None:
        return a, ARROW, b
    end = max(2, parts + 1)
    return ".".join(first[:end]), ARROW, ".".join(second[:end])


def _value(value: Any, is_there: bool) -> str:
    if not is_there:
        return "(none)"
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return words if len(words) <= _MAX_VALUE else f"{words[: _MAX_VALUE - 1]}…"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
