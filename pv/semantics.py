"""The version of what a verdict means; evidence judged under another version is stale.

Raise it whenever the expression language, the judging, the survey or the way a role is damaged
changes what could come out for the same measurements.
"""

from __future__ import annotations

__all__ = ["SEMANTICS"]

SEMANTICS = 1
