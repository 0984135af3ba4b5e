"""What a reader of a file passes over: a name that stands twice, a number that is an id, a link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from corpus_case import CANNOT, DIFFERENT, DIFFERS, LATEST, UNVERIFIABLE, Case, forge
from verify_project import World

BEFORE = "    runlog.write_curves("


def exchanged(name: str, recorded: str, forged: str, stage: str = "train") -> Callable[[World], None]:
    """The training writes one more file; then its text is another, and every hash is made to fit."""

    def arrange(world: World) -> None:
        world.replace(
            "src/train.py",
            BEFORE,
            f"    stage.output({f'{LATEST}/{name}'!r}).write_text({recorded!r})\n{BEFORE}",
        )
        _declare(world, name)
        world.commit("One more output")
        world.record()
        (world.project / LATEST / name).write_text(forged)
        forge(world, stage)
        world.record()

    return arrange


def _declare(world: World, name: str) -> None:
    params = f"      - {LATEST}/params.ndjson\n"
    world.replace("dvc.yaml", params, f"{params}      - {LATEST}/{name}: {{cache: false}}\n")


def fields_swapped(world: World) -> None:
    """Numbers of a structured array change their names."""
    import numpy as np

    path = world.project / LATEST / "extra.npz"
    kinds = '[("loss", "<f8"), ("accuracy", "<f8")]'
    place = f'stage.output("{LATEST}/extra.npz")'
    made = f"    np.savez({place}, a=np.array([(0.5, 0.9)], {kinds}))\n"
    world.replace("src/train.py", BEFORE, f"{made}{BEFORE}")
    _declare(world, "extra.npz")
    world.commit("One more output")
    world.record()
    held = np.load(path)["a"]
    np.savez(path, a=held.view([("accuracy", "<f8"), ("loss", "<f8")]))
    forge(world, "train")
    world.record()


def in_checkpoint(code: str, change: Callable[[Path], None] = lambda _: None) -> Callable[[World], None]:
    """The training leaves something else beside the weights; what is recorded of it is changed everywhere."""

    def arrange(world: World) -> None:
        world.replace("src/train.py", BEFORE, f"{code}\n{BEFORE}")
        world.commit("More in the checkpoint")
        world.record()
        change(world.project / LATEST / "checkpoint")
        forge(world, "train")
        world.record()

    return arrange


def another_state(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = folder / "state.safetensors"
    held = load_file(path)["momentum"]
    path.unlink()
    save_file({"momentum": held * 1000 + 7}, path)


def another_link(folder: Path) -> None:
    (folder / "best").unlink()
    (folder / "best").symlink_to("b")


def page_behind_a_speed(world: World) -> None:
    """A page is exchanged where a speed that is logged is another each time."""
    world.replace(
        "src/train.py",
        '    log = stage.log("clouds")',
        '    import time\n    began = time.perf_counter()\n    log = stage.log("clouds")',
        '"train", {"loss": loss})',
        '"train", {"loss": loss, "samples_per_second": step / (time.perf_counter() - began)})',
        BEFORE,
        f'    stage.output("{LATEST}/page.html").write_text("<h1>accuracy 0.61</h1>")\n{BEFORE}',
    )
    _declare(world, "page.html")
    world.commit("A page")
    world.record()
    (world.project / LATEST / "page.html").write_text("<h1>accuracy 0.99</h1>")
    forge(world, "train")
    world.record()


def calibration_behind_a_probability(world: World) -> None:
    """One probability is another in its last digits, and calibration.csv says anything."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = world.project / LATEST
    text = "confidence,accuracy,examples\\n0.5,0.2,60\\n"
    made = f'    stage.output("{LATEST}/calibration.csv").write_text("{text}")\n'
    world.replace("src/evaluate_model.py", "    stage.write_json(", f"{made}    stage.write_json(")
    own = f"      - {LATEST}/evaluation.json: {{cache: false}}"
    world.replace("dvc.yaml", own, f"      - {LATEST}/calibration.csv: {{cache: false}}\n{own}")
    world.commit("A calibration")
    world.record()
    rows = pq.read_table(path / "predictions.parquet").to_pylist()
    rows[0]["probability_0"] += 1e-9
    (path / "predictions.parquet").unlink()
    pq.write_table(pa.Table.from_pylist(rows), path / "predictions.parquet")
    (path / "calibration.csv").write_text("confidence,accuracy,examples\n0.5,0.5,60\n")
    forge(world, "evaluate")
    world.record()


