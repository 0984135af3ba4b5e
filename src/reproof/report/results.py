"""How good the model is beside its baselines, in tables and in sentences that the numbers carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reproof.report import objectives
from reproof.report.markdown import between, metric_name, number, p_value, score, signed, text
from reproof.report.source import Source

_NOT_SCORES = ("examples", "confusion_matrix", "per_class", "intervals", "residuals")
LESS_IS_BETTER = frozenset({"loss", "rmse", "mae"})
_SIGNIFICANT = 0.05
_ENOUGH_ERRORS = 10
FIRST = {"classification": "accuracy", "regression": "rmse"}
"""The metric that sentences speak of."""


@dataclass(frozen=True)
class Score:
    """A metric of one model on one split, with its 95% interval over the split's examples."""

    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Model:
    """A row of the results: this run's model, or a baseline."""

    name: str
    description: str
    is_baseline: bool
    scores: dict[str, Score]


def task(source: Source) -> str:
    """Return `classification` or `regression`; the former for records that are older than the question."""
    return str((source.evaluation or {}).get("task", "classification"))


def metrics(source: Source) -> list[str]:
    """Return the names of the metrics that the evaluation holds for every split, in their order."""
    splits: dict[str, dict[str, Any]] = (source.evaluation or {}).get("splits", {})
    first = next(iter(splits.values()), {})
    return [
        name
        for name, value in first.items()
        if name not in _NOT_SCORES
        and not name.endswith("_missing_reason")
        and (isinstance(value, int | float) or (value is None and f"{name}_missing_reason" in first))
    ]


def scores(split: dict[str, Any], names: list[str]) -> dict[str, Score]:
    """Return the scores of one split of an evaluation."""
    intervals = split.get("intervals") or {}
    return {
        name: Score(split.get(name), tuple(intervals[name]) if intervals.get(name) else None)
        for name in names
    }


def models(source: Source, split: str = "test") -> list[Model]:
    """Return the baselines, then this run's model, as scored on a split."""
    evaluation, names = source.evaluation or {}, metrics(source)
    found = [
        Model(name, baseline.get("description", ""), True, scores(baseline["splits"].get(split, {}), names))
        for name, baseline in (evaluation.get("baselines") or {}).items()
    ]
    found = found or list(_older_baselines(source, split, names))
    own = evaluation.get("splits", {}).get(split)
    if own:
        found.append(Model("this model", kind(source), False, scores(own, names)))
    return found


def kind(source: Source) -> str:
    """Return what kind of model it is, in a few words."""
    facts = source.facts("train")
    kinds = facts.get("architecture", {}).get("kinds") or {}
    layers = ", ".join(f"{count} {name}" for name, count in kinds.items() if name in _LAYERS_THAT_TELL)
    return f"{facts['architecture']['type']} ({layers})" if layers else "the model of src/model.py"


_LAYERS_THAT_TELL = frozenset(
    {"Conv1d", "Conv2d", "Conv3d", "Linear", "LSTM", "GRU", "RNN", "MultiheadAttention", "Embedding"}
)


def _older_baselines(source: Source, split: str, names: list[str]) -> Iterator[Model]:
    """Baselines as the train stage recorded them before the library's version of this file."""
    found: dict[str, float] = {}
    for key, value in source.stages.get("train", {}).get("metrics", {}).items():
        parts = key.split(".")
        if len(parts) == 4 and parts[0] == "baseline" and parts[2:] == [split, "accuracy"]:
            found[parts[1]] = value
    for name, value in found.items():
        empty = dict.fromkeys(names, Score(None, None))
        yield Model(name, "", True, empty | {"accuracy": Score(value, None)})


def strongest_baseline(source: Source) -> str | None:
    """Return the baseline that scores best on the test split, by the first metric of the task."""
    metric = FIRST[task(source)]
    rows = [(m.scores[metric].value, m.name) for m in models(source) if m.is_baseline and metric in m.scores]
    known = [(value, name) for value, name in rows if value is not None]
    if not known:
        return None
    return (min if metric in LESS_IS_BETTER else max)(known)[1]


def findings(source: Source) -> list[str]:
    """Return what the numbers of this run say, as Markdown sentences; nothing that was not measured."""
    return [*_quality(source), *_data(source), *_objectives(source), *_weak_points(source), *_speed(source)]


def _quality(source: Source) -> Iterator[str]:
    metric = FIRST[task(source)]
    splits = (source.evaluation or {}).get("splits", {})
    test = splits.get("test")
    if not test or test.get(metric) is None:
        return
    own = scores(test, [metric])[metric]
    on = f"On {number(test['examples'])} test examples" if "examples" in test else "On the test split"
    train = splits.get("train", {}).get(metric)
    yield (
        f"{on} of {text(source.dataset)} the model reaches "
        f"{_article(metric)} {_named(metric)} of **{score(own.value)}**{_between(own.interval)}"
        + (f"; on the training split it is {score(train)}." if train is not None else ".")
    )
    name = strongest_baseline(source)
    baseline = ((source.evaluation or {}).get("baselines") or {}).get(name, {})
    difference = (baseline.get("comparison") or {}).get("differences", {}).get(metric)
    if not name or not difference:
        return
    low_high = difference.get("interval")
    words = f"Beside {text(name)}, the strongest baseline, that is {signed(difference['difference'])}"
    if not low_high:
        yield f"{words}; the difference has no interval: {text(difference.get('missing_reason'))}."
        return
    mcnemar = (baseline.get("comparison") or {}).get("mcnemar") or {}
    p = mcnemar.get("p_value") if metric == "accuracy" else None
    said = f", exact McNemar {p_value(p)}" if p is not None else ""
    yield f"{words}{_between(low_high, with_sign=True)}{said}: {_told_apart(low_high, metric, p)}."


