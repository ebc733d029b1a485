"""JSON documents as measurements: read strictly, and looked into by pointer (RFC 6901)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["PointerError", "look_up", "read_json", "steps"]

_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_LOOSE_TILDE = re.compile(r"~(?![01])")


class PointerError(ValueError):
    """A pointer that is none, or that leads nowhere; or a document that is no strict JSON."""


def steps(pointer: str) -> tuple[str, ...]:
    """Return the reference tokens of `pointer`, ``~1`` and ``~0`` read as ``/`` and ``~``.

    Raises
    ------
    PointerError
        It is neither empty nor begins with ``/``, or a ``~`` is followed by neither 0 nor 1.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise PointerError(f"the pointer {pointer!r} does not begin with /")
    if _LOOSE_TILDE.search(pointer):
        raise PointerError(f"in the pointer {pointer!r} a ~ is followed by neither 0 nor 1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))


def look_up(document: Any, pointer: str) -> Any:
    """Return the value of `document` that `pointer` names.

    Raises
    ------
    PointerError
        There is none; the message says how far the pointer leads.
    """
    value = document
    passed = ""
    for step in steps(pointer):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _INDEX.fullmatch(step) and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        else:
            have = f"an object with {_shown(list(value))}" if isinstance(value, dict) else _kind(value)
            raise PointerError(f"the pointer {pointer!r} leads nowhere: at {passed or 'the top'!r} is {have}")
        passed += f"/{step}"
    return value


def read_json(text: bytes) -> Any:
    """Read one JSON document: UTF-8, no key twice, no NaN, no infinity, no number past a float.

    Raises
    ------
    PointerError
        It is none.
    """
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise PointerError(f"it is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise PointerError("it is nested too deeply") from error
    except PointerError:
        raise
    except ValueError as error:
        raise PointerError(f"it is no JSON: {error}") from error


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise PointerError(f"an object has the key {key!r} twice")
        found[key] = value
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise PointerError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise PointerError(f"the number {text[:40]} is past what a float can hold")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "null" if value is None else f"the value {_shown(value)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
