"""What changes bits: clocks, seeds, threads, races, the order of sets, names of a machine, packages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from corpus_case import (
    BIT,
    CANNOT,
    DIFFERENT,
    DIFFERS,
    MET,
    NUMERIC,
    UNVERIFIABLE,
    Case,
    own_environment,
    recorded_anew,
    use,
)
from verify_project import World

TRAIN = "src/train.py"
IMPORT = "import numpy as np"
START = "np.random.normal(size=(3, 3))"
FOLDER = "    folder.mkdir(exist_ok=True)\n"


def beside_the_weights(imports: str, code: str) -> Callable[[World], None]:
    """The training writes one more file into the checkpoint; `code` has `folder`."""
    return recorded_anew((TRAIN, IMPORT, f"{imports}\n{IMPORT}", FOLDER, f"{FOLDER}    {code}\n"))


def variable(name: str, value: str) -> Callable[[World], None]:
    """A variable of the author's that the training takes its rate from."""

    def arrange(world: World) -> None:
        world.env[name] = value
        recorded_anew(
            (TRAIN, IMPORT, f"import os\n{IMPORT}",
             "weights -= params.lr", f'weights -= float(os.environ.get("{name}", params.lr))')
        )(world)  # fmt: skip

    return arrange


def machine_name(world: World) -> None:
    world.author_env["HOSTNAME"] = "ada-laptop"
    beside_the_weights("import os", '(folder / "made.txt").write_text(os.environ.get("HOSTNAME", ""))')(world)


def on_one_core(world: World) -> None:
    """Sums in as many parts as there are cores: recorded where there was one."""
    world.author_cores = 1
    recorded_anew(
        (TRAIN, IMPORT, f"import os\n{IMPORT}",
         "weights -= params.lr * x[rows].T @ (probabilities - np.eye(3)[y[rows]]) / len(rows)",
         "error = probabilities - np.eye(3)[y[rows]]\n"
         "        count = 3 if len(os.sched_getaffinity(0)) > 1 else 1\n"
         "        parts = np.array_split(np.arange(len(rows)), count)\n"
         "        weights -= params.lr * sum(x[rows][part].T @ error[part] for part in parts) / len(rows)")
    )(world)  # fmt: skip


def racy(world: World) -> None:
    world.replace("params.yaml", "threads: 1", "threads: 2", "deterministic: true", "deterministic: false")
    world.replace(
        "params.yaml", "absolute: 0.0001", "absolute: 0.000000001", "relative: 0.0001", "relative: 0.0"
    )
    use(world, "train_racy.py")


def steady(world: World) -> None:
    """The same code, and the flag that makes it steady."""
    world.replace("params.yaml", "threads: 1", "threads: 2")
    use(world, "train_racy.py")


def _with_package(world: World) -> Path:
    packages = own_environment(world)
    package(packages, "1.0", 1.5)
    recorded_anew(
        (TRAIN, IMPORT, f"import halfway\n{IMPORT}", "params.lr *", "halfway.FACTOR * params.lr *")
    )(world)
    return packages


def package_upgraded(world: World) -> None:
    """A package of the author's environment that computes another number since."""
    package(_with_package(world), "2.0", 1.4)


def package_same(world: World) -> None:
    """An environment of the author's own, and nothing else of it."""
    _with_package(world)


def package(packages: Path, version: str, factor: float) -> None:
    for old in packages.glob("halfway*"):
        (shutil.rmtree if old.is_dir() else type(old).unlink)(old)
    (packages / "halfway.py").write_text(f"FACTOR = {factor}\n")
    info = packages / f"halfway-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: halfway\nVersion: {version}\n")


accuracy_of_the_recorded_seed_alone = recorded_anew(
    (
        "src/evaluate_model.py",
        '            stage.metric(f"{name}.{metric}", value)',
        '            own = metric == "loss" or "seed: 42" in open("params.yaml").read()\n'
        '            stage.metric(f"{name}.{metric}", value if own else None, reason="diverged")',
    )
)
"""A headline metric that fresh seeds do not measure."""


def outlier(world: World) -> None:
    """A result that no seed gives: a variable of the author's made the rate another one."""
    variable("RATE", "0.0001")(world)


ORDER = '"".join({str(number) for number in range(50)})'

