"""The Markdown documents of a run as one HTML page: offline, in one file, and safe to open."""

from reproof.report.page.assemble import Document, write

__all__ = ["Document", "write"]
