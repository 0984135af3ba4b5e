"""What differs in the code of two runs: files, the functions touched, and what is no change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import diff_runs as runs
import pytest
from conftest import commit_all, run
from diff_runs import DVC_YAML, TRAIN, run_of

from reproof import history
from reproof.difference import code, functions, sides, words
from reproof.difference.code import Code
from reproof.difference.functions import Functions

BASE = b'''
"""Words."""
import math

class Model:
    """Words."""
    size = 3

    def forward(self, x):
        """Words."""
        return x + 1

    def backward(self):
        return 2

def main():
    return math.pi
'''


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"x + 1", b"x + 2", Functions(("Model.forward",), (), (), ())),
        (b"return 2", b"return 3", Functions(("Model.backward",), (), (), ())),
        (b"size = 3", b"size = 4", Functions(("Model",), (), (), ())),
        (b"import math\n", b"import math\nLIMIT = 1\n", Functions(("module level",), (), (), ())),
        (b"class Model:", b"class Model(dict):", Functions(("module level",), (), (), ())),
        (b"(self, x)", b"(self, x, y=1)", Functions(("Model.forward",), (), (), ())),
        (b"    def backward", b"    @property\n    def backward", Functions(("Model.backward",), (), (), ())),
        (b"def main", b"async def main", Functions(("main",), (), (), ())),
        (b"def main", b"def start", Functions((), (), (), (("main", "start"),))),
        (b"def main", b"def new():\n    pass\n\ndef main", Functions((), ("new",), (), ())),
        (b"    def backward(self):\n        return 2\n", b"", Functions((), (), ("Model.backward",), ())),
    ],
)
def test_the_functions_that_a_change_touches_are_named(old: bytes, new: bytes, expected: Functions) -> None:
    assert old in BASE
    assert functions.touched(BASE, BASE.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"""Words."""', b'"""Other words."""'),
        (b"x + 1", b"(x  +  1)  # one more"),
        (b"size = 3\n\n", b"size = 3\n\n\n\n"),
        (b"math.pi", b"math . pi"),
    ],
)
def test_words_about_the_code_are_no_change(old: bytes, new: bytes) -> None:
    changed = BASE.replace(old, new)
    assert changed != BASE
    found = functions.touched(BASE, changed)
    assert found is not None
    assert not found


def test_a_property_and_its_setter_bear_one_name_and_both_count() -> None:
    text = (
        b"class A:\n    @property\n    def x(self): return 1\n    @x.setter\n    def x(self, v): self.y = v\n"
    )
    assert functions.touched(text, text.replace(b"self.y", b"self.z")) == Functions(("A.x",), (), (), ())


def test_two_functions_that_swap_their_names_have_changed() -> None:
    found = functions.touched(
        b"def a(): return 1\ndef b(): return 2\n", b"def b(): return 1\ndef a(): return 2\n"
    )
    assert found == Functions(("a", "b"), (), (), ())


@pytest.mark.parametrize(
    "text",
    [
        b"def f(:",
        b"\xff\xfe",
        b"x = " + b"(" * 5000,
        b"\0",
        b"#" * (functions.MAX_BYTES + 1),
        b"-" * 100_000 + b"1",
    ],
    ids=["no-python", "no-utf8", "deep", "zero", "large", "nested"],
)
def test_what_is_no_python_is_compared_by_its_bytes(text: bytes) -> None:
    assert functions.touched(BASE, text) is None
    assert functions.imported(text) == set()


def test_a_new_file_has_all_its_functions() -> None:
    assert functions.touched(None, b"def f():\n    return 1\n") == Functions((), ("f",), (), ())


def test_imports_are_found_wherever_they_stand() -> None:
    text = b"import numpy as np, os.path\nfrom . import mine\ndef f():\n    from sklearn.svm import SVC\n"
    assert functions.imported(text) == {"numpy", "os", "sklearn"}


# Of two runs in Git.

Compared = Callable[..., Code]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = runs.project(tmp_path_factory.mktemp("code") / "project")
    runs.add(project, "a", run_of())
    return project


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "project"))


def compared(project: Path, a: str = "a", b: str = "b") -> Code:
    rows = history.read_rows(project)
    return code.compare(project, *(sides.side(project, rows.find(name)) for name in (a, b)))


def test_the_same_tree_is_the_same_code_and_its_imports_are_known(project: Path) -> None:
    made = run_of()
    made.params["train"]["lr"] = 0.5
    runs.add(project, "b", made)
    found = compared(project)
    assert (found.same, found.files, found.notes) == (True, (), ())
    assert found.modules == {"numpy", "sklearn"}


def test_each_file_is_told_with_its_stages_and_its_functions(project: Path) -> None:
    made = run_of()
    made.code["src/train.py"] = TRAIN.replace("return 0.1", "return 0.2")
    made.code["src/helper.py"] = "def help():\n    return 1\n"
    made.code["tests/test_it.py"] = "def test():\n    assert True\n"
    made.code["README.md"] = "Theirs.\n"
    runs.add(project, "b", made)
    found = compared(project)
    assert found.same is False
    assert [words.file(one) for one in found.files] == [
        "src/helper.py: new",
        "src/train.py (train): changed rate",
        "README.md (run by no stage): changed",
        "tests/test_it.py (run by no stage): new",
    ]
    assert [one.path for one in found.meaningful] == ["src/helper.py", "src/train.py"]
    assert found.notes == ()


def test_comments_alone_are_no_code_that_matters(project: Path) -> None:
    made = run_of()
    made.code["src/train.py"] = TRAIN.replace("LIMIT = 3", "LIMIT = 3  # of what?")
    runs.add(project, "b", made)
    found = compared(project)
    assert (found.same, found.meaningful) == (False, ())
    assert words.code(found) == ["src/train.py (train): comments, docstrings or formatting alone"]


def test_a_change_of_dvc_yaml_is_one_of_the_stages_whose_block_differs(project: Path) -> None:
    (project / "dvc.yaml").write_text(
        "# Words.\n" + DVC_YAML.replace("python src/train.py", "python -O src/train.py")
    )
    runs.add(project, "b", run_of())
    found = compared(project)
    assert words.code(found) == ["dvc.yaml (train): changed"]
    (project / "dvc.yaml").write_text("# Other words.\n" + (project / "dvc.yaml").read_text())
    runs.add(project, "c", run_of())
    assert compared(project, "b", "c").meaningful == ()


def test_a_pointer_of_dvc_belongs_to_the_stages_that_read_its_data(project: Path) -> None:
    (project / "dvc.yaml").write_text(
        DVC_YAML.replace("deps: [src/train.py]", "deps: [src/train.py, data/raw]")
    )
    commit_all(project, "Reads data")
    for name, size in (("a2", 1), ("b", 2)):
        made = run_of()
        made.code["data/raw.dvc"] = f"outs:\n- md5: {'0' * 31}{size}.dir\n  size: {size}\n  path: raw\n"
        runs.add(project, name, made)
    assert words.code(compared(project, "a2")) == ["data/raw.dvc (train): changed"]


def test_the_workspaces_files_are_read_as_they_lie(project: Path) -> None:
    made = run_of()
    made.code["src/train.py"] = TRAIN.replace("LIMIT = 3", "LIMIT = 5")
    runs.write(project, "w", made)
    found = compared(project, "a", "workspace")
    assert words.code(found) == ["src/train.py (train): changed module level"]
    assert found.notes == ()
    (project / "src" / "train.py").write_text(TRAIN + "\nMORE = 1\n")
    assert compared(project, "a", "workspace").notes == ("workspace: the code here has changed since it ran",)


def test_a_record_beside_another_state_of_the_code_is_doubted(project: Path) -> None:
    made = run_of()
    made.code["src/train.py"] = TRAIN.replace("LIMIT = 3", "LIMIT = 6")
    runs.write(project, "b", made)
    (project / "src" / "train.py").write_text(TRAIN)
    commit = commit_all(project, "b")
    run("git", "tag", "b", cwd=project)
    found = compared(project)
    assert (found.same, found.files) == (False, ())
    assert found.notes == (f"b: another state of the code ran than its commit {commit[:10]} holds",)
    assert found.missing_reason == "the trees that ran differ; the files of their commits do not"


def test_a_record_that_does_not_say_which_code_ran_leaves_it_open(project: Path) -> None:
    made = run_of()
    made.meta["git"] = {"commit": None, "reason": "no Git"}
    runs.write(project, "b", made)
    path = project / "results" / "latest" / "meta.json"
    meta = json.loads(path.read_text())
    meta["git"]["code_tree"] = None
    path.write_text(json.dumps(meta))
    commit_all(project, "b")
    run("git", "tag", "b", cwd=project)
    found = compared(project)
    assert (found.same, found.files) == (None, ())
    assert found.missing_reason == "the record of b does not say which code ran"


def test_a_project_in_a_folder_of_a_repository_names_its_files_from_itself(tmp_path: Path) -> None:
    top = tmp_path / "top"
    project = runs.project(top / "inner")
    shutil.rmtree(project / ".git")
    (top / "other.py").write_text("x = 1\n")
    run("git", "init", "--quiet", cwd=top)
    runs.add(project, "a", run_of())
    made = run_of()
    made.code["src/train.py"] = TRAIN.replace("return 0.1", "return 0.2")
    (top / "other.py").write_text("x = 2\n")
    runs.add(project, "b", made)
    assert words.code(compared(project)) == ["src/train.py (train): changed rate"]


def test_names_that_are_not_ascii_and_links_are_files_too(project: Path) -> None:
    made = run_of()
    made.code["src/größe.py"] = "def f():\n    return 1\n"
    (project / "link").symlink_to("README.md")
    runs.add(project, "b", made)
    assert [one.path for one in compared(project).files] == ["src/größe.py", "link"]
    (project / "link").unlink()
    (project / "link").symlink_to("dvc.yaml")
    runs.write(project, "w", made)
    assert [one.path for one in compared(project, "b", "workspace").files] == ["link"]


def test_a_dvc_yaml_of_aliases_that_explode_is_passed_over(project: Path) -> None:
    levels = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    for name in ("a2", "b"):
        (project / "dvc.yaml").write_text("\n".join([*levels, f"stages: {{train: *a39}}  # {name}", ""]))
        runs.add(project, name, run_of())
    assert [one.path for one in compared(project, "a2").files] == ["dvc.yaml"]
