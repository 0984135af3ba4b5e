"""A certificate that somebody hands you: read, and held against its own form and its own words.

Fields that this library does not know are ignored, as the in-toto specification asks of a reader.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reproof import files
from reproof.errors import ReproofError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:reproof:verification:v1"
SCHEMA_VERSION = 1
_MAX_BYTES = 50_000_000
_PAYLOAD_TYPE = "application/vnd.in-toto+json"

Word = Literal["identical", "close", "follows", "unknown", "different"]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Subject(_Read):
    """One thing that the certificate is about."""

    name: str
    digest: dict[str, str] = Field(min_length=1)


class Metric(_Read):
    """One metric, as recorded and as found here."""

    recorded: float | None
    found: float | None
    allowed: float | None
    standing: Word


class Artefact(_Read):
    """One artefact, by content digests."""

    stage: str
    recorded: str | None
    found: str | None
    standing: Word
    words: str = ""
    largest: float | None = None


class RunNamed(_Read):
    """The run, as its record names it."""

    run_id: str
    name: str
    commit: str = Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")
    experiment: str | None = None
    prefix: str = ""
    code_tree: str | None = None


class Machine(_Read):
    """Fingerprints: those of the run's stages, and the one here."""

    recorded: list[str]
    here: str | None


class Operator(_Read):
    """Who executed it."""

    is_author: bool | None
    email_sha256: str | None
    author_email_sha256: str | None
    name: str | None = None


class Executed(_Read):
    """One stage that was executed."""

    run_id: str | None
    status: str | None
    start_time: str | None
    nonce_sha256: str | None


class Predicate(_Read):
    """What the certificate says; units stand in the names."""

    schema_version: int
    verdict: str
    level: Literal["bit", "numeric", "statistical"] | None
    required: Literal["bit", "numeric", "statistical"]
    met: bool
    reasons: list[str]
    relation: Literal["repeated", "reproduced"]
    relation_reason: str
    run: RunNamed
    executed: dict[str, Executed]
    left_out: dict[str, str]
    confinement: str | None
    metrics: dict[str, Metric]
    artefacts: dict[str, Artefact]
    tolerances: dict[str, Any]
    splits_identical: bool | None
    control: dict[str, Any] | None = None
    replication: dict[str, Any] | None = None
    chain: list[dict[str, Any]] = []
    causes: list[dict[str, Any]] | None = None
    divergence: dict[str, Any] | None = None
    environment: dict[str, Any]
    inputs: dict[str, Any]
    machine: Machine
    operator: Operator
    library: dict[str, Any]
    started: str
    ended: str
    seconds: dict[str, float]


class Statement(_Read):
    """An in-toto Statement whose predicate is a verification."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Subject] = Field(min_length=1)
    predicate_type: str = Field(alias="predicateType")
    predicate: Predicate


def read(path: Path) -> Statement:
    """Read a certificate: the Statement itself, or one in an envelope, as forges' attestations have it.

    A signature is not checked here: that takes the forge's own tool, which knows its keys.

    Raises:
        ReproofError: not JSON, no Statement of this kind, or of a newer schema.
    """
    if not path.is_file():
        raise ReproofError("no such certificate", where=path, hint="`reproof verify` writes one")
    if path.stat().st_size > _MAX_BYTES:
        raise ReproofError(
            "too large for a certificate", where=path, expected=f"at most {_MAX_BYTES:,} bytes"
        )
    found = _unwrapped(files.read_json(path), path)
    kind = found.get("predicateType")
    if found.get("_type") != STATEMENT_TYPE or kind != PREDICATE_TYPE:
        raise ReproofError(
            "not a certificate of a verification",
            where=path,
            expected=f"an in-toto Statement ({STATEMENT_TYPE}) with the predicate {PREDICATE_TYPE}",
            found=f"{found.get('_type')} with the predicate {kind}"[:200],
        )
    predicate = found.get("predicate")
    version = predicate.get("schema_version") if isinstance(predicate, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ReproofError(
            "a certificate of a newer schema",
            where=path,
            expected=f"schema_version at most {SCHEMA_VERSION}",
            found=str(version),
            hint="update the library",
        )
    try:
        return Statement.model_validate(found)
    except ValidationError as error:
        told = error.errors()
        places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told[:5]]
        raise ReproofError(
            "not a whole certificate: something in it is missing, or of another kind",
            where=path,
            found="\n    ".join(places),
        ) from error


def _unwrapped(found: Any, path: Path) -> dict[str, Any]:
    """The Statement, out of a DSSE envelope or a bundle with one where it is in one."""
    if isinstance(found, dict) and isinstance(found.get("dsseEnvelope"), dict):
        found = found["dsseEnvelope"]
    if isinstance(found, dict) and found.get("payloadType") == _PAYLOAD_TYPE:
        try:
            found = json.loads(base64.b64decode(str(found.get("payload")), validate=True))
        except (binascii.Error, ValueError) as error:
            raise ReproofError(
                "an envelope whose content cannot be read", where=path, found=str(error)
            ) from error
    if not isinstance(found, dict):
        raise ReproofError("not a certificate", where=path, expected="a JSON object")
    return found
