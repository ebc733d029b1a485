"""Text with holes, such as ``--input={numbers}``: what a test or a command is told of its subjects.

A hole is a name in braces. ``{{`` and ``}}`` stand for the braces themselves. Nothing else is special:
no format, no attribute, no index, so that what is filled in is exactly the text of the subject's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["GIVEN", "PYTHONS", "HoleError", "fill", "holes"]

GIVEN = frozenset({"scratch", "seed", "device"})
"""What the engine fills in besides the roles of the clause."""

PYTHONS = frozenset({"python", "python3"})
"""First words of a command that stand for the interpreter which runs pv."""

_PIECE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}|[{}]", re.ASCII)


class HoleError(ValueError):
    """A brace that neither opens a hole nor is doubled, or a hole for which there is nothing."""


def holes(text: str) -> tuple[str, ...]:
    """Return the names of the holes in `text`, in order.

    Raises
    ------
    HoleError
        A brace stands alone.
    """
    found = []
    for match in _PIECE.finditer(text):
        if match[1] is not None:
            found.append(match[1])
        elif len(match[0]) == 1:
            raise HoleError(
                f"the brace at character {match.start() + 1} of {text!r} belongs to no name in braces"
            )
    return tuple(found)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put `values` into the holes of `text`; what they hold is not read for holes again.

    Raises
    ------
    HoleError
        A brace stands alone, or `values` has nothing for a hole.
    """
    for name in holes(text):
        if name not in values:
            raise HoleError(f"there is nothing to put in {{{name}}} of {text!r}")
    return _PIECE.sub(lambda match: values[match[1]] if match[1] is not None else match[0][0], text)
