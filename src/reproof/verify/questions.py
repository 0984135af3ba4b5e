"""The two questions: does it come out as recorded, and does the finding hold with fresh seeds?"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reproof.invocation import LATEST
from reproof.record_values import mapping
from reproof.verify import chain, control, explain, factors, outcome, snapshot, statistics
from reproof.verify.execution import Attempt, Changes, attempt
from reproof.verify.explain import Cause
from reproof.verify.fetching import recorded_artefact
from reproof.verify.inputs import bring
from reproof.verify.kinds import Standing
from reproof.verify.levels import Verdict
from reproof.verify.options import Options
from reproof.verify.outcome import Outcome
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.recreate import Recreated
from reproof.verify.snapshot import Snapshot
from reproof.verify.stages import Plan, choose
from reproof.verify.tolerances import Tolerances
from reproof.verify.workplace import Workplace, workplace

_SPLITS = f"{LATEST}/split_checksums.json"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What every execution of one verification shares."""

    run: RecordedRun
    place: Workplace
    plan: Plan
    options: Options
    recreated: Recreated | None
    say: Say
    seconds: dict[str, float]

    def execute(self, changes: Changes) -> Attempt:
        """Run once, with the recorded packages where they were asked for."""
        if self.recreated is not None and changes.python is None:
            changes = replace(changes, python=self.recreated.python)
        return self.execute_here(changes)

    def execute_here(self, changes: Changes) -> Attempt:
        """Run once, with the packages of this environment unless `changes` names others."""
        return attempt(
            self.run,
            self.place,
            self.plan,
            changes=changes,
            allow_read=self.options.allow_read,
            say=self.say,
        )

    def snapshot(self, made: Attempt) -> Snapshot:
        """Return what an execution left."""
        return snapshot.of_attempt(self.run, made)


@dataclass(frozen=True)
class Answer:
    """What the executions say; the fields are those of `Verification`."""

    verdict: Verdict
    reasons: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    made: Snapshot
    outcome: Outcome | None = None
    control: control.Control | None = None
    replication: statistics.Replication | None = None
    links: tuple[chain.Link, ...] = ()
    causes: tuple[Cause, ...] | None = None
    factors: tuple[factors.Factor, ...] = field(default_factory=tuple)


def by_repeats(bench: Bench, allowed: Tolerances) -> Answer:
    """Execute the recorded seed, as often as asked, and compare each with the record."""
    fetch = functools.cache(functools.partial(recorded_artefact, bench.run, bench.place, bench.plan))
    attempts, made, outcomes = [], [], []
    for number in range(1, bench.options.repeats + 1):
        of = f" ({number} of {bench.options.repeats})" if bench.options.repeats > 1 else ""
        bench.say(f"executes {' '.join(bench.plan.executed)}{of}")
        attempts.append(bench.execute(Changes()))
        with timed(bench.seconds, "comparison"):
            made.append(bench.snapshot(attempts[-1]))
            outcomes.append(outcome.compare(bench.run, attempts[-1], allowed, fetch, made[-1]))
    repeated = control.of(made)
    verdict, worst = _weakest(outcomes)
    reasons, links = worst.reasons, tuple[chain.Link, ...]()
    if verdict is Verdict.NUMERIC:
        with timed(bench.seconds, "chain"):
            attempted = attempts[outcomes.index(worst)]
            links = chain.check(attempted, worst, functools.partial(_alone, bench, allowed, fetch))
        broken = [link for link in links if link.reason]
        if broken:
            of_links = {link.verdict for link in broken}
            verdict = Verdict.DIFFERENT if Verdict.DIFFERENT in of_links else Verdict.UNVERIFIABLE
            reasons = (*(link.reason for link in broken), *reasons)
    if repeated is not None and not repeated.identical:
        reasons = (str(repeated), *reasons)
        verdict = Verdict.NUMERIC if verdict is Verdict.BIT else verdict
    environment = factors.between(bench.run.stages, attempts[0].stages)
    causes = None
    if bench.options.explain:
        with timed(bench.seconds, "explanation"):
            causes = _causes(bench, made[0], outcomes[0], repeated, environment)
    return Answer(
        verdict,
        reasons,
        tuple(attempts),
        made[0],
        worst,
        repeated,
        links=links,
        causes=causes,
        factors=environment,
    )


