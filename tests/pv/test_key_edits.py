"""Keys renamed, taken out and moved, with everything else as it was; what cannot be so is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pv.document import parse
from pv.edit import Edit, EditError, Put, edit_text
from pv.key_edits import Move, Number, Remove, Rename

RENAMED = {
    "a key": ("a: 1 # c\n", "b: 1 # c\n"),
    "single quotes": ("'a':  1\n", "'b':  1\n"),
    "double quotes": ('"a" : 1\n', '"b" : 1\n'),
    "in braces": ("{x: 0, a: [1, 2], }", "{x: 0, b: [1, 2], }"),
    "an anchor of its own": ("&k a: 1\n", "&k b: 1\n"),
    "with a mark for a question": ("? a # c\n: 1\n", "? b # c\n: 1\n"),
    "other line ends": ("x: 1\r\na: 2\r\n", "x: 1\r\nb: 2\r\n"),
    "a byte order mark": ("\ufeffa: é\n", "\ufeffb: é\n"),
    "a word that readers of 1.1 take for true": ("a: on\n", "b: on\n"),
}


@pytest.mark.parametrize("case", RENAMED)
def test_a_key_is_renamed(case: str) -> None:
    before, after = RENAMED[case]
    assert edit_text(before, [Rename(("a",), "b")], "x.yaml") == after


def test_a_deeper_key_is_renamed_and_its_namesakes_stay() -> None:
    text = "a: 1\nlist:\n- a: 2\n- a: 3 # a\n  c: {a: 4}\n"
    assert edit_text(text, [Rename(("list", 1, "a"), "b")], "x.yaml") == text.replace("a: 3", "b: 3")


REMOVED = {
    "lines": ("x: 1\na: 2\n# c\ny: 3\n", "x: 1\n# c\ny: 3\n"),
    "the last line, without its end": ("x: 1\na: 2", "x: 1\n"),
    "behind a dash": ("- a: 1\n  b: 2\n", "- b: 2\n"),
    "a text of several lines": ("x: 1\na: |\n  b # c\n\n  d\n\ny: 2\n", "x: 1\n\ny: 2\n"),
    "first in braces": ("{a: 1, b: 2}", "{b: 2}"),
    "last in braces": ("{b: 2, a: 1}", "{b: 2}"),
    "alone in braces": ("x: {a: 1}", "x: {}"),
    "other line ends": ("x: 1\r\na: 2\r\ny: 3\r\n", "x: 1\r\ny: 3\r\n"),
}


@pytest.mark.parametrize("case", REMOVED)
def test_a_key_is_taken_out(case: str) -> None:
    before, after = REMOVED[case]
    path = (0, "a") if before.startswith("-") else ("x", "a") if before.startswith("x: {") else ("a",)
    assert edit_text(before, [Remove(path)], "x.yaml") == after


MOVED = {
    "up, before others": (
        "kind: pattern # why\nmetadata:\n  a: 1\n\nz: 1\n",
        "metadata:\n  a: 1\n  kind: pattern # why\n\nz: 1\n",
    ),
    "down, from the end of the file": (
        "metadata:\n    a: 1 # c\nz: 1\nkind: pattern",
        "metadata:\n    a: 1 # c\n    kind: pattern\nz: 1\n",
    ),
    "with its list": (
        "metadata:\n  a: 1\nkind:\n- b # c\n\n- d\nz: 1\n",
        "metadata:\n  a: 1\n  kind:\n  - b # c\n\n  - d\nz: 1\n",
    ),
    "behind a text of several lines": (
        "metadata:\n  a: |\n    b\n\nkind: x\nz: 1\n",
        "metadata:\n  a: |\n    b\n  kind: x\n\nz: 1\n",
    ),
    "other line ends": (
        "metadata:\r\n  a: 1\r\nz: 1\r\nkind: x\r\n",
        "metadata:\r\n  a: 1\r\n  kind: x\r\nz: 1\r\n",
    ),
}


@pytest.mark.parametrize("case", MOVED)
def test_a_key_is_moved(case: str) -> None:
    before, after = MOVED[case]
    assert edit_text(before, [Move(("kind",), "metadata")], "x.yaml") == after


def test_a_number_is_replaced_where_it_is_written_plainly() -> None:
    assert edit_text("a: {b: 8 }\n", [Number(("a", "b"), 12)], "x") == "a: {b: 12 }\n"


REFUSED: dict[str, tuple[str, Edit]] = {
    "a name that is taken": ("a: 1\nb: 2\n", Rename(("a",), "b")),
    "no such key": ("b: 2\n", Rename(("a",), "c")),
    "a mapping that is read twice": ("x: &m {a: 1}\ny: *m\n", Rename(("x", "a"), "b")),
    "a mapping read through an alias": ("x: &m {a: 1}\ny: *m\n", Rename(("y", "a"), "b")),
    "a key that is read elsewhere": ("&k a: 1\nb: *k\n", Rename(("a",), "c")),
    "a comment beside what goes": ("x: 1\na: 2 # why\n", Remove(("a",))),
    "a comment within braces": ("{x: 1, a: 2, # why\n y: 3}", Remove(("a",))),
    "a comment behind the sign of a text": ("x: 1\na: | # why\n  b\ny: 2\n", Remove(("a",))),
    "a comment between key and value": ("x: 1\na: # why\n  b\ny: 2\n", Remove(("a",))),
    "a comment within a list": ("x: 1\na: [1, # why\n  2]\ny: 2\n", Remove(("a",))),
    "the only key": ("a: 1\n", Remove(("a",))),
    "no key to take out": ("a: 1\n", Remove(("b",))),
    "a mapping in braces to move into": ("metadata: {a: 1}\nkind: x\n", Move(("kind",), "metadata")),
    "a document in braces": ("{metadata: {a: 1}, kind: x}", Move(("kind",), "metadata")),
    "nothing to move into": ("kind: x\n", Move(("kind",), "metadata")),
    "one that is there": ("metadata:\n  kind: y\nkind: x\n", Move(("kind",), "metadata")),
    "into no mapping": ("kind: x\nb: 1\n", Move(("kind",), "b")),
    "an anchor that is used before": (
        "kind: &k x\nmetadata:\n  a: *k\n",
        Move(("kind",), "metadata"),
    ),
    "a number in quotes": ("a: '8'\n", Number(("a",), 9)),
    "a number that is read twice": ("a: &n 8\nb: *n\n", Number(("a",), 9)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_change_something_else_is_refused(case: str) -> None:
    text, edit = REFUSED[case]
    with pytest.raises(EditError, match="cannot be written here without changing something else"):
        edit_text(text, [edit], "x.yaml")


NAMES = st.sampled_from(["a", "b c", "é", "no", "1", "#", "x: y", "'", '"', "- z"])
VALUES = st.recursive(
    st.sampled_from(["t", 1, None, True, "a # b", "two\nlines", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@dataclasses.dataclass(frozen=True)
class Case:
    text: str
    value: Mapping[str, object]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    value = draw(st.dictionaries(NAMES, VALUES, min_size=2, max_size=4))
    style = draw(st.sampled_from([None, True, False]))
    text = yaml.safe_dump(value, default_flow_style=style, allow_unicode=True, sort_keys=False)
    return Case(text, value)


@given(cases(), st.data())
def test_there_and_back_is_the_same_text(case: Case, data: st.DataObject) -> None:
    old = data.draw(st.sampled_from(sorted(case.value)))
    renamed = edit_text(case.text, [Rename((old,), "new-name")], "x.yaml")
    assert parse(renamed, "x.yaml").value == {
        "new-name" if key == old else key: value for key, value in case.value.items()
    }
    assert list(parse(renamed, "x").value) == ["new-name" if k == old else k for k in case.value]
    back = edit_text(renamed, [Rename(("new-name",), old)], "x.yaml")
    assert parse(back, "x.yaml").value == case.value
    assert len(back.splitlines()) == len(case.text.splitlines())


@given(cases(), st.data())
def test_what_is_taken_out_takes_nothing_with_it(case: Case, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(case.value)))
    after = edit_text(case.text, [Remove((gone,))], "x.yaml")
    assert parse(after, "x.yaml").value == {k: v for k, v in case.value.items() if k != gone}


def test_edits_of_several_kinds_go_together() -> None:
    text = "b: x\na: 1\nd: 8\nc:\n  e: 1\n"
    edits: list[Edit] = [Rename(("a",), "z"), Put(("b",), "wide"), Number(("d",), 9)]
    assert edit_text(text, edits, "x.yaml") == "b: wide\nz: 1\nd: 9\nc:\n  e: 1\n"
