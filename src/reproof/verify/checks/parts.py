"""The parts of a record agree: meta.json, summary.json, digests.json, config.yaml, and what stages wrote."""

from __future__ import annotations

import math
from typing import Any

from reproof import excerpts
from reproof.invocation import LATEST
from reproof.record_values import ANCHOR, mapping
from reproof.verify.checks.checked import Findings
from reproof.verify.recorded_run import ENDED, RecordedRun

_OF_ANCHOR = ("run_id", "start_time", "argv", "pinned")
_OF_EACH = ("run_id", "status", "start_time", "end_time", "seconds", "error")
_CODE = ("commit", "code_tree", "branch", "dirty", "changed", "remote", "reason")


def check(run: RecordedRun, found: Findings) -> None:
    """Note what agrees in a run's record, and what does not."""
    _config(run, found)
    _meta(run, found)
    _summary(run, found)
    _digests(run, found)
    _reads_and_writes(run, found)
    _splits(run, found)
    _evaluation(run, found)
    _excerpt(run, found)


def _config(run: RecordedRun, found: Findings) -> None:
    what = "config.yaml = params.yaml of the commit"
    if run.config == run.get("params.yaml"):
        found.right(what)
    else:
        found.wrong(what, "the run was recorded with other params than the commit holds")


def _meta(run: RecordedRun, found: Findings) -> None:
    meta, records = run.meta, {name: run.stages[name] for name in run.measured}
    anchor = records.get(ANCHOR) or max(records.values(), key=lambda one: one.get("end_time") or "")
    for name in _OF_ANCHOR:
        found.same(f"meta.json: {name}", anchor.get(name), meta.get(name))
    found.same("meta.json: seed", run.params.get("seed"), meta.get("seed"))
    found.same("meta.json: device", mapping(anchor, "facts").get("device"), meta.get("device"))
    code, own = mapping(anchor, "code"), mapping(meta, "git")
    for name in _CODE:
        found.same(f"meta.json: git.{name}", code.get(name), own.get(name))
    for name, value in mapping(anchor, "environment").items():
        if name != "schema_version":
            found.same(f"meta.json: {name}", value, meta.get(name))
    for name, record in records.items():
        one = mapping(meta, "stages", name)
        expected = {key: record.get(key) for key in _OF_EACH} | {
            "experiment": mapping(record, "dvc").get("experiment"),
            "commit": mapping(record, "code").get("commit"),
            "code_tree": mapping(record, "code").get("code_tree"),
            "fingerprint": mapping(record, "environment").get("fingerprint"),
            "continued": mapping(record, "resume").get("continued"),
        }
        for key in expected.keys() & one.keys():  # older libraries kept fewer
            found.same(f"meta.json: stages.{name}.{key}", expected[key], one[key])
        found.same(f"stages/{name}.json: stage", name, record.get("stage"))
        if record.get("status") not in ENDED:
            found.wrong(f"stages/{name}.json: status", f"{record.get('status')}, in a run that ended")
    status = "partial" if mapping(meta, "missing") else "success"
    found.same("meta.json: status", status, meta.get("status"))
    _pinned(run, found)


def _excerpt(run: RecordedRun, found: Findings) -> None:
    """What meta.json repeats of the other files, with the object ids of what it was taken from."""
    excerpt = run.meta.get("excerpt")
    if not isinstance(excerpt, dict):
        return  # older libraries took none
    again = excerpts.excerpt(lambda name: run.get(f"{LATEST}/{name}"), mapping(run.meta, "stages"))
    for name, value in again.items():
        if name in excerpt:
            found.same(f"meta.json: excerpt.{name}", value, excerpt[name])


def _pinned(run: RecordedRun, found: Findings) -> None:
    """Params that a stage declares and what it says it pinned are one."""
    for name in run.measured:
        declared = run.pipeline.get(name)
        pinned = mapping(run.stages[name], "pinned")
        for key in ("seed", "threads", "deterministic"):
            # A stage that does not depend on a param may have run with another value of it.
            depends = declared is not None and (declared.params or []).count(key)
            if depends and key in pinned and key in run.params:
                found.same(f"stages/{name}.json: pinned.{key}", run.params[key], pinned[key])


