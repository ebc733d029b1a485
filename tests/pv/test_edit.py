from __future__ import annotations

import copy
import difflib
from typing import Any

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pv.document import parse
from pv.edit import Add, Edit, EditError, Put, edit_text
from pv.errors import DocumentError
from pv.exits import Exit

STATUS = Put(("falsification_tests", 0, "discharge_status"), "DISCHARGED")

WRITTEN = {
    "the last key, before comments": (
        "falsification_tests:\n- id: X\n  rule: y # c\n\n  # of X\n# tail\n",
        "falsification_tests:\n- id: X\n  rule: y # c\n  discharge_status: DISCHARGED\n\n  # of X\n# tail\n",
    ),
    "after a nested list": (
        "falsification_tests:\n  - id: X\n    covers:\n    - a\n    - b   \n  # c\nx: 1\n...\n",
        (
            "falsification_tests:\n  - id: X\n    covers:\n    - a\n    - b   \n"
            "    discharge_status: DISCHARGED\n  # c\nx: 1\n...\n"
        ),
    ),
    "carriage returns": (
        "falsification_tests:\r\n  - id: X\r\n    rule: y\r\nx: 1\r\n",
        "falsification_tests:\r\n  - id: X\r\n    rule: y\r\n    discharge_status: DISCHARGED\r\nx: 1\r\n",
    ),
    "no final line break": (
        "falsification_tests:\r\n  - id: X",
        "falsification_tests:\r\n  - id: X\r\n    discharge_status: DISCHARGED",
    ),
    "a byte order mark": (
        "\ufefffalsification_tests:\n  - id: X\n",
        "\ufefffalsification_tests:\n  - id: X\n    discharge_status: DISCHARGED\n",
    ),
    "columns are characters": (
        "a: [é, 😀]\nfalsification_tests: [{é: 😀😀, id: X}] # é\n",
        "a: [é, 😀]\nfalsification_tests: [{é: 😀😀, id: X, discharge_status: DISCHARGED}] # é\n",
    ),
    "a trailing comma": (
        "falsification_tests: [{id: X, rule: y, }]\n",
        "falsification_tests: [{id: X, rule: y, discharge_status: DISCHARGED, }]\n",
    ),
    "a comment in a flow mapping": (
        "falsification_tests: [{id: X, rule: y # c\n }]",
        "falsification_tests: [{id: X, rule: y, discharge_status: DISCHARGED # c\n }]",
    ),
    "JSON stays JSON": (
        '{"falsification_tests": [\n  {\n    "id": "X",\n    "rule": "y"\n  }\n]}\n',
        (
            '{"falsification_tests": [\n  {\n    "id": "X",\n    "rule": "y",\n'
            '    "discharge_status": "DISCHARGED"\n  }\n]}\n'
        ),
    ),
    "a text that keeps its blank lines": (
        "falsification_tests:\n  - id: X\n    rule: |+\n      a\n\n\n  - id: B",
        (
            "falsification_tests:\n  - id: X\n    rule: |+\n      a\n\n\n"
            "    discharge_status: DISCHARGED\n  - id: B"
        ),
    ),
    "a text that does not": (
        "falsification_tests:\n  - id: X\n    rule: >-\n      a\n\n\n  - id: B",
        (
            "falsification_tests:\n  - id: X\n    rule: >-\n      a\n"
            "    discharge_status: DISCHARGED\n\n\n  - id: B"
        ),
    ),
    "a text whose last line is blanks": (
        "falsification_tests:\n  - id: X\n    rule: |\n      a\n         \n",
        (
            "falsification_tests:\n  - id: X\n    rule: |\n      a\n         \n"
            "    discharge_status: DISCHARGED\n"
        ),
    ),
    "a text that ends the file without a line break": (
        "falsification_tests:\n  - id: X\n    rule: |\n      a",
        "falsification_tests:\n  - id: X\n    discharge_status: DISCHARGED\n    rule: |\n      a",
    ),
    "a value that is null": (
        "falsification_tests:\n  - id: X\n    with:\n    # c\n",
        "falsification_tests:\n  - id: X\n    with:\n    discharge_status: DISCHARGED\n    # c\n",
    ),
    "a value that is an alias": (
        "a: &a [1]\nfalsification_tests:\n  - id: X\n    covers: *a # c\n",
        "a: &a [1]\nfalsification_tests:\n  - id: X\n    covers: *a # c\n    discharge_status: DISCHARGED\n",
    ),
    "an anchor that nothing refers to": (
        "falsification_tests:\n  - &x\n    id: X\n",
        "falsification_tests:\n  - &x\n    id: X\n    discharge_status: DISCHARGED\n",
    ),
    "quotes": (
        "falsification_tests:\n  - discharge_status: 'yes' # c\n    id: X\n",
        "falsification_tests:\n  - discharge_status: 'DISCHARGED' # c\n    id: X\n",
    ),
    "double quotes over two lines": (
        'falsification_tests:\n  - discharge_status: "a\\\n      b"\n    id: X\n',
        'falsification_tests:\n  - discharge_status: "DISCHARGED"\n    id: X\n',
    ),
    "a null": (
        "falsification_tests:\n  - id: X\n    discharge_status:   # c\n",
        "falsification_tests:\n  - id: X\n    discharge_status: DISCHARGED   # c\n",
    ),
    "a null within braces": (
        "falsification_tests: [{id: X, discharge_status: }]",
        "falsification_tests: [{id: X, discharge_status: DISCHARGED}]",
    ),
    "a block scalar with a comment": (
        "falsification_tests:\n  - discharge_status: |  # c\n      FOO\n\n    id: X",
        "falsification_tests:\n  - discharge_status: DISCHARGED  # c\n\n    id: X",
    ),
    "a tag": (
        "falsification_tests:\n  - discharge_status: !!str VACUOUS\n    id: X",
        "falsification_tests:\n  - discharge_status: !!str DISCHARGED\n    id: X",
    ),
    "an alias in its place": (
        "q: &q REFUTED\nfalsification_tests:\n  - id: X\n    discharge_status: *q\n",
        "q: &q REFUTED\nfalsification_tests:\n  - id: X\n    discharge_status: DISCHARGED\n",
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written(name: str) -> None:
    before, after = WRITTEN[name]
    assert edit_text(before, [STATUS], "c.yaml") == after
    assert edit_text(after, [STATUS], "c.yaml") == after


REFUSED = {
    "an alias is the falsifier": (
        "a: &a {id: X}\nfalsification_tests:\n  - *a\n",
        "c.yaml:3:5", "it is read through the alias *a",
    ),
    "an alias is the list": (
        "a: &a [{id: X}]\nfalsification_tests: *a\n",
        "c.yaml:2:22", "it is read through the alias *a",
    ),
    "another reads it through an alias": (
        "falsification_tests:\n  - &a\n    id: X\n  - with: *a\n",
        "c.yaml:2:5", "it has an anchor, and may be read elsewhere",
    ),
    "another reads the status through an alias": (
        "falsification_tests:\n  - discharge_status: &q VACUOUS\n    id: X\n    x: *q\n",
        "c.yaml:2:23", "it has an anchor, and may be read elsewhere",
    ),
    "explicit keys": ("falsification_tests:\n  - ? id\n    : X\n", "c.yaml:2:5", "changing something else\n"),
    "a pair without braces": ("falsification_tests: [id: X]", "c.yaml:1:23", "changing something else\n"),
    "no colon": ("falsification_tests: [{id: X, discharge_status}]", "c.yaml:1:47", "changing something"),
    "a list in its place": (
        "falsification_tests:\n  - id: X\n    discharge_status: [A]\n", "c.yaml:3:23", "changing something",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_alone_is_refused(name: str) -> None:
    text, where, why = REFUSED[name]
    with pytest.raises(EditError) as caught:
        edit_text(text, [STATUS], "c.yaml")
    assert str(caught.value.where) == where
    assert why in str(caught.value)
    assert caught.value.exit == Exit.REJECTED


def test_several_edits_at_once_and_one_by_one_agree() -> None:
    text = (
        "m: {version: '1.0.0'}\nfalsification_tests:\n  - id: X\n  - {id: Y}\n  - id: Z\n    rule: |\n      a"
    )
    edits: list[Edit] = [
        Put(("m", "version"), "1.0.1"),
        *(Put(("falsification_tests", index, "discharge_status"), "STALE") for index in range(3)),
        Add(("m",), ["a: b", "c"], "log"),
    ]
    together = edit_text(text, edits, "c.yaml")
    for edit in edits:
        text = edit_text(text, [edit], "c.yaml")
    assert together == text
    assert parse(text, "c.yaml").value["m"] == {"version": "1.0.1", "log": ["a: b", "c"]}


LOGS = {
    "list, last": ("l:\n  - a # c\n# tail\n", Add(("l",), "b c"), 'l:\n  - a # c\n  - "b c"\n# tail\n'),
    "list, first": (
        "l:\n  # newest first\n  - a\n", Add(("l",), "b", first=True), "l:\n  # newest first\n  - b\n  - a\n",
    ),
    "list at the key's column": ("l:\n- a\nm: 1", Add(("l",), "b"), "l:\n- a\n- b\nm: 1"),
    "list with an anchor": ("l: &x\n  - a\n", Add(("l",), "b", first=True), "l: &x\n  - b\n  - a\n"),
    "mappings in a list": (
        "l:\n- v: 1\n  t: [a]\n", Add(("l",), {"v": "2", "t": ["b", "c"]}),
        'l:\n- v: 1\n  t: [a]\n- v: "2"\n  t:\n    - b\n    - c\n',
    ),
    "flow, last": ("l: [a]", Add(("l",), "b"), "l: [a, b]"),
    "flow, first": ("l: [ a ]", Add(("l",), "b", first=True), "l: [ b, a ]"),
    "flow, a line each": ("l: [\n  a,\n  b\n]", Add(("l",), "c"), "l: [\n  a,\n  b,\n  c\n]"),
    "flow, a line each, first": (
        "l: [\n  a,\n]", Add(("l",), "c", first=True), "l: [\n  c,\n  a,\n]",
    ),
    "flow, empty": ("l: []", Add(("l",), {"a": "b"}), "l: [{a: b}]"),
    "mapping, first": (
        "l:\n  '1': a\n", Add(("l",), ["b"], "2", first=True), "l:\n  '2':\n    - b\n  '1': a\n",
    ),
    "mapping, flow": ('l: {"1": [a]}', Add(("l",), ["b"], "2"), 'l: {"1": [a], "2": ["b"]}'),
    "texts that others take for something else": (
        "l:\n  - a\n", Add(("l",), {"yes": "no", "1.5": "1.0", "x": "y: z # \x07'\""}),
        'l:\n  - a\n  - "yes": "no"\n    "1.5": "1.0"\n    x: "y: z # \\u0007\'\\""\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_additions(name: str) -> None:
    before, edit, after = LOGS[name]
    assert edit_text(before, [edit], "c.yaml") == after


def test_an_entry_of_the_wrong_kind_is_refused() -> None:
    for edit in (Add(("l",), "b", "key"), Add(("l", "m"), "b"), Add(("none",), "b"), Put(("l", 7), "b")):
        with pytest.raises(EditError):
            edit_text("l: [a]\n", [edit], "c.yaml")


# Texts that tempt a writer to quote wrongly, and a reader to see something else.
TEXTS = st.one_of(
    st.sampled_from(["yes", "no", "1.0", "0x1f", "~", "", " a", "a ", "a: b", "a #b", "- a", "*a", "&a", "!a",
                     "{", "[", "'", '"', "|", ">", "%", "@", "`", "a\nb", "a\n\n b\n", "é", "😀", "\u00a0"]),
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(-9, 9), st.booleans(), st.none(), st.floats(0.5, 2.5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def contracts(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """Draw falsifiers with odd keys and values, spelled in one of the ways YAML has, and with noise."""
    falsifiers = [
        {"id": f"X-{index}", **draw(st.dictionaries(TEXTS, VALUES, max_size=3))}
        for index in range(draw(st.integers(1, 3)))
    ]
    for falsifier in falsifiers:
        if draw(st.booleans()):
            falsifier["discharge_status"] = draw(st.sampled_from(["VACUOUS", "yes", "", None]))
    text = yaml.safe_dump(
        {"metadata": {"version": "1.0.0"}, "falsification_tests": copy.deepcopy(falsifiers), "z": [1]},
        sort_keys=False,
        allow_unicode=draw(st.booleans()),
        default_flow_style=draw(st.sampled_from([None, True, False])),
        default_style=draw(st.sampled_from([None, None, '"', "'", "|"])) if draw(st.booleans()) else None,
        indent=draw(st.integers(2, 6)),
        width=draw(st.sampled_from([20, 80, 4096])),
        line_break=draw(st.sampled_from(["\n", "\r\n"])),
    )
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    if draw(st.booleans()):
        text = "\ufeff" + text
    return text, falsifiers


@settings(max_examples=150, deadline=None)
@given(contracts())
def test_any_contract_is_written_alone_or_refused_and_then_stays(drawn: tuple[str, list[Any]]) -> None:
    text, falsifiers = drawn
    try:
        before = parse(text, "c.yaml").value
    except DocumentError:  # PyYAML leaves keys such as 0E0 unquoted, which YAML 1.2 takes for numbers
        reject()
    names = [("falsification_tests", index, "discharge_status") for index in range(len(falsifiers))]
    edits = [Put(path, "PARTIAL_ALGORITHM_LEVEL") for path in names]
    after = edit_text(text, edits, "c.yaml")
    value = parse(after, "c.yaml").value
    for falsifier in (*value["falsification_tests"], *before["falsification_tests"]):
        falsifier["discharge_status"] = "PARTIAL_ALGORITHM_LEVEL"
    assert value == before
    assert edit_text(after, edits, "c.yaml") == after
    # Every character is still there, but for statuses that were replaced, with tag and block header.
    taken = sum(
        len(text[a:b])
        for kind, a, b, _, _ in difflib.SequenceMatcher(None, text, after, autojunk=False).get_opcodes()
        if kind in {"delete", "replace"}
    )
    replaced = sum("discharge_status" in falsifier for falsifier in falsifiers)
    assert taken <= 40 * replaced
