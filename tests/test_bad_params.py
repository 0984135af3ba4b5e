"""Mistakes in params.yaml: rows `params-…` of docs/reference/errors.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs import assert_recorded, assert_told, nothing_lost, stage_fails
from conftest import PARAMS
from stages import read, record, stage, write


@pytest.fixture
def project(git_project: Path) -> Path:
    """A project whose stage would say if it ran."""
    write(git_project, "stage.metric('loss', 0.5)")
    return git_project


def fails_with(slug: str, project: Path, params: str | bytes) -> None:
    (project / "params.yaml").write_bytes(params if isinstance(params, bytes) else params.encode())
    stage_fails(slug, project)


def test_params_unknown_key(project: Path) -> None:
    fails_with("params-unknown-key", project, PARAMS.replace("threads", "treads"))


def test_params_unknown_block(project: Path) -> None:
    fails_with("params-unknown-block", project, PARAMS + "augment:\n  flip: true\n")


def test_params_missing_key(project: Path) -> None:
    fails_with("params-missing-key", project, PARAMS.replace("seed: 0\n", ""))


def test_params_wrong_type(project: Path) -> None:
    fails_with("params-wrong-type", project, PARAMS + "clip: fast\n")


def test_params_word_for_a_boolean(project: Path) -> None:
    fails_with("params-word-for-a-boolean", project, PARAMS + "deterministic: yes\n")


def test_params_out_of_range(project: Path) -> None:
    fails_with("params-out-of-range", project, PARAMS.replace("threads: 1", "threads: 0"))


def test_params_not_a_choice(project: Path) -> None:
    fails_with("params-not-a-choice", project, PARAMS + "device: gpu\n")


def test_params_several_mistakes(project: Path) -> None:
    fails_with("params-several-mistakes", project, PARAMS.replace("seed: 0", "seed: -1") + "clip: fast\n")


def test_params_empty(project: Path) -> None:
    fails_with("params-empty", project, "")


def test_params_a_list(project: Path) -> None:
    fails_with("params-a-list", project, "- seed: 0\n- threads: 1\n")


def test_params_two_documents(project: Path) -> None:
    fails_with("params-two-documents", project, PARAMS + "---\nseed: 1\n")


def test_params_a_number_for_a_key(project: Path) -> None:
    fails_with("params-a-number-for-a-key", project, PARAMS + "10: 0.1\n")


def test_params_duplicate_key(project: Path) -> None:
    fails_with("params-duplicate-key", project, PARAMS + "seed: 1\n")


def test_params_a_tab(project: Path) -> None:
    fails_with("params-a-tab", project, PARAMS + "\tclip: 2.0\n")


def test_params_merge_conflict(project: Path) -> None:
    conflict = "<<<<<<< HEAD\nclip: 1.0\n=======\nclip: 2.0\n>>>>>>> theirs\n"
    fails_with("params-merge-conflict", project, PARAMS + conflict)


def test_params_not_utf8(project: Path) -> None:
    fails_with("params-not-utf8", project, PARAMS.encode() + "# größer\n".encode("latin-1"))


def test_params_control_character(project: Path) -> None:
    fails_with("params-control-character", project, PARAMS + "clip: 1\x07\n")


def test_params_huge_file(project: Path) -> None:
    fails_with("params-huge-file", project, PARAMS + f"layers: [{'1, ' * 400_000}1]\n")


def test_params_huge_number(project: Path) -> None:
    fails_with("params-huge-number", project, PARAMS.replace("seed: 0", f"seed: {'1' * 5000}"))


def test_params_deep_nesting(project: Path) -> None:
    fails_with("params-deep-nesting", project, PARAMS + f"layers: {'[' * 5000}{']' * 5000}\n")


def test_params_aliases_that_explode(project: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    fails_with("params-aliases-that-explode", project, PARAMS + "\n".join(lines) + "\n")


def test_params_alias_in_itself(project: Path) -> None:
    fails_with("params-alias-in-itself", project, PARAMS + "layers: &all [1, *all]\n")


def test_params_python_tag(project: Path) -> None:
    fails_with("params-python-tag", project, PARAMS + "clip: !!python/object/apply:os.getpid []\n")


def test_params_anchors(project: Path) -> None:
    text = PARAMS + "blocks: [&base {width: 8, depth: 2}, {<<: *base, depth: 4}]\n"
    (project / "params.yaml").write_text(text)
    with nothing_lost(project):
        stage(project, check=True)
    assert_recorded("params-anchors", record(project))


def test_params_exponent_without_a_point(project: Path) -> None:
    (project / "params.yaml").write_text(PARAMS + "clip: 1e-05\n")
    stage(project, check=True)
    assert_recorded("params-exponent-without-a-point", record(project))


def test_params_config_missing(project: Path) -> None:
    stage_fails("params-config-missing", project, "--config", "results/gone/config.yaml", begins=False)


def test_params_a_folder(project: Path) -> None:
    (project / "params.yaml").unlink()
    (project / "params.yaml").mkdir()
    stage_fails("params-a-folder", project, begins=False)


def test_params_summary_names_no_metric(project: Path) -> None:
    """By hand with a config of its own, so that the stage writes the summary too."""
    other = PARAMS.replace("evaluate.accuracy", "train.los")
    (project / "other.yaml").write_text(other)
    with nothing_lost(project):
        done = stage(project, "--config", "other.yaml", "--results", "results/other")
    assert_told("params-summary-names-no-metric", done)
    assert read(project, "other/summary.json")["status"] == "failed"
