"""The first sentence of a difference: what two runs share, what they do not, and what came of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diff_runs as runs
import numpy as np
import pytest
from diff_runs import TRAIN, Made, answers, run_of

from reproof import history
from reproof.comparison import rules_of
from reproof.difference import findings
from reproof.difference.whole import Difference, between
from reproof.evaluation import Predictions


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = runs.project(tmp_path_factory.mktemp("findings") / "project")
    runs.add(project, "a", run_of())
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


def compared(project: Path, a: str = "a", b: str = "b") -> Difference:
    rows = history.read_rows(project)
    return between(project, rows.find(a), rows.find(b), rules_of(run_of().params))


def lr(made: Made) -> None:
    made.params["train"]["lr"] = 0.2


def many_params(made: Made) -> None:
    made.params["train"] |= {f"p{index}": index for index in range(7)}


def seed(made: Made) -> None:
    made.params["seed"] = 1


def packages(made: Made) -> None:
    made.meta["packages"] |= {"numpy": "2.4.6", "attrs": "26.0"}
    made.meta["pinned"]["threads"] = made.meta["pinned"]["torch"]["threads"] = made.params["threads"] = 8


def only_packages_beside(made: Made) -> None:
    made.meta["packages"]["attrs"] = "26.0"


def new_gpu(made: Made) -> None:
    made.meta |= {"fingerprint": "0" * 12, "gpus": {"0": {"name": "H100"}}, "gpu_driver": "560"}


def another_machine(made: Made) -> None:
    made.meta |= {"fingerprint": "0" * 12, "cpu": made.meta["cpu"] | {"usable_cores": 64}}


def code(made: Made) -> None:
    made.code["src/train.py"] = TRAIN.replace("return 0.1", "return 0.2").replace("LIMIT = 3", "LIMIT = 4")


def comments(made: Made) -> None:
    made.code["src/train.py"] = TRAIN + "# Words.\n"
    made.code["README.md"] = "Theirs.\n"


def data(made: Made) -> None:
    made.answers["test"] = answers(first=5)


def features(made: Made) -> None:
    made.x = lambda name: -1.0 if name in ("x0001", "x0002") else float(name[1:])


def ids(made: Made) -> None:
    made.answers["test"] = replace(answers(), ids=np.roll(answers().ids, 1))
    own = dict(zip(made.answers["test"].ids.tolist(), answers().ids.tolist(), strict=True))
    made.x = lambda name: float(own.get(name, name)[1:])


def no_meta_of_the_environment(made: Made) -> None:
    for key in ("packages", "cpu", "pinned", "fingerprint"):
        made.meta[key] = None


ALL = "same code, data, params, packages and machine"


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ([packages], "same code, data and params; numpy 2.3 → 2.4, threads 2 → 8"),
        ([], f"{ALL}; nothing that is recorded differs"),
        ([lr], "same code, data, packages and machine; train.lr 0.1 → 0.2"),
        (
            [many_params],
            "same code, data, packages and machine; train.p0 (none) → 0, train.p1 (none) → 1, "
            "train.p2 (none) → 2, train.p3 (none) → 3, 3 more params",
        ),
        ([seed], f"{ALL}; seed 0 → 1"),
        (
            [only_packages_beside],
            "same code, data, params and machine; nothing that numbers depend on differs",
        ),
        ([new_gpu], "same code, data and params; GPU none → H100, GPU driver none → 560"),
        ([another_machine], "same code, data, params and packages; usable cores 2 → 64"),
        ([code], "same data, params, packages and machine; code: rate and module level in src/train.py"),
        ([comments], f"{ALL}; nothing that numbers depend on differs"),
        ([data], "same code, params, packages and machine; data: test +5 −5 examples"),
        ([features], "same code, params, packages and machine; data: test: 2 examples changed"),
        ([ids], "same code, params, packages and machine; data: test: the same examples under other ids"),
        (
            [lr, data, code, seed, packages],
            "train.lr 0.1 → 0.2, data: test +5 −5 examples, code: rate and module level in src/train.py, "
            "seed 0 → 1, numpy 2.3 → 2.4, threads 2 → 8",
        ),
        ([no_meta_of_the_environment], "same code, data and params; not known: packages and machine"),
    ],
)
def test_the_first_sentence_says_what_probably_matters(
    project: Path, edits: list[Callable[[Made], None]], sentence: str
) -> None:
    made = run_of()
    for edit in edits:
        edit(made)
    runs.add(project, "b", made)
    assert findings.headline(compared(project)) == sentence


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("2.3.1", "2.4.6", "2.3 → 2.4"),
        ("2.4.5", "2.4.6", "2.4.5 → 2.4.6"),
        ("1.26.4", "2.0.1", "1.26 → 2.0"),
        ("2.13.0+cpu", "2.13.0+cu128", "2.13.0+cpu → 2.13.0+cu128"),
        ("1.0", "1.0.1", "1.0 → 1.0.1"),
        ("3", "4", "3 → 4"),
    ],
)
def test_versions_are_told_as_far_as_they_differ(before: str, after: str, said: str) -> None:
    assert " ".join(findings._versions(before, after)) == said


def test_two_names_of_one_run_are_said_to_be_one(project: Path) -> None:
    found = compared(project, "a", "HEAD")
    assert findings.headline(found) == f"one run: both names stand for {found.a.run.run_id}"
    assert findings.consequence(found) is None


def consequence(project: Path, **changes: Any) -> str | None:
    runs.add(project, "b", run_of(**changes))
    return findings.consequence(compared(project))


def test_weights_that_differ_without_a_reason_are_the_news(project: Path) -> None:
    said = consequence(project, weights="other")
    assert said is not None
    assert said.startswith("the weights differ all the same: something that no record holds changes them")


def test_the_same_weights_are_said_to_be_the_same(project: Path) -> None:
    assert consequence(project) == "the model is the same, bit for bit"


def test_differences_that_have_not_reached_the_weights_are_told(project: Path) -> None:
    made = run_of()
    packages(made)
    runs.add(project, "b", made)
    said = findings.consequence(compared(project))
    assert said == "the model is the same, bit for bit: none of this reached its weights"


def test_a_reason_and_other_weights_need_no_word(project: Path) -> None:
    made = run_of(weights="other")
    lr(made)
    runs.add(project, "b", made)
    assert findings.consequence(compared(project)) is None


def test_a_training_from_the_run_cache_is_one_training(project: Path) -> None:
    made = run_of()
    made.executions = example_of_train(project)
    runs.add(project, "b", made)
    assert findings.consequence(compared(project)) == (
        "the model is the same: one training for both, from DVC's run cache"
    )


def example_of_train(project: Path) -> dict[str, str]:
    meta = json.loads((project / "results" / "latest" / "meta.json").read_text())
    return {"train": meta["stages"]["train"]["run_id"]}


def test_warnings_say_what_spoils_the_comparison(project: Path) -> None:
    made = run_of()
    made.meta |= {"status": "failed", "error": {"stage": "benchmark", "message": "no room"}}
    whole = answers(2000, 5)
    made.answers = {
        name: Predictions(whole.ids[rows], whole.labels[rows], whole.probabilities[rows])
        for name, rows in (("train", [*range(1002, 1060)]), ("test", [*range(200), 1000, 1001]))
    }
    made.params["summary"]["f1"] = "evaluate.test.f1"
    runs.add(project, "b", made)
    told = findings.warnings(compared(project))
    assert told[0] == "b failed in the stage benchmark: no room"
    assert told[1].startswith("one run trains on examples that the other tests on (2)")
    assert told[-1].startswith("nobody has said which way is better for f1: params.yaml: comparison:")
    assert "f1" in told[-1].partition("params.yaml")[2]


def test_what_the_verdicts_are_about_is_said_where_they_could_be_taken_for_more(project: Path) -> None:
    made = run_of(answers={"train": answers(60, 5, first=1000), "test": answers(seed=1, right=0.6)})
    seed(made)
    runs.add(project, "b", made)
    assert findings.claim(compared(project)) == (
        "the verdicts are about these two models: of one method, and two of its seeds"
    )
    lr(made)
    runs.add(project, "c", made)
    assert str(findings.claim(compared(project, "a", "c"))).endswith(
        "several seeds of each: reproof compare --all --baseline a"
    )
    assert findings.claim(compared(project, "a", "a")) is None


def test_data_that_git_holds_is_told_with_the_data_and_not_with_the_code(project: Path) -> None:
    for name, text in (("a2", "1,2\n"), ("b", "1,3\n")):
        made = run_of()
        made.code["data/x.csv"] = text
        made.inputs = {"data/x.csv": f"sha256:{name}"}
        if name == "b":
            features(made)
        runs.add(project, name, made)
    said = findings.headline(compared(project, "a2"))
    assert said == "same code, params, packages and machine; data: test: 2 examples changed"
