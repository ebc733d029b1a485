"""Text of a formula → tokens, each knowing whether a space is before it. What has no token is refused."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from typing import Literal

from pv.notation.symbols import ACCENTS, ATOMS, PRODUCTS, RELATIONS, SUBSCRIPTS, SUMS, SUPERSCRIPTS, VULGAR

__all__ = ["Kind", "Token", "UnreadableError", "tokenise"]

Kind = Literal["number", "word", "atom", "sum", "sign", "prime", "raised", "lowered", "text", "end"]
MOST_CHARACTERS = 2000


class UnreadableError(Exception):
    """A formula, or a part of it, is not of the notation that we read; never leaves :mod:`pv.notation`."""


@dataclasses.dataclass(frozen=True)
class Token:
    """`text` is as written, but for atoms with an accent, which are LaTeX already."""

    kind: Kind
    text: str
    spaced: bool
    """Whether white space is before it."""


_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|[0-9]+(?:_[0-9]{3})*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+(?![A-Za-z0-9]))?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TEXT = re.compile(r"'([A-Za-z0-9 .+-]*)'")
_LONGEST_FIRST = sorted(
    {*PRODUCTS, *RELATIONS, *"+-±−()[]{}|<>,;_^!.#√∂∇∀∃¬⌊⌋⌈⌉⟨⟩"}, key=lambda sign: (-len(sign), sign)
)
_NO_SIGNS = ("<<", ">>", "**", "&&", "&", "===", "<-", "//", "..=")


def tokenise(text: str) -> list[Token]:
    """Return the tokens of `text`, an ``end`` last.

    Raises
    ------
    UnreadableError
        A character or a sign is none of the notation, or `text` is too long to be a formula.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableError("too long")
    text = unicodedata.normalize("NFC", text)
    found: list[Token] = []
    place = 0
    while True:
        start = place
        while place < len(text) and text[place] in " \t\n":
            place += 1
        if place == len(text):
            return [*found, Token("end", "", spaced=True)]
        token, place = _next(text, place, place > start or place == 0, found)
        found.append(token)


def _next(text: str, place: int, spaced: bool, before: list[Token]) -> tuple[Token, int]:
    if text[place + 1 : place + 2] in ACCENTS and text[place].isascii():
        return _accented(text, place, spaced)
    for kind, pattern in (("number", _NUMBER), ("word", _WORD)):
        if match := pattern.match(text, place):
            return Token(kind, match[0], spaced), match.end()  # type: ignore[arg-type]
    if text[place] == "'":
        if not spaced and before and (before[-1].kind in {"word", "atom", "prime"} or before[-1].text == ")"):
            return Token("prime", "'", spaced), place + 1
        if match := _TEXT.match(text, place):
            return Token("text", match[1], spaced), match.end()
    if any(text.startswith(sign, place) for sign in _NO_SIGNS):
        raise UnreadableError(text[place : place + 2])
    if sign := next((sign for sign in _LONGEST_FIRST if text.startswith(sign, place)), ""):
        return Token("sign", sign, spaced), place + len(sign)
    character = text[place]
    if character in SUMS:
        return Token("sum", character, spaced), place + 1
    if character in VULGAR:
        return Token("number", character, spaced), place + 1
    if character in ATOMS:
        return Token("atom", ATOMS[character], spaced), place + 1
    for name, table in (("raised", SUPERSCRIPTS), ("lowered", SUBSCRIPTS)):
        if character in table:
            end = place
            while end < len(text) and text[end] in table:
                end += 1
            run = "".join(table[one] for one in text[place:end])
            return Token(name, run, spaced), end  # type: ignore[arg-type]
    return _accented(text, place, spaced)


def _accented(text: str, place: int, spaced: bool) -> tuple[Token, int]:
    letter, *marks = list(unicodedata.normalize("NFD", text[place]))
    end = place + 1
    if not marks and end < len(text) and text[end] in ACCENTS:
        marks, end = [text[end]], end + 1
    shown = letter if letter.isascii() and letter.isalpha() else ATOMS.get(letter, "")
    if len(marks) != 1 or marks[0] not in ACCENTS or not shown:
        raise UnreadableError(text[place])
    return Token("atom", f"{ACCENTS[marks[0]]}{{{shown}}}", spaced), end
