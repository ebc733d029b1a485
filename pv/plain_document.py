"""Values of plain documents, fast: those in which nothing but scalars, mappings and lists occurs.

It never refuses, and says nothing of what it does not know: a document with a tag, an anchor, an alias, a
directive, or anything that is refused, is left to :func:`pv.document_builder.build`, whose words are the
only ones. Both read the same events of libyaml, and a test compares what they make of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import yaml

from pv.document_builder import MAXIMUM_DEPTH, MAXIMUM_VALUES
from pv.place import Marks
from pv.scalar import NUMERIC, WORDS, ScalarError, resolve

__all__ = ["read_plain"]

# Without types: what they know of PyYAML takes its optional marks for missing.
_Scalar: Any = yaml.ScalarEvent
_Mapping: Any = yaml.MappingStartEvent
_Sequence: Any = yaml.SequenceStartEvent
_MappingEnd: Any = yaml.MappingEndEvent
_SequenceEnd: Any = yaml.SequenceEndEvent
_PARSER: Any = getattr(yaml.cyaml, "CParser", None) if yaml.__with_libyaml__ else None


class _OtherError(Exception):
    """The document is not plain."""


def read_plain(text: str) -> tuple[Any, Marks] | None:
    """Return the value of the YAML document `text` and its marks; None if it is not plain, or is refused."""
    if _PARSER is None:
        return None
    parser = _PARSER(text)
    reader = _Reader(text, parser.get_event)
    try:
        parser.get_event()  # the stream's start
        start = parser.get_event()
        if type(start) is not yaml.DocumentStartEvent or start.version or start.tags:
            return None
        value = reader.value(parser.get_event(), 0)
        parser.get_event()  # the document's end
        if type(parser.get_event()) is not yaml.StreamEndEvent:
            return None
    except (yaml.YAMLError, ScalarError, _OtherError):
        return None
    if value is None or len(reader.indices) > MAXIMUM_VALUES:
        return None
    if reader.indices[-1] >= len(text) and text[-1] not in "\r\n":
        return None  # libyaml may say that nothing, at the end of a text, stands on a line of its own
    return value, Marks(text, array("I", reader.indices), reader.ends)


class _Reader:
    """Reads values from events; recursion goes no deeper than documents may."""

    def __init__(self, text: str, event: Callable[[], Any]) -> None:
        self.text = text
        self.event = event
        self.indices: list[int] = []
        self.ends: dict[int, int] = {}
        self.questions = "?" in text

    def value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is _Scalar:
            if event.tag is not None or event.anchor is not None:
                raise _OtherError
            self.indices.append(event.start_mark.index)
            text = event.value
            return text if event.style else resolve(text)
        if kind is _Mapping:
            return self.mapping(event, depth + 1)
        if kind is _Sequence:
            return self.sequence(event, depth + 1)
        raise _OtherError

    def mapping(self, start: Any, depth: int) -> dict[str, Any]:
        if start.tag is not None or start.anchor is not None or depth > MAXIMUM_DEPTH:
            raise _OtherError
        read, note = self.event, self.indices.append
        own = len(self.indices)
        note(start.start_mark.index)
        value: dict[str, Any] = {}
        while True:
            event = read()
            if type(event) is not _Scalar:
                if type(event) is _MappingEnd:
                    self.ends[own] = len(self.indices)
                    return value
                raise _OtherError
            if event.tag is not None or event.anchor is not None:
                raise _OtherError
            index = event.start_mark.index
            note(index)
            key = event.value
            if not event.style:
                if key == "<<":
                    raise _OtherError
                key = WORDS[key] if key in WORDS else resolve(key) if key[0] in NUMERIC else key
            if (
                type(key) is not str
                or key in value
                or (self.questions and index and self.text[index - 1] == "?")
            ):
                raise _OtherError
            event = read()
            if type(event) is _Scalar:
                if event.tag is not None or event.anchor is not None:
                    raise _OtherError
                note(event.start_mark.index)
                text = event.value
                if not event.style:
                    text = WORDS[text] if text in WORDS else resolve(text) if text[0] in NUMERIC else text
                value[key] = text
            else:
                value[key] = self.value(event, depth)

    def sequence(self, start: Any, depth: int) -> list[Any]:
        if start.tag is not None or start.anchor is not None or depth > MAXIMUM_DEPTH:
            raise _OtherError
        read, note = self.event, self.indices.append
        own = len(self.indices)
        note(start.start_mark.index)
        value: list[Any] = []
        while True:
            event = read()
            if type(event) is _Scalar:
                if event.tag is not None or event.anchor is not None:
                    raise _OtherError
                note(event.start_mark.index)
                text = event.value
                if not event.style:
                    text = WORDS[text] if text in WORDS else resolve(text) if text[0] in NUMERIC else text
                value.append(text)
            elif type(event) is _SequenceEnd:
                self.ends[own] = len(self.indices)
                return value
            else:
                value.append(self.value(event, depth))
