"""Reproof: machine-learning experiments in Git that can be proved again."""

__version__ = "0.1.0"
