"""A picture of how many falsifiers have each status: a bar, whose text says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["bar", "counted"]


def counted(counts: Mapping[str, int]) -> str:
    """Return a tally in words: ``3 DISCHARGED, 1 STALE``."""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing in the tally"


def bar(counts: Mapping[str, int]) -> str:
    """Return the SVG of a bar with a part for each status, in the order of `counts`; names are our own words.

    Parts are told apart by their pattern as well as by their colour: see the style sheet.
    """
    return (
        f'<svg class="bar" role="img" width="100%" height="12" aria-label="{counted(counts)}">'
        f"{''.join(_parts(counts))}</svg>"
    )


def _parts(counts: Mapping[str, int]) -> Iterator[str]:
    total = sum(counts.values())
    done = 0
    for name, count in counts.items():
        start, width = done * 100 / total, count * 100 / total
        done += count
        word = name.lower()
        yield f'<rect class="{word}" x="{start:.2f}%" width="{width:.2f}%" height="12"/>'
        if word in _PATTERNS:
            yield f'<rect fill="url(#{_PATTERNS[word]})" x="{start:.2f}%" width="{width:.2f}%" height="12"/>'


_PATTERNS = {"falsified": "stripes", "vacuous": "stripes", "stale": "dots", "unbound": "hollow"}
"""Status → the pattern that ``base.html`` defines."""
