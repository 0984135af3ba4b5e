"""How far two files of one kind are apart, by what they mean: one module a kind, each with `compare`.

A kind is chosen by the file's name alone. What no kind knows is compared by its bytes, and two such files
that differ are never taken for close: nothing here could tell by how much.
"""

from reproof.verify.kinds.by_name import DRAWN, compare
from reproof.verify.kinds.found import Found, Standing, different

__all__ = ["DRAWN", "Found", "Standing", "compare", "different"]
