from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.python_source import UNREADABLE, bound_names, not_python, parse_python

DEEP = "x = " + "-" * 200_000 + "1"


def bound(text: str) -> list[tuple[str, int]]:
    return [(name, statement.lineno) for name, statement in bound_names(parse_python(text).body)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(): inside = 1", [("f", 1)]),
        ("async def f(): ...", [("f", 1)]),
        ("class A:\n    inside = 1", [("A", 1)]),
        ("a = b.c = d[0] = (e, *f) = 1", [("a", 1), ("e", 1), ("f", 1)]),
        ("a: int", [("a", 1)]),
        ("a += 1", [("a", 1)]),
        ("import a.b, c as d", [("a", 1), ("d", 1)]),
        ("from a import b, c as d", [("b", 1), ("d", 1)]),
        ("if x:\n    a = 1\nelif y:\n    b = 1\nelse:\n    c = 1", [("a", 2), ("b", 4), ("c", 6)]),
        ("try:\n    import a\nexcept E as e:\n    a = 1\nelse:\n    b = 1\nfinally:\n    c = 1",
         [("a", 2), ("a", 4), ("b", 6), ("c", 8)]),
        ("for i in x:\n    def f(): ...\nelse:\n    a = 1", [("i", 1), ("f", 2), ("a", 4)]),
        ("while x:\n    a = 1", [("a", 2)]),
        ("with x as a:\n    class B: ...", [("a", 1), ("B", 2)]),
        ("match x:\n    case 1:\n        a = 1", [("a", 3)]),
        ("a = [i for i in x]\nb = lambda: (j := 1)", [("a", 1), ("b", 2)]),
        ("print(x)", []),
        ("(a := 1)", [("a", 1)]),
    ],
)  # fmt: skip
def test_every_name_is_yielded_where_it_is_bound(text: str, names: list[tuple[str, int]]) -> None:
    assert bound(text) == names


NAMES = st.sampled_from("abcde")
STATEMENTS = st.recursive(
    st.one_of(
        NAMES.map("{0} = 1".format),
        NAMES.map("{0}, other = 1, 2".format),
        NAMES.map("import sys as {0}".format),
        NAMES.map("def {0}(): hidden = 1".format),
        NAMES.map("class {0}: hidden = 1".format),
        st.just("[hidden for hidden in ()]"),
    ).map(lambda line: [line]),
    lambda blocks: st.tuples(
        st.sampled_from(["if True:", "for _ in (1,):", "with open('/dev/null'):"]),
        st.lists(blocks, min_size=1, max_size=3),
    ).map(lambda made: [made[0], *(f"    {line}" for block in made[1] for line in block)]),
    max_leaves=8,
)


@given(st.lists(STATEMENTS, max_size=4))
def test_they_are_the_names_that_running_it_binds(blocks: list[list[str]]) -> None:
    text = "\n".join(line for block in blocks for line in block)
    namespace: dict[str, object] = {}
    exec(text, namespace)  # noqa: S102  (it was made above)
    assert {name for name, _ in bound(text)} == namespace.keys() - {"__builtins__"}


def test_long_sums_are_no_deep_recursion() -> None:
    text = "a = " + " + ".join(["1"] * 1_500)
    assert bound(text) == [("a", 1)]


@pytest.mark.parametrize("text", ["def f(", "x = '\0'", DEEP], ids=["syntax", "null byte", "deep"])
def test_what_cannot_be_parsed_raises_one_of_a_few_errors(text: str) -> None:
    with pytest.raises(UNREADABLE):
        parse_python(text)


def test_nothing_is_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(parse_python('"\\d"'), ast.Module)


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = (", 2), ("x = '\0'", 1)])
def test_the_error_has_the_line_where_there_is_one(text: str, line: int) -> None:
    with pytest.raises(UNREADABLE) as caught:
        parse_python(text)
    error = not_python(caught.value, "m.py")
    assert str(error).startswith(f"m.py:{line}:1: error: cannot be parsed as Python: ")
    assert error.remedy == "mend the file"
