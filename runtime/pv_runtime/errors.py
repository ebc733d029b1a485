"""How reading and quantising end without a result."""

from __future__ import annotations

import os

__all__ = ["LoadError", "ModelError", "QuantisationError", "printable"]


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
        return f"{printable(self.path)}: {printable(self.what)}{remedy}"


class ModelError(ValueError):
    """A model has no answer to what it was asked; the message says why, and what it does answer."""


class QuantisationError(ValueError):
    """Values cannot be represented in a block format; the message says which and why."""


def printable(text: str) -> str:
    """Escape control characters, so that a name out of a file cannot drive a terminal."""
    return "".join(c if c.isprintable() or c in " \n" else ascii(c)[1:-1] for c in text)
