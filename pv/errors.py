"""Errors that people read: what, where, and what to do. One type a layer."""

from __future__ import annotations

import dataclasses
import re

from pv.exits import Exit

__all__ = [
    "BindingError",
    "ConfigError",
    "ContractError",
    "DocumentError",
    "EvidenceError",
    "ExpressionError",
    "Location",
    "PvError",
    "SelectionError",
    "SubjectError",
    "one_line",
]

_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def one_line(text: str) -> str:
    """Return `text` with its line breaks as escapes: what somebody wrote must look like no line of ours."""
    return _BREAK.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@dataclasses.dataclass(frozen=True, order=True)
class Location:
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class PvError(Exception):
    """Base of the errors that end a command with one clear message.

    Parameters
    ----------
    what
        One sentence without a full stop: what is wrong and why that matters.
    where
        The place in a file, where there is one.
    remedy
        What to do about it.
    code
        A stable code such as ``YAML-002``, where there is one.
    """

    exit = Exit.ERROR

    def __init__(self, what: str, *, where: Location | None = None, remedy: str = "", code: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.code = code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        code = f"[{self.code}]" if self.code else ""
        remedy = f"\n    {one_line(self.remedy)}" if self.remedy else ""
        return one_line(f"{place}error{code}: {self.what}") + remedy


class DocumentError(PvError):
    """A file is not a YAML document that we accept (codes ``YAML-…``)."""

    exit = Exit.REJECTED


class ContractError(PvError):
    """A document does not have the shape of a contract (code ``SCHEMA-000``)."""

    exit = Exit.REJECTED


class ExpressionError(PvError):
    """A rule or a selection is not an expression of our language."""

    exit = Exit.REJECTED


class ConfigError(PvError):
    """``pv.toml`` is missing, unreadable or wrong."""

    exit = Exit.USAGE


class SelectionError(PvError):
    """The command line names nothing, or nothing that is there."""

    exit = Exit.USAGE


class BindingError(PvError):
    """A falsifier's ``check:`` cannot be bound to a declared check."""

    exit = Exit.ERROR


class SubjectError(PvError):
    """A subject is there but is not the one that was named (its digest differs, it cannot be read)."""

    exit = Exit.ERROR


class EvidenceError(PvError):
    """A record is unreadable, altered, or contradicts itself."""

    exit = Exit.REJECTED
