"""The Markdown under a pull request: is it better, what has changed, and can it be believed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reproof import __version__, history, redact
from reproof.comparison.records import rules_at
from reproof.difference import findings
from reproof.errors import ReproofError
from reproof.history import Row
from reproof.history.rows import WORKSPACE
from reproof.pull_request import checks, ci, judging, plots, references, sides, wording
from reproof.pull_request.ci import Job
from reproof.pull_request.judging import Judgement
from reproof.report import templating
from reproof.report.addresses import of_remote

MAX_CHARACTERS = 60_000
"""Of a report: a comment on GitHub holds 65,536, one on GitLab 1,000,000."""
TEMPLATE = "pull_request.md.jinja"
_UNDECLARED = "nobody has said which way"
_REPORTS = ("reports/experiment.md", "reports/inference.md", "reports/model_card.md")


@dataclass(frozen=True)
class Room:
    """How much a document may show: rows of a table, and whether its folded parts are there."""

    rows: int
    folded: bool


_ROOMS = (Room(200, True), Room(60, True), Room(20, True), Room(8, True), Room(8, False), Room(3, False))


@dataclass(frozen=True)
class Report:
    """A report: its Markdown, what it says, and whether CI is to fail over it."""

    text: str
    judgement: Judgement
    base: str
    fails: bool

    def as_json(self) -> dict[str, Any]:
        """Return the verdicts as plain data."""
        return {
            "verdict": self.judgement.overall,
            "reason": self.judgement.reason,
            "base": self.base,
            "fails": self.fails,
            "metrics": {
                line.name: {
                    "base": line.base.mean if line.base else None,
                    "head": line.head.mean if line.head else None,
                    **asdict(line.verdict),
                }
                for line in self.judgement.lines
            },
        }


def make(root: Path, base: str | None = None, env: Mapping[str, str] = os.environ) -> Report:
    """Compare the run of this workspace with the base's, and write what came of it.

    Args:
        root: the project.
        base: a revision; None: what the CI job says, else the usual main branch.
        env: of the process.

    Raises:
        ReproofError: for a base that is not there, params.yaml that cannot be read, or a template of the
            project's own that cannot be filled, or cannot be made short enough.
    """
    job = ci.job(env)
    rows = history.read_rows(root)
    chosen = sides.choose(root, rows, base, job)
    rules = rules_at(root)
    judgement = judging.judge(root, rows, chosen, rules)
    fails = rules.fail_on_regression and bool(judgement.regressions)
    context = {
        **_where(root, job, chosen),
        "judgement": judgement,
        "sentence": wording.sentence(judgement),
        "sides": chosen,
        "head_name": _name(chosen.head),
        "checks": checks.of(root, chosen.head),
        "difference": judgement.difference,
        "changed": _begun(findings.headline(judgement.difference)) if judgement.difference else None,
        "consequence": findings.consequence(judgement.difference) if judgement.difference else None,
        "warnings": _warnings(judgement, rows.notices),
        "fails": fails,
        "version": __version__,
    }
    return Report(_fitted(root, context), judgement, chosen.base_name, fails)


def _name(head: Row | None) -> str | None:
    if head is None:
        return None
    return (
        next((name for name in head.names if name != WORKSPACE), None)
        or head.run.experiment
        or head.run.run_id
    )


def _where(root: Path, job: Job | None, chosen: sides.Sides) -> dict[str, Any]:
    """What a document links to."""
    from reproof import git

    with git.open_repository(root) as repo:
        remote = (
            next(iter(repo.remote("origin").urls), None)
            if "origin" in [r.name for r in repo.remotes]
            else None
        )
        prefix = git.prefix(repo, root)
    web = job.web if job and job.web else of_remote(remote)
    forge = job.forge if job else ("gitlab" if web and "gitlab" in web.split("/")[2] else "github")
    commit = chosen.head_commit
    documents = [
        (Path(path).stem.replace("_", " "), plots.address(web, forge, commit, f"{prefix}{path}", view="blob"))
        for path in _REPORTS
        if web and commit and (root / path).is_file()
    ]
    return {
        "forge": forge,
        "web": web,
        "commit": commit,
        "commit_url": f"{web}{'/-' if forge == 'gitlab' else ''}/commit/{commit}" if web and commit else None,
        "job_url": job.url if job else None,
        "documents": documents,
        "more_url": (job.url if job and job.url else None) or next((url for _, url in documents), None),
        "plots": plots.of(root, commit, web, forge),
        "references": references.of_range(root, chosen.base_commit) if commit else references.References(),
        "run_links": _links(chosen.head),
    }


def _links(head: Row | None) -> list[tuple[str, str]]:
    """Addresses that the run itself names, but for its job, which is another than this one."""
    found = head.run.links if head else {}
    return [(str(key), url) for key, url in found.items() if isinstance(url, str) and url]


def _warnings(judgement: Judgement, notices: tuple[str, ...]) -> list[str]:
    own = findings.warnings(judgement.difference) if judgement.difference else []
    # Both rooms tell of a direction that nobody has declared: once is enough.
    caveats = [one for one in judgement.caveats if not (own and one.startswith(_UNDECLARED))]
    return [_begun(one) for one in dict.fromkeys([*own, *caveats, *notices])]


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]


def _fitted(root: Path, context: dict[str, Any]) -> str:
    """The document, with fewer rows and then without its folded parts until it is short enough."""
    environment = templating.environment(root)
    environment.filters |= wording.FILTERS
    text = ""
    for room in _ROOMS:
        filled = templating.fill(environment, TEMPLATE, {**context, "room": room})
        text = redact.text(wording.guarded(filled))
        if len(text) <= MAX_CHARACTERS:
            return text
    raise ReproofError(
        "the report on a pull request is too long for a comment",
        where=f"{templating.OWN}/{TEMPLATE}",
        expected=f"at most {MAX_CHARACTERS:,} characters with `room.rows` of {_ROOMS[-1].rows}",
        found=f"{len(text):,}",
        hint="let the template keep to `room`: room.rows rows of a table, folded parts where room.folded",
    )
