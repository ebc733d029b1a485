from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pv.printable import printable


def test_what_drives_a_terminal_is_escaped() -> None:
    assert printable("a\x1b[31mb") == "a\\x1b[31mb"
    assert printable("a\nb\rc\td") == "a\\nb\\rc\\td"
    assert printable("\u202egpj.exe") == "\\u202egpj.exe"
    assert printable("\ud800") == "\\ud800"
    assert printable("\x9b2J\u2028\u200b") == "\\x9b2J\\u2028\\u200b"


def test_what_prints_is_left_alone() -> None:
    text = "Σ_i ≥ 0 — größer, 日本 😀\\n"
    assert printable(text) == text


@settings(deadline=None)
@given(st.text())
def test_the_result_prints_on_one_line(text: str) -> None:
    once = printable(text)
    assert all(character.isprintable() or character.isspace() for character in once)
    assert printable(once) == once
    assert len(once.splitlines()) <= 1
