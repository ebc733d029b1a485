from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.closure import find_closure, find_module, normalise
from pv.errors import BindingError

PLAIN = b"""x = 1
def f(a):
    y = "a # b"
    z = '''one

  two   
'''
    return y + z, {**a}, {None: 1}
"""  # noqa: W291  what a string holds counts
WORDED = b'''\xef\xbb\xbf# -*- coding: utf-8 -*- and a comment
"""A module.

    With # hashes, and blank lines.
"""


x =    (1)   # one
\x0c
def f(
        a,  # an argument
):
  """A function.

    In detail.
  """
  # says
  y = \\
      'a # b'   # not a comment in there
  """What y is."""
  ...

  z = """one

  two   
"""
  return (y + z), {**a,}, {None: 0x1}
'''  # noqa: W291


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_comments_docstrings_layout_and_quotes_do_not_count(ends: bytes) -> None:
    assert normalise(WORDED.replace(b"\n", ends)) == normalise(PLAIN)
    assert normalise(PLAIN.replace(b"    ", b"\t")) == normalise(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"x = 1", b"x = 2"),
        (b"x = 1", b"x = 1.0"),
        (b"x = 1", b"x = True"),
        (b"x = 1", b"x = '1'"),
        (b"x = 1", b"x = b'1'"),
        (b"x = 1", b"x = 1,"),
        (b"x = 1", b"x: int = 1"),
        (b"x = 1", b"x = None"),
        (b"x = 1", b"x = -1"),
        (b"x = 1", b"del x"),
        (b"a # b", b"a # c"),
        (b"one\n\n", b"one\n"),
        (b"two   ", b"two  "),
        (b"y + z", b"z + y"),
        (b"    return", b"return"),
        (b"{**a}", b"{None: a}"),
        (b"{None: 1}", b"{**1}"),
        (b"def f(a)", b"def f(*a)"),
        (b"def f(a)", b"def f(a=None)"),
        (b"def f(a)", b"def f(a, /)"),
        (b"def f(a)", b"async def f(a)"),
        (b"def f(a)", b"@f\ndef f(a)"),
    ],
)
def test_code_and_strings_do(old: bytes, new: bytes) -> None:
    changed = PLAIN.replace(old, new)
    assert changed != PLAIN
    try:
        assert normalise(changed) != normalise(PLAIN)
    except SyntaxError:
        assert old == b"    return"


def test_one_spelling_is_one_tree() -> None:
    # What a string holds can look like the spelling itself.
    hostile = [
        "x = 'a\\0]'",
        "x = 'a', ']'",
        "x = 'a]'",
        "x = ['a']",
        "x = 'str 1 a'",
        "x = str, 1, a",
        "x = f'{a}b'",
        "x = f'{a}', 'b'",
        "x = f'{a!r}b'",
        "x = f'{a:b}'",
        "x = f'{a:{b}}'",
        "x = 1e999",
        "x = 1e999j",
        "x = '\\ud800'",
        "global x",
        "nonlocal x",
        "import x",
        "from x import x",
        "from . import x",
        "from .. import x",
        "import x as y",
    ]
    sources = [f"def f():\n    {line}".encode() for line in hostile]
    assert len({normalise(source) for source in sources}) == len(sources)


LINES = ["", "   ", "# x", "    # y", "    'doc'", "    pass", "    '''doc\n\n   more'''", "\f", "    ..."]


@given(st.lists(st.sampled_from(LINES), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_is_worded_is_never_a_change(lines: list[str], end: str) -> None:
    above = [line for line in lines if line.strip() in {"", "# x", "# y"}]
    source = end.join([*above, "def f():", "    '''a\n\n  b'''", *lines, "    return 1", *above, ""])
    assert normalise(source.encode()) == normalise(b"def f():\n    return 1")


def test_an_escape_that_is_none_is_no_warning() -> None:
    assert normalise(b"x = '\\d'") == normalise(b"x = '\\\\d'")


def test_deep_generated_sources_are_spelled_without_recursion() -> None:
    deep = b"x = " + b" + ".join([b"1"] * 2000)
    assert normalise(deep) != normalise(deep + b" + 1")


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
    with pytest.raises(BindingError, match=r"b\.py:\d+:1: error: b\.py cannot be parsed"):
        find_closure(["a"], [tmp_path])
    assert find_module("a", [tmp_path]) == tmp_path / "a.py"
    assert find_module("json", [tmp_path]) is None


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        (b"def f():\n    return f''\n", b"def f():\n    return\n"),
        (b"def f():\n    yield f''\n", b"def f():\n    yield\n"),
        (b"x: str = f''\n", b"x: str\n"),
        (b"y = a[f'':]\n", b"y = a[:]\n"),
    ],
)
def test_an_empty_text_is_not_nothing(text: bytes, nothing: bytes) -> None:
    assert normalise(text) != normalise(nothing)


def test_a_docstring_counts_where_it_may_be_read() -> None:
    usage = b'"""Usage: tool [--strict]"""\nimport docopt\n\nOPTIONS = docopt.docopt(__doc__)\n'
    assert normalise(usage) != normalise(usage.replace(b"--strict", b"--lax"))
    unread = usage.replace(b"__doc__", b"''")
    assert normalise(unread) == normalise(unread.replace(b"--strict", b"--lax"))
