"""Edits to a YAML text that change what is asked for, and not one character besides.

An edit is spliced into the text, the result is read again, and its value compared with the value that was
meant. Whatever the text looks like, what differs elsewhere is refused: comments, order, quotes and line
ends cannot change, because nothing but the splice is written.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pv.document import parse
from pv.errors import DocumentError, Location, PvError
from pv.exits import Exit
from pv.spans import Node, read_spans
from pv.spelling import block_lines, flow, key_text, scalar
from pv.splice import BREAK, OwnEdit, Splice, changed_at, line_of, node_at, same

__all__ = ["Add", "Edit", "EditError", "Put", "edit_text"]

BYTE_ORDER_MARK = "\ufeff"
_PROPERTIES = re.compile(r"(?:[&!]\S*[ \t]+)*")


class EditError(PvError):
    """A text cannot be edited without changing something else."""

    exit = Exit.REJECTED


@dataclasses.dataclass(frozen=True)
class Put:
    """Let the key at `path` have the text `value`; a key that is missing becomes the last of its mapping."""

    path: tuple[str | int, ...]
    value: str


@dataclasses.dataclass(frozen=True)
class Add:
    """Add an entry to the collection at `path`, as its last or its first.

    `value` is a text, or mappings and lists of such; `key` is None in a list.
    """

    path: tuple[str | int, ...]
    value: Any
    key: str | None = None
    first: bool = False


Edit = Put | Add | OwnEdit


def edit_text(text: str, edits: Sequence[Edit], path: str) -> str:
    """Return `text` with `edits` made; `path` is what messages call it.

    Raises
    ------
    DocumentError
        The text is not a document that we accept.
    EditError
        An edit has no place at which it would change nothing else; the text was not changed at all.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    body = text.removeprefix(BYTE_ORDER_MARK)
    at_once = _at_once(body, edits, path)
    if at_once is not None:
        return mark + at_once
    for edit in edits:
        body = _alone(body, edit, path)
    return mark + body


def _at_once(text: str, edits: Sequence[Edit], path: str) -> str | None:
    """Make all edits where each would go best; None where that changes something else."""
    root = read_spans(text)
    splices = [next(_places(edit, root, text), None) for edit in edits]
    known = sorted((s for s in splices if s is not None), key=lambda splice: (splice.start, splice.end))
    apart = all(before.end <= after.start for before, after in itertools.pairwise(known))
    positions = {splice.start for splice in known if splice.start == splice.end}
    if len(known) < len(edits) or not apart or len(positions) < sum(s.start == s.end for s in known):
        return None
    wanted = functools.reduce(_edited, edits, parse(text, path).value)
    return _verified(text, known, wanted, path)


def _alone(text: str, edit: Edit, path: str) -> str:
    """Make one edit at the best place that changes nothing else."""
    document = parse(text, path)
    wanted = _edited(document.value, edit)
    root = read_spans(text)
    for splice in _places(edit, root, text):
        made = _verified(text, [splice], wanted, path)
        if made is not None:
            return made
    raise _refusal(edit, root, text, document.where(*edit.path))


def _verified(text: str, splices: Sequence[Splice], wanted: Any, path: str) -> str | None:
    for splice in reversed(splices):
        text = text[: splice.start] + splice.text + text[splice.end :]
    try:
        found = parse(text, path).value
    except DocumentError:
        return None
    return text if same(found, wanted) else None


def _edited(value: Any, edit: Edit) -> Any:
    """Return a copy of `value` with `edit` made; what aliases share is changed at its path alone."""
    if isinstance(edit, Put):
        return changed_at(value, edit.path, lambda _: edit.value)
    if not isinstance(edit, Add):
        return edit.edited(value)

    def added(collection: Any) -> Any:
        if isinstance(collection, dict):
            return {**collection, edit.key: edit.value}
        if isinstance(collection, list):
            return [edit.value, *collection] if edit.first else [*collection, edit.value]
        return edit  # equal to no document: there is no such collection

    return changed_at(value, edit.path, added)


def _refusal(edit: Edit, root: Node, text: str, where: Location) -> EditError:
    name: str | int = edit.path[-1] if edit.path else "the document"
    if isinstance(edit, Add):
        name = edit.key or f"an entry of {name}"
    shared = ""
    node: Node | None = root
    for step in edit.path:
        node = node.child(step) if node else None
        if node is not None and node.kind == "alias":
            shared = f": it is read through the alias *{node.text}"
            # The document knows where the anchor is; what must be rewritten is where the alias is.
            breaks = [match.end() for match in BREAK.finditer(text, 0, node.start)]
            column = node.start - (breaks[-1] if breaks else 0) + 1
            where = Location(where.path, len(breaks) + 1, column)
        elif node is not None and node.anchored:
            shared = ": it has an anchor, and may be read elsewhere through an alias"
    return EditError(
        f"{name} cannot be written here without changing something else{shared}",
        where=where,
        remedy="Write the values out where they are shared, or write it by hand.",
        code="EDIT-001",
    )


