"""A formula of a contract in LaTeX: sentence by sentence what could be read, and the rest verbatim."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator

from pv.notation.reader import read
from pv.notation.symbols import FUNCTIONS, GREEK_WORDS
from pv.notation.tokens import MOST_CHARACTERS, UnreadableError

__all__ = ["Segment", "latex", "segments", "verbatim"]

_REMARK = re.compile(r"\s\(([A-Za-z]{2,}(?:[ -][A-Za-z]{2,})*)\)\s*$")
_BREAK = re.compile(r"\s*;\s*|\s*,?\s+where\s+|[ \t]*\n[ \t]*")
_CONTINUING = frozenset("+-−*/·×=<>≤≥≈∧∨,^_|")
"""What a line may begin with that belongs to the line before."""
_BACKSLASHED = str.maketrans(
    {
        "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
        **{character: f"\\{character}" for character in "{}$&#_%"},
    }
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of a formula: as written, and in LaTeX where it could be read (else `latex` is empty)."""

    text: str
    latex: str
    before: str = ""
    """What is between the segment before and this one: ``;``, ``where``, a remark, or a line's end."""

    @property
    def read(self) -> bool:
        """Whether it could be read."""
        return bool(self.latex)


def verbatim(text: str) -> str:
    r"""Return `text` as LaTeX that prints it letter by letter, within mathematics or without.

    Letters beyond ASCII stay themselves: an engine that reads Unicode sets them.
    """
    words = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return f"\\texttt{{{words.translate(_BACKSLASHED)}}}"


def latex(formula: str) -> str:
    """Return `formula` in LaTeX, without the marks that begin mathematics; never fails."""
    out = []
    for segment in segments(formula):
        joint = {";": ";\\quad ", "where": "\\quad \\text{where } ", "\n": " \\quad ", "": ""}
        out.append(joint.get(segment.before, f"\\quad \\text{{{segment.before}}}"))
        if segment.text:
            out.append(segment.latex or verbatim(segment.text))
    return "".join(out)


@functools.lru_cache(maxsize=4096)  # contracts of models of one family share their formulas
def segments(formula: str) -> tuple[Segment, ...]:
    """Take `formula` apart into what can be read by itself, in order.

    Lines of which one cannot be read may belong together, and stay verbatim as a whole.
    """
    formula = formula.strip()
    if len(formula) > MOST_CHARACTERS:
        return (Segment(formula, ""),)
    found = tuple(_segments(formula))
    lines = any(one.before == "\n" for one in found)
    goes_on = any(one.before == "\n" and one.text[:1] in _CONTINUING for one in found if one.text)
    if goes_on or (lines and not all(one.read or not one.text for one in found)):
        return (Segment(formula, ""),)
    if not any(one.read for one in found):
        return (Segment(formula, ""),)
    return found


def _segments(formula: str) -> Iterator[Segment]:
    before = ""
    for text, after in _parts(formula):
        remark = _remark(text)
        body = text[: remark.start()] if remark else text
        yield Segment(body, _read(body), before)
        if remark:
            yield Segment("", "", f"({remark[1]})")
        before = after


def _remark(text: str) -> re.Match[str] | None:
    match = _REMARK.search(text)
    if match is None or match[1] in GREEK_WORDS or match[1] in FUNCTIONS:
        return None
    return match if any(len(word) > 2 for word in re.split("[ -]", match[1])) else None


def _read(text: str) -> str:
    try:
        return read(text)
    except UnreadableError:
        return ""


def _parts(formula: str) -> Iterator[tuple[str, str]]:
    """Yield each part with what ends it, where no bracket is open."""
    depth, start, place = 0, 0, 0
    while place < len(formula):
        depth += (formula[place] in "([{") - (formula[place] in ")]}")
        match = _BREAK.match(formula, place) if depth <= 0 else None
        if match and match.end() > place:
            kind = "\n" if "\n" in match[0] else ";" if ";" in match[0] else "where"
            yield formula[start:place], kind
            start = place = match.end()
        else:
            place += 1
    yield formula[start:], ""
