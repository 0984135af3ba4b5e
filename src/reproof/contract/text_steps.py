"""From texts to what a text model takes: the texts themselves, or the numbers of their tokens."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reproof import files
from reproof.contract.schema import Input
from reproof.errors import ReproofError
from reproof.model_files.ports import Arrays, Port

Array = npt.NDArray[Any]

FILE = "contract.yaml"
_PADS = ("[PAD]", "<pad>", "<|padding|>")


def prepare(said: Input, texts: Sequence[str], ports: Sequence[Port] | None, root: Path) -> Arrays:
    """Return arrays by the names of the model's inputs.

    A model that takes strings gets them, shape (batch,) or with axes of 1 as its input has. For others the
    tokenizer of the contract makes tokens, shape (batch, length): `input_ids` (or the input that the contract
    names), and where the model has such inputs, a mask of ones and zeros, types and positions. The length is
    the model's where it is fixed, else that of the longest text; `max_tokens` cuts.

    Raises:
        ReproofError: no tokenizer in the contract, a package that is missing, or a file that is none.
    """
    takes_texts = any(port.dtype == "string" for port in ports) if ports else said.tokenizer is None
    if takes_texts:
        port = next((port for port in ports or () if port.dtype == "string"), None)
        name = port.name if port else said.name or "text"
        axes = (1,) * (len(port.shape) - 1 if port and port.shape else 0)
        return {name: np.array(texts, dtype=np.str_).reshape(len(texts), *axes)}
    if said.tokenizer is None:
        raise ReproofError(
            "the model takes tokens, and no tokenizer is named",
            where=f"{FILE}: input.tokenizer",
            hint="input.tokenizer: write the path of a tokenizer.json in the project",
        )
    path = files.inside(root, said.tokenizer, where=f"{FILE}: input.tokenizer")
    masked = not ports or any(_role(port, said, ports) == "mask" for port in ports)
    tokens = _tokens(path, texts, said.max_tokens, _fixed_length(said, ports), masked)
    if not ports:
        return {said.name or "input_ids": tokens["ids"], "attention_mask": tokens["mask"]}
    return {port.name: tokens[role] for port in ports if (role := _role(port, said, ports)) is not None}


def _role(port: Port, said: Input, ports: Sequence[Port]) -> str | None:
    """What of the tokens an input is for, by its name; None where nothing here fits it."""
    name = port.name.lower()
    for word, role in (("mask", "mask"), ("type", "types"), ("segment", "types"), ("position", "positions")):
        if word in name and port.name != said.name:
            return role
    if said.name is not None:
        return "ids" if port.name == said.name else None
    named = next((other.name for other in ports if "ids" in other.name.lower()), port.name)
    return "ids" if port.name == named or len(ports) == 1 else None


def _fixed_length(said: Input, ports: Sequence[Port] | None) -> int | None:
    ids = next((port for port in ports or () if _role(port, said, ports or ()) == "ids"), None)
    length = ids.shape[1] if ids is not None and len(ids.shape) == 2 else None
    return length if isinstance(length, int) else None


def _tokens(path: Path, texts: Sequence[str], most: int | None, fixed: int | None, masked: bool) -> Arrays:
    limits = [limit for limit in (most, fixed) if limit is not None]
    tokenizer, pad = _tokenizer(path, _changed(path), min(limits, default=None))
    encodings = tokenizer.encode_batch(list(texts))
    length = fixed or max((len(encoding.ids) for encoding in encodings), default=0)
    if pad is None and not masked and any(len(encoding.ids) < length for encoding in encodings):
        raise ReproofError(
            "texts of different lengths, and no token to fill the shorter ones with",
            where=path.name,
            expected=f"a token for padding, such as {_PADS[0]}, or a model with an attention mask",
            hint="infer.batch_size: 1 runs each text in its own length",
        )
    rows: dict[str, list[list[int]]] = {"ids": [], "mask": [], "types": []}
    for encoding in encodings:
        rest = length - len(encoding.ids)
        rows["ids"].append([*encoding.ids, *[pad or 0] * rest])
        rows["mask"].append([*encoding.attention_mask, *[0] * rest])
        rows["types"].append([*encoding.type_ids, *[0] * rest])
    found: Arrays = {role: np.array(row, np.int64).reshape(len(texts), length) for role, row in rows.items()}
    return found | {"positions": np.broadcast_to(np.arange(length), found["ids"].shape).copy()}


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        hint = "input.tokenizer: write the path of a tokenizer.json in the project"
        raise ReproofError(
            "cannot read the tokenizer", where=path.name, found=error.strerror, hint=hint
        ) from error


@functools.lru_cache(maxsize=4)
def _tokenizer(path: Path, changed: int, most: int | None) -> tuple[Any, int | None]:  # noqa: ARG001
    """A tokenizer that cuts and does not pad, and its token for padding; a changed file is another one."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ReproofError(
            "the package tokenizers is not installed",
            where=f"{FILE}: input.tokenizer",
            hint="install it: `pip install tokenizers`",
        ) from error
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:
        # The package's errors share no base class.
        raise ReproofError(
            "not a tokenizer.json",
            where=path.name,
            found=str(error)[:200],
            hint="input.tokenizer: name the file that the model's authors saved with the package tokenizers",
        ) from error
    by_name = (tokenizer.token_to_id(name) for name in _PADS)
    declared = tokenizer.padding["pad_id"] if tokenizer.padding else None
    pad = declared if declared is not None else next((n for n in by_name if n is not None), None)
    tokenizer.no_padding()
    if most is not None:
        tokenizer.enable_truncation(most)
    return tokenizer, pad
