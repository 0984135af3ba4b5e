"""The tolerances were declared before the run, not chosen after it.

A tolerance is no dependency of any stage: it can be widened, and the record be made anew around old numbers.
But each stage recorded the commit that it started from and by which params it differed from that commit's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from reproof import git, git_objects, params
from reproof.errors import ReproofError
from reproof.params.models import Verify
from reproof.record_values import mapping, number
from reproof.verify import tolerances
from reproof.verify.checks.checked import Findings
from reproof.verify.checks.code import NOT_HERE
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.tolerances import Tolerances

_LEAF = re.compile(r"verify\.(?:(metrics|predictions)|by_metric\.(.+))\.(absolute|relative)")


def check(run: RecordedRun, found: Findings) -> None:
    """Note of each stage with metrics whether the tolerances of config.yaml are those that it ran under."""
    now = tolerances.read(run.config)
    with git_objects.objects(run.root) as objects:
        for name in run.measured:
            record = run.stages[name]
            metrics = mapping(record, "metrics")
            predicts = any("predictions" in path for path in mapping(record, "writes"))
            if not metrics and not predicts:
                continue
            what = f"tolerances, as declared when {name} ran"
            commit, changed = mapping(record, "code").get("commit"), record.get("overrides")
            text = None
            if isinstance(commit, str) and isinstance(changed, dict):
                text = git.file_at(objects.repo, commit, f"{run.prefix}params.yaml")
            then = None if text is None else _then(text, mapping(record, "overrides"))
            is_known = then is not None
            # What cannot be looked up may be no wider than what holds without any declaration.
            before = then or Tolerances()
            wider = list(_wider(name, metrics, before, now))
            if predicts and _any_wider(before.predictions, now.predictions):
                words = f"{_words(before.predictions)} then, {_words(now.predictions)} now"
                wider.append(f"predictions: {words}")
            if not is_known and wider:
                reason = f"declared at {str(commit)[:10]}, {NOT_HERE}" if text is None else "not recorded"
                found.wrong(f"{what}: {wider[0]}", reason, "obstacle")
            elif not is_known:
                found.unknown(what, "the params that it ran with are not to be had here")
            elif wider:
                more = f", and of {len(wider) - 1} more" if len(wider) > 1 else ""
                found.wrong(f"{what}: {wider[0]}{more}", "widened after the run")
            else:
                found.right(what)


def _then(text: bytes, changed: Mapping[str, Any]) -> Tolerances | None:
    """The tolerances that a stage ran under: those of its commit, with what it changed."""
    try:
        flat = params.flatten(params.parse(text, "params.yaml")[0])
    except ReproofError:
        return None
    for key, sides in changed.items():
        value = mapping(changed, key).get("to") if isinstance(sides, dict) else None
        flat = {name: one for name, one in flat.items() if name != key}
        if value is not None:
            flat[key] = value
    block: dict[str, Any] = {"by_metric": {}}
    for key, value in flat.items():
        if leaf := _LEAF.fullmatch(key):
            group, metric, side = leaf.groups()
            own = block.setdefault(group, {}) if group else block["by_metric"].setdefault(metric, {})
            own[side] = float(value) if isinstance(value, int | float) else value
    try:
        verify = Verify.model_validate(block)
    except ValidationError:
        return None
    return Tolerances(verify.metrics, verify.by_metric, verify.predictions, declared=True)


def _wider(stage: str, metrics: Mapping[str, Any], then: Tolerances, now: Tolerances) -> Iterator[str]:
    for metric, value in metrics.items():
        name, recorded = f"{stage}.{metric}", number(value)
        if recorded is None:
            continue
        before, after = (tolerances.allowed(recorded, one.of(name)) for one in (then, now))
        if after > before:
            yield f"{name}: ±{before:g} then, ±{after:g} now"


def _any_wider(then: Any, now: Any) -> bool:
    return bool(now.absolute > then.absolute or now.relative > then.relative)


def _words(tolerance: Any) -> str:
    return f"absolute {tolerance.absolute:g}, relative {tolerance.relative:g}"
