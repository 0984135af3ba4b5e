"""Words of records without secrets: what stands in hundreds of records is looked through once."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from reproof import redact


def clean(text: str) -> str:
    """Return `redact.text`, remembered: the same words stand in hundreds of records.

    Half a character, which JSON and YAML can hold and no file can, becomes a question mark in a diamond.
    """
    found = _CLEAN.get(text)
    if found is None:
        if len(_CLEAN) >= _MAX_REMEMBERED:
            _CLEAN.clear()
        found = _CLEAN[text] = redact.text(text if _is_whole(text) else _made_whole(text))
    return found


_CLEAN: dict[str, str] = {}
_MAX_REMEMBERED = 1 << 18
_TOGETHER = 4096
_NO_SECRETS_FORM = re.compile(
    r"(?:sha256:)?[0-9a-f]*|[0-9TZ:.-]*|[0-9]{8}-[0-9]{6}-[0-9a-f]{6}|[a-z0-9-]{1,14}"
)
"""Digests, times, run ids and short names: no token that is known by its form looks so."""


def remember_clean(texts: Iterable[str]) -> None:
    """Look for secrets in thousands of short texts at once, so that `clean` knows those that have none.

    No secret's form ends where a line does, so a text that holds one shows among others too.
    """
    if len(_CLEAN) >= _MAX_REMEMBERED:
        _CLEAN.clear()
    unknown = [text for text in dict.fromkeys(texts) if text not in _CLEAN]
    plain = [text for text in unknown if _NO_SECRETS_FORM.fullmatch(text)]
    if not redact.holds_secret("\n".join(plain)):
        _CLEAN.update(zip(plain, plain, strict=True))
        unknown = [text for text in unknown if text not in _CLEAN]
    for start in range(0, len(unknown), _TOGETHER):
        _remember(unknown[start : start + _TOGETHER])


def _remember(texts: list[str]) -> None:
    together = "\n".join(texts)
    if _is_whole(together) and redact.text(together) == together:
        _CLEAN.update(zip(texts, texts, strict=True))
    elif len(texts) > 1:
        middle = len(texts) // 2
        _remember(texts[:middle])
        _remember(texts[middle:])


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _made_whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def flat_without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """As `data_without_secrets`, for a mapping whose names many runs have."""
    found = dict(values)
    for name, value in values.items():
        if type(value) is str:
            if _CLEAN.get(value) != value:
                found[name] = clean(value)
        elif type(value) is list or type(value) is dict:
            found[name] = data_without_secrets(value)
    names = tuple(found)
    known = clean_names(names)
    return found if known == names else dict(zip(known, found.values(), strict=True))


def data_without_secrets(value: Any) -> Any:
    """As `redact.data`; remembered, since the same words stand in hundreds of records."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): data_without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [data_without_secrets(item) for item in value]
    return value


@functools.lru_cache(maxsize=1024)
def clean_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of params or metrics: those of one run are those of hundreds."""
    return tuple(map(clean, names))
