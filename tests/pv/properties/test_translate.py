"""The translator against Python itself, on random programs; and what it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

z3 = pytest.importorskip("z3", reason="needs the extra properties: z3-solver")

from pv.properties.source import NotPureError  # noqa: E402
from pv.properties.translate import Translator  # noqa: E402

NAMES = ("a", "b", "c")
NUMBERS = st.one_of(st.sampled_from(NAMES), st.integers(-4, 6).map(lambda n: f"({n})"))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    truth = st.builds("({} {} {})".format, inner, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), inner)
    truths = st.one_of(
        truth,
        st.builds("({} {} {})".format, truth, st.sampled_from(["and", "or"]), truth),
        st.builds("(not {})".format, truth),
        st.builds("({} or {})".format, truth, inner),
        st.builds("({} <= {} < {})".format, inner, inner, inner),
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["<<", ">>"]), st.integers(0, 3)),
        st.builds(
            "({} & {})".format, inner, st.sampled_from([0, 1, 3, 7, 15, -1, -2, -8, "~15", "(2**5 - 1)"])
        ),
        st.builds("({} & {})".format, st.sampled_from([0, 7, -16]), inner),
        st.builds("({}{})".format, st.sampled_from("-~"), inner),
        st.builds("divmod({}, {})[{}]".format, inner, inner, st.sampled_from([0, 1, -1, -2])),
        st.builds("({} if {} else {})".format, inner, truths, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max", "helper"]), inner, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "int"]), inner),
    )


EXPRESSIONS = st.recursive(NUMBERS, _grown, max_leaves=7)
CONDITIONS = st.one_of(
    st.builds("{} {} {}".format, EXPRESSIONS, st.sampled_from(["<", "==", ">="]), EXPRESSIONS),
    st.builds("{} % {} or {}".format, EXPRESSIONS, EXPRESSIONS, EXPRESSIONS),
    EXPRESSIONS,
)
VARIABLES = st.sampled_from(NAMES)
BRANCHES = "if {}:\n        {} = {}\n    else:\n        {} = {}"
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, VARIABLES, EXPRESSIONS),
    st.builds("{} {}= {}".format, VARIABLES, st.sampled_from(["+", "-", "*", "//", "%"]), EXPRESSIONS),
    st.builds("if {}:\n        return {}".format, CONDITIONS, EXPRESSIONS),
    st.builds(BRANCHES.format, CONDITIONS, *[VARIABLES, EXPRESSIONS] * 2),
    st.builds("assert {}".format, CONDITIONS),
    st.builds("if {}:\n        raise ValueError".format, CONDITIONS),
)  # fmt: skip
PROGRAMS = st.builds(
    lambda body, last: "\n    ".join([*body, f"return {last}"]), st.lists(STATEMENTS, max_size=3), EXPRESSIONS
)
COUNT = itertools.count()


def loaded(body: str, folder: Path) -> Callable[..., Any]:
    """Return a function that lies in a file, where its source is looked for."""
    path = folder / f"program_{next(COUNT)}.py"
    source = f"def helper(x, y):\n    return x - 2 * y if x < y else y\n\n\ndef f(a, b, c):\n    {body}\n"
    path.write_text(source, encoding="utf-8")
    space: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), space)  # noqa: S102  a program of this test
    found: Callable[..., Any] = space["f"]
    return found


SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(body=PROGRAMS, inputs=st.lists(st.tuples(*[st.integers(-9, 9)] * 3), min_size=1, max_size=4))
def test_what_is_translated_is_what_python_computes(
    body: str, inputs: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    function = loaded(body, tmp_path)
    symbols = {name: z3.Int(name) for name in NAMES}
    translator = Translator()
    term = translator.call(function, symbols)
    for values in inputs:
        fixed = [symbols[name] == value for name, value in zip(NAMES, values, strict=True)]
        solver = z3.Solver()
        solver.add(*translator.definitions, *fixed)
        defined = z3.And([z3.BoolVal(True), *translator.obligations])
        try:
            expected = function(*values)
        except (ZeroDivisionError, AssertionError, ValueError):
            assert solver.check(defined) == z3.unsat, (body, values)
            continue
        # Defined there, and equal: neither can be otherwise.
        assert solver.check(z3.Not(z3.And(defined, term == expected))) == z3.unsat, (body, values)
        assert solver.check(defined) == z3.sat, (body, values)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("for i in range(a):\n        b += 1\n    return b", "for i in range"),
        ("return a / b", "Div"),
        ("return a ** b", "Pow"),
        ("return a << b", "LShift"),
        ("return a & b", "BitAnd"),
        ("return a + 1.5", "1.5"),
        ("return int()", "by position"),
        ("return int(a < b)", "no integer"),
        ("return a & 5", "BitAnd"),
        ("return a & -6", "BitAnd"),
        ("return 2 ** a", "Pow"),
        ("return (a, b)[c]", "not translated"),
        ("return (a, b)[0:1]", "not translated"),
        ("return helper(a)", "missing a required argument"),
        ("return (a or b) + 1", "taken for a truth"),
        ("return (a < b) + 1", "no integer"),
        ("return f(a, b, c)", "calls itself"),
        ("return (a, b)[2]", "no part of a tuple"),
        ("d = [a, b]\n    return d", "not translated"),
        ("if a < b:\n        return a", "without a return"),
        ("if a < b:\n        d = 1\n    return d", "may not be assigned"),
        ("return (lambda: a)()", "not translated"),
        ("global helper\n    return a", "global"),
        ("return min([a, b])", "by position"),
        ("return a.real", "not translated"),
    ],
)
def test_what_it_does_not_know_it_refuses(body: str, why: str, tmp_path: Path) -> None:
    function = loaded(body, tmp_path)
    with pytest.raises(NotPureError, match=why.replace("(", r"\(")):
        Translator().call(function, {name: z3.Int(name) for name in NAMES})


def test_a_function_whose_source_is_not_what_runs_is_refused(
    module: Callable[[str], ModuleType],
) -> None:
    made = module("def f(a):\n    return a + 1\n")
    path = Path(str(made.__file__))
    path.write_text("def f(a):\n    return a + 2\n", encoding="utf-8")
    with pytest.raises(NotPureError, match="not what runs"):
        Translator().call(made.f, {"a": z3.Int("a")})


def test_a_wrapped_function_is_refused(module: Callable[[str], ModuleType]) -> None:
    made = module("import functools\n\n\n@functools.cache\ndef f(a):\n    return a + 1\n")
    with pytest.raises(NotPureError, match="no function of Python"):
        Translator().call(made.f, {"a": z3.Int("a")})


def test_constants_of_a_module_and_of_a_frozen_object_are_numbers(
    module: Callable[[str], ModuleType],
) -> None:
    made = module(
        "import dataclasses\n\nBLOCK = 256\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Form:\n    bytes: int\n\n"
        "    def row(self, columns):\n        return columns // BLOCK * self.bytes\n\n\nFORM = Form(144)\n"
    )
    symbol = z3.Int("columns")
    translator = Translator()
    term = translator.call(made.FORM.row, {"columns": symbol})
    solver = z3.Solver()
    solver.add(*translator.definitions, symbol == 1000)
    assert solver.check(term != 3 * 144) == z3.unsat
