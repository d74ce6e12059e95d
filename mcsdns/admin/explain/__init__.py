"""
Why a name answers what it does, for the person who typed `dig` and got something else: `explain` and, as text, `text`. Pure.

Not here: the answer itself. It comes from `mcsdns.clusterset` and `mcsdns.zone`, as the server's does.
"""

from mcsdns.admin.explain.around import Around
from mcsdns.admin.explain.explanation import Explanation, explain, path_of_absent
from mcsdns.admin.explain.render import text
from mcsdns.admin.explain.scene import Hop

__all__ = ["Around", "Explanation", "Hop", "explain", "path_of_absent", "text"]
