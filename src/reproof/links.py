"""Addresses that a machine knows: the CI job, the cluster's job, or the local process that a run was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

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
