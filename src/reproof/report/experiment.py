"""What experiment.md is filled with: the run's numbers, in the order in which the document asks for them."""

from __future__ import annotations

from typing import Any

from reproof import record
from reproof.report import addresses, measured, objectives, reproduce, results, training, web
from reproof.report.missing import Gap
from reproof.report.notes import Notes
from reproof.report.source import Source

_TAGS = ["machine-learning", "experiment-report"]
_LEAST_IN_A_GROUP = 10
_CONCLUSIONS = ("Summary", "Recommendations", "Conclusions")
_REFERENCES = {
    "bootstrap": "B. Efron, *Better Bootstrap Confidence Intervals*, JASA 82 (1987): the BCa intervals.",
    "mcnemar": "Q. McNemar, *Note on the sampling error of the difference between correlated proportions or "
    "percentages*, Psychometrika 12 (1947); in its exact form, by the binomial test.",
    "calibration": "C. Guo and others, *On Calibration of Modern Neural Networks*, ICML 2017: the expected "
    "calibration error.",
    "outliers": "B. Iglewicz and D. Hoaglin, *How to Detect and Handle Outliers*, ASQC 1993: the modified "
    "z-score.",
    "corruptions": "D. Hendrycks and T. Dietterich, *Benchmarking Neural Network Robustness to Common "
    "Corruptions and Perturbations*, ICLR 2019.",
    "adversarial": "I. Goodfellow, J. Shlens and C. Szegedy, *Explaining and Harnessing Adversarial "
    "Examples*, ICLR 2015: FGSM.",
    "permutation": "L. Breiman, *Random Forests*, Machine Learning 45 (2001): permutation importance.",
}


def context(source: Source, notes: Notes, gaps: list[Gap]) -> dict[str, Any]:
    """Return the values of the template, by name."""
    evaluation = source.evaluation or {}
    test = evaluation.get("splits", {}).get("test")
    facts, use = source.facts("train"), training.use(source)
    architecture = facts.get("architecture") or _older_architecture(facts)
    return {
        "title": title(source),
        "tags": [*_TAGS, *(tag for tag in source.declared.tags if tag not in _TAGS)],
        "document_status": document_status(source, notes),
        "commit_link": addresses.commit(source),
        "pull_request": source.meta["git"].get("pull_request"),
        "links": {n: a for n, a in sorted(source.meta["links"].items()) if web.address(a)},
        "headline": _headline(source),
        "findings": results.findings(source),
        "objectives": objectives.judge(source, source.declared.criteria),
        "budget": training.budget(source),
        "quality": source.facts("prepare").get("quality"),
        "prepare_facts": source.facts("prepare"),
        "feature_range": _range(source),
        "feature_types": _types(source),
        "target": _target(source),
        "kind": results.kind(source),
        "chain": _chain(facts.get("architecture")),
        "architecture": architecture,
        "layer_counts": _counts(architecture),
        "dropout": _dropout(facts.get("architecture")),
        "models": results.models(source),
        "metrics": results.metrics(source),
        "task": results.task(source),
        "test": test,
        "split_examples": (test or {}).get("examples"),
        "comparisons": {
            name: baseline["comparison"]
            for name, baseline in (evaluation.get("baselines") or {}).items()
            if baseline.get("comparison")
        },
        "claim": _claim(source),
        "bootstrap": evaluation.get("bootstrap"),
        "confused": list((evaluation.get("confused") or {}).values()),
        "calibration": evaluation.get("calibration"),
        "hyperparameters": training.hyperparameters(source),
        "train_facts": facts,
        "steps": facts.get("steps"),
        "continued": source.meta["stages"].get("train", {}).get("continued"),
        "use": use,
        "train_use": next((one for one in use if one.stage == "train"), None),
        "cost": training.cost(source),
        "measured_cells": [
            cell
            for cell in (source.benchmark or {}).get("cells", {}).values()
            if cell["status"] == "measured"
        ],
        "peak_inference": _peak_inference(source),
        "inference_packages": _inference_packages(source),
        "group_gap": _group_gap(source),
        "references": _references(source),
        "others": notes.others(),
        "other_code": reproduce.other_code(source.meta),
        "code_link": lambda path: addresses.file(source, path),
        "unmeasured": [gap for gap in gaps if gap.kind == "measured"],
        "undeclared": [gap for gap in gaps if gap.kind == "declared"],
    }


def title(source: Source) -> str:
    """Return the declared title, or one made of the data's name and the experiment's."""
    if source.declared.title:
        return source.declared.title
    name = source.meta["experiment"].get("name")
    return f"{source.dataset}: {name}" if name else f"{source.dataset}: experiment report"


def document_status(source: Source, notes: Notes) -> str:
    """Return In Review for a pull request's run, Final where the conclusions are written, else Draft."""
    if number := source.meta["git"].get("pull_request"):
        return f"In Review (pull request {number})"
    run_id = source.meta["run_id"]
    open_sections = [
        section
        for section in _CONCLUSIONS
        if (passage := notes.get(section, run_id)) is None or passage.run != run_id
    ]
    return f"Draft (not written: {', '.join(open_sections)})" if open_sections else "Final"


def _headline(source: Source) -> list[dict[str, Any]]:
    rows = []
    for name, value in source.summary["metrics"].items():
        path = source.params.get(f"summary.{name}", f"{record.ANCHOR}.{name}")
        found = measured.find(source, path)
        interval, on = (found.interval, found.on) if found else (None, "")
        rows.append(
            {"name": name, "value": value, "interval": interval, "on": f"{on} ({path})" if on else path}
        )
    return rows


