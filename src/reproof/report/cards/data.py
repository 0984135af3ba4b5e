"""The data of a run as Croissant: JSON-LD that dataset searches and loaders read.

Form: Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from reproof import redact
from reproof.report import web
from reproof.report.cards import datasheet
from reproof.report.markdown import number
from reproof.report.notes import Notes
from reproof.report.source import Source

GENERATOR = "reproof card data"
"""Stands in `sdPublisher`: who made the description, not the data."""

_CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_NPZ = "https://numpy.org/doc/stable/reference/generated/numpy.savez.html"
"""No media type is registered for NumPy's archives; the specification then asks for an address."""
_FORMATS = {"npz": _NPZ, "json": "application/json", "csv": "text/csv", "parquet": "application/x-parquet"}
_TYPES = {
    "bool": "sc:Boolean",
    **{f"{kind}int{bits}": f"cr:{kind.upper()}Int{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"cr:Float{bits}" for bits in (16, 32, 64)},
}
_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
    *("fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace"),
    *("samplingRate", "separator", "source", "subField", "transform"),
)
"""Of Croissant's vocabulary, those that its standard context names one by one."""


def croissant(source: Source, notes: Notes | None = None) -> dict[str, Any]:
    """Return the Croissant description of the data that a run used, as plain JSON data.

    The files are those that the stage prepare wrote, with the SHA-256 of their bytes; a record of an older
    form does not hold these, and then the description lists no file and says so. What nobody declared
    (`report.dataset` in params.yaml) is left out, and named in the description.

    Args:
        source: the run's record.
        notes: people's words; those on data go into the description.
    """
    declared = source.declared.dataset
    described: dict[str, Any] = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "name": datasheet.line(source.dataset),
        "description": "\n\n".join(datasheet.paragraphs(source, notes, lists_files=bool(_files(source)))),
        "conformsTo": _CONFORMS_TO,
        "license": declared.license,
        "url": web.address(declared.source),
        "citeAs": declared.citation,
        "version": _version(source),
        "datePublished": (source.stages.get("prepare", {}).get("start_time") or "")[:10] or None,
        "sdPublisher": {"@type": "sc:Organization", "name": GENERATOR},
        "distribution": _distribution(source),
        "recordSet": _record_sets(source),
    }
    clean: dict[str, Any] = redact.data({key: value for key, value in described.items() if value})
    return clean


def generated(described: Any) -> bool:
    """Whether JSON data was made by `croissant`: a person's own description was not."""
    publisher = described.get("sdPublisher") if isinstance(described, dict) else None
    return isinstance(publisher, dict) and publisher.get("name") == GENERATOR


def _context() -> dict[str, Any]:
    """The standard context of Croissant 1.1, as its specification gives it."""
    context: dict[str, Any] = {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "dct": "http://purl.org/dc/terms/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "sc": "https://schema.org/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "description": {"@container": "@language"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "name": {"@container": "@language"},
    }
    return context | {term: f"cr:{term}" for term in _TERMS}


def _version(source: Source) -> str | None:
    """The content digest as build metadata of a semantic version: nobody numbered these data."""
    digests = (source.digests or {}).get("artefacts", {})
    written = source.stages.get("prepare", {}).get("writes", {})
    found = digests.get("prepared") or written.get("prepared")
    return f"0.0.0+{found[:19].replace(':', '.')}" if found else None


def _files(source: Source) -> dict[str, dict[str, Any]]:
    found = source.facts("prepare").get("files")
    listed = found if isinstance(found, Mapping) else {}
    return {path: facts for path, facts in sorted(listed.items()) if facts.get("sha256")}


def _distribution(source: Source) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": quote(path),
            "name": path.rpartition("/")[2],
            "contentUrl": quote(path),
            "contentSize": f"{facts['size_bytes']} B",
            "encodingFormat": _FORMATS.get(path.rpartition(".")[2], "application/octet-stream"),
            "sha256": facts["sha256"].removeprefix("sha256:"),
        }
        for path, facts in _files(source).items()
    ]


def _record_sets(source: Source) -> list[dict[str, Any]]:
    names, sizes = datasheet.classes(source), (source.split_manifest or {}).get("sizes", {})
    sets = []
    if names:
        rows: list[dict[str, Any]] = [{"index": index, "name": name} for index, name in enumerate(names)]
        sets.append(_inline("classes", "sc:Enumeration", "The classes, in the order of their indices.", rows))
    if sizes:
        rows = [{"name": name, "examples": count} for name, count in sizes.items()]
        sets.append(_inline("splits", "cr:Split", "The splits and how many examples each has.", rows))
    for path in _files(source):
        if path.endswith(".npz"):
            split = path.rpartition("/")[2].removesuffix(".npz")
            sets.append(_examples(source, path, split, sizes.get(split), bool(names)))
    return sets


def _inline(name: str, kind: str, description: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A small table that stands in the description itself; its first column is the key."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "dataType": "cr:Int64" if isinstance(value, int) else "sc:Text",
        }
        for column, value in rows[0].items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "dataType": kind,
        "key": {"@id": fields[0]["@id"]},
        "field": fields,
        "data": [{f"{name}/{column}": value for column, value in row.items()} for row in rows],
    }


def _examples(source: Source, path: str, split: str, count: int | None, classified: bool) -> dict[str, Any]:
    top = f"examples/{quote(split)}"
    quality = source.facts("prepare").get("quality") or {}
    shape = [part for part in re.split(r"[x×]", str(quality.get("feature_shape") or "")) if part.isdigit()]
    features: dict[str, Any] = {"dataType": _TYPES.get(str(quality.get("feature_dtype")), "sc:Float")}
    if shape:
        features |= {"isArray": True, "arrayShape": ",".join(shape)}
    target = source.declared.dataset.target
    label: dict[str, Any] = {"dataType": "sc:Float"}
    if classified:
        label = {"dataType": "cr:Int64", "references": {"field": {"@id": "classes/index"}}}
    meaning = (
        datasheet.line(target) if target else "The class, by its index." if classified else "The target."
    )
    columns: list[tuple[str, str, dict[str, Any]]] = [
        ("ids", "A stable name of the example.", {"dataType": "sc:Text"}),
        ("x", "The features, as they are before the model's preprocessing.", features),
        ("y", meaning, label),
    ]
    if quality.get("group_sizes"):
        columns.append(("groups", "The group that the example belongs to.", {"dataType": "sc:Text"}))
    return {
        "@type": "cr:RecordSet",
        "@id": top,
        "name": f"{split} examples",
        "description": f"{'The' if count is None else number(count)} examples of the split {split}: arrays "
        f"in {path}, first axis examples (`numpy.load`).",
        "key": {"@id": f"{top}/ids"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{top}/{column}",
                "name": column,
                "description": words,
                **facts,
                "source": {"fileObject": {"@id": quote(path)}, "extract": {"column": column}},
            }
            for column, words, facts in columns
        ],
    }