def _summary(run: RecordedRun, found: Findings) -> None:
    summary, meta = run.json(f"{LATEST}/summary.json"), run.meta
    records = [run.stages[name] for name in run.measured]
    metrics = all_metrics(run)
    wanted = mapping(run.params, "summary")
    headline = mapping(summary, "metrics")
    found.same("summary.json: the metrics that params.yaml names", sorted(wanted), sorted(headline))
    for short, path in wanted.items():
        if short in headline:
            found.same(f"summary.json: metrics.{short}", metrics.get(str(path)), headline[short])
    ends = [str(record["end_time"]) for record in records if record.get("end_time")]
    seconds = math.fsum(_seconds(record) for record in records)
    for name, own in (("meta.json", meta), ("summary.json", summary)):
        found.same(f"{name}: end_time", max(ends, default=None), own.get("end_time"))
        value = own.get("runtime_seconds")
        if not isinstance(value, int | float) or not math.isclose(value, seconds, rel_tol=1e-9):
            found.same(f"{name}: runtime_seconds", seconds, value)
    found.same("summary.json: status", meta.get("status"), summary.get("status"))


def _seconds(record: dict[str, Any]) -> float:
    before = mapping(record, "resume", "continued").get("seconds_before", 0.0)
    return float(before) + float(record.get("seconds") or 0.0)


def all_metrics(run: RecordedRun) -> dict[str, float | None]:
    """Return every metric of a run by its full name, such as `evaluate.test.loss`, as its stage has it."""
    return {
        f"{stage}.{name}": value
        for stage in run.measured
        for name, value in mapping(run.stages[stage], "metrics").items()
    }


def _digests(run: RecordedRun, found: Findings) -> None:
    """digests.json is a function of what the stages say; so it is made again here."""
    records = [run.stages[name] for name in run.measured]
    written = {path: one for record in records for path, one in mapping(record, "writes").items()}
    read = {path: one for record in records for path, one in mapping(record, "reads").items()}
    inputs = {path for path in read if not any(path == own or path.startswith(f"{own}/") for own in written)}
    artefacts = {path: one for path, one in (read | written).items() if path not in inputs}
    _same_maps(
        "digests.json: inputs", {path: read[path] for path in inputs}, run.digests.get("inputs"), found
    )
    _same_maps("digests.json: artefacts", artefacts, run.digests.get("artefacts"), found)


def _same_maps(what: str, expected: dict[str, Any], own: Any, found: Findings) -> None:
    there = own if isinstance(own, dict) else {}
    for path in sorted(expected.keys() | there.keys()):
        found.same(f"{what}.{path}", expected.get(path), there.get(path))


def _reads_and_writes(run: RecordedRun, found: Findings) -> None:
    """What one stage read is what another one wrote there: whoever wrote, and whoever read."""
    written = {
        path: (name, one)
        for name, record in run.stages.items()
        for path, one in mapping(record, "writes").items()
    }
    for name, record in run.stages.items():
        for path, one in mapping(record, "reads").items():
            if path in written and written[path][0] != name:
                found.same(
                    f"{path}: as {written[path][0]} wrote it, as {name} read it", written[path][1], one
                )


def _splits(run: RecordedRun, found: Findings) -> None:
    manifest, sums = (run.json(f"{LATEST}/split_{name}.json") for name in ("manifest", "checksums"))
    if not manifest and not sums:
        return
    sizes = mapping(manifest, "sizes")
    for name in ("ids_digest", "fractions"):
        found.same(
            f"split_manifest.json: the splits of {name}", sorted(sizes), sorted(mapping(manifest, name))
        )
    named = sorted(mapping(sums, "splits"))
    found.same("split_checksums.json: the splits of split_manifest.json", sorted(sizes), named)
    for split, ids in mapping(manifest, "ids").items():
        count = len(ids) if isinstance(ids, list) else None
        found.same(f"split_manifest.json: ids of {split}", sizes.get(split), count)


def _evaluation(run: RecordedRun, found: Findings) -> None:
    """evaluation.json says the numbers that the stage recorded as its metrics, where it says them."""
    path = f"{LATEST}/evaluation.json"
    writers = [name for name in run.measured if path in mapping(run.stages[name], "writes")]
    report = run.json(path)
    if not isinstance(report.get("schema_version"), int):
        return  # of the user's own making: what its numbers mean is not known
    for name in writers:
        for metric, value in mapping(run.stages[name], "metrics").items():
            there, own = _in_report(report, metric)
            if there:
                found.same(f"evaluation.json: {metric}", value, own)


def _in_report(report: dict[str, Any], metric: str) -> tuple[bool, Any]:
    """Whether evaluation.json has a number for a metric such as `test.loss`, and which."""
    first, _, rest = metric.partition(".")
    scores = mapping(report, "splits", first)
    if first == "baseline":
        name, _, rest = rest.partition(".")
        split, _, rest = rest.partition(".")
        scores = mapping(report, "baselines", name, "splits", split)
    elif rest == "ece" and mapping(report, "calibration").get("split") == first:
        scores = mapping(report, "calibration")
    own = scores.get(rest)
    return rest in scores and (own is None or isinstance(own, int | float)), own