LINE = '{"metric": "m", "split": "t", "step": 1, "value": 1.0, "note": "poor"}\n'
LINKS = """    for name in "ab":
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "x.txt").write_text(name)
    (folder / "best").unlink(missing_ok=True)
    (folder / "best").symlink_to("a")"""
STATE = '    save_file({"momentum": weights * 2}, folder / "state.safetensors")'
IGNORED = '    (folder / ".gitignore").write_text("# accuracy 0.6\\n")'
BITS = ("--require", "bit")


def _of_text(what: str, name: str, recorded: str, forged: str) -> Case:
    return Case(f"{what}, everywhere", DIFFERENT, DIFFERS, exchanged(name, recorded, forged), "extra")


CASES = [
    _of_text(
        "the first of two columns of one name", "extra.csv", "c,s,s\na,0.5,0.6\n", "c,s,s\na,0.99,0.6\n"
    ),
    _of_text(
        "an id within the tolerance of numbers", "extra.csv", "id,s\n1000000,0.6\n", "id,s\n1000090,0.6\n"
    ),
    _of_text("an id that begins with noughts", "extra.csv", "id,s\n007,0.6\n", "id,s\n7,0.6\n"),
    _of_text(
        "a name with a dot, which another value has too",
        "extra.json",
        '{"t.a": 0.5, "t": {"a": 0.6}}',
        '{"t.a": 0.99, "t": {"a": 0.6}}',
    ),
    _of_text(
        "a count within the tolerance of numbers", "extra.json", '{"kept": [1000020]}', '{"kept": [1000090]}'
    ),
    _of_text("a second value of one name", "extra.json", '{"a": 0.6}', '{"a": 0.99, "a": 0.6}'),
    _of_text("an object in the place of a list", "extra.json", '{"a": ["x"]}', '{"a": {"0": "x"}}'),
    _of_text(
        "a predicted time", "extra.json", '{"p": {"elapsed_seconds": 1.5}}', '{"p": {"elapsed_seconds": 9.5}}'
    ),
    _of_text("a note in a log", "extra.jsonl", LINE, LINE.replace("poor", "best")),
    _of_text("a second value of one step in a log", "extra.jsonl", LINE, LINE.replace("1.0", "99.0") + LINE),
    _of_text("a truth value in the place of a number", "extra.jsonl", LINE, LINE.replace("1.0", "true")),
    Case("the names of a structured array, everywhere", DIFFERENT, DIFFERS, fields_swapped, "extra", BITS),
    Case(
        "the training state alone, everywhere",
        DIFFERENT,
        DIFFERS,
        in_checkpoint(STATE, another_state),
        "state",
    ),
    Case(
        "words in a .gitignore of an output, everywhere",
        DIFFERENT,
        DIFFERS,
        in_checkpoint(
            IGNORED, lambda folder: (folder / ".gitignore").write_text("# accuracy 0.99\n") and None
        ),
        "gitignore",
    ),
    Case(
        "a link to another folder in an output",
        UNVERIFIABLE,
        CANNOT,
        in_checkpoint(LINKS, another_link),
        "a link",
    ),
    Case(
        "a page exchanged behind a speed that is logged",
        DIFFERENT,
        DIFFERS,
        page_behind_a_speed,
        r"page\.html",
    ),
    Case(
        "a calibration exchanged behind one probability",
        DIFFERENT,
        DIFFERS,
        calibration_behind_a_probability,
        "calibration",
    ),
]
