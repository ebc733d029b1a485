"""A document as bytes, which go from one process to another."""

from __future__ import annotations

import struct
from array import array

from pv.document import Document
from pv.place import Marks

__all__ = ["pack_document", "unpack_document"]

_LENGTHS = struct.Struct("<4I")


def pack_document(document: Document) -> bytes | None:
    """Return `document` as bytes: its value in JSON, its text, and the numbers of its marks.

    None if it has places that only its reader can work out, as aliases have.
    """
    # Late: it serves only where there are hundreds of files. It keeps every number, and runs nothing.
    from pydantic_core import to_json

    marks = document.marks
    if not isinstance(marks, Marks):
        return None
    ends = array("I", (number for span in marks.ends.items() for number in span))
    parts = to_json(document.value), marks.text.encode(), marks.indices.tobytes(), ends.tobytes()
    return _LENGTHS.pack(*map(len, parts)) + b"".join(parts)


def unpack_document(path: str, packed: bytes) -> Document:
    """Return what :func:`pack_document` made bytes of; `path` is the file's."""
    import json

    parts = []
    start = _LENGTHS.size
    for length in _LENGTHS.unpack_from(packed):
        parts.append(packed[start : start + length])
        start += length
    value, text, indices, ends = parts
    spans = array("I", ends)
    marks = Marks(text.decode(), array("I", indices), dict(zip(spans[::2], spans[1::2], strict=True)))
    return Document(path, json.loads(value), marks)
