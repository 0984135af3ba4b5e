"""What a user of this model would trip over, as the stages noted it and as the numbers show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reproof.report.model_check.record import STAGES, Check, part
from reproof.report.model_check.verdicts import AGAIN, conflicts


@dataclass(frozen=True)
class Pitfall:
    """Something that goes wrong: `symptom` is what one sees, `fix` what helps; empty where nobody knows."""

    issue: str
    symptom: str
    fix: str


def of(check: Check) -> list[Pitfall]:
    """Return all of them: of the stages, of the contract, then of the benchmark's cells."""
    return [*_of_stages(check), *_noted(check), *_of_contract(check), *_of_inputs(check), *_of_cells(check)]


def _of_stages(check: Check) -> Iterator[Pitfall]:
    for name in STAGES:
        record = check.source.stages.get(name) or {}
        if record.get("status") == "failed":
            message = (record.get("error") or {}).get("message") or "no message was recorded"
            yield Pitfall(f"the stage {name} failed", str(message), "")
    rows = check.source.meta.get("stages") or {}
    machines = {name: row["fingerprint"] for name, row in rows.items() if row.get("fingerprint")}
    if len(set(machines.values())) > 1:
        seen = ", ".join(f"{name} {fingerprint}" for name, fingerprint in machines.items())
        yield Pitfall("the stages ran on different machines", seen, AGAIN)


def _noted(check: Check) -> Iterator[Pitfall]:
    for record in (check.examination, check.inference):
        for name, one in part(record, "pitfalls").items():
            yield Pitfall(name.replace("_", " "), str(one.get("symptom") or ""), str(one.get("fix") or ""))


def _of_contract(check: Check) -> Iterator[Pitfall]:
    for field, one in conflicts(check).items():
        symptom = f"contract.yaml says {one.get('declared')}, the file {one.get('found')}"
        yield Pitfall(f"{field} in contract.yaml", symptom, str(one.get("hint") or ""))


def _of_inputs(check: Check) -> Iterator[Pitfall]:
    reasons: dict[str, list[str]] = {}
    for number, one in check.inputs.items():
        if one.get("status") != "success":
            reason = str(one.get("reason") or "no reason was recorded")
            reasons.setdefault(reason, []).append(str(one.get("file") or number))
    for reason, files in reasons.items():
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        yield Pitfall(f"no answer for {shown}", reason, "")


def _of_cells(check: Check) -> Iterator[Pitfall]:
    for name, cell in check.unmeasured.items():
        what = "failed" if cell["status"] == "failed" else f"is {cell['status']}"
        yield Pitfall(f"{name} {what}", str(cell["reason"]), "")
    for name, cell in check.measured.items():
        if cell["verdict"]["status"] == "noisy":
            why = "; ".join(f"{one} {said}" for one, said in cell["verdict"]["reasons"].items())
            yield Pitfall(f"the times of {name} are noisy", why, AGAIN)
        reason = (cell.get("numerics") or {}).get("unavailable_reason") or ""
        if "NaN" in reason:
            yield Pitfall(f"{name} gives no finite numbers", reason, "")
