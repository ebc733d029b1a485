"""What is proved is what runs: names, signatures and attributes that say otherwise are refused."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import ModuleType

import pytest

z3 = pytest.importorskip("z3", reason="needs the extra properties: z3-solver")

from pv.properties.source import NotPureError, plain  # noqa: E402
from pv.properties.translate import Translator  # noqa: E402

REFUSED = {
    "a signature of its own": (
        """
import inspect


def helper(x, bias=5):
    return x + bias


one = inspect.Parameter('x', inspect.Parameter.POSITIONAL_OR_KEYWORD)
other = inspect.Parameter('bias', inspect.Parameter.POSITIONAL_OR_KEYWORD, default=0)
helper.__signature__ = inspect.Signature([one, other])


def f(a):
    return helper(a)
""",
        "says itself what its parameters are",
    ),
    "built-in functions of its own": (
        """
__builtins__ = {**vars(__import__('builtins')), 'min': max}


def helper(x):
    return min(x, 3)


import types


f = types.FunctionType(helper.__code__, {'__builtins__': __builtins__})
""",
        "are not those of its module",
    ),
    "a mapping of names that lies": (
        """
import types


class Names(dict):
    def __getitem__(self, name):
        return 4


def helper(a):
    return a + LIMIT


f = types.FunctionType(helper.__code__, Names(LIMIT=3, __builtins__=__builtins__))
""",
        "are not those of its module",
    ),
    "a name that a module makes up": (
        """
import sys


def __getattr__(name):
    return 3


here = sys.modules[__name__]


def f(a):
    return a + here.limit
""",
        "limit of module is not translated",
    ),
    "an attribute that is computed": (
        """
import dataclasses


@dataclasses.dataclass(frozen=True)
class Form:
    size: int

    @property
    def bytes(self):
        return id(self)


FORM = Form(3)


def f(a):
    return a + FORM.bytes
""",
        "bytes of Form is not translated",
    ),
    "an object that answers for its fields": (
        """
import dataclasses


@dataclasses.dataclass(frozen=True)
class Form:
    size: int

    def __getattribute__(self, name):
        return 3


FORM = Form(3)


def f(a):
    return a + FORM.size
""",
        "size of Form is not translated",
    ),
    "a field that a descriptor answers for": (
        """
import dataclasses


@dataclasses.dataclass(frozen=True)
class Form:
    size: int


FORM = Form(3)
Form.size = property(lambda self: id(self))


def f(a):
    return a + FORM.size
""",
        "size of Form is not translated",
    ),
    "a term of the solver's": (
        """
import z3

LIMIT = z3.Int('a')


def f(a):
    return a - LIMIT
""",
        "LIMIT is a term of the solver's",
    ),
    "a term of the solver's, two tuples deep": (
        """
import z3

LIMITS = ((z3.Int('a'),),)


def f(a):
    return a - LIMITS[0][0]
""",
        "LIMITS is a term of the solver's",
    ),
    "any number of arguments": (
        """
def helper(*given, **named):
    return 3


def f(a):
    return helper(a)
""",
        "helper takes any number of arguments",
    ),
    "a term of the solver's as a default": (
        """
import z3


def f(a, b=z3.Int('a')):
    return a - b
""",
        "b is a term of the solver's",
    ),
    "a built-in name that is a variable elsewhere": (
        """
def f(a):
    if a > 1000000000:
        b = min(a, 3)
        min = 1
        return b
    return 1
""",
        "min may not be assigned",
    ),
    "a signature that is believed of what it wraps": (
        """
import functools


def helper(x, bias=5):
    return x + bias


helper._partialmethod = helper.__partialmethod__ = functools.partialmethod(lambda x, bias=0: 0)


def f(a):
    return helper(a)
""",
        "says itself what its parameters are",
    ),
    "nothing, by a name": (
        """
NOTHING = None


def f(a):
    return NOTHING if a * a == 4000028000049 else a