def _range(source: Source) -> str | None:
    found = (source.facts("prepare").get("quality") or {}).get("value_range")
    if isinstance(found, dict) and found.get("low") is not None:
        return f"{found['low']:g} to {found['high']:g}"
    return None


def _types(source: Source) -> str:
    found = (source.facts("prepare").get("quality") or {}).get("feature_types") or {}
    return ", ".join(f"{count} {kind}" for kind, count in found.items())


def _target(source: Source) -> str:
    if source.declared.dataset.target:
        return source.declared.dataset.target
    if results.task(source) == "regression":
        return "a number"
    counts = (source.facts("prepare").get("quality") or {}).get("class_counts") or {}
    names = (source.evaluation or {}).get("classes") or list(counts)
    if not names:
        return "not recorded"
    shown = ", ".join(map(str, names[:12]))
    return f"one of {len(names)} classes: {shown}{' and more' if len(names) > 12 else ''}"


def _older_architecture(facts: dict[str, Any]) -> dict[str, Any] | None:
    """The facts on a model as scripts recorded them up to 0.2: a number, and layers as torch prints them."""
    if "parameters" not in facts:
        return None
    layers = {
        name: {"name": name, "kind": shown.partition("(")[0], "configuration": shown.partition("(")[2][:-1]}
        | {"output_shape": None, "parameters": None}
        for name, shown in facts.get("layers", {}).items()
    }
    return {
        "parameters": facts["parameters"],
        "trainable_parameters": None,
        "activations": None,
        "kinds": {},
        "layers": layers,
        "layers_left_out": 0,
    }


def _chain(architecture: dict[str, Any] | None) -> str | None:
    """`Input 1×8×8 → Conv2d 16×8×8 → …`: layers that change the shape, or hold parameters."""
    if not architecture or not architecture.get("layers"):
        return None
    steps, shape = [f"Input {architecture['input_shape']}"], architecture["input_shape"]
    for layer in architecture["layers"].values():
        same = layer["output_shape"] in (shape, None)
        steps.append(layer["kind"] if same else f"{layer['kind']} {layer['output_shape']}")
        shape = layer["output_shape"] or shape
    steps += ["…"] if architecture["layers_left_out"] else []
    lines, line = [], ""
    for step in [*steps, "Output"]:
        added = f"{line} → {step}" if line else step
        if len(added) > 96:
            lines.append(f"{line} →")
            added = f"  {step}"
        line = added
    return "\n".join([*lines, line])


def _counts(architecture: dict[str, Any] | None) -> str:
    kinds = (architecture or {}).get("kinds") or {}
    count = len((architecture or {}).get("layers") or {}) + (architecture or {}).get("layers_left_out", 0)
    return f"{count}: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()) if kinds else str(count)


def _dropout(architecture: dict[str, Any] | None) -> str:
    rates = (architecture or {}).get("dropout") or {}
    if architecture is None:
        return "not recorded"
    return ", ".join(f"{rate:g} (layer {name})" for name, rate in rates.items()) or "none"


def _peak_inference(source: Source) -> int | None:
    peaks = [
        cell["memory"]["peak_ram_bytes"] or 0
        for cell in (source.benchmark or {}).get("cells", {}).values()
        if cell["status"] == "measured" and cell["cell"]["runtime"] != "torch"
    ]
    return max(peaks, default=0) or None


def _inference_packages(source: Source) -> str:
    packages = source.meta.get("packages", {})
    needed = [f"{name} {packages[name]}" for name in ("onnxruntime", "numpy") if name in packages]
    return (
        f"{' and '.join(needed)} for the exported model; PyTorch is not needed" if needed else "not recorded"
    )


def _group_gap(source: Source) -> str:
    groups = (source.robustness or {}).get("groups") or {}
    known = sorted(
        (each["value"], name)
        for name, each in groups.items()
        if each["value"] is not None and each["examples"] >= _LEAST_IN_A_GROUP
    )
    if len(known) < 2:
        return f"Fewer than two groups have {_LEAST_IN_A_GROUP} examples: their values are not compared."
    (low, one), (high, other) = known[0], known[-1]
    metric = (source.robustness or {}).get("metric")
    return (
        f"Of groups with {_LEAST_IN_A_GROUP} examples or more, {one} and {other} are furthest apart: "
        f"{high - low:.4f} in {metric}. Their intervals say how much that can mean."
    )


def _references(source: Source) -> list[str]:
    evaluation, robustness = source.evaluation or {}, source.robustness or {}
    used = {
        "bootstrap": evaluation.get("bootstrap"),
        "mcnemar": any(map(_has_mcnemar, (evaluation.get("baselines") or {}).values())),
        "calibration": evaluation.get("calibration"),
        "outliers": source.facts("prepare").get("quality"),
        "corruptions": robustness.get("corruptions"),
        "adversarial": robustness.get("adversarial"),
        "permutation": (robustness.get("importance") or {}).get("kind") == "permutation",
    }
    return [_REFERENCES[name] for name, is_used in used.items() if is_used]


def _claim(source: Source) -> str | None:
    """What the comparison with the strongest baseline says, and what it does not."""
    baselines = (source.evaluation or {}).get("baselines") or {}
    found = baselines.get(results.strongest_baseline(source), {}).get("comparison") or {}
    return found.get("claim")


def _has_mcnemar(baseline: dict[str, Any]) -> bool:
    return bool((baseline.get("comparison") or {}).get("mcnemar"))
