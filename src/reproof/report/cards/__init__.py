"""Cards of a run in forms that others read: a Hugging Face model card, and Croissant for the data."""

from reproof.report.cards import data, model

__all__ = ["data", "model"]
