"""contract.yaml as a checked model, with errors by file, line and field."""

from __future__ import annotations

from pathlib import Path

from reproof import params
from reproof.contract.schema import Contract
from reproof.errors import ReproofError

_BLOCKS = tuple(Contract.model_fields)


def load(path: Path, *, shown: str | Path | None = None) -> Contract:
    """Read and check a contract.

    Args:
        path: the file.
        shown: how errors call it; default its name.

    Raises:
        ReproofError: no such file, no YAML, a block or a field that no contract has, a value of another
            type or range, or a credential in it.
    """
    shown = shown or path.name
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ReproofError(
            f"cannot read the model's contract: {error.strerror}",
            where=shown,
            expected="a file with source, input and output; every field in them may be null",
            hint="`copier update` brings the template's; an empty one is `input: {}`",
        ) from error
    if text.strip():
        raw, _ = params.parse(text, shown)
        for name, block in raw.items():
            if name not in _BLOCKS:
                raise ReproofError(
                    f"no contract has the block {str(name)[:60]!r}",
                    where=shown,
                    expected=", ".join(_BLOCKS),
                    hint="put the field into one of these blocks",
                )
            if block is None:
                raise ReproofError(
                    f"the block {name!r} is empty",
                    where=shown,
                    hint=f"write `{name}: {{}}`, or a field below it; every field may be null",
                )
    return params.load(path, Contract, shown=shown).model
