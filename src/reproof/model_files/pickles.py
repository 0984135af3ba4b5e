"""Pickles read as text: which Python objects they would import. Nothing is unpickled here.

`torch.load(weights_only=True)` builds tensors out of a short list of known functions and refuses all else.
Everything beyond that list is code which runs when the file is opened: `os.system` as well as a harmless
class. Source: the opcodes of Python's `pickletools`.
"""

from __future__ import annotations

import io
import pickletools  # which reads pickles without doing what they say  # nosec B403
import re
from collections.abc import Iterator
from typing import IO

from reproof.errors import ReproofError

MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""Of its own magic number, with which `torch.save` began before its files were ZIP archives."""
_LEGACY_PARTS = 4
"""Pickles in a row there: the magic number, a version, facts of the system, and the object."""
_MAX_BYTES = 200_000_000
_MAX_NAMED = 6

_DATA = re.compile(
    r"collections\.(OrderedDict|Counter)|_codecs\.encode"
    r"|(builtins|__builtin__)\.(bytearray|set|complex)"
    r"|torch\.(\w+Storage|Size|Tensor|device|dtype|\w+Tensor|(per_tensor|per_channel)_\w+"
    r"|(b?float|u?int|complex|bool|half|double|long|short|q?u?int)\d*\w*|bits\w+)"
    r"|torch\.(cuda|sparse|xpu|mtia)\.\w+(Tensor|Storage)"
    r"|torch\.storage\.\w*Storage|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)|torch\.serialization\._get_layout"
)
"""What only makes tensors; `torch.load(weights_only=True)` has the last word on it."""

SAFE_WAYS = (
    "where the model was made, save what runs no code: torch.save(model.state_dict(), path) with a loader in "
    "src/model.py, safetensors.torch.save_file(model.state_dict(), path), torch.export.save(program, path), "
    "or torch.onnx.export(model, example, path)"
)


def needs_code(stream: IO[bytes], parts: int = 1) -> list[str]:
    """Return the names, as `module.name`, that a pickle imports beyond what makes tensors; sorted.

    Args:
        stream: stands at the pickle's beginning.
        parts: how many pickles follow each other; only what they import is read, no data behind them.

    Raises:
        ValueError: the pickle is cut short, or none.
    """
    found: set[str] = set()
    for _ in range(parts):
        found |= set(_imports(stream))
    return sorted(name for name in found if not _DATA.fullmatch(name))


def legacy_needs_code(stream: IO[bytes]) -> list[str]:
    """Return the same for a file that `torch.save` wrote before 1.6."""
    return needs_code(stream, _LEGACY_PARTS)


def limited(data: IO[bytes]) -> io.BytesIO:
    """Return a pickle out of an archive, read whole.

    Raises:
        ValueError: larger than any list of tensors.
    """
    content = data.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError("a pickle of over 200 MB beside the tensors")
    return io.BytesIO(content)


def refusal(names: list[str], where: str) -> ReproofError:
    """Return the error for a pickle that needs code, with the safe ways out."""
    shown = ", ".join(name[:100] for name in names[:_MAX_NAMED])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ReproofError(
        "a pickle that runs code when it is opened, so it is not opened",
        where=where,
        expected="tensors alone",
        found=f"it imports {shown}{more}",
        hint=SAFE_WAYS,
    )


def _imports(stream: IO[bytes]) -> Iterator[str]:
    """Every global of one pickle. Names for STACK_GLOBAL are the last two texts, maybe out of the memo."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".", 1)
            elif opcode.name == "STACK_GLOBAL":
                module, name = ([*texts, "?", "?"] if len(texts) < 2 else texts)[-2:]
                yield f"{module}.{name}"
            elif "UNICODE" in opcode.name or "STRING" in opcode.name:
                texts.append(str(argument))
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif opcode.name.endswith("PUT") and texts:
                memo[int(str(argument))] = texts[-1]
            elif opcode.name.endswith("GET"):
                texts.append(memo.get(int(str(argument)), "?"))
            elif opcode.name.startswith("EXT"):
                yield f"copyreg extension {argument}"
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise ValueError(str(error)[:200] or type(error).__name__) from error
