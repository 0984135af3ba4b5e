"""Part i: which of two models is faster? Interleaved, as the benchmark does it, and one after the other; on a
quiet machine and beside a neighbour that comes and goes."""

from __future__ import annotations

import sys
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import burner
import numpy as np
import onnx_chains
from claims import claim, counted, script
from measuring import BUILD, HERE, PYTHON, Failed, say, summary, told_by

from reproof import environment
from reproof.benchmark import Settings, Subject, paired

CHAIN = onnx_chains.Chain(layers=20, width=256, rows=256)
SLOWER_LAYERS = 23
LAYERS_RATIO = SLOWER_LAYERS / CHAIN.layers
ALLOWED_OFF = 0.05
"""How far the true ratio may lie from that of the layers, for the trials to be about what they claim."""

PLAIN, TURNED = "faster-first", "slower-first"
CONDITIONS = ("quiet", "burner")
METHODS = ("interleaved", "sequential")
OUTCOMES = ("right", "inconclusive", "wrong")


def measure(repeats: int, seconds: float, trials: int) -> dict[str, Any]:
    """Measure the true ratio for long, on the quiet machine; then decide it in so many short trials each.

    Raises:
        Failed: when a model could not be measured.
    """
    folders = make_models(BUILD / "ab")
    loop = [PYTHON, HERE / "pair_loop.py"]
    truth = summary([
        told_by([*loop, "alternated", folders[0], str(2 * seconds)], cwd=folders[0])["ratio"]
        for _ in range(repeats)
    ])  # fmt: skip
    say(f"  the true ratio: {truth['median']:.3f}")
    cores = environment.usable_cores()
    found: dict[str, dict[str, Any]] = {}
    for condition in CONDITIONS:
        found[condition] = {}
        for trial in range(trials):
            with burner.burning(cores, seed=trial) if condition == "burner" else nullcontext():
                found[condition][str(trial)] = told = one_trial(folders[trial % 2], trial)
            say(
                f"  {condition} {trial + 1}/{trials}: "
                + ", ".join(f"{m} {told[m]['outcome']}" for m in METHODS)
            )
    counts = {
        condition: {method: _outcomes(rows, method) for method in METHODS}
        for condition, rows in found.items()
    }
    off = summary([abs(ratio - LAYERS_RATIO) for ratio in truth["values"]])
    return {
        "layers": [CHAIN.layers, SLOWER_LAYERS],
        "true_ratio": truth,
        "burners": cores,
        "burns_s": list(burner.BURNS_S),
        "sleeps_s": list(burner.SLEEPS_S),
        "trials": found,
        "outcomes": counts,
        "medians_wrong": {
            condition: sum(row["sequential"]["outcome_of_medians"] == "wrong" for row in rows.values())
            for condition, rows in found.items()
        },
        "claims": {
            "apart": claim("the two models' true ratio, off 1.15", off, "at most", ALLOWED_OFF, ""),
            **{
                condition: counted(
                    f"interleaved A/B, {condition}: the wrong winner",
                    counts[condition]["interleaved"]["wrong"],
                    trials,
                )
                for condition in CONDITIONS
            },
        },
    }


def make_models(folder: Path) -> tuple[Path, Path]:
    """Write the two models and their input twice; in the second folder `first.onnx` is the slower one.

    Trials take the folders in turn, so that one who always gives the same answer is wrong half of the time.
    """
    slower = CHAIN._replace(layers=SLOWER_LAYERS)
    pairs = {PLAIN: (CHAIN, slower), TURNED: (slower, CHAIN)}
    for name, (first, second) in pairs.items():
        onnx_chains.write(folder / name / "first.onnx", first)
        onnx_chains.write(folder / name / "second.onnx", second)
        np.savez(folder / name / "samples.npz", x=onnx_chains.batch(CHAIN))
    return folder / PLAIN, folder / TURNED


def one_trial(folder: Path, trial: int) -> dict[str, Any]:
    """Let both methods decide, the sequential one with as many calls as the interleaved one took."""
    decided = interleaved(folder, seed=trial)
    command = [PYTHON, HERE / "pair_loop.py", "sequential", folder, str(decided["calls"])]
    return told_of(decided, told_by(command, cwd=folder), turned=folder.name == TURNED)


def told_of(decided: dict[str, Any], sequential: dict[str, float], *, turned: bool) -> dict[str, Any]:
    """Return what the methods say, as ratios of the slower model's time to that of the faster one.

    The sequential one is a script without this library: the smaller mean wins. What the medians of the same
    calls say stands beside it.

    Args:
        decided: by `interleaved`.
        sequential: by `pair_loop.py`.
        turned: whether `first` is the slower model.
    """

    def slower_to_faster(second_to_first: float) -> float:
        return 1 / second_to_first if turned else second_to_first

    ends = sorted(slower_to_faster(decided[name]) for name in ("low", "high"))
    of_means = slower_to_faster(sequential["ratio_of_means"])
    of_medians = slower_to_faster(sequential["ratio_of_medians"])
    faster = "second" if turned else "first"
    right = "right" if decided["winner"] == faster else "wrong"
    return {
        "calls": decided["calls"],
        "noisy": decided["noisy"],
        "interleaved": {
            "ratio": slower_to_faster(decided["ratio"]),
            "low": ends[0],
            "high": ends[1],
            "outcome": "inconclusive" if decided["winner"] is None else right,
        },
        "sequential": {
            "ratio": of_means,
            "ratio_of_medians": of_medians,
            "outcome": "right" if of_means > 1 else "wrong",
            "outcome_of_medians": "right" if of_medians > 1 else "wrong",
        },
    }


def interleaved(folder: Path, seed: int) -> dict[str, Any]:
    """Compare `first.onnx` and `second.onnx` by the benchmark itself, in its quick setting."""
    first, second = (
        Subject(root=folder, samples=Path("samples.npz"), samples_array="x", onnx=Path(f"{name}.onnx"))
        for name in ("first", "second")
    )
    settings = Settings(runtimes=["onnxruntime"], batch_sizes=[CHAIN.rows], quick=True)
    # A digest of its own, so that processes kept from a trial that was cut off are never taken for these.
    of_trial = {"trial": uuid.uuid4().hex}
    (cell,) = paired.measure(first, second, settings, model_digests=of_trial, seed=seed).values()
    if cell.a is None or cell.a.stages is None or cell.ratio is None or cell.ratio.ci95 is None:
        raise Failed(f"the comparison gave no ratio: {cell.reason}")
    return {
        "calls": cell.a.stages.end_to_end.n,
        "ratio": cell.ratio.b_over_a,
        "low": cell.ratio.ci95[0],
        "high": cell.ratio.ci95[1],
        "winner": {"a is faster": "first", "b is faster": "second"}.get(cell.decision or ""),
        "noisy": bool(cell.noisy),
    }


def _outcomes(rows: dict[str, Any], method: str) -> dict[str, int]:
    found = [row[method]["outcome"] for row in rows.values()]
    return {outcome: found.count(outcome) for outcome in OUTCOMES}


if __name__ == "__main__":
    sys.exit(script(lambda amounts: measure(amounts.repeats, amounts.seconds, amounts.trials)))
