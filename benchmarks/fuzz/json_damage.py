"""Damage of JSON, by its values first and by its text afterwards."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

__all__ = ["WORDS", "damage_json", "json_text"]

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, -1, 1, 2, 255, 2**24, 2**31 - 1),
    *(2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400),
    *(0.5, 1e308, -1e-320, 1e16, "", " ", "0", "NaN", "a" * 300, "\0", "\x1b[31m", "\u202e", "\ud800", "é",
    "../x", "/"),
    *([], {}, [[]], [None], [0], [0, 8], {"": 0}, [1, 2, 3], {"a": {"b": []}}, "F32", "float32",
    "1970-01-01"),
)  # fmt: skip
"""Of each kind, and at the edges; half a surrogate pair can be spelt in JSON and in nothing else."""

WORDS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"9" * 5000, b"null", b"true", b"[", b"]", b"{", b"}",
    b",", b":", b'"', b"\\ud800", b"\\u0000", b"\\u001b[2J", b"\xef\xbb\xbf", b"\xff", b"[" * 1200,
    b'{"a":' * 1200,
    b'"a":1,', b'"a":1,"a":2,', b"// x\n", b"'", b"1.0", b"1E400", b"0x10", b"\xed\xa0\x80",
)  # fmt: skip
"""Pieces of text that parsers of JSON take differently."""


def damage_json(value: Any, random: Random) -> Any:
    """Return a copy of `value` with one to three places of it changed."""
    holder = [copy.deepcopy(value)]
    for _ in range(random.randint(1, 3)):
        places = list(_places(holder))
        container, key = random.choice(places)
        kind = random.random()
        if kind < 0.45:
            container[key] = copy.deepcopy(random.choice(_VALUES))
        elif kind < 0.6 and container is not holder:
            container.pop(key)
        elif kind < 0.75:
            other, name = random.choice(places)
            container[key] = copy.deepcopy(other[name])
        elif kind < 0.85:
            container[key] = _nested(container[key], random)
        elif isinstance(container[key], bool | int | float):
            container[key] = _near(container[key], random)
        elif isinstance(container[key], str):
            container[key] = _respelt(container[key], random)
        elif isinstance(container, dict):
            container[_respelt(str(key), random)] = container.pop(key)
        elif container is not holder:
            container.insert(0, copy.deepcopy(container[key]))
    return holder[0]


def json_text(value: Any, random: Random) -> bytes:
    """Serialise `value`; now and then with a key that stands twice."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
    if random.random() < 0.05:
        pieces = text.split(b", ")
        place = random.randrange(len(pieces))
        pieces.insert(random.randrange(len(pieces) + 1), pieces[place])
        return b", ".join(pieces)
    return text


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of nested JSON."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        keys: Sequence[Any] = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                waiting.append(container[key])


def _near(number: float, random: Random) -> float:
    if isinstance(number, int) and abs(number) > 2**64:
        return -number
    return number + random.choice((-1, 1, 0.5, 2**32, 1e300))


def _nested(value: Any, random: Random) -> Any:
    for _ in range(random.choice((1, 2, 62, 63, 64, 65))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _respelt(text: str, random: Random) -> str:
    place = random.randrange(len(text) + 1)
    piece = random.choice(
        ("", " ", "\n", "\0", "/", "..", "#", "=", "\u200b", "\U0010ffff", "\ud800", "9" * 400)
    )
    return text[:place] + piece + text[place + random.getrandbits(1) :]
