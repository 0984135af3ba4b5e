"""What a record tells of its data, in words, as far as it knows what a datasheet asks.

Gebru et al., "Datasheets for Datasets", arXiv:1803.09010.
"""

from __future__ import annotations

from collections.abc import Mapping

from reproof.quality import OUTLIER_RULE
from reproof.report import notes as writing
from reproof.report import results, web
from reproof.report.markdown import number
from reproof.report.notes import Notes
from reproof.report.source import Source


def classes(source: Source) -> list[str]:
    """Return the names of the classes in the order of their indices; none of a regressor or where unknown."""
    evaluation = source.evaluation or {}
    named = (source.facts("prepare").get("quality") or {}).get("class_counts") or evaluation.get("classes")
    if not named:
        first = next(iter(evaluation.get("splits", {}).values()), None)
        named = first.get("per_class") if first else None
    return [str(name) for name in named or []]


def paragraphs(source: Source, notes: Notes | None, *, lists_files: bool) -> list[str]:
    """Return what is known of the data: people's words, what was counted, how it was split, what is missing.

    Args:
        source: the run's record.
        notes: people's words.
        lists_files: whether the description that this stands in lists the files themselves.
    """
    declared = source.declared.dataset
    run = str(source.meta.get("run_id"))
    paragraphs = [_said(notes, "Data description", run), *_composition(source)]
    if declared.target:
        paragraphs.append(f"Target: {line(declared.target)}.")
    if manifest := source.split_manifest:
        shares = ", ".join(f"{name} {share:g}" for name, share in manifest.get("fractions", {}).items())
        paragraphs.append(
            f"Split {manifest['method']} with seed {manifest['seed']}, in shares of {shares}. Who is in "
            "which: split_manifest.json; SHA-256 over the contents: split_checksums.json."
        )
    paragraphs.append(_said(notes, "Preprocessing", run))
    if declared.source and not web.address(declared.source):
        paragraphs.append(f"Source: {line(declared.source)}.")
    if not lists_files:
        paragraphs.append(
            "No files are listed: this record holds no SHA-256 of their bytes, which Croissant asks for. "
            "`dvc repro -f prepare` with the present library and src/prepare.py records them."
        )
    missing = [
        f"report.dataset.{name}" for name in ("source", "license", "citation") if not getattr(declared, name)
    ]
    if missing:
        paragraphs.append(f"Not declared (params.yaml): {', '.join(missing)}.")
    made = source.stages.get("prepare", {})
    commit = (made.get("code") or {}).get("commit")
    if made.get("run_id"):
        where = f" of commit {commit}" if commit else ""
        paragraphs.append(f"Prepared by the execution {made['run_id']}{where}.")
    return [words for words in paragraphs if words]


def leakage(source: Source) -> str | None:
    """Return how many examples stand in another split too; None where nobody counted."""
    found = results.leaked(source)
    if not found:
        return None if found is None else "no example is an exact duplicate of one in another split"
    return f"{found} (exact duplicates)"


def _composition(source: Source) -> list[str]:
    quality = source.facts("prepare").get("quality") or {}
    sizes = (source.split_manifest or {}).get("sizes") or {}
    total = quality.get("examples", sum(sizes.values()) if sizes else None)
    if total is None:
        return ["How many examples there are is not recorded: the stage prepare has left no record."]
    parts = ", ".join(f"{name} {number(count)}" for name, count in sizes.items())
    words = f"{number(total)} examples" + (f" ({parts})." if parts else ".")
    if quality.get("feature_shape"):
        shape = str(quality["feature_shape"]).replace("x", "×")
        words += f" Features of one example: {shape}, {quality.get('feature_dtype')}."
    value_range = quality.get("value_range") or {}
    if None not in (value_range.get("low"), value_range.get("high")):
        words += f" Their values lie between {number(value_range['low'])} and {number(value_range['high'])}."
    if names := classes(source):
        words += f" {number(len(names))} classes"
        ratio = quality.get("imbalance_ratio")
        words += f", the largest {ratio:.3g} times the smallest." if ratio else "."
    if groups := quality.get("group_sizes"):
        words += f" {number(len(groups))} groups."
    counted = [
        f"{label} {number(sum(quality[key].values()))}"
        for key, label in (
            ("missing_values", "missing values"),
            ("duplicates_within", "exact duplicates within splits"),
        )
        if isinstance(quality.get(key), Mapping)
    ]
    if leaked := leakage(source):
        counted.append(f"leakage: {leaked}")
    if quality.get("conflicting_labels") is not None:
        counted.append(
            f"examples with equal features and another label {number(quality['conflicting_labels'])}"
        )
    if quality.get("outliers") is not None:
        rule = quality.get("outlier_rule", OUTLIER_RULE)
        counted.append(f"outliers {number(quality['outliers'])} ({rule})")
    elif reason := quality.get("outliers_missing_reason"):
        counted.append(f"outliers not counted: {reason}")
    return [words, f"Counted: {'; '.join(counted)}."] if counted else [words]


def _said(notes: Notes | None, section: str, run: str) -> str:
    if notes is None:
        return ""
    passage = notes.get(section)
    if passage is None:
        return f"Not written yet: {writing.home(section)}, {section}."
    about = f"Written about {passage.run}: " if passage.run not in (None, run) else ""
    return about + passage.body


def line(text: str) -> str:
    """Return words in one line."""
    return " ".join(text.split())
