"""The record of a run as Markdown: a pure function of results/, params.yaml and notes/."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from reproof import files, params, record
from reproof.errors import ReproofError
from reproof.report import figures
from reproof.report.markdown import FILTERS

_STAGES = ("prepare", "train", "export", "evaluate", "benchmark")


@dataclass(frozen=True)
class Note:
    """Somebody's words: `body` without the template's comments, `run` that they speak of, or None."""

    path: str
    body: str
    run: str | None


def render(root: Path, results: Path, destination: Path) -> None:
    """Write the experiment report and its figures (`figures/` beside it).

    Args:
        root: the project, for its notes.
        results: the run's record.
        destination: the Markdown file.

    Raises:
        ReproofError: when the record lacks meta.json, summary.json or config.yaml, or one is unreadable.
    """
    curves_path = results / "curves.csv"
    drawn = figures.curves(curves_path) if curves_path.exists() else []
    folder = destination.parent / "figures"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    figures.write(drawn, folder)
    context = _record(results) | {"notes": _notes(root / "notes"), "figures": drawn}
    files.write_text(destination, _environment().get_template("experiment.md.jinja").render(context))


def _record(results: Path) -> dict[str, Any]:
    optional = {
        name: files.read_json(results / f"{name}.json") if (results / f"{name}.json").exists() else None
        for name in ("evaluation", "benchmark", "split_manifest", "split_checksums", "digests")
    }
    stages = {}
    for name in _STAGES:
        path = results / "stages" / f"{name}.json"
        stages[name] = files.read_json(path) if path.exists() else None
    raw, _ = params.parse((results / "config.yaml").read_bytes(), results / "config.yaml")
    meta = files.read_json(results / "meta.json")
    return {
        "title": f"Experiment report: {(optional['split_manifest'] or {}).get('dataset', 'run')}",
        "baselines": _baselines(stages["train"]),
        "scores": _scores(optional["evaluation"]),
        "again": _again(meta, params.flatten(raw)),
        "other_code": _other_code(meta),
        "meta": meta,
        "summary": files.read_json(results / "summary.json"),
        "params": params.flatten(raw),
        "ANCHOR": record.ANCHOR,
        "stages": stages,
        **optional,
    }


def _scores(evaluation: dict[str, Any] | None) -> list[str]:
    """The names of an evaluation's plain numbers, in their order in the first split."""
    splits: dict[str, dict[str, Any]] = (evaluation or {}).get("splits", {})
    first = next(iter(splits.values()), {})
    return [
        name
        for name, value in first.items()
        if isinstance(value, int | float) or f"{name}_missing_reason" in first
    ]


def _again(meta: dict[str, Any], flat: dict[str, Any]) -> list[str]:
    """The commands that run it again: the commit that it started from, and the params set over it."""
    changed = meta["overrides"] or {}
    settings = []
    for key, change in changed.items():
        if key in flat:
            added = "++" if change["from"] is None else ""  # of Hydra's grammar: set it, known or not
            settings.append(f"{added}{key}={'null' if flat[key] is None else json.dumps(flat[key])}")
        elif not any(other.startswith(f"{key}.") for other in changed):
            settings.append(f"~{key}")
    changes = " ".join(f"-S {shlex.quote(setting)}" for setting in settings)
    commit = meta["overrides_against"]
    return [
        f"git checkout {commit}" if commit else "# its code is in no commit",
        "make setup && source .venv/bin/activate",
        f"dvc exp run --force {changes}".rstrip(),
    ]


def _other_code(meta: dict[str, Any]) -> list[str]:
    """The stages that ran other code than the training did."""
    own = meta["git"]["code_tree"]
    return [name for name, stage in meta["stages"].items() if stage["code_tree"] != own]


def _baselines(train: dict[str, Any] | None) -> dict[str, dict[str, float]]:
    """The train stage's `baseline.<name>.<split>.accuracy` metrics, by baseline and split."""
    found: dict[str, dict[str, float]] = {}
    for key, value in (train["metrics"] if train else {}).items():
        parts = key.split(".")
        if len(parts) == 4 and parts[0] == "baseline" and parts[3] == "accuracy":
            found.setdefault(parts[1], {})[parts[2]] = value
    return found


def _notes(folder: Path) -> dict[str, Note]:
    notes = {}
    for path in sorted(folder.glob("*.md")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ReproofError("not UTF-8", where=path, hint="a note is Markdown") from error
        run = None
        if found := re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL):
            try:
                front = yaml.safe_load(found.group(1)) or {}
            except yaml.YAMLError as error:
                raise ReproofError("the front matter is not YAML", where=path, found=str(error)) from error
            run = front.get("run") if isinstance(front, dict) else None
            text = text[found.end() :]
        body = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
        body = _closed(re.sub(r"\A\s*# .*\n", "", body).strip())
        notes[path.stem] = Note(f"notes/{path.name}", body, None if run is None else str(run))
    return notes


def _closed(words: str) -> str:
    """Close what somebody left open: a fence or a comment would swallow the rest of the report."""
    fences = re.findall(r"^ {0,3}(`{3,}|~{3,})", words, flags=re.MULTILINE)
    if len(fences) % 2:
        words += "\n" + fences[-1]
    return words.replace("<!--", "&lt;!--")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reproof.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown: every value passes one of our filters instead)
    )
    environment.filters |= FILTERS
    return environment
