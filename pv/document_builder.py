"""From libyaml's events to values and their places, without recursion."""

from __future__ import annotations

from typing import Any

import yaml

from pv.errors import DocumentError, Location
from pv.place import Place
from pv.scalar import ScalarError, resolve

__all__ = ["MAXIMUM_DEPTH", "MAXIMUM_VALUES", "build"]

MAXIMUM_DEPTH = 64
MAXIMUM_VALUES = 100_000
"""Values of a document, each alias counted as often as it is written out."""

# The parser without C is eleven times slower; it serves only where PyYAML was built without libyaml.
_PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_PREFIX = "tag:yaml.org,2002:"


class _Frame:
    """A collection whose end has not been read."""

    __slots__ = ("anchor", "before", "key", "place", "value")

    def __init__(self, value: Any, place: Place, anchor: str | None, before: int) -> None:
        self.value = value
        self.place = place
        self.anchor = anchor
        self.before = before
        self.key: Any = None


def build(text: str, path: str) -> tuple[Any, Place]:
    """Return the value of the YAML document `text`, and its place; `path` is what messages call it.

    Raises
    ------
    DocumentError
        It is not a document that we accept; the code says why.
    """
    builder = _Builder(text, path)
    parser = _PARSER(text)
    try:
        while builder.take(parser.get_event()):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(
            f"not YAML: {what}",
            where=Location(path, mark.line + 1, mark.column + 1) if mark else Location(path, 1, 1),
            remedy="Look at the indentation, the quotes and the brackets at this place.",
            code="YAML-001",
        ) from None
    finally:
        parser.dispose()
    if builder.root is None or builder.root[0] is None:
        where = Location(path, 1, 1)
        raise DocumentError("the document is empty", where=where, remedy="Write it.", code="YAML-007")
    return builder.root


