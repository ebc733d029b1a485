"""Damage of texts that are written in lines: YAML, TOML."""

from __future__ import annotations

import re
from random import Random

__all__ = ["YAML_WORDS", "damage_lines"]

YAML_WORDS = (
    b"&a ", b"*a", b"<<: *a", b"- ", b"? ", b": ", b"|", b">-", b"---\n", b"...\n", b"%YAML 1.1\n",
    b"!!python/name:os.system ",
    b"!!binary ", b"!<tag:yaml.org,2002:int> ", b"!a ", b".nan", b"-.inf", b"1e999", b"0x1F", b"0o17",
    b"1_000", b"~", b"null", b"[", b"]",
    b"{", b"}", b"#", b"\t", b"\r", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\x00", b"\xff",
    b'"', b"'", b'"\\ud800"', b'"\\x07"',
    b"[" * 70, b"- " * 70, b"{a: " * 70, b"9" * 5000, b"a: &a [1, 1]\nb: [*a, *a]\n", b"expect: ",
    b"check: ", b"expires: ", b"id: ",
    b"2024-02-30", b"2024-02-29", b"9999-12-31", b"0000-00-00", b"min(x) >= 0.5",
    b"all(x < 1) and not any(y)", b"1/0", b"x ** 9",
)  # fmt: skip
"""Pieces at which readers of YAML differ, and some of our own keys and expressions."""

_VALUE = re.compile(rb"(: +|- +)([^\n]+)")
_VALUES = (
    b"", b"~", b"[]", b"{}", b"0", b"-1", b"1.10", b"010", b".nan", b"1e400", b'""', b'"\\0"', b'"\\u202e"',
    b"true", b"no",
    b"[[]]", b"{a: 1}", b"|", b"*a", b"&a x", b"!!str 1", b"\xc3\xa9", b"python: os:system", b"kernel: x",
    b"x.y:z", b"2026-13-01",
)  # fmt: skip


def damage_lines(text: bytes, random: Random) -> bytes:
    """Return `text` with one to three lines or values changed."""
    lines = text.split(b"\n")
    for _ in range(random.randint(1, 3)):
        place, other = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(9):
            case 0:
                del lines[place : place + 1 + random.getrandbits(2)]
            case 1:
                lines.insert(place, lines[other])
            case 2:
                lines[place], lines[other] = lines[other], lines[place]
            case 3:
                lines[place] = b"  " + lines[place]
            case 4:
                lines[place] = lines[place][min(2, len(lines[place])) :]
            case 5:
                lines[place] += random.choice(YAML_WORDS)
            case 6:
                lines[place : place + 1] = lines[other : other + 1 + random.getrandbits(4)]
            case _:
                lines[place] = _VALUE.sub(
                    lambda found: found[1] + random.choice(_VALUES), lines[place], count=1
                )
        if not lines:
            return b""
    return b"\n".join(lines)
