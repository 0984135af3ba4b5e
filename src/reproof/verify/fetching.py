"""Recorded artefacts by their hash, to compare with: out of the stages' reach."""

from __future__ import annotations

from pathlib import Path

from reproof import files
from reproof.verify import objects
from reproof.verify.errors import CannotVerify
from reproof.verify.recorded_run import RecordedRun
from reproof.verify.stages import Plan
from reproof.verify.workplace import Workplace


def recorded_artefact(run: RecordedRun, place: Workplace, plan: Plan, path: str) -> Path | None:
    """Return a copy of what the run recorded at `path`; None where neither Git, cache nor remote has it.

    What comes from DVC is checked against its hash. A corrupt object is as good as none.

    Args:
        run: whose artefact.
        place: where the copy is put; it is made once.
        plan: of the same run, for what DVC holds.
        path: a file or a folder, from the project.

    Raises:
        ReproofError: for a path that leads out of the project.
    """
    files.inside(place.recorded, path, follow_links=False)
    target = place.recorded / path
    held = [name for name in run.files if name == path or name.startswith(f"{path}/")]
    for name in held:
        data = None if (place.recorded / name).exists() else run.get(name)
        if data is not None:
            (place.recorded / name).parent.mkdir(parents=True, exist_ok=True)
            (place.recorded / name).write_bytes(data)
    entries = objects.by_path(plan.tracked, path)
    for fetched in (False, True):
        try:
            items = [item for entry in entries for item in objects.listed(place, entry)[1]]
            wanted = [i for i in items if i.path == path or i.path.startswith(f"{path}/")]
            new = [item for item in wanted if not (place.recorded / item.path).exists()]
            objects.copy_all(place, new, place.recorded)
            break
        except objects.Missing:
            if fetched or objects.fetch(place, [entry.path for entry in entries]) is not None:
                return None
        except CannotVerify:
            return None
    return target if target.exists() else None
