"""A comment on a pull request, as tests ask for it and are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from forges import (
    GITLAB_TOKEN,
    TOKEN,
    Holder,
    Server,
    serving,
)

from reproof.errors import ReproofError
from reproof.pull_request import ci, publish
from reproof.pull_request.http import Patience
from reproof.pull_request.publish import Published

BOT = Holder("github-actions[bot]", 41898282, is_bot=True, may_ask_who=False)
ADA = Holder("ada", 3)
MARK = publish.mark("")
GITHUB, GITLAB = "github", "gitlab"
QUICK = Patience(attempts=4, first_s=0.01, request_s=2.0, total_s=20.0)


@contextmanager
def served(kind: str) -> Iterator[Server]:
    """Serve one of the two forges, whose token a test has."""
    with serving(kind) as server:
        server.tokens |= {TOKEN: BOT} if kind == GITHUB else {GITLAB_TOKEN: ADA}
        yield server


def keep(env: Mapping[str, str], text: str = "A report.", patience: Patience = QUICK) -> Published:
    job = ci.job(env)
    assert job
    return publish.comment(job, text, "", env, patience)


def refused(env: Mapping[str, str], patience: Patience = QUICK, text: str = "A report.") -> str:
    """What is said where a comment cannot be made; never with a token in it."""
    with pytest.raises(ReproofError) as caught:
        keep(env, text, patience)
    told = "\n".join(map(str, (caught.value, repr(caught.value), caught.value.__cause__)))
    assert TOKEN not in told
    assert GITLAB_TOKEN not in told
    return str(caught.value)
