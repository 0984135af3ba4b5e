"""The words of the Hugging Face Hub: what a model card's metadata may say, of what a run declares.

Its identifiers link to pages. So a name that merely looks like one is not given as one: `digits` would lead
to somebody else's data set.
"""

from __future__ import annotations

import re
from typing import Any

from reproof.report import results, web
from reproof.report.source import Source

_LICENSE = re.compile(
    r"""
    apache-2\.0 | mit | isc | zlib | unlicense | wtfpl | pddl | postgresql | ncsa | ms-pl | c-uda | gfdl
    | bsd (-2-clause | -3-clause (-clear)?)? | bsl-1\.0 | (mpl|ecl)-2\.0 | (afl|osl)-3\.0 | artistic-2\.0
    | agpl-3\.0 | gpl (-[23]\.0)? | lgpl (-2\.1 | -3\.0)? | epl-[12]\.0 | eupl-1\.[12] | etalab-2\.0
    | cc | cc0-1\.0 | cc-by-(2\.0|2\.5|3\.0|4\.0) | cc-by-sa-[34]\.0 | cc-by-nd-4\.0
    | cc-by-nc (-sa)? -[234]\.0 | cc-by-nc-nd-[34]\.0 | cdla-(sharing-1|permissive-[12])\.0 | odbl | odc-by
    | ofl-1\.1 | openrail (\+\+)? | (bigscience|creativeml|bigcode)-openrail-m | bigscience-bloom-rail-1\.0
    | gemma | llama2 | llama3 (\.[123])?
    """,
    re.VERBOSE,
)
"""Of https://huggingface.co/docs/hub/repositories-licenses, those in common use; another one is `other`."""

_METRICS = {"auc": "roc_auc", "r2": "r_squared"}
"""Where the Hub's name of a metric (https://huggingface.co/metrics) is not ours."""
_KNOWN_METRICS = frozenset({"accuracy", "precision", "recall", "f1", "roc_auc", "mae", "r_squared"})

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_ADDRESS = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(datasets/)?([^\s?#]+)")


def license_fields(declared: str | None) -> dict[str, str]:
    """Return `license`, and for one that the Hub has no name for `license_name` and `license_link`."""
    if not declared:
        return {}
    known = declared.strip().lower()
    if _LICENSE.fullmatch(known):
        return {"license": known}
    if link := web.address(declared):
        return {"license": "other", "license_name": "see-link", "license_link": link}
    return {"license": "other", "license_name": slug(declared)}


def model_id(declared: str | None) -> str | None:
    """Return `owner/name` of a model that is declared so, or by its address on the Hub; None of others."""
    return _id(declared, dataset=False)


def dataset_id(declared: str | None) -> str | None:
    """Return the identifier of a data set that is declared by its address on the Hub; None of others."""
    return _id(declared, dataset=True) if declared and "://" in declared else None


def _id(declared: str | None, *, dataset: bool) -> str | None:
    text = (declared or "").strip().rstrip("/")
    if found := _ADDRESS.fullmatch(text):
        text = found.group(2) if bool(found.group(1)) == dataset else ""
        text = "/".join(text.split("/")[:2])
    return text if _ID.fullmatch(text) else None


def slug(name: str) -> str:
    """Return a name as an identifier: lower case letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:96] or "unnamed"


def metric_type(name: str) -> str:
    """Return the Hub's name of one of our metrics."""
    return _METRICS.get(name, slug(name).replace("-", "_"))


def known_metrics(names: list[str]) -> list[str]:
    """Return those metrics that the Hub has a page of, by its names."""
    return [kind for kind in map(metric_type, names) if kind in _KNOWN_METRICS]


def task(source: Source) -> str:
    """Return the Hub's name of the task, as far as the shape of the features tells it; else `other`."""
    quality: dict[str, Any] = source.facts("prepare").get("quality") or {}
    sizes = [part for part in re.split(r"[x×]", str(quality.get("feature_shape") or "")) if part]
    kind = results.task(source)
    if len(sizes) == 1:
        return f"tabular-{kind}"
    picture = len(sizes) == 3 and quality.get("feature_dtype") == "uint8"
    return "image-classification" if picture and kind == "classification" else "other"
