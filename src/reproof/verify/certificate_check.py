"""A certificate beside the repository: is its run here, and did that record just what the certificate names?

What this cannot tell is whether somebody really executed the run: for that a certificate has to be signed by
whom you trust, or the run be verified again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reproof import git
from reproof.record_values import mapping
from reproof.verify import certificate, record_check, recorded_run, snapshot, tolerances
from reproof.verify.checks.checked import Checked, Findings
from reproof.verify.checks.parts import all_metrics
from reproof.verify.evidence import contradictions
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.statement import Predicate, Statement, read
from reproof.verify.subjects import subjects


@dataclass(frozen=True)
class Validated:
    """What became of the check.

    Attributes:
        statement: the certificate.
        found: all that was looked at.
    """

    statement: Statement
    found: tuple[Checked, ...]

    @property
    def wrong(self) -> tuple[Checked, ...]:
        """What does not agree; nothing for a valid certificate."""
        return tuple(one for one in self.found if one.ok is False)


def check(root: Path, path: Path) -> Validated:
    """Check a certificate against the repository that holds the run.

    Args:
        root: the project.
        path: the certificate.

    Raises:
        ReproofError: the file is no certificate.
        CannotVerify: the commit, or the run in it, is not here.
    """
    statement = read(path)
    said, found = statement.predicate, Findings()
    for words in contradictions(statement):
        found.wrong("the certificate", words)
    run = recorded_run.load(root, said.run.commit)
    found.same("commit", said.run.commit, run.commit)
    found.same("run_id", said.run.run_id, run.run.run_id)
    found.same("prefix", said.run.prefix, run.prefix)
    found.same("code_tree", said.run.code_tree, run.run.code_tree)
    with git.open_repository(root) as repo:
        author = certificate.author_sha256(repo, run.commit)
    found.same("operator: the run's author", author, said.operator.author_email_sha256)
    found.same("machine: recorded", certificate.machines(run, said.executed), said.machine.recorded)
    _subjects(statement, run, found)
    _tolerances(said, run, found)
    _evidence(said, run, found)
    found.same("started after the run ended", True, said.started > (run.run.end_time or ""))
    for one in record_check.look(run) if said.level else ():
        if one.ok is False:
            found.wrong("the record itself", str(one))
    return Validated(statement, tuple(found))


def _subjects(statement: Statement, run: RecordedRun, found: Findings) -> None:
    """The list is made again, from the commit."""
    there = {one.name: one.digest for one in statement.subject}
    if len(there) != len(statement.subject):
        found.wrong("subject", "a name stands there twice")
    commits = [one.digest["gitCommit"] for one in statement.subject if "gitCommit" in one.digest]
    found.same("subject: the commit", [run.commit], commits)
    for item in subjects(run, statement.predicate.executed)[1:]:  # the first is the commit
        found.same(f"subject {item['name']}", item["digest"], there.pop(item["name"], None))
    for name, digest in there.items():
        if "gitCommit" not in digest:
            found.wrong(f"subject {name}", "no executed stage wrote it")


def _tolerances(said: Predicate, run: RecordedRun, found: Findings) -> None:
    """What counts is what the run declared, whatever the certificate says of it."""
    declared = tolerances.read(run.config)
    for name, metric in said.metrics.items():
        if metric.recorded is not None:
            allowed = tolerances.allowed(metric.recorded, declared.of(name))
            found.same(f"metrics.{name}: the tolerance that the run declared", allowed, metric.allowed)


def _replication(said: Predicate, run: RecordedRun, found: Findings) -> None:
    """Fresh seeds are judged by the headline metrics that the run recorded, all of them."""
    if said.replication is None:
        found.unknown("evidence", "nothing was compared")
        return
    judged = [one for one in said.replication.get("metrics") or [] if isinstance(one, dict)]
    missing = said.replication.get("missing")
    told = {str(one.get("name")) for one in judged} | set(missing if isinstance(missing, dict) else ())
    found.same("replication: the headline metrics", sorted(mapping(run.params, "summary")), sorted(told))
    metrics = all_metrics(run)
    for one in judged:
        name = str(one.get("metric"))
        found.same(f"replication: {name}", metrics.get(name), one.get("recorded"))


def _evidence(said: Predicate, run: RecordedRun, found: Findings) -> None:
    """Every metric and artefact of the executed stages is told of, with the value that the run recorded."""
    unknown = [name for name in said.executed if name not in run.stages]
    if unknown:
        found.wrong("executed", f"the run has no stage {', '.join(unknown)}")
    skipped = [name for name in run.measured if name not in said.executed and name not in said.left_out]
    for name in skipped:
        found.wrong(f"executed: {name}", "neither executed nor left out with a reason")
    if not said.metrics and not said.artefacts:
        _replication(said, run, found)
        return
    recorded = snapshot.of_record(run, [name for name in said.executed if name in run.stages])
    names = sorted(recorded.metrics.keys() - said.metrics.keys())
    found.same("metrics: those of the executed stages that the certificate leaves out", [], names)
    for name, metric in said.metrics.items():
        if name in recorded.metrics:
            found.same(f"metrics.{name}: recorded", recorded.metrics[name], metric.recorded)
        elif metric.recorded is not None:
            found.wrong(f"metrics.{name}", "the run recorded none")
    paths = sorted(recorded.artefacts.keys() - said.artefacts.keys())
    found.same("artefacts: those of the executed stages that the certificate leaves out", [], paths)
    for path, one in said.artefacts.items():
        if path in recorded.artefacts:
            found.same(f"artefacts.{path}: recorded", recorded.artefacts[path].digest, one.recorded)
        elif one.recorded is not None:
            found.wrong(f"artefacts.{path}", "the run recorded none")
