"""Runs read back from Git, from the workspace and from the registry of runs in progress, as one table.

It reads what Git holds, and asks neither DVC nor its cache; it checks nothing out and writes into no working
tree.
"""

from reproof.history.known import Found, History
from reproof.history.reading import blob, read_rows
from reproof.history.repository import root_of
from reproof.history.rows import Row, Rows
from reproof.history.scanning import collect, of_results, scan
from reproof.history.snapshot import FILE, SCHEMA_VERSION, read, write
from reproof.recorded import Run

__all__ = [
    "FILE",
    "SCHEMA_VERSION",
    "Found",
    "History",
    "Row",
    "Rows",
    "Run",
    "blob",
    "collect",
    "of_results",
    "read",
    "read_rows",
    "root_of",
    "scan",
    "write",
]
