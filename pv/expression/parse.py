"""Text to syntax tree: Python's own grammar, through a whitelist. Nothing is ever evaluated as code."""

from __future__ import annotations

import ast
import functools
import warnings

from pv.expression.reader import Reader, error_at
from pv.expression.syntax import Expression

__all__ = ["MAXIMUM_LENGTH", "parse"]

MAXIMUM_LENGTH = 1_000


@functools.lru_cache(maxsize=1024)  # a line is read by rules, surveys, verdicts and their verification
def parse(text: str, dotted: frozenset[str] = frozenset()) -> Expression:
    """Parse one line of a rule, or a selection.

    Parameters
    ----------
    text
        At most 1,000 characters, nested at most 32 deep.
    dotted
        The names with a dot that there are beside metrics: ``needs.gpu`` is then the name ``needs_gpu``.

    Raises
    ------
    ExpressionError
        The text is not of the language; ``where.column`` is the place, counting from 1.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise error_at(
            f"the expression has {len(text):,} characters, more than {MAXIMUM_LENGTH:,}",
            MAXIMUM_LENGTH,
            "split it into several lines: all of them must hold",
        )
    bad = next((index for index, c in enumerate(text) if c not in "\t\n\r" and not c.isprintable()), None)
    if bad is not None:
        raise error_at(f"the character {text[bad]!r} cannot be printed", bad, "remove it")
    # One line, so that a column is a place; a comment would then hide what follows it.
    line = "".join(" " if c in "\t\n\r" else c for c in text)
    indent = len(line) - len(line.lstrip())
    line = line.strip()
    if not line:
        raise error_at("the expression is empty", 0, "write a comparison, such as min(cosine) >= 0.999")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python merely warns of (1or x) is not in the language
            tree = ast.parse(line, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError, Warning) as error:
        offset = getattr(error, "offset", None)
        offset = 1 if offset is None else offset or len(line) + 1  # 0: Python missed something at the end
        detail = getattr(error, "msg", None) or str(error) or type(error).__name__
        raise error_at(
            f"not an expression: {detail}",
            indent + offset - 1,
            "see the list of functions and operators in docs",
        ) from None
    return Reader(line, indent, dotted).expression(tree.body)
