"""What robustness.json holds: the parts in their order, or why one is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from reproof.errors import ReproofError
from reproof.robustness import adversarial, corruptions, importance
from reproof.robustness.scoring import ACCURACY, Metric, Score, sampled, scored, summary
from reproof.robustness.settings import Settings
from reproof.splits import Split

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    Array = npt.NDArray[Any]

SCHEMA_VERSION = 1
MAX_GROUPS = 50


@dataclass(frozen=True)
class Second:
    """A second dataset, read as the first one was.

    Attributes:
        name: how it is called, such as its folder.
        examples: all of it.
        classes: names of its classes by index.
    """

    name: str
    examples: Split
    classes: Sequence[str]


@dataclass(frozen=True)
class Subject:
    """What is measured: a model, the functions around it, and the data.

    Attributes:
        name: of the dataset, for errors.
        train: of which come means and deviations; nothing is fitted.
        test: what is corrupted and attacked.
        classes: names of the classes by index.
        preprocess: raw examples to what the model takes.
        model: what the model takes to what it gives: the exported one, since that is what ships.
        postprocess: what the model gives to answers: probabilities of shape (examples, classes), or
            predictions of a regressor.
        torch_model: returns the same model in torch, on the CPU; called once, for the attack alone.
        second: another dataset, or None.
        metric: of a classifier; `RMSE` for a regressor.
    """

    name: str
    train: Split
    test: Split
    classes: Sequence[str]
    preprocess: Callable[[Array], Array]
    model: Callable[[Array], Array]
    postprocess: Callable[[Array], Array]
    torch_model: Callable[[], torch.nn.Module]
    second: Second | None = None
    metric: Metric = ACCURACY

    def answers(self, x: Array) -> Array:
        """Return the exported model's answers to raw examples."""
        return self.postprocess(self.model(self.preprocess(x)))


def skipped(reason: str) -> dict[str, Any]:
    """Return what robustness.json holds when nothing is measured."""
    return {"schema_version": SCHEMA_VERSION, "status": "skipped", "reason": reason}


def measure(subject: Subject, settings: Settings, seed: int) -> dict[str, Any]:
    """Return what robustness.json holds: the same for the same subject, settings and seed.

    What takes many passes runs on a sample of the test split; its changes are against the clean value of that
    sample, and FGSM's against that of the torch model.

    Raises:
        ReproofError: settings that name no corruption of such data, or a second dataset of another form.
    """
    metric, test = subject.metric, subject.test
    corruptions.amounts(test.x, settings.strengths)  # what is wrong with them is said before any work
    second = aligned(subject.second, subject) if subject.second else None

    def score(x: Array, targets: Array) -> Array:
        return metric.of_each(subject.answers(x), targets)

    of_each = scored(score, test.x, test.y)
    clean = summary(metric, of_each)
    rows = sampled(len(test.y), settings.max_examples, seed)
    part, of_part = test.take(rows), summary(metric, of_each[rows])
    scale = corruptions.scale_of(subject.train.x)
    changed = corruptions.measure(
        part.x,
        part.y,
        score,
        metric=metric,
        clean=of_part["value"],
        scale=scale,
        chosen=settings.strengths,
        seed=seed,
    )
    attack, no_attack = adversarial.measure(
        subject.torch_model,
        part.x,
        part.y,
        train=subject.train.x,
        preprocess=subject.preprocess,
        postprocess=subject.postprocess,
        metric=metric,
        scale=scale,
        chosen=settings.strengths,
    )
    groups, no_groups = _by_group(metric, test, of_each)
    weights, no_weights = _importance(subject, settings, part, score, scale, seed)
    return {
        "schema_version": SCHEMA_VERSION,
        "status": "measured",
        "reason": None,
        "split": "test",
        "metric": metric.name,
        "intervals": metric.interval,
        "seed": seed,
        "examples": len(test.y),
        "clean": clean,
        "sample": {"examples": len(rows), **of_part},
        "corruptions": changed,
        "adversarial": attack,
        "adversarial_missing_reason": no_attack,
        "second_dataset": _elsewhere(subject, second, score, clean["value"]) if second else None,
        "second_dataset_missing_reason": None if second else "robustness.second_data names no folder",
        "groups": groups,
        "groups_missing_reason": no_groups,
        "importance": weights,
        "importance_missing_reason": no_weights,
    }