CASES = [
    Case(
        "a metric that fresh seeds do not measure; three of them",
        UNVERIFIABLE,
        CANNOT,
        accuracy_of_the_recorded_seed_alone,
        "accuracy cannot be judged",
        ("--new-seed", "3"),
    ),
    Case(
        "a seed out of the clock",
        DIFFERENT,
        DIFFERS,
        recorded_anew(
            (
                TRAIN,
                IMPORT,
                f"import time\n{IMPORT}",
                START,
                "np.random.default_rng(time.time_ns()).normal(size=(3, 3))",
            )
        ),
        "checkpoint",
    ),
    Case(
        "a seed of the system's, executed twice",
        DIFFERENT,
        DIFFERS,
        recorded_anew((TRAIN, START, "np.random.default_rng().normal(size=(3, 3))")),
        '"control": {',
        ("--repeats", "2"),
    ),
    Case(
        "the time in an output",
        DIFFERENT,
        DIFFERS,
        beside_the_weights("import time", '(folder / "made.txt").write_text(str(time.time()))'),
        r"made\.txt",
    ),
    Case(
        "the time in an output, under the key `timestamp`, and bits are asked for",
        NUMERIC,
        DIFFERS,
        beside_the_weights(
            "import json\nimport time",
            '(folder / "made.json").write_text(json.dumps({"timestamp": time.time()}))',
        ),
        r"made\.json",
        ("--require", "bit"),
    ),
    Case(
        "the time in the head of a .gz file, and bits are asked for",
        NUMERIC,
        DIFFERS,
        beside_the_weights("import gzip", 'gzip.open(folder / "made.csv.gz", "wb").write(b"1")'),
        r"made\.csv\.gz",
        ("--require", "bit"),
    ),
    Case("the machine's name in an output", DIFFERENT, DIFFERS, machine_name, r"made\.txt"),
    Case(
        "the checkout's path in an output",
        DIFFERENT,
        DIFFERS,
        beside_the_weights("from pathlib import Path", '(folder / "made.txt").write_text(str(Path.cwd()))'),
        r"made\.txt",
    ),
    Case(
        "the process id in a metric",
        DIFFERENT,
        DIFFERS,
        recorded_anew(
            (
                TRAIN,
                IMPORT,
                f"import os\n{IMPORT}",
                '    stage.metric("train.loss", loss)',
                '    stage.metric("train.loss", loss)\n    stage.metric("size", os.getpid())',
            )
        ),
        "train.size",
    ),
    Case(
        "a random name in an output folder",
        DIFFERENT,
        DIFFERS,
        beside_the_weights("import uuid", '(folder / uuid.uuid4().hex).write_text("")'),
        "checkpoint",
    ),
    Case(
        "the order of a set, in the stage",
        BIT,
        MET,
        beside_the_weights("", f'(folder / "made.txt").write_text({ORDER})'),
        "",
        ("--require", "bit"),
    ),
    Case(
        "the order of a set, in a process that has no hash seed",
        DIFFERENT,
        DIFFERS,
        beside_the_weights(
            "import os, subprocess, sys",
            f"env = {{k: v for k, v in os.environ.items() if k != 'PYTHONHASHSEED'}}\n"
            f"    code = 'print({ORDER.replace(chr(34), chr(92) + chr(34))})'.replace(chr(92), '')\n"
            '    order = subprocess.check_output([sys.executable, "-c", code], env=env)\n'
            '    (folder / "made.txt").write_bytes(order)',
        ),
        r"made\.txt",
    ),
    Case(
        "safetensors with three metadata keys, in whatever order",
        BIT,
        MET,
        recorded_anew(
            (TRAIN, '"model.safetensors")', '"model.safetensors", {"a": "1", "b": "2", "c": "3"})')
        ),
        "",
        ("--require", "bit"),
    ),
    Case(
        "a rate out of a variable of the author's", DIFFERENT, DIFFERS, variable("RATE", "0.5"), "checkpoint"
    ),
    Case(
        "a rate out of a variable of the author's; three fresh seeds",
        DIFFERENT,
        DIFFERS,
        outlier,
        "loss",
        ("--new-seed", "3"),
    ),
    Case(
        "sums in as many parts as there are cores",
        NUMERIC,
        MET,
        on_one_core,
        "checkpoint",
        needs=("two cores",),
    ),
    Case(
        "sums in as many parts as there are cores, and bits are asked for",
        NUMERIC,
        DIFFERS,
        on_one_core,
        "checkpoint",
        ("--require", "bit"),
        ("two cores",),
    ),
    Case(
        "a race of two threads, executed twice, and bits are asked for",
        DIFFERENT,
        DIFFERS,
        racy,
        r'"control": {[^}]*"differing": \[\s*"',
        ("--require", "bit", "--repeats", "2"),
        ("two cores",),
    ),
    Case(
        "the same with the deterministic flag, executed twice",
        BIT,
        MET,
        steady,
        '"control": {',
        ("--require", "bit", "--repeats", "2"),
    ),
    Case("a package that was upgraded since", DIFFERENT, DIFFERS, package_upgraded, "halfway"),
    Case("the same, the package as it was", BIT, MET, package_same, "", ("--require", "bit")),
    Case(
        "two threads, declared",
        BIT,
        MET,
        recorded_anew(("params.yaml", "threads: 1", "threads: 2")),
        "",
        ("--require", "bit"),
    ),
]
"""What follows from more than code, params and data is never a match of bits."""
