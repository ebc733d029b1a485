"""Text of strangers, made safe to print: a contract must drive neither a terminal nor a job of CI."""

from __future__ import annotations

import unicodedata

__all__ = ["printable", "printable_json"]

# Control, format (bidirectional marks, zero-width), surrogate, private use, unassigned; line separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Return `text` with each character that does not print as itself written as an escape.

    Line feeds are escaped as well: one message stays on one line. So is what would make of the line a
    workflow command of GitHub's.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            character.encode("unicode_escape").decode("ascii")
            if unicodedata.category(character) in _UNSAFE
            else character
            for character in text
        )
    return _no_command(text)


def _no_command(line: str) -> str:
    """Return `line` without what a runner of GitHub's takes for a command: it begins so, or has it anywhere.

    Source: https://github.com/actions/runner, ``src/Runner.Common/ActionCommand.cs``: leading blanks count
    for nothing, and the older form is looked for within lines.
    """
    if (stripped := line.lstrip()).startswith("::"):
        line = line[: len(line) - len(stripped)] + "\\x3a" + stripped[1:]
    return line.replace("##[", "\\x23#[") if "##[" in line else line


def printable_json(text: str) -> str:
    """Return JSON that says the same, and that a runner of GitHub's finds no command in: see `printable`."""
    return text.replace("##[", "\\u0023#[")
