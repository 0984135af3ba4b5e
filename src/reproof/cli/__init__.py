"""The command `reproof`. Each command parses, calls one function and prints; heavy imports stay inside."""

from reproof.cli import (
    benchmark,
    cards,
    certificate,
    compare,
    diff,
    documents,
    pull_request,
    report,
    runs,
    verify,
)
from reproof.cli.app import app, main

__all__ = [
    "app",
    "benchmark",
    "cards",
    "certificate",
    "compare",
    "diff",
    "documents",
    "main",
    "pull_request",
    "report",
    "runs",
    "verify",
]
