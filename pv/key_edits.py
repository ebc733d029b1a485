"""Edits of keys: one renamed, one taken out, one moved into a mapping; and of a number.

They are made by :func:`pv.edit.edit_text`, which reads the text again and refuses what changed anything
besides.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.spans import Node
from pv.spelling import key_text
from pv.splice import BREAK, Splice, changed_at, line_of, node_at

__all__ = ["Move", "Number", "Remove", "Rename"]

Path = tuple[str | int, ...]

_PROPERTIES = re.compile(r"(?:[&!]\S*[ \t]+)*")
_NOWHERE = object()
"""Equal to no document: what an edit makes of one in which it has no place."""


@dataclasses.dataclass(frozen=True)
class Rename:
    """Call the key at the end of `path` `name`; its value, its quotes and its comments stay."""

    path: Path
    name: str

    def edited(self, value: Any) -> Any:
        """Return `value` with the key renamed; equal to nothing where there is none, or `name` is taken."""
        old = self.path[-1]

        def renamed(mapping: Any) -> Any:
            if not isinstance(mapping, dict) or old not in mapping or self.name in mapping:
                return _NOWHERE
            return {self.name if key == old else key: inner for key, inner in mapping.items()}

        return changed_at(value, self.path[:-1], renamed)

    def places(self, root: Node, text: str) -> Iterator[Splice]:
        """Yield the place of the key."""
        parent = node_at(root, self.path[:-1])
        key = parent.key(str(self.path[-1])) if parent is not None else None
        if key is None:
            return
        written = text[key.start : key.end]
        match = _PROPERTIES.match(written)
        properties = match[0] if match else ""
        spelled = key_text(self.name, key.style if key.style in {'"', "'"} else None)
        yield Splice(key.start, key.end, properties + spelled)


@dataclasses.dataclass(frozen=True)
class Remove:
    """Take out the key at the end of `path`, with its value; not where a comment would go with it."""

    path: Path

    def edited(self, value: Any) -> Any:
        """Return `value` without the key; equal to nothing where there is none."""
        return changed_at(value, self.path[:-1], lambda mapping: _without(mapping, self.path[-1]))

    def places(self, root: Node, text: str) -> Iterator[Splice]:
        """Yield the lines of the key, or its part of a line."""
        parent = node_at(root, self.path[:-1])
        index = _index(parent, self.path[-1])
        if parent is None or index is None:
            return
        key, value = parent.entries[index]
        if key is None or "#" in text[key.end : value.start] + "".join(_between(value, text)):
            return
        end = _content_end(value, text)
        after = parent.entries[index + 1][0] if index + 1 < len(parent.entries) else None
        if parent.flow:
            before = parent.entries[index - 1][1].end if index else None
            if after is not None:
                yield from _uncommented(text, key.start, after.start, end)
            elif before is not None:
                yield from _uncommented(text, before, end, end)
            else:
                yield Splice(key.start, end, "")
            return
        start, _, _ = line_of(text, key.start)
        _, line_end, ending = line_of(text, end)
        if not text[start : key.start].strip(" "):
            stop = line_end + len(ending) if line_end < len(text) else line_end
            yield from _uncommented(text, start, stop, end)
        elif after is not None:  # it stands behind a dash
            yield from _uncommented(text, key.start, after.start, end)


@dataclasses.dataclass(frozen=True)
class Move:
    """Move the key `path` of the root, by whole lines with their comments, to the end of a mapping.

    `into` is the key of that mapping, which stands in block style at the root, as the moved key does.
    """

    path: tuple[str]
    into: str

    def edited(self, value: Any) -> Any:
        """Return `value` with the key moved; equal to nothing where it has no place there."""
        key = self.path[0]
        target = value.get(self.into) if isinstance(value, dict) else None
        if not isinstance(target, dict) or key not in value or key in target:
            return _NOWHERE
        return {**_without(value, key), self.into: {**target, key: value[key]}}

    def places(self, root: Node, text: str) -> Iterator[Splice]:
        """Yield the text from the mapping's end to the key's old place, or the other way round."""
        target = root.child(self.into)
        index = _index(root, self.path[0])
        if root.flow or target is None or index is None or target.kind != "mapping" or target.flow:
            return
        key, value = root.entries[index]
        first = target.entries[0][0]
        if key is None or first is None or root.anchored:
            return
        start, _, _ = line_of(text, key.start)
        if text[start : key.start].strip(" "):
            return
        _, stop, ending = line_of(text, _content_end(value, text))
        deeper = (first.start - line_of(text, first.start)[0]) - (key.start - start)
        if deeper <= 0 or text[line_of(text, first.start)[0] : first.start].strip(" "):
            return
        moved = _indented(text[start:stop], " " * deeper)
        _, at, _ = line_of(text, _content_end(target.last(), text))
        behind = stop + len(ending) if stop < len(text) else stop
        if at < start:
            yield Splice(at, behind, ending + moved + text[at:start])
        elif at >= behind:
            tail = ending + moved
            yield Splice(start, at, text[behind:at] + tail)


@dataclasses.dataclass(frozen=True)
class Number:
    """Let the number at `path` be `value`; only one that is written plainly."""

    path: Path
    value: int

    def edited(self, value: Any) -> Any:
        """Return `value` with the number replaced."""
        return changed_at(value, self.path, lambda _: self.value)

    def places(self, root: Node, text: str) -> Iterator[Splice]:
        """Yield the place of the number."""
        node = node_at(root, self.path)
        if node is not None and node.kind == "scalar" and text[node.start : node.end] == node.text:
            yield Splice(node.start, node.end, str(self.value))


def _without(mapping: Any, key: str | int) -> Any:
    if not isinstance(mapping, Mapping) or key not in mapping:
        return _NOWHERE
    return {name: inner for name, inner in mapping.items() if name != key}


def _index(parent: Node | None, name: str | int) -> int | None:
    entries: Sequence[tuple[Node | None, Node]] = parent.entries if parent is not None else ()
    return next((i for i, (key, _) in enumerate(entries) if key is not None and key.text == name), None)


def _content_end(node: Node, text: str) -> int:
    """Return where what is written of `node` ends, without blank lines behind a block scalar."""
    last = node.last()
    return len(text[: last.end].rstrip()) if last.block_scalar else last.end


def _between(node: Node, text: str) -> Iterator[str]:
    """Yield what is written within `node` and is part of no scalar: where a comment may stand."""
    if node.block_scalar:
        yield text[node.start : line_of(text, node.start)[1]]
    if not node.entries:
        return
    at = node.start
    for part in (part for entry in node.entries for part in entry if part is not None):
        yield text[at : part.start]
        yield from _between(part, text)
        at = part.end
    yield text[at : node.end]


def _uncommented(text: str, start: int, end: int, behind: int) -> Iterator[Splice]:
    """Yield the removal of a piece, unless a comment lies in it after `behind`, where its value ends."""
    if "#" not in text[behind:end]:
        yield Splice(start, end, "")


def _indented(lines: str, by: str) -> str:
    pieces: list[str] = []
    at = 0
    for match in BREAK.finditer(lines):
        pieces += [lines[at : match.start()], match[0]]
        at = match.end()
    pieces.append(lines[at:])
    return "".join(by + piece if piece.strip() else piece for piece in pieces)
