"""What went wrong with one input, as a line of its row."""

from __future__ import annotations

from pathlib import Path

from reproof.errors import ReproofError


def first_line(error: BaseException, path: Path) -> str:
    """Return what an error says as one line, with the name of a file instead of its whole path."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(str(path), path.name)[:300]


def told(error: BaseException, root: Path) -> str:
    """Return what went wrong as one line, with no path of this machine in it."""
    if isinstance(error, ReproofError):
        parts = [error.what if error.where is None else f"{error.where}: {error.what}"]
        for word, text in (("expected", error.expected), ("found", error.found), ("to mend", error.hint)):
            parts += [f"{word}: {text}"] if text else []
        line = "; ".join(parts)
    else:
        line = f"{type(error).__name__}: {first_line(error, root)}{_place(error, root)}"
    return " ".join(line.replace(f"{root.resolve()}/", "").split())[:600]


def _place(error: BaseException, root: Path) -> str:
    """The innermost line of the project's own code that the error came through."""
    trace, place = error.__traceback__, ""
    top = root.resolve() / "src"
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if top in file.parents:
            place = f" (src/{file.relative_to(top).as_posix()}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place
