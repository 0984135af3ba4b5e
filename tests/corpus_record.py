"""The record is edited after the run, in one place or in several."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from corpus_case import CONTRADICTS, LATEST, UNVERIFIABLE, Case, committed
from verify_project import World

SUMMARY, EVALUATION = f"{LATEST}/summary.json", f"{LATEST}/evaluation.json"
EVALUATE = f"{LATEST}/stages/evaluate.json"
WEIGHTS = f"{LATEST}/checkpoint"
ANSWERS = f"{LATEST}/predictions.parquet"


def json_edit(name: str, *keys: str | int, to: Any) -> Callable[[World], None]:
    """Set one value of a JSON file, and commit."""

    def arrange(world: World) -> None:
        world.edit_json(name, *keys, to=to)
        world.commit("Edited")

    return arrange


def lock_edit(stage: str, change: Callable[[dict[str, Any]], None]) -> Callable[[World], None]:
    """Change what dvc.lock says of a stage, and commit."""

    def arrange(world: World) -> None:
        edit_lock(world, stage, change)
        world.commit("Edited")

    return arrange


def edit_lock(world: World, stage: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = world.project / "dvc.lock"
    lock = yaml.safe_load(path.read_bytes())
    change(lock["stages"][stage])
    path.write_text(yaml.safe_dump(lock, sort_keys=False))


def _at(entries: list[dict[str, Any]], path: str) -> dict[str, Any]:
    return next(one for one in entries if one["path"] == path)


def metric_in_three_places(world: World) -> None:
    world.edit_json(SUMMARY, "metrics", "accuracy", to=0.99)
    world.edit_json(EVALUATE, "metrics", "test.accuracy", to=0.99)
    world.edit_json(EVALUATION, "splits", "test", "accuracy", to=0.99)
    world.commit("Better")


def other_weights(world: World, factor: float = 1.5) -> None:
    """Others in the workspace, where the recorded ones lay."""
    from safetensors.numpy import load_file, save_file

    path = world.project / WEIGHTS / "model.safetensors"
    path.chmod(0o644)
    weights = load_file(path)
    path.unlink()
    save_file({name: array * factor for name, array in weights.items()}, path)


def weights_swapped(world: World) -> None:
    """In DVC's cache and dvc.lock, wherever it names them; the stages' own records are left."""
    other_weights(world)
    world.dvc("commit", "--force", "--quiet", "train", "evaluate")
    world.commit("Other weights")


def weights_swapped_for_evaluation(world: World) -> None:
    """Other weights, evaluated anew; what evaluation read is put back, or `summarize` would refuse."""
    read = world.read(EVALUATE)["reads"][WEIGHTS]
    other_weights(world)
    world.dvc("commit", "--force", "--quiet", "train")
    world.dvc("repro", "evaluate")
    world.edit_json(EVALUATE, "reads", WEIGHTS, to=read)
    world.dvc("commit", "--force", "--quiet", "evaluate")
    world.record()


def weights_swapped_in_lock(world: World) -> None:
    """dvc.lock names another object of the cache as the output of the training, and as what was evaluated."""
    listing = world.object_of(WEIGHTS)
    files = json.loads(listing.read_text())
    folder = world.project / ".dvc" / "cache" / "files" / "md5"
    path = world.project / WEIGHTS / "model.safetensors"
    other = path.read_bytes()[:-1] + b"\x41"
    files[0]["md5"] = _keep(folder, other)
    text = json.dumps(files).encode()
    md5 = _keep(folder, text, ".dir")
    for stage, kind in (("train", "outs"), ("evaluate", "deps")):
        edit_lock(world, stage, lambda one, kind=kind: _at(one[kind], WEIGHTS).update(md5=md5))
    world.commit("Other weights")


def _keep(folder: Path, data: bytes, ending: str = "") -> str:
    md5 = hashlib.md5(data).hexdigest() + ending
    (folder / md5[:2]).mkdir(exist_ok=True)
    (folder / md5[:2] / md5[2:]).write_bytes(data)
    return md5


def split_member_deleted(world: World) -> None:
    name = f"{LATEST}/split_manifest.json"
    manifest = world.read(name)
    manifest["ids"]["test"].pop()
    manifest["sizes"]["test"] -= 1
    (world.project / name).write_text(json.dumps(manifest, indent=2))
    world.commit("One less")


CASES = [
    Case(
        "a metric in summary.json",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(SUMMARY, "metrics", "accuracy", to=0.99),
        r"summary\.json: metrics\.accuracy",
    ),
    Case(
        "a metric in a stage's record",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(EVALUATE, "metrics", "test.accuracy", to=0.99),
        "test.accuracy",
    ),
    Case(
        "a number in evaluation.json",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(EVALUATION, "splits", "test", "loss", to=0.01),
        r"evaluation\.json",
    ),
    Case(
        "a metric in summary, stage and evaluation, not in dvc.lock",
        UNVERIFIABLE,
        CONTRADICTS,
        metric_in_three_places,
        r"dvc\.lock",
    ),
    Case(
        "the seed in meta.json",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(f"{LATEST}/meta.json", "seed", to=9),
        r"meta\.json: seed",
    ),
    Case(
        "the machine in meta.json",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(f"{LATEST}/meta.json", "fingerprint", to="0" * 12),
        "fingerprint",
    ),
    Case(
        "a digest in digests.json",
        UNVERIFIABLE,
        CONTRADICTS,
        json_edit(f"{LATEST}/digests.json", "artefacts", WEIGHTS, to="sha256:" + "0" * 64),
        r"digests\.json",
    ),
    Case(
        "the command in dvc.lock",
        UNVERIFIABLE,
        CONTRADICTS,
        lock_edit("train", lambda one: one.update(cmd="python src/other.py")),
        r"dvc\.lock: train: cmd",
    ),
    Case(
        "a param in dvc.lock",
        UNVERIFIABLE,
        CONTRADICTS,
        lock_edit("train", lambda one: one["params"]["params.yaml"].update(seed=9)),
        r"dvc\.lock: train",
    ),
    Case(
        "the hash of the weights in dvc.lock",
        UNVERIFIABLE,
        CONTRADICTS,
        lock_edit("train", lambda one: _at(one["outs"], WEIGHTS).update(md5="0" * 32 + ".dir")),
        r"dvc\.lock",
    ),
    Case(
        "a param in params.yaml",
        UNVERIFIABLE,
        CONTRADICTS,
        committed(("params.yaml", "lr: 0.3", "lr: 0.1")),
        r"config\.yaml = params\.yaml",
    ),
    Case(
        "the seed in params.yaml and config.yaml",
        UNVERIFIABLE,
        CONTRADICTS,
        committed(("params.yaml", "seed: 42", "seed: 4"), (f"{LATEST}/config.yaml", "seed: 42", "seed: 4")),
        "seed",
    ),
    Case(
        "the tolerances in params.yaml",
        UNVERIFIABLE,
        CONTRADICTS,
        committed(("params.yaml", "absolute: 0.0001", "absolute: 0.5")),
        r"config\.yaml = params\.yaml",
    ),
    Case("the weights swapped, and dvc.lock with them", UNVERIFIABLE, CONTRADICTS, weights_swapped, ""),
    Case(
        "the weights swapped by another object of the cache, and dvc.lock with them",
        UNVERIFIABLE,
        CONTRADICTS,
        weights_swapped_in_lock,
        "",
    ),
    Case(
        "the same; evaluation alone is asked for",
        UNVERIFIABLE,
        CONTRADICTS,
        weights_swapped_in_lock,
        "",
        ("--stage", "evaluate"),
    ),
    Case(
        "the weights swapped, and evaluated anew",
        UNVERIFIABLE,
        CONTRADICTS,
        weights_swapped_for_evaluation,
        "it was exchanged",
    ),
    Case(
        "a member of the test split, in the manifest",
        UNVERIFIABLE,
        CONTRADICTS,
        split_member_deleted,
        "split_manifest",
    ),
    Case(
        "a number in the report",
        UNVERIFIABLE,
        CONTRADICTS,
        committed(("reports/experiment.md", "accuracy: 0.", "accuracy: 0.9")),
        r"reports/experiment\.md",
    ),
]
"""What one place says another place denies: exit code 5, mostly before anything is executed."""
