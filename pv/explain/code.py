"""A code, told to people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pv.codes import Code

__all__ = ["render"]

_WIDTH = 110


def render(code: Code) -> Iterator[str]:
    """Yield the lines for a terminal."""
    weight = code.severity
    if code.elsewhere != code.severity:
        other = "nothing" if code.elsewhere == "silent" else f"a {code.elsewhere}"
        weight = f"{code.severity}; {other} in contracts that use none of our fields"
    yield f"{code.code} ({weight})"
    yield f"  {code.summary}"
    yield ""
    yield from textwrap.wrap(code.why, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    yield from textwrap.wrap(
        f"What to do: {code.remedy}", _WIDTH, initial_indent="  ", subsequent_indent="  "
    )
    for title, example in (("breaks it", code.bad), ("does not", code.good)):
        yield ""
        yield f"  {title} ({code.of})"
        yield from (f"    {line}" for line in example.splitlines())
