"""JSON out of files that nobody vouches for: one meaning, or an error."""

from __future__ import annotations

import json
import math
import os
from typing import Any, NoReturn

from pv_runtime.errors import LoadError

__all__ = ["Pairs", "finite", "parse_object", "parse_pairs", "plain", "require_shallow"]

_LONG = 1 << 20
_MAX_DEPTH = 64
"""Levels of nesting: what goes through the values afterwards, and calls itself, stays far from Python's."""
_MAX_VALUES = 1 << 23
"""Values in a text of more than `_LONG` bytes: a million tensors have fewer; each costs some 64 bytes."""

Pairs = tuple[tuple[str, Any], ...]
"""A JSON object as its pairs, before anybody has asked whether a key occurs twice."""


def parse_object(text: bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Parse a JSON object strictly: no duplicate keys, no NaN, no deep nesting, no half surrogates.

    Raises
    ------
    LoadError
        `text` is anything else; `path` is named as where it stands.
    """
    found = plain(parse_pairs(text, path), path)
    assert isinstance(found, dict)  # noqa: S101 - what parse_pairs returns is an object
    return found


def parse_pairs(text: bytes, path: str | os.PathLike[str]) -> Pairs:
    """Parse as `parse_object` does, objects as tuples of pairs: what reads them must refuse duplicates.

    JSON has no tuples, so that they stand for nothing else; a call of Python for each object would
    cost half as much as parsing it.
    """

    def refuse(constant: str) -> NoReturn:
        raise LoadError(f"the JSON holds {constant}, which is no number", path)

    if text[:1] != b"{":
        raise LoadError("the JSON does not begin with '{'", path)
    if len(text) > _LONG and sum(map(text.count, (b"[", b"{", b","))) > _MAX_VALUES:
        raise LoadError(f"the JSON has more than {_MAX_VALUES} values", path)
    try:
        decoded = text.decode("utf-8")
        parsed: Pairs = json.loads(
            decoded, object_pairs_hook=tuple, parse_constant=refuse, parse_float=finite
        )
        if "\\u" in decoded:  # only an escape can spell half a surrogate pair
            json.dumps(parsed, ensure_ascii=False).encode()
    except RecursionError as error:
        raise LoadError("the JSON is nested too deeply", path) from error
    except UnicodeEncodeError as error:
        raise LoadError("the JSON holds half a surrogate pair", path) from error
    except ValueError as error:  # bad UTF-8, bad JSON, an integer of thousands of digits
        raise LoadError(f"the JSON cannot be parsed: {error}", path) from error
    return parsed


def finite(text: str) -> float:
    """Return the number that `text` spells in JSON; raises `ValueError` for 1e999 and NaN."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is not finite in float64")
    return value


def require_shallow(value: Any, path: str | os.PathLike[str]) -> None:
    """Refuse lists and dictionaries that lie in each other more than some dozens of times.

    Raises
    ------
    LoadError
        They do.
    """
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        items = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for each in items for item in each if isinstance(item, list | dict)]
        if not level:
            return
    raise LoadError("the JSON is nested too deeply", path)


def plain(value: Any, path: str | os.PathLike[str], *, depth: int = 0) -> Any:
    """Turn tuples of pairs into dictionaries, at every depth.

    Raises
    ------
    LoadError
        A key occurs twice, or values are nested too deeply.
    """
    if not isinstance(value, list | tuple):
        return value
    if depth > _MAX_DEPTH:
        raise LoadError("the JSON is nested too deeply", path)
    if isinstance(value, list):
        return [plain(item, path, depth=depth + 1) for item in value]
    found: dict[str, Any] = {}
    for key, item in value:
        if key in found:
            raise LoadError(f"the JSON key {key!r} occurs twice", path)
        found[key] = plain(item, path, depth=depth + 1)
    return found
