"""A comparison as a table for terminals, as Markdown, a page, CSV or JSON."""

from reproof.comparison.documents.data import as_csv, as_json
from reproof.comparison.documents.markdown import as_html, as_markdown
from reproof.comparison.documents.table import as_table

__all__ = ["as_csv", "as_html", "as_json", "as_markdown", "as_table"]