def _places(edit: Edit, root: Node, text: str) -> Iterator[Splice]:
    """Yield the splices that may make `edit`, the best one first."""
    if not isinstance(edit, Put | Add):
        yield from edit.places(root, text)
        return
    path = edit.path[:-1] if isinstance(edit, Put) else edit.path
    node = node_at(root, path)
    if node is None:
        return
    if isinstance(edit, Add):
        yield from _additions(node, edit, text)
        return
    present = node.child(edit.path[-1])
    if present is not None and present.kind in {"scalar", "alias"}:
        yield from _replacements(present, edit.value, text)
    elif present is None and isinstance(edit.path[-1], str):
        yield from _additions(node, Add(path, edit.value, edit.path[-1]), text)


def _replacements(node: Node, value: str, text: str) -> Iterator[Splice]:
    written = text[node.start : node.end]
    if node.kind == "alias":
        yield Splice(node.start, node.end, scalar(value, None))
        return
    if node.style is None and not node.text:
        apart = "" if text[: node.end][-1:].isspace() else " "
        yield Splice(node.end, node.end, f"{apart}{scalar(value, None)}")
        return
    match = _PROPERTIES.match(written)
    properties = match[0] if match else ""
    if node.block_scalar:
        # Its header may carry a comment, and blank lines may follow: both stay.
        head = re.compile(r"[|>][-+0-9]*([^\r\n]*)").match(written, len(properties))
        spelled = scalar(value, None) + (head[1] if head else "") + written[len(written.rstrip()) :]
    else:
        spelled = scalar(value, node.style, replaces=True)
    # A tag such as !!null would make something else of the text: it goes where it cannot stay.
    for kept in dict.fromkeys((properties, "")):
        yield Splice(node.start, node.end, kept + spelled)


def _additions(node: Node, edit: Add, text: str) -> Iterator[Splice]:
    if node.kind not in {"mapping", "sequence"} or (edit.key is None) != (node.kind == "sequence"):
        return
    if node.flow:
        yield _into_flow(node, edit, text)
    elif edit.first:
        yield from _before(node, _first(node, text), edit, text)
    else:
        last = node.last()
        content = text[: last.end].rstrip() if last.block_scalar else text[: last.end]
        yield _after(node, len(content), edit, text)
        if last.block_scalar:
            # Blank lines at its end may be part of it.
            yield from _before(node, last.end, edit, text)
        key = node.entries[-1][0]
        if key is not None:
            # A text that ends the file without a line break would get one.
            yield from _before(node, key.start, edit, text)


def _first(node: Node, text: str) -> int:
    """Return where a block collection's first key or dash stands."""
    key = node.entries[0][0]
    if key is not None:
        return key.start
    return node.start if text.startswith("-", node.start) else node.content


def _lines(node: Node, edit: Add, text: str) -> list[str]:
    """Spell the new entry of a block collection, with the indentation of its siblings."""
    at = _first(node, text)
    indent = " " * (at - line_of(text, at)[0])
    quote = _key_style(node)
    value = [edit.value] if edit.key is None else {edit.key: edit.value}
    return list(block_lines(value, indent, quote))


def _after(node: Node, end: int, edit: Add, text: str) -> Splice:
    _, line_end, ending = line_of(text, end)
    return Splice(line_end, line_end, "".join(f"{ending}{line}" for line in _lines(node, edit, text)))


def _before(node: Node, at: int, edit: Add, text: str) -> Iterator[Splice]:
    start, _, ending = line_of(text, at)
    if not text[start:at].strip(" "):
        yield Splice(start, start, "".join(f"{line}{ending}" for line in _lines(node, edit, text)))


def _into_flow(node: Node, edit: Add, text: str) -> Splice:
    quote = _key_style(node)
    spelled = flow(edit.value, quote)
    if edit.key is not None:
        spelled = f"{key_text(edit.key, quote)}: {spelled}"
    if not node.entries:
        return Splice(node.content, node.content, spelled)
    key, value = node.entries[0 if edit.first else -1]
    at = (key or value).start
    start, _, ending = line_of(text, at)
    # An entry on a line of its own gets another line; on a line with others it gets a blank.
    own_line = start > node.start and not text[start:at].strip()
    between = f",{ending}{text[start:at]}" if own_line else ", "
    if edit.first:
        return Splice(at, at, f"{spelled}{between}")
    return Splice(value.end, value.end, f"{between}{spelled}")


def _key_style(node: Node) -> str | None:
    """Return how the keys of a mapping, or of the mappings in a list, are quoted: as its last one is."""
    while node.entries:
        key, value = node.entries[-1]
        if key is not None:
            return key.style if key.style in {'"', "'"} else None
        node = value
    return None
