"""A run on a forge: commits tied to runs by trailers, the pull request's Markdown, and its one comment."""
