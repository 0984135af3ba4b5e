"""What params.yaml may hold in every project; the user's own model adds its blocks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Base of every block of params: no unknown keys, no silent conversion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Criterion(Params):
    """What counts as success, said before the run; `metric` is a number that a stage records.

    Such as `{metric: evaluate.test.accuracy, operator: ">=", target: 0.95}`.
    """

    metric: str
    operator: Literal[">=", ">", "<=", "<"]
    target: float = Field(allow_inf_nan=False)


class Budget(Params):
    """What a run may take: hours of computing, money in the price's currency, and further limits in words."""

    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    words: str | None = None


class Price(Params):
    """Of an hour of computing on the machine that runs it."""

    per_hour: float = Field(ge=0, allow_inf_nan=False)
    currency: str


class DatasetFacts(Params):
    """What no program can find out about the data."""

    source: str | None = None
    license: str | None = None
    citation: str | None = None
    target: str | None = None


class Report(Params):
    """What reports and cards print and nobody can measure; no stage computes anything from it.

    `base_model` is the model that training started from, `license` that of the trained model; both are
    names or addresses. `criteria` are objectives of the experiment, `inference_targets` those of the
    exported model.
    """

    title: str | None = None
    authors: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    license: str | None = None
    base_model: str | None = None
    dataset: DatasetFacts = DatasetFacts()
    criteria: dict[str, Criterion] = Field(default_factory=dict)
    inference_targets: dict[str, Criterion] = Field(default_factory=dict)
    budget: Budget = Budget()
    price: Price | None = None


class Judged(Params):
    """How a metric is compared: which way is better, and which difference makes none in practice.

    Such as `{better: higher, margin: 0.005}`; the margin has the metric's own unit.
    """

    better: Literal["higher", "lower"]
    margin: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Comparison(Params):
    """How runs are compared, said before they ran; no stage computes anything from it.

    `metrics` are short names of `summary`, or full ones such as `evaluate.test.f1`. `fail_on_regression`
    makes a headline metric that got worse an error in CI.
    """

    metrics: dict[str, Judged] = Field(default_factory=dict)
    fail_on_regression: bool = False


class Tolerance(Params):
    """Two numbers are the same computation's where they differ by no more than the larger of both.

    `absolute` has the numbers' own unit, `relative` is a share of the recorded number's size.
    """

    absolute: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    relative: float = Field(default=0.0, ge=0, lt=1, allow_inf_nan=False)


class Verify(Params):
    """What `reproof verify` counts as the same computation, said before the run: never as the same finding.

    `metrics` holds for every metric that `by_metric` does not name by its full name, such as
    `evaluate.test.loss`; `predictions` for every probability or regressed value of every example.
    """

    metrics: Tolerance = Tolerance(absolute=0.001, relative=0.001)
    by_metric: dict[str, Tolerance] = Field(default_factory=dict)
    predictions: Tolerance = Tolerance(absolute=0.01)


class RunParams(Params):
    """What every run has; the user's own model adds its blocks to it.

    `summary` names the few headline metrics of `dvc exp show`: `{short name: stage.metric}`, for example
    `{accuracy: evaluate.test.accuracy}`. `links` are addresses that no machine can know, such as a
    dashboard's. Threads are pinned because another number of them gives other bits. `environment` says
    what becomes of packages that are not those of requirements.lock: a warning, or an error. `report`
    holds what documents print and nobody can measure. `comparison` says which way each metric is better,
    `verify` how far the same run may come out otherwise.
    """

    seed: int = Field(ge=0, lt=2**32)
    threads: int = Field(ge=1, le=1024)
    deterministic: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    environment: Literal["warn", "strict"] = "warn"
    summary: dict[str, str]
    links: dict[str, str] = Field(default_factory=dict)
    report: Report = Report()
    comparison: Comparison = Comparison()
    verify: Verify = Verify()
