"""How plain data is spelled in YAML so that every reader, of 1.1 and of 1.2, takes it for what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pv.printable import printable
from pv.scalar import ScalarError, resolve

__all__ = ["block_lines", "flow", "key_text", "scalar"]

_WORD = re.compile(r"[A-Za-z][A-Za-z_]*")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Readers of YAML 1.1 take these for truth values.
_TRUTHS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def block_lines(value: Any, indent: str, quote: str | None) -> Iterator[str]:
    """Yield the lines of a mapping or list of plain data, in block style.

    `quote` is how its siblings quote their keys: None, ``'`` or ``"``. Numbers, truths and nothing stand on
    one line, and so do lists of nothing else, such as ``[0, null]``.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if _short(inner):
                yield f"{indent}{key_text(key, quote)}: {flow(inner, quote)}"
            else:
                yield f"{indent}{key_text(key, quote)}:"
                yield from block_lines(inner, indent + "  ", quote)
        return
    for inner in value:
        if _short(inner):
            yield f"{indent}- {flow(inner, quote)}"
        else:
            first, *rest = block_lines(inner, indent + "  ", quote)
            yield f"{indent}- {first.lstrip(' ')}"
            yield from rest


def flow(value: Any, quote: str | None) -> str:
    """Spell plain data on one line: texts, finite numbers, truths, None, and lists and mappings of these."""
    if isinstance(value, str):
        return scalar(value, _value_style(quote))
    if _is_literal(value):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Mapping):
        pairs = (f"{key_text(key, quote)}: {flow(inner, quote)}" for key, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    return f"[{', '.join(flow(inner, quote) for inner in value)}]"


def key_text(name: str, quote: str | None) -> str:
    """Spell a key as its siblings are quoted; without quotes only where it is a text to every reader."""
    if quote is None and _PLAIN.fullmatch(name) and _means(name):
        return name
    return scalar(name, quote or '"')


def scalar(value: str, style: str | None, *, replaces: bool = False) -> str:
    """Spell a text in the `style` of what stands around it, or of what it `replaces`.

    Without quotes only where every reader takes it for that text. What does not print is escaped.
    """
    simple = _PLAIN if replaces else _WORD
    if style is None and simple.fullmatch(value) and _means(value):
        return value
    if style == "'" and printable(value) == value:
        return "'" + value.replace("'", "''") + "'"
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if printable(c) == c else f"\\U{ord(c):08x}" for c in quoted)


def _short(value: Any) -> bool:
    """Tell whether `value` stands on the line of its key, also where what is around it does not."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_literal, value))
    return isinstance(value, str) or _is_literal(value)


def _is_literal(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _value_style(quote: str | None) -> str | None:
    # Where keys are in double quotes the text may be JSON, whose values are as well.
    return '"' if quote == '"' else None


def _means(text: str) -> bool:
    try:
        return resolve(text) == text and text.lower() not in _TRUTHS
    except ScalarError:
        return False
