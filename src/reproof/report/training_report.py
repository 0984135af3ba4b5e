"""`reproof log`: every run of a line of work in one document, in Markdown and as a page."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproof import files, history, unfinished
from reproof.errors import ReproofError
from reproof.file_names import slug
from reproof.git_objects import Objects, objects
from reproof.history import Found, History
from reproof.recorded import Run
from reproof.report import page, templating, web
from reproof.report.markdown import between, code, score, text
from reproof.report.training_rows import STATUSES, Evaluation, Row, of_git, of_registry, sections
from reproof.unfinished import Unfinished

FOLDER = "training_reports"
TEMPLATE = "log.md.jinja"
_SHOWN_NAMES = 20


@dataclass(frozen=True)
class Log:
    """What `write` wrote: the two files and the runs in them."""

    experiment: str
    markdown: Path
    html: Path
    runs: tuple[Run, ...]


def write(root: Path, experiment: str | None = None) -> Log:
    """Write `training_reports/<experiment>.md` and `.html`.

    Args:
        root: the project's folder.
        experiment: a branch: the runs that it holds, and the experiments that started from it; or the
            beginning of experiments' names (`lr` for lr-1 and lr-2); default: the current branch.

    Raises:
        ReproofError: no such experiment, one without runs, or no Git repository.
    """
    with objects(root) as held:
        known = history.scan(held)
        name = experiment or _current(held)
        chosen, unrecorded = _chosen(name, known, unfinished.runs(root, known))
        rows = [of_git(held, found) for found in chosen] + [of_registry(one, root) for one in unrecorded]
    rows.sort(key=lambda row: (row.run.start_time or "", row.run.run_id))
    markdown = files.inside(root, f"{FOLDER}/{slug(name)}.md", where=FOLDER)
    environment = templating.environment(root)
    for escape in (code, text):  # the same names and values stand in hundreds of runs
        environment.filters[escape.__name__] = functools.lru_cache(maxsize=4096)(escape)
    written = templating.fill(environment, TEMPLATE, _context(root, name, rows, known))
    files.write_text(markdown, written)
    html = markdown.with_suffix(".html")
    frames = sorted({found for row in rows if (found := web.address(row.run.links.get("trackio")))})
    title = f"Training report: {name}"
    page.write(
        html,
        title=title,
        documents=[page.Document(markdown.stem, title, written)],
        figures={},
        folder=None,
        frames=frames,
    )
    return Log(name, markdown, html, tuple(row.run for row in rows))


def _current(held: Objects) -> str:
    """The branch that is checked out; while DVC runs an experiment, and detaches HEAD, the one at it."""
    if not held.repo.head.is_detached:
        return str(held.repo.active_branch.name)
    listed = held.repo.git.for_each_ref("--points-at", "HEAD", "--format=%(refname:short)", "refs/heads")
    names = str(listed).splitlines()
    if len(names) != 1:
        raise ReproofError(
            f"{len(names) or 'no'} branches are at the commit that is checked out: say which experiment",
            found=", ".join(names) or None,
            hint="reproof log BRANCH, or reproof log NAME",
        )
    return names[0]


def _chosen(name: str, known: History, unrecorded: list[Unfinished]) -> tuple[list[Found], list[Unfinished]]:
    if name in known.branches:
        chosen = [f for f in known.found if _is_of(f.run, name, known)]
        own = [one for one in unrecorded if one.run.branch == name or _is_of(one.run, name, known)]
    else:
        chosen = [found for found in known.found if _begins(found.run.experiment, name)]
        own = [one for one in unrecorded if _begins(one.run.experiment, name)]
    if not chosen and not own:
        raise _unknown(name, known, unrecorded)
    return chosen, own


def _is_of(run: Run, branch: str, known: History) -> bool:
    """Whether a branch holds a run, or the commit from which it started as an experiment."""
    return known.is_on(run.commit, branch) or known.is_on(run.baseline, branch)


def _begins(experiment: str | None, name: str) -> bool:
    return (
        experiment is not None
        and bool(name)
        and re.match(rf"{re.escape(name)}(?![^\W_])", experiment) is not None
    )


def _unknown(name: str, known: History, unrecorded: list[Unfinished]) -> ReproofError:
    experiments = sorted({*known.experiments, *(o.run.experiment for o in unrecorded if o.run.experiment)})
    told = [f"branches: {_listed(sorted(known.branches))}", f"experiments: {_listed(experiments)}"]
    is_branch = name in known.branches
    return ReproofError(
        "no run on this branch yet" if is_branch else f"no experiment is called so: {name!r}",
        where=name if is_branch else None,
        expected=None if is_branch else "a branch, or the beginning of experiments' names",
        found=f"known here: {'; '.join(told)}",
        hint="dvc exp run" if is_branch else None,
    )


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return (", ".join(names[:_SHOWN_NAMES]) or "none") + more


def _context(root: Path, name: str, rows: list[Row], known: History) -> dict[str, Any]:
    counts = {told: sum(row.status == told for row in rows) for told in STATUSES.values()}
    return {
        "experiment": name,
        "is_branch": name in known.branches,
        "rows": rows,
        "sections": sections(rows),
        "counts": {told: count for told, count in counts.items() if count},
        "unreadable": len(known.unreadable),
        "statuses": STATUSES,
        "model_address": web.model,
        "dataset_address": lambda value: web.dataset(value, root),
        "address": web.address,
        "job": _job,
        "evaluated": _evaluated,
    }


def _job(run: Run) -> str:
    """Where the logs of a run are, as Markdown."""
    job = run.links.get("job")
    if not isinstance(job, dict):
        return "Not recorded: the run ended before it was."
    if web.address(job.get("url")):
        return web.linked(job["url"], "Run Logs")
    ran_as = {
        "slurm": "Slurm job",
        "huggingface": "Hugging Face job",
        "gitlab": "GitLab job",
        "github": "GitHub run",
    }
    number = code(str(job.get("id")))
    if job.get("kind") in ran_as:
        return f"{ran_as[job['kind']]} {number}"
    return f"Process {number} on the machine that ran it; its logs are where its output went."


def _evaluated(one: Evaluation) -> str:
    return score(one.score) + (f" ({between(one.interval)})" if one.interval else "")
