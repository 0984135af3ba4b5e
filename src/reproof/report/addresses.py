"""Where code, commits and data can be looked at."""

from __future__ import annotations

import re

from reproof.report.markdown import code, text
from reproof.report.source import Source


def of_remote(remote: str | None) -> str | None:
    """Return the web address of a Git remote; None for one that has none, such as a folder.

    `git@host:owner/name.git` and `ssh://git@host/owner/name` become `https://host/owner/name`.
    """
    if not remote:
        return None
    found = re.fullmatch(
        r"(?:https?://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[^@/:]+@)([\w.-]+\.\w+)(?::\d+(?=/))?[:/]([\w./~-]+?)(?:\.git)?/?",
        remote,
    )
    return f"https://{found.group(1)}/{found.group(2)}" if found else None


def commit(source: Source) -> str | None:
    """Return the commit that the run began from, linked where the remote has a web address."""
    sha = str(source.meta["git"].get("commit") or "")
    if not sha:
        return None
    address = of_remote(source.meta["git"].get("remote")) if _is_sha(sha) else None
    return f"[{code(sha[:10])}](<{address}/commit/{sha}>)" if address else code(sha[:10])


def file(source: Source, path: str) -> str:
    """Return a link to a file of the project: beside the document, and as it is at the run's commit."""
    link = f"[{text(path)}](../{path})"
    address, sha = of_remote(source.meta["git"].get("remote")), str(source.meta["git"].get("commit"))
    return f"{link} ([at the commit](<{address}/blob/{sha}/{path}>))" if address and _is_sha(sha) else link


def _is_sha(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", text) is not None
