from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.printable import printable, printable_json


def test_what_drives_a_terminal_is_escaped() -> None:
    assert printable("a\x1b[31mb") == "a\\x1b[31mb"
    assert printable("a\nb\rc\td") == "a\\nb\\rc\\td"
    assert printable("\u202egpj.exe") == "\\u202egpj.exe"
    assert printable("\ud800") == "\\ud800"
    assert printable("\x9b2J\u2028\u200b") == "\\x9b2J\\u2028\\u200b"


def test_what_prints_is_left_alone() -> None:
    text = "Σ_i ≥ 0 — größer, 日本 😀\\n"
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("  ::error::x", "  \\x3a:error::x"),
        ("a ##[error]x", "a \\x23#[error]x"),
        ("std::vec", "std::vec"),
        ("\n::error::x", "\\n::error::x"),
    ],
)
def test_what_a_runner_takes_for_a_command_is_escaped(text: str, shown: str) -> None:
    """https://github.com/actions/runner: `::` behind leading blanks, `##[` anywhere."""
    assert printable(text) == shown


def test_json_says_the_same_without_a_command() -> None:
    value = {"##[error]x": ["##[stop-commands]y", "::error::"]}
    text = printable_json(json.dumps(value))
    assert "##[" not in text
    assert json.loads(text) == value


@settings(deadline=None)
@given(st.text())
def test_the_result_prints_on_one_line(text: str) -> None:
    once = printable(text)
    assert all(character.isprintable() or character.isspace() for character in once)
    assert printable(once) == once
    assert len(once.splitlines()) <= 1
