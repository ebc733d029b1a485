"""How an investigation looks to people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from pv.investigation import Investigation
from pv.printable import printable

__all__ = ["as_json", "render"]

_WIDTH = 110


def render(investigations: Iterable[Investigation]) -> list[str]:
    """Return the lines for a terminal; of a withdrawn interpretation, what refutes it comes first."""
    return [printable(line) for one in investigations for line in _lines(one)]


def _lines(one: Investigation) -> Iterator[str]:
    yield f"{one.id} ({one.date}, {one.status}): {one.title}"
    if one.withdrawn:
        yield f"  WITHDRAWN {one.withdrawn.date}: refuted by {one.withdrawn.refuted_by}; the evidence stands"
        yield from _wrapped("  because         ", one.withdrawn.reason)
    name = "  was taken for   " if one.withdrawn else "  interpretation  "
    yield from _wrapped(name, one.interpretation)
    yield from (f"  evidence        {name}" for name in one.evidence)
    for number, why in enumerate(one.five_whys, start=1):
        yield from _wrapped(f"  why {number}           ", why.question)
        if why.answer:
            yield from _wrapped("                  ", why.answer)
    if one.five_whys_omitted:
        yield from _wrapped("  no five whys    ", one.five_whys_omitted)
    for hypothesis in one.hypotheses:
        by = f" (by {hypothesis.by})" if hypothesis.by else ""
        yield from _wrapped(f"  {hypothesis.status:<14}  ", f"{hypothesis.statement}{by}")
    yield f"  file            {one.path}"


def _wrapped(head: str, words: str) -> list[str]:
    return textwrap.wrap(
        " ".join(words.split()),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_json(one: Investigation) -> dict[str, Any]:
    """Return the stable form for programs."""
    withdrawn = one.withdrawn
    return {
        "id": one.id,
        "title": one.title,
        "date": one.date,
        "status": one.status,
        "falsifiers": list(one.falsifiers),
        "evidence": list(one.evidence),
        "interpretation": one.interpretation,
        "five_whys": [{"question": why.question, "answer": why.answer} for why in one.five_whys],
        "five_whys_omitted": one.five_whys_omitted,
        "hypotheses": [{"statement": h.statement, "status": h.status, "by": h.by} for h in one.hypotheses],
        "withdrawn": None
        if withdrawn is None
        else {"date": withdrawn.date, "refuted_by": withdrawn.refuted_by, "reason": withdrawn.reason},
        "path": one.path,
    }