def headline(result: Mapping[str, Any]) -> dict[str, tuple[float | None, str | None]]:
    """Return the few numbers that the stage records: by name a value, and why it is null where it is."""
    metric = result["metric"]
    noise, attack, second = (result[name] for name in ("corruptions", "adversarial", "second_dataset"))
    found = {
        f"clean.{metric}": (result["clean"]["value"], None),
        f"gaussian_noise.2.{metric}": (noise["gaussian_noise"]["strengths"]["2"]["value"], None),
        f"fgsm.2.{metric}": (
            attack["strengths"]["2"]["value"] if attack else None,
            result["adversarial_missing_reason"],
        ),
    }
    return found | ({f"second_dataset.{metric}": (second["value"], None)} if second else {})


def aligned(second: Second, subject: Subject) -> Split:
    """Return the second dataset's examples with the class indices of the subject's own.

    Raises:
        ReproofError: when its examples have another shape, other names of features, or a class that is none
            of the subject's.
    """
    import numpy as np

    first, classes = subject.test, subject.classes

    def refuse(what: str, expected: str, found: str) -> ReproofError:
        return ReproofError(
            f"the second dataset has other {what} than the first, {subject.name}",
            where=f"robustness.second_data: {second.name}",
            expected=expected,
            found=found,
        )

    examples = second.examples
    if examples.x.shape[1:] != first.x.shape[1:]:
        raise refuse("features", f"shape {first.x.shape[1:]}", f"shape {examples.x.shape[1:]}")
    ours, theirs = ([*map(str, s.features)] if s.features is not None else [] for s in (first, examples))
    if ours != theirs:
        at = next((pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1]), ("", ""))
        raise refuse("names or another order of features", str(at[0]), str(at[1]))
    if unknown := sorted(set(second.classes) - set(classes)):
        raise refuse("classes", "some of " + ", ".join(classes[:20]), ", ".join(unknown[:20]))
    if not classes:  # of a regressor: targets are no indices
        return examples
    place = np.array([list(classes).index(name) for name in second.classes], dtype=np.int64)
    return Split(examples.x, place[examples.y], examples.ids, examples.groups, examples.features)


def _elsewhere(subject: Subject, second: Split, score: Score, clean: float) -> dict[str, Any]:
    assert subject.second is not None, "it is where the examples come from"
    found = summary(subject.metric, scored(score, second.x, second.y))
    return {
        "name": subject.second.name,
        "examples": len(second.y),
        **found,
        "change": found["value"] - clean,
    }


def _by_group(metric: Metric, test: Split, of_each: Array) -> tuple[dict[str, Any] | None, str | None]:
    if test.groups is None:
        return None, "the data names no groups"
    names = sorted({str(group) for group in test.groups})
    if len(names) > MAX_GROUPS:
        return None, f"{len(names):,} groups, more than {MAX_GROUPS}"
    members = {name: of_each[test.groups == name] for name in names}
    return {
        name: {"examples": len(values), **summary(metric, values)} for name, values in members.items()
    }, None


def _importance(
    subject: Subject, settings: Settings, part: Split, score: Score, scale: corruptions.Scale, seed: int
) -> tuple[dict[str, Any] | None, str | None]:
    metric = subject.metric
    if not settings.importance:
        return None, "robustness.importance is false in params.yaml"

    def graded(x: Array, targets: Array) -> Array:
        return metric.graded(subject.answers(x), targets)

    if part.x.ndim == 4:
        found = importance.occlusion(part.x, part.y, graded, metric=metric, scale=scale, seed=seed)
    elif part.x.ndim == 2:
        names = [f"column {i}" for i in range(part.x.shape[1])] if part.features is None else part.features
        found = importance.permutation(
            part.x, part.y, score, metric=metric, names=[*map(str, names)], seed=seed
        )
    else:
        return None, "the examples are neither images (channels, height, width) nor feature vectors"
    return found, None