class _Builder:
    """Turns events into values and places, without recursion."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.root: tuple[Any, Place] | None = None
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, Place] | None] = {}
        self.count = 0
        self.handlers: dict[type, Any] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._collection,
            yaml.SequenceStartEvent: self._collection,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document_start,
        }

    def take(self, event: Any) -> bool:
        """Take one event; false after the last."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)
        return type(event) is not yaml.StreamEndEvent

    def _refuse(self, code: str, what: str, remedy: str, event: Any) -> DocumentError:
        mark = event.start_mark
        where = Location(self.path, mark.line + 1, mark.column + 1)
        what, remedy = (text if len(text) <= 300 else f"{text[:300]}..." for text in (what, remedy))
        return DocumentError(what, where=where, remedy=remedy, code=code)

    def _document_start(self, event: Any) -> None:
        if self.root is not None:
            raise self._refuse(
                "YAML-007", "the file holds several documents", "Put each in its own file.", event
            )
        if event.version not in {None, (1, 2)}:
            version = ".".join(map(str, event.version))
            remedy = "Remove the %YAML line: documents are read as YAML 1.2."
            raise self._refuse("YAML-001", f"the document asks for YAML {version}", remedy, event)

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        frame = self.stack[-1] if self.stack else None
        is_key = frame is not None and frame.key is None and type(frame.value) is dict
        plain = event.style is None or event.style == ""
        if is_key and mark.index and self.text[mark.index - 1] == "?":
            # Within brackets libyaml takes ?a for a key "a"; YAML 1.2 says that the key is "?a".
            remedy = "Quote what begins with ?, or write a space after it."
            raise self._refuse("YAML-001", "not YAML: a question mark touches the key", remedy, event)
        if is_key and plain and event.value == "<<" and event.tag is None:
            remedy = "Write the keys out: a merge can hide an override."
            raise self._refuse("YAML-009", "a merge key (<<) is not allowed", remedy, event)
        if plain and event.tag is None:
            value = self._resolve(event)
        elif event.tag is None:
            value = event.value
        else:
            value = self._tagged(event)
        if is_key and frame is not None:
            if type(value) is not str:
                remedy = f'Quote it: "{event.value}".'
                raise self._refuse("YAML-011", f"the key {event.value!r} is not a string", remedy, event)
            if value in frame.value:
                first = frame.place.keys[value][0]
                what = f"the key {value!r} occurs twice (first on line {first})"
                raise self._refuse("YAML-002", what, "Remove one, or rename it.", event)
            frame.key = value
            frame.place.keys[value] = (mark.line + 1, mark.column + 1)
            self._tally(1, event)
            if event.anchor is not None:
                self.anchors[event.anchor] = (value, Place(mark.line + 1, mark.column + 1))
            return
        self._tally(1, event)
        place = Place(mark.line + 1, mark.column + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, place)
        self._attach(value, place)

    def _resolve(self, event: Any) -> Any:
        try:
            return resolve(event.value)
        except ScalarError as error:
            raise self._refuse("YAML-005", str(error), error.remedy, event) from None

    def _tagged(self, event: Any) -> Any:
        tag: str = event.tag.removeprefix(_PREFIX)
        if tag == "str":
            return event.value
        value = self._resolve(event)
        if tag == "float" and type(value) is int:
            return float(value)
        names: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
        if tag not in names or type(value) is not names[tag]:
            raise self._bad_tag(event)
        return value

    def _bad_tag(self, event: Any) -> DocumentError:
        shown = event.tag.replace(_PREFIX, "!!")
        remedy = "Remove the tag: a contract holds plain data only."
        return self._refuse("YAML-008", f"the tag {shown} is not allowed here", remedy, event)

    def _collection(self, event: Any) -> None:
        is_mapping = type(event) is yaml.MappingStartEvent
        if event.tag is not None and event.tag != _PREFIX + ("map" if is_mapping else "seq"):
            raise self._bad_tag(event)
        if self.stack and self.stack[-1].key is None and type(self.stack[-1].value) is dict:
            raise self._refuse("YAML-011", "a key is a collection", "Use a string as key.", event)
        if len(self.stack) >= MAXIMUM_DEPTH:
            raise self._too_deep(event)
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        value: Any
        if is_mapping:
            value = {}
        else:
            value, place.children = [], []
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Frame(value, place, event.anchor, self.count))
        self._tally(1, event)

    def _end(self, _event: Any) -> None:
        frame = self.stack.pop()
        frame.place.size = self.count - frame.before
        frame.place.height += 1
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.value, frame.place)
        self._attach(frame.value, frame.place)

    def _alias(self, event: Any) -> None:
        if self.stack and self.stack[-1].key is None and type(self.stack[-1].value) is dict:
            raise self._refuse("YAML-011", "a key is an alias", "Write the key out.", event)
        if event.anchor not in self.anchors:
            remedy = f"Define &{event.anchor} before it is used."
            raise self._refuse("YAML-001", f"there is no anchor for *{event.anchor}", remedy, event)
        target = self.anchors[event.anchor]
        if target is None:
            remedy = "Write the values out."
            raise self._refuse("YAML-004", f"*{event.anchor} contains itself", remedy, event)
        value, place = target
        if len(self.stack) + place.height > MAXIMUM_DEPTH:
            raise self._too_deep(event)
        self._tally(place.size, event)
        self._attach(value, place)

    def _too_deep(self, event: Any) -> DocumentError:
        what = f"the document is nested more than {MAXIMUM_DEPTH} levels deep"
        return self._refuse("YAML-003", what, "Flatten it; look for unclosed brackets.", event)

    def _tally(self, values: int, event: Any) -> None:
        self.count += values
        if self.count > MAXIMUM_VALUES:
            what = f"the document has more than {MAXIMUM_VALUES:,} values once its aliases are expanded"
            raise self._refuse("YAML-004", what, "Remove the nested aliases, or split the file.", event)

    def _attach(self, value: Any, place: Place) -> None:
        if not self.stack:
            self.root = (value, place)
            return
        frame = self.stack[-1]
        frame.place.height = max(frame.place.height, place.height)
        children = frame.place.children
        if isinstance(children, list):
            frame.value.append(value)
            children.append(place)
        else:
            # A mapping that has read a key: nothing else comes here (`scalar`, `collection`, `alias`).
            frame.value[frame.key] = value
            children[frame.key] = place
            frame.key = None
