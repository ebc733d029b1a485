"""How reading and quantising end without a result."""

from __future__ import annotations

import os

__all__ = [
    "LoadError",
    "ModelError",
    "QuantisationError",
    "escaped",
    "printable",
    "printable_json",
    "printable_lines",
]


class LoadError(Exception):
    """A file cannot be read as what it claims to be.

    Every hostile or broken file ends in this error: never in another one, and never in zeros
    that stand for missing bytes.

    Parameters
    ----------
    what
        One sentence without a full stop: what is wrong and why that matters.
    path
        The file.
    remedy
        What to do about it.
    """

    def __init__(self, what: str, path: str | os.PathLike[str], remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.path = os.fspath(path)
        self.remedy = remedy

    def __str__(self) -> str:
        remedy = f"\n    {self.remedy}" if self.remedy else ""
        return f"{printable(self.path)}: {printable(self.what)}{printable_lines(remedy)}"


class ModelError(ValueError):
    """A model has no answer to what it was asked; the message says why, and what it does answer."""


class QuantisationError(ValueError):
    """Values cannot be represented in a block format; the message says which and why."""


def escaped(text: str) -> str:
    """Return `text` with each character that does not print as itself written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """Escape what is not printed as itself, so that a name out of a file cannot drive a terminal.

    Line feeds are escaped as well: a name stays on its line. So is what would make of the line a workflow
    command of GitHub's: its runner looks for ``::`` behind leading blanks, and for ``##[`` anywhere
    (https://github.com/actions/runner, ``src/Runner.Common/ActionCommand.cs``).
    """
    text = escaped(text)
    if (stripped := text.lstrip()).startswith("::"):
        text = text[: len(text) - len(stripped)] + "\\x3a" + stripped[1:]
    return text.replace("##[", "\\x23#[")


def printable_lines(text: str) -> str:
    """Return `text` with each of its lines made `printable`: for text that has several by right."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """Return JSON that says the same, and that a runner of GitHub's finds no command in: see `printable`."""
    return text.replace("##[", "\\u0023#[")