def _told_apart(interval: list[float], metric: str, p: float | None) -> str:
    """Of an accuracy, interval and exact test must agree: where few answers differ, the former is bold."""
    low, high = interval
    if low <= 0 <= high or (p is not None and p >= _SIGNIFICANT):
        return "these examples do not tell the two models apart"
    better = (low > 0) != (metric in LESS_IS_BETTER)
    return f"on these examples the model is {'better' if better else '**worse**'}"


def leaked(source: Source) -> str | None:
    """Return which examples stand in several splits, as words; '' where none does, None where nobody counted.

    Only exact duplicates are known: equal features. Older records count those of pairs of splits alone.
    """
    quality = source.facts("prepare").get("quality") or {}
    elsewhere, shared = quality.get("examples_in_other_splits"), quality.get("duplicates_across")
    if isinstance(elsewhere, Mapping):
        sizes = (source.split_manifest or {}).get("sizes") or {}
        # The test split first: its scores are what leakage makes too good.
        named = sorted(filter(elsewhere.get, elsewhere), key=lambda name: name != "test")
        of = {name: f" of {number(sizes[name])}" if name in sizes else "" for name in named}
        parts = [f"{number(elsewhere[name])}{of[name]} {name} examples" for name in named]
        return f"{', '.join(parts)} also stand in another split" if parts else ""
    if isinstance(shared, Mapping):
        count = sum(shared.values())
        words = "distinct example" if count == 1 else "distinct examples"
        return f"{number(count)} {words} shared by two splits" if count else ""
    return None


def leakage(source: Source) -> str | None:
    """Return the same as a Markdown sentence; None where no example does, or nobody counted."""
    found = leaked(source)
    return f"**{text(found)}**: scores on these are too good." if found else None


def _data(source: Source) -> Iterator[str]:
    if leaked(source) == "":
        yield "No example stands in more than one split: none was seen, as it is, before it was tested on."
    elif said := leakage(source):
        yield said


def _objectives(source: Source) -> Iterator[str]:
    judged = objectives.judge(source, source.declared.criteria)
    if judged:
        met = sum(one.status == "met" for one in judged)
        others = [f"{text(one.name)}: {one.status}" for one in judged if one.status != "met"]
        rest = f" ({'; '.join(others)})" if others else ""
        counted = "The one objective" if len(judged) == 1 else f"{met} of {len(judged)} objectives"
        verb = ("is met" if met else "is not met") if len(judged) == 1 else "are met"
        yield f"{counted} declared before the run {verb}{rest}."


def _weak_points(source: Source) -> Iterator[str]:
    confused = list(((source.evaluation or {}).get("confused") or {}).values())
    if confused and confused[0]["examples"] > 1:
        first = confused[0]
        yield (
            f"The most frequent error takes {text(first['label'])} for {text(first['predicted'])}: "
            f"{number(first['examples'])} test examples, {100 * first['share']:.1f}% of that class."
        )
    elif sum(pair["examples"] for pair in confused) >= _ENOUGH_ERRORS:
        yield "Its errors on the test split are spread: no class is taken for the same other one twice."
    robustness = source.robustness or {}
    middle = {
        name: found["strengths"].get("2")
        for name, found in (robustness.get("corruptions") or {}).items()
        if found["strengths"].get("2")
    }
    if robustness.get("status") == "measured" and middle:
        sign = 1 if robustness["metric"] in LESS_IS_BETTER else -1
        name = max(middle, key=lambda each: sign * middle[each]["change"])
        yield (
            f"Of the corruptions at middle strength, {text(name.replace('_', ' '))} costs most: "
            f"{text(robustness['metric'])} {score(middle[name]['value'])}"
            f"{_between(middle[name]['interval'])}."
        )


def _speed(source: Source) -> Iterator[str]:
    cells = [c for c in (source.benchmark or {}).get("cells", {}).values() if c["status"] == "measured"]
    if not cells:
        return
    fastest = min(cells, key=lambda cell: cell["stages"]["end_to_end"]["median_ms"])
    times, verdict = fastest["stages"]["end_to_end"], fastest["verdict"]["status"]
    assert source.benchmark is not None
    yield (
        f"One call with {_examples(fastest['cell']['batch_size'])} takes {text(fastest['cell']['runtime'])} "
        f"{number(times['median_ms'], 3)} ms end to end on {text(source.benchmark['hardware']['cpu'])}"
        f"{_between(times['ci95_ms'], unit=' ms')}, which the benchmark calls {text(verdict)}."
    )


def _between(interval: Any, *, with_sign: bool = False, unit: str = "") -> str:
    if not interval:
        return ""
    return f" (95% interval {between(interval, 3 if unit else None, with_sign=with_sign)}{unit})"


def _article(metric: str) -> str:
    return "an" if metric[0] in "aeiou" or metric == "rmse" else "a"


def _named(metric: str) -> str:
    return metric_name(metric) if metric in ("rmse", "mae", "r2", "auc", "f1") else text(metric)


def _examples(count: int) -> str:
    return "1 example" if count == 1 else f"{count} examples"
