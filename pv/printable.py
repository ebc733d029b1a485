"""Text of strangers, made safe to print: a contract must not drive the terminal that shows it."""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

# Control, format (bidirectional marks, zero-width), surrogate, private use, unassigned; line separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Return `text` with each character that does not print as itself written as an escape.

    Line feeds are escaped as well: one message stays on one line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _UNSAFE
        else character
        for character in text
    )