""",
        "a number here and something else there",
    ),
    "nothing, of a block": (
        """
NOTHING = None


def f(a):
    if a * a == 4000028000049:
        return NOTHING
    return a
""",
        "a number here and something else there",
    ),
    "nothing, as a default": (
        """
def f(a, b=None):
    return b if a * a == 4000028000049 else a
""",
        "a number here and something else there",
    ),
    "a variable that a function within sees": (
        """
LIMIT = 3


def f(a):
    if a * a == 4000028000049:
        return a + LIMIT
    return a
    LIMIT = 1
    later = lambda: LIMIT
""",
        "LIMIT may not be assigned",
    ),
    "a built-in name that a function within sees": (
        """
def f(a):
    if a * a == 4000028000049:
        return min(a, 3)
    return a
    min = 1
    later = lambda: min
""",
        "min may not be assigned",
    ),
    "a generator that never yields": (
        """
def helper(a):
    return a
    yield a


def f(a):
    return helper(a) if a * a == 4000028000049 else a
""",
        "returns a generator",
    ),
    "a class of Triton's name": (
        """
class JITFunction:
    def __init__(self, fn):
        self.fn = fn

    def __call__(self, a):
        return a + 1


@JITFunction
def f(a):
    return a
""",
        "JITFunction is no function of Python",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_sure_to_be_what_runs_is_refused(name: str, module: Callable[[str], ModuleType]) -> None:
    source, why = REFUSED[name]
    made = module(source)
    with pytest.raises(NotPureError, match=why):
        Translator().call(made.f, {"a": z3.Int("a")})


def test_a_built_in_function_that_was_exchanged_is_refused(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = module("def f(a):\n    return min(a, 3)\n")
    refused = ""
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "min", max)
        try:
            Translator().call(made.f, {"a": z3.Int("a")})
        except NotPureError as error:
            refused = str(error)
    assert refused == "min was exchanged"


def test_only_a_kernel_of_tritons_stands_for_its_function(module: Callable[[str], ModuleType]) -> None:
    made = module(REFUSED["a class of Triton's name"][0])
    assert plain(made.f) is made.f


def test_a_function_that_always_raises_is_owed_false(module: Callable[[str], ModuleType]) -> None:
    made = module("def f(a):\n    raise ValueError\n")
    translator = Translator()
    translator.call(made.f, {"a": z3.Int("a")})
    solver = z3.Solver()
    solver.add(*translator.obligations)
    assert solver.check() == z3.unsat


def test_arguments_go_where_python_puts_them(module: Callable[[str], ModuleType]) -> None:
    made = module(
        "def helper(x, /, y, *, z=7):\n    return 100 * x + 10 * y + z\n\n\n"
        "def f(a):\n    return helper(1, y=2) - helper(a, 1, z=3)\n"
    )
    term = Translator().call(made.f, {"a": z3.IntVal(1)})
    assert z3.simplify(term).as_long() == made.f(1) == 14


def test_what_hangs_on_an_imported_name_is_translated(module: Callable[[str], ModuleType]) -> None:
    other = module(
        "import dataclasses\n\n\ndef halved(a):\n    return a // 2\n\n\n"
        "@dataclasses.dataclass(frozen=True)\nclass Form:\n    size: int\n\n"
        "    def row(self, a):\n        return a * self.size\n\n\nFORM = Form(3)\n"
    ).__name__
    made = module(
        f"import {other}\n\nif True:\n    from {other} import FORM\n\nOWN = {other}.Form(5)\n\n\n"
        f"def f(a):\n    return {other}.halved(a) + FORM.row(a) + OWN.row(a)\n"
    )
    translator, symbol, solver = Translator(), z3.Int("a"), z3.Solver()
    term = translator.call(made.f, {"a": symbol})
    solver.add(*translator.definitions, symbol == -7, term != made.f(-7))
    assert solver.check() == z3.unsat