def _alone(bench: Bench, allowed: Tolerances, fetch: Callable[[str], Path | None], stage: str) -> Outcome:
    """Execute one stage from its recorded inputs, in a workplace of its own, and compare."""
    bench.say(f"executes {stage} from the recorded files that it reads")
    with workplace(bench.run, fresh_clone=bench.options.fresh_clone) as place:
        plan = choose(bench.run, place, only=[stage])
        bring(bench.run, place, plan)
        made = replace(bench, place=place, plan=plan).execute(Changes())
        return outcome.compare(bench.run, made, allowed, fetch)


def _weakest(outcomes: Sequence[Outcome]) -> tuple[Verdict, Outcome]:
    """The verdict of several attempts is that of the worst of them: the others may have been luck."""
    order = (Verdict.DIFFERENT, Verdict.UNVERIFIABLE, Verdict.STATISTICAL, Verdict.NUMERIC, Verdict.BIT)
    worst = min(outcomes, key=lambda one: order.index(one.verdict))
    return worst.verdict, worst


def _causes(
    bench: Bench,
    made: Snapshot,
    compared: Outcome,
    repeated: control.Control | None,
    environment: Sequence[factors.Factor],
) -> tuple[Cause, ...]:
    recorded = snapshot.of_record(bench.run, bench.plan.executed)
    # Of some files only the recorded file itself could tell that they are the same.
    same = [line.path for line in compared.artefacts if line.standing is Standing.IDENTICAL]
    artefacts = {**recorded.artefacts, **{path: made.artefacts[path] for path in same}}
    recorded = replace(recorded, artefacts=artefacts)

    def execute(changes: Changes) -> Snapshot:
        what = {**changes.params, **{name: value or "unset" for name, value in changes.env.items()}}
        bench.say(f"executes with {', '.join(f'{name}={value}' for name, value in what.items())}")
        return bench.snapshot(bench.execute(changes))

    found = explain.explain(recorded, made, repeated, environment, execute)
    if bench.recreated is not None:
        bench.say("executes with the packages that are installed here")
        here = bench.execute_here(Changes())
        others = [
            one
            for one in factors.between(bench.run.stages, here.stages)
            if one.kind == "package" and one.same is False
        ]
        of_packages = explain.of_packages(recorded, made, bench.snapshot(here), others)
        found = (*filter(None, [of_packages]), *found)
    return found


def by_seeds(bench: Bench) -> Answer:
    """Execute with fresh seeds, and ask whether the recorded headline metrics are of their kind."""
    seeds = statistics.fresh_seeds(bench.run.commit, bench.run.run.seed, bench.options.new_seeds)
    attempts, made = [], []
    for number, seed in enumerate(seeds, start=1):
        bench.say(f"executes {' '.join(bench.plan.executed)} with seed {seed} ({number} of {len(seeds)})")
        attempts.append(bench.execute(Changes(params={"seed": seed})))
        made.append(bench.snapshot(attempts[-1]))
    recorded = snapshot.of_record(bench.run, bench.plan.executed)
    headline = {
        short: metric
        for short, metric in mapping(bench.run.params, "summary").items()
        if isinstance(metric, str)
    }
    left_out = {**recorded.left_out, **made[0].left_out}
    found = statistics.replicate(headline, recorded.metrics, seeds, [one.metrics for one in made], left_out)
    reasons = [
        f"{one.name} {one.recorded:.6g} lies outside {one.interval[0]:.6g} to {one.interval[1]:.6g}"
        for one in found.metrics
        if one.inside is False
    ]
    reasons += [
        f"{one.name} was {one.values[0]:.6g} with each of {len(seeds)} seeds, which differ in other metrics: "
        f"that is no spread to judge {one.recorded:.6g} by; ask for more seeds"
        for one in found.metrics
        if one.inside is None
    ]
    if not found.metrics:
        reasons.append("no headline metric could be judged: " + "; ".join(found.missing.values()))
    lost = [
        short
        for short in found.missing
        if recorded.metrics.get(headline[short]) is not None and headline[short] not in left_out
    ]
    reasons += [f"{short} cannot be judged: {found.missing[short]}" for short in lost if found.replicates]
    splits = {one.artefacts[_SPLITS].digest for one in (recorded, *made) if _SPLITS in one.artefacts}
    if len(splits) > 1:
        reasons.append("the splits move with the seed: the spread is that of data and training together")
    verdict = {True: Verdict.STATISTICAL, False: Verdict.DIFFERENT, None: Verdict.UNVERIFIABLE}
    return Answer(
        verdict[None if lost and found.replicates else found.replicates],
        tuple(reasons),
        tuple(attempts),
        made[0],
        replication=found,
        factors=factors.between(bench.run.stages, attempts[0].stages),
    )


@contextlib.contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
