"""YAML files read strictly, with the position of every key and value.

One semantics: the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema), read from
libyaml's events. What could hide a meaning is refused: duplicate keys, merge keys, tags, several
documents, numbers that are not finite, keys that are not strings, bidirectional control characters.

Codes: YAML-001 syntax · 002 duplicate key · 003 too deep · 004 too many values once aliases are
expanded · 005 number not finite or out of range · 006 file too large · 007 no or several documents ·
008 tag · 009 merge key · 010 not printable UTF-8 · 011 key that is not a string.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from pathlib import Path
from typing import Any

from pv.document_builder import MAXIMUM_DEPTH, MAXIMUM_VALUES, build
from pv.errors import DocumentError, Location, SelectionError
from pv.place import Marks, Place
from pv.plain_document import read_plain

__all__ = ["MAXIMUM_BYTES", "MAXIMUM_DEPTH", "MAXIMUM_VALUES", "Document", "load", "parse"]

MAXIMUM_BYTES = 1 << 20

# YAML 1.2 §5.1 without the line separators of Unicode, on which YAML 1.1 and 1.2 differ, and without
# the bidirectional controls that make a line read differently from what it says (CVE-2021-42574).
_ALLOWED = (
    *(("\t", "\t"), ("\n", "\n"), ("\r", "\r"), ("\x20", "\x7e"), ("\xa0", "\u2027"), ("\u202f", "\u2065")),
    *(("\u206a", "\ud7ff"), ("\ue000", "\ufefe"), ("\uff00", "\ufffd"), ("\U00010000", "\U0010ffff")),
)
_PLAIN = bytes(range(0x20, 0x7F)) + b"\t\n\r"
"""Of these, those of one byte: nearly all that a document has."""


@dataclasses.dataclass(frozen=True)
class Document:
    """A file's value, made of dict, list, str, int, float, bool and None, and where each part stands.

    Aliases share one object; treat the value as immutable.
    """

    path: str
    value: Any
    marks: Marks | Place = dataclasses.field(repr=False, compare=False)

    def where(self, *path: str | int) -> Location:
        """Return where the value at `path` stands, or else its nearest parent that is there."""
        return Location(self.path, *self.marks.find(self.value, path, key=False))

    def where_key(self, *path: str | int) -> Location:
        """Return where the key of `path`'s last step stands, or else the nearest parent's key."""
        return Location(self.path, *self.marks.find(self.value, path, key=True))


def load(path: Path) -> Document:
    """Read the YAML file `path`.

    Raises
    ------
    SelectionError
        There is no such file, it may not be read, or it is not a regular file.
    DocumentError
        It is not a document that we accept; the code says why.
    """
    name = str(path)
    data = _read(name)
    if len(data) > MAXIMUM_BYTES:
        raise DocumentError(
            f"the file is larger than {MAXIMUM_BYTES:,} bytes",
            where=Location(name, 1, 1),
            remedy="Split it; large data belongs in a subject, not in a contract.",
            code="YAML-006",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise DocumentError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            where=_locate(before, len(before), name),
            remedy="Save the file as UTF-8.",
            code="YAML-010",
        ) from None
    return parse(text, name)


def _read(name: str) -> bytes:
    if "\0" in name:
        raise SelectionError("a path cannot contain NUL", remedy="Name a YAML file.")
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SelectionError(f"{name} is not a regular file", remedy="Name a YAML file.")
            # A byte more than it should have tells that it ends there; some files say 0 and have more.
            data = os.read(descriptor, min(status.st_size, MAXIMUM_BYTES) + 1)
            while len(data) <= MAXIMUM_BYTES and (more := os.read(descriptor, MAXIMUM_BYTES + 1 - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SelectionError(
            f"cannot read {name}: {reason}", remedy="Name a YAML file that is there."
        ) from None


def parse(text: str, path: str) -> Document:
    """Read the YAML document `text`; `path` is what messages call it.

    Raises
    ------
    DocumentError
        It is not a document that we accept; the code says why.
    """
    text = text.removeprefix("\ufeff")
    # What is left is a handful of characters; to compile a pattern of these ranges takes longer.
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN).decode("utf-8", "surrogatepass")
    forbidden = [c for c in set(rest) if not any(low <= c <= high for low, high in _ALLOWED)]
    if forbidden:
        first = min(map(text.index, forbidden))
        raise DocumentError(
            f"character U+{ord(text[first]):04X} may not stand in a document as it is",
            where=_locate(text, first, path),
            remedy='Remove it, or write it as an escape in double quotes ("\\x07", "\\u202e").',
            code="YAML-010",
        )
    return Document(path, *(read_plain(text) or build(text, path)))


def _locate(text: str, index: int, path: str) -> Location:
    lines = re.split(r"\r\n|\r|\n", text[:index])
    return Location(path, len(lines), len(lines[-1]) + 1)
