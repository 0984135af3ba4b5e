"""Addresses that a machine knows."""

from __future__ import annotations

import pytest

from reproof import links


@pytest.mark.parametrize(
    ("env", "address"),
    [
        ({"TRACKIO_SPACE_ID": "ada/lab"}, "https://ada-lab.hf.space"),
        (
            {"TRACKIO_SPACE_ID": "Ada/My_Lab.2", "TRACKIO_PROJECT": "a b&c"},
            "https://ada-my-lab-2.hf.space?project=a%20b%26c&sidebar=hidden&navbar=hidden",
        ),
    ],
)
def test_trackios_space_is_the_dashboard(env: dict[str, str], address: str) -> None:
    assert links.known(env) == {"trackio": address}


@pytest.mark.parametrize("space", ["", "lab", "a/b/c", "ada/lab?x=hf_token", "https://x.org/y", "ö/lab"])
def test_what_is_no_space_gives_no_address(space: str) -> None:
    assert links.known({"TRACKIO_SPACE_ID": space, "TRACKIO_PROJECT": "p"}) == {}


def test_a_job_is_named_by_what_runs_it() -> None:
    assert links.job({"SLURM_JOB_ID": "7"}) == {"kind": "slurm", "id": "7", "url": None}
    assert links.job({"JOB_ID": "j", "ACCELERATOR": "none"})["kind"] == "huggingface"
    github = links.job({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "5", "GITHUB_REPOSITORY": "a/b"})
    assert github["url"] == "https://github.com/a/b/actions/runs/5"
    assert links.job({})["kind"] == "local"
