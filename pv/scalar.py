"""What an unquoted YAML scalar means: the 1.2 core schema, finite numbers only.

Source: https://yaml.org/spec/1.2.2/#1032-tag-resolution. So ``no``, ``on``, ``1_000``, ``1:30`` and dates
are strings, ``010`` is ten, and ``1e-5`` is a number.
"""

from __future__ import annotations

import math
import re

__all__ = ["NUMERIC", "WORDS", "ScalarError", "resolve"]

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMERIC = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Every integer up to here converts to a finite double; longer ones take quadratic time to read.
_LARGEST = 10**308


class ScalarError(Exception):
    """A number has no finite value that we can hold."""

    remedy = "Write a finite number of ordinary size, or quote it if it is text."


def resolve(text: str) -> str | float | bool | None:
    """Return the value of the plain scalar `text`.

    Raises
    ------
    ScalarError
        It is infinity, not a number, or a number too large or too close to zero for a double.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMERIC:
        return text
    for pattern, base in ((_INTEGER, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            value = int(text if base == 10 else text[2:], base) if len(text) <= 320 else _LARGEST + 1
            if abs(value) > _LARGEST:
                raise ScalarError(f"{_short(text)} is too large for a double")
            return value
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a finite number")
    return text


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ScalarError(f"{_short(text)} is too large for a double")
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise ScalarError(f"{_short(text)} is so small that a double makes it zero")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
