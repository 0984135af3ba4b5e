"""Addresses that a machine knows: the job or the local process that a run was, and its dashboard."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from reproof import redact


def job(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return what ran this: `kind`, `url` where there is one, and the job's or process's `id`."""
    if env.get("GITHUB_ACTIONS") == "true" and "GITHUB_RUN_ID" in env:
        server = env.get("GITHUB_SERVER_URL", "https://github.com")
        address = f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env['GITHUB_RUN_ID']}"
        return {"kind": "github", "id": env["GITHUB_RUN_ID"], "url": redact.url(address)}
    if env.get("GITLAB_CI") and "CI_JOB_ID" in env:
        return {"kind": "gitlab", "id": env["CI_JOB_ID"], "url": redact.url(env.get("CI_JOB_URL", ""))}
    if "SLURM_JOB_ID" in env:
        return {"kind": "slurm", "id": env["SLURM_JOB_ID"], "url": None}
    if "JOB_ID" in env and "ACCELERATOR" in env:  # Hugging Face Jobs sets these two
        return {"kind": "huggingface", "id": env["JOB_ID"], "url": None}
    return {"kind": "local", "id": str(os.getpid()), "url": None}


def known(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the dashboards that the environment names, as `links` in params.yaml would.

    Trackio reads the Space that it logs to from TRACKIO_SPACE_ID, such as `owner/name`, which is served at
    `https://owner-name.hf.space`; TRACKIO_PROJECT narrows it down to a project (Trackio's documentation,
    "Embedding a Trackio Dashboard"). What params.yaml declares goes before.
    """
    space = env.get("TRACKIO_SPACE_ID", "")
    if not re.fullmatch(r"[\w-]+/[\w.-]+", space, flags=re.ASCII):
        return {}
    host = re.sub(r"[^a-z0-9]+", "-", space.lower()).strip("-")
    project = env.get("TRACKIO_PROJECT", "")
    shown = f"?project={quote(project, safe='')}&sidebar=hidden&navbar=hidden" if project else ""
    return {"trackio": f"https://{host}.hf.space{shown}"}
