"""The command `reproof`. Each command parses, calls one function and prints; heavy imports stay inside."""

from reproof.cli import benchmark, cards, documents, report, runs
from reproof.cli.app import app, main

__all__ = ["app", "benchmark", "cards", "documents", "main", "report", "runs"]
