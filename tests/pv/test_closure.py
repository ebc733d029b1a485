from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.closure import find_closure, find_module, normalise
from pv.errors import BindingError

PLAIN = b'x = 1\ndef f(a):\n    y = "a # b"\n    z = """one\n\n  two   \n"""\n    return y + z\n'
WORDED = b'''# a comment
"""A module.

    With # hashes, and blank lines.
"""


x = 1   # one
def f(a):
    """A function.

    In detail.
    """
    # says
    y = "a # b"   # not a comment in there

    z = """one

  two   
"""
    return y + z
'''  # noqa: W291  what a string holds counts


def test_comments_docstrings_and_blank_lines_do_not_count() -> None:
    assert normalise(WORDED) == normalise(PLAIN) == PLAIN.rstrip(b"\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"x = 1", b"x = 2"),
        (b"a # b", b"a # c"),
        (b"one\n\n", b"one\n"),
        (b"two   ", b"two  "),
        (b"    return", b"return"),
    ],
)
def test_code_and_strings_do(old: bytes, new: bytes) -> None:
    changed = PLAIN.replace(old, new)
    assert changed != PLAIN
    try:
        assert normalise(changed) != normalise(PLAIN)
    except SyntaxError:
        assert old == b"    return"


@given(st.lists(st.sampled_from(["", "   ", "# x", "    # y", "'''doc\n\n   more'''"]), max_size=6))
def test_normalising_is_idempotent_and_blind_to_what_is_worded(lines: list[str]) -> None:
    first = [line for line in lines if not line.startswith("'")]
    source = "\n".join(
        [*first, "def f():", "    '''a\n\n  b'''", *first, "    return 1", *first, ""]
    ).encode()
    once = normalise(source)
    assert once == b"def f():\n    return 1"
    assert normalise(once) == once
    ast.parse(once)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("/init/", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_imports_are_followed_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("", encoding="utf-8")
    write(
        tmp_path,
        a="import b.c if False else None" if False else "def f():\n    import b\n    from p import c\n",
        b="import numpy.linalg\nfrom pv.check import check\n",
        p__c="from . import d\nfrom .e import thing\n",
        p__d="import a\n",
        p__e="thing = 1\n",
        unused="",
    )
    closure = find_closure(["a"], [tmp_path])
    assert [name for name, _ in closure.modules] == ["a", "b", "p", "p.c", "p.d", "p.e"]
    assert closure.outside == ("numpy.linalg",)


def test_the_digest_names_the_code_and_not_its_place(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder, a="x = 1  # here\n" if folder == "one" else "x = 1\n")
    one, two = (find_closure(["a"], [tmp_path / folder]) for folder in ("one", "two"))
    assert one.sha256 == two.sha256
    write(tmp_path / "two", a="x = 22\n")
    assert find_closure(["a"], [tmp_path / "two"]).sha256 != one.sha256


def test_a_module_that_is_nowhere_and_one_that_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(BindingError, match="none of the project's sources"):
        find_closure(["nowhere"], [tmp_path])
    write(tmp_path, a="import b\n", b="x = (\n")
    with pytest.raises(BindingError, match=r"b\.py:\d+:1: error: cannot be parsed"):
        find_closure(["a"], [tmp_path])
    assert find_module("a", [tmp_path]) == tmp_path / "a.py"
    assert find_module("json", [tmp_path]) is None
