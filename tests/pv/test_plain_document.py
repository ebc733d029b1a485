"""The fast reader against the strict one: the same values and places, or nothing said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pv.document import MAXIMUM_DEPTH, parse
from pv.document_builder import build
from pv.errors import DocumentError
from pv.place import Marks, Place
from pv.plain_document import read_plain

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
SEEDS = sorted(
    path.read_text(encoding="utf-8")
    for folder in (ROOT / "contracts", ROOT / "tests/pv/rules/resources", CORPUS)
    for path in folder.rglob("*.yaml")
)
"""Our contracts, an example of every rule, and the outside corpus where it is there."""

ODD = (
    *("", "~", "a", "'a'", "a: 1", "{}", "[]", "null", "a:\n", "a: [", "\ta: 1", "?a: b", "{?a: b}", "1: a"),
    *(
        "- a\r\n- b\r- {c: d}\n",
        "a:\r\n  b:\r\n\r\n  c: |\r\n    x\r\n",
        "? a\n: b",
        "? [a]\n: b",
        "? |",
        "? |\n",
        "a:",
        "a: ",
    ),
    *("a: !!str 1", "a: &x 1\nb: *x", "<<: {a: 1}", "'<<': 1", "a: 1\na: 2", "a: .nan", "a: 1e999"),
    *(
        "--- a\n--- b",
        "%YAML 1.1\n---\na: 1",
        "%YAML 1.2\n---\na: 1",
        "%TAG ! x:\n---\na: 1",
        "---\na: 1\n...\n",
    ),
    *("a: >-\n  folded\n  text\nb: 'q\n  r'\n", "a: {b: , c: }", "[a: b, c: d]", "- - - x\n    - y\n  - z"),
    "\xe9: [\xfc, \U0001d11ex, {\U0001d11e: 1}]",
)


def outcome(text: str) -> tuple[Any, Place] | str:
    try:
        return build(text, "x")
    except DocumentError as error:
        return str(error)


def forbidden(text: str) -> bool:
    try:
        parse(text, "x")
    except DocumentError as error:
        return error.code == "YAML-010"
    return False


def typed(value: Any) -> Any:
    """Make 1, 1.0 and True differ, 0.0 and -0.0 as well, and the order of keys count."""
    if isinstance(value, dict):
        return [(key, typed(item)) for key, item in value.items()]
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    yield (*path, "not there")
    yield (*path, 99)
    if isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, step))


def compare(text: str) -> bool:
    """Compare both readers; tell whether the fast one read the document."""
    text = text.removeprefix("\ufeff")
    if forbidden(text):
        return False  # no reader is asked
    strict = outcome(text)
    fast = read_plain(text)
    if fast is None:
        return False
    assert not isinstance(strict, str), strict
    (value, place), (quick, marks) = strict, fast
    assert typed(quick) == typed(value)
    for path in paths(value):
        for key in (False, True):
            assert marks.find(quick, path, key=key) == place.find(value, path, key=key), path
    return True


def test_real_documents_read_the_same_and_nearly_all_are_plain() -> None:
    assert sum(map(compare, SEEDS)) > 0.95 * len(SEEDS)


@pytest.mark.parametrize("text", ODD)
def test_odd_documents_read_the_same(text: str) -> None:
    compare(text)


@pytest.mark.parametrize(
    "text",
    ["", "~", "a: !!str 1", "a: &x 1\nb: *x", "<<: {a: 1}", "1: a", "a: 1\na: 2", "a: .nan", "--- a\n--- b",
     "%YAML 1.2\n---\na: 1", "{?a: b}", "a: [", "? [a]\n: b", "[" * 65 + "]" * 65],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_strict_reader(text: str) -> None:
    assert read_plain(text) is None


def test_as_deep_as_documents_may_be() -> None:
    assert compare("[" * MAXIMUM_DEPTH + "]" * MAXIMUM_DEPTH)
    assert compare("{a: " * MAXIMUM_DEPTH + "}" * MAXIMUM_DEPTH)


def test_more_values_than_documents_may_have() -> None:
    assert read_plain("[" + "a," * 99_999 + "]") is not None
    assert read_plain("[" + "a," * 100_000 + "]") is None


def test_without_libyaml_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pv.plain_document._PARSER", None)
    assert read_plain("a: 1") is None
    assert isinstance(parse("a: 1", "x").marks, Place)


def test_a_document_is_read_fast_where_that_is_possible() -> None:
    assert isinstance(parse("a: 1", "x").marks, Marks)
    assert isinstance(parse("a: &b 1", "x").marks, Place)


def test_where_the_items_of_a_long_list_stand_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a:\n" + "- {b: [c], d: e}\n" * 500
    found = read_plain(text)
    assert found is not None
    value, marks = found
    steps = 0
    behind = Marks._behind

    def counted(self: Marks, at: int, inner: Any) -> int:
        nonlocal steps
        steps += 1
        return behind(self, at, inner)

    monkeypatch.setattr(Marks, "_behind", counted)
    for index in range(500):
        assert marks.find(value, ("a", index, "d"), key=True) == (index + 2, 12)
    assert steps < 5 * 500


PIECES = (
    *(
        "\n",
        "\r\n",
        "\r",
        " ",
        "  ",
        "\t",
        ":",
        ": ",
        "- ",
        "-",
        "?",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#",
        " #",
    ),
    *(
        "&a ",
        "*a",
        "!!str ",
        "!",
        "|",
        ">",
        "|\n",
        ">-\n",
        "'",
        '"',
        "\\",
        "<<",
        "<<: ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
    ),
    *("~", "null", "1", "-0", "0x1F", "1e5", ".5", ".inf", "1_0", "true", "a", "b", "a: ", "b: ", "@", "`"),
    *("\xe9", "\U0001d11e", "\u2028", "\ufeff", "\x07"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
@example("a:\r\n- b\r\n")
@example("? |")
def test_pieces_of_yaml_read_the_same(text: str) -> None:
    compare(text)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_documents_read_the_same(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))[:1500]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    compare(text)
