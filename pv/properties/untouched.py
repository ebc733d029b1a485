"""Whether what measures a property is what it was before code of the project ran beside it."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from pv.check import CheckError

__all__ = ["untouched"]

_PARTS = (
    *("alias", "calling", "comparing", "complete", "domains", "drawing", "evaluate", "grammar", "laws"),
    *("measure", "mutants", "results", "search", "source", "stated"),
)
_PYTHONS = ("builtins", "math", "operator", "struct", "copy", "itertools", "fractions")
_SOLVER = ("pv.properties.proof", "pv.properties.names", "pv.properties.translate", "z3.z3", "z3.z3core")
_DRAWN = ("hypothesis", "hypothesis._settings", "hypothesis.core", "hypothesis.strategies")

Picture = Mapping[tuple[str, str], Any]


@contextlib.contextmanager
def untouched(*, solver: bool, drawn: bool) -> Iterator[None]:
    """Import what measures, and look afterwards whether its functions are still its own.

    It sees what was left behind. Code that puts all back before it returns, or reaches into memory, it does
    not see.

    Raises
    ------
    CheckError
        A function or a class of it, or of Python's own, was exchanged.
    """
    names = [*_PYTHONS, "pv.check", *(f"pv.properties.{part}" for part in _PARTS)]
    names += ["numpy"] if "numpy" in sys.modules else []  # what the project imports is loaded by now
    names += _SOLVER if solver else ()
    names += _DRAWN if drawn else ()
    modules = {name: importlib.import_module(name) for name in names}
    before = _picture(modules)
    yield
    after = _picture(modules)
    for place, was in before.items():
        now = after.get(place)
        if now is None or len(now) != len(was) or any(a is not b for a, b in zip(was, now, strict=True)):
            raise CheckError(f"code of the project exchanged {'.'.join(place)}, which measures it")
    for place in after.keys() - before.keys():
        if place[0].startswith("pv.") and hasattr(builtins, place[1]):
            raise CheckError(f"code of the project put its own {place[1]} into {place[0]}")
    for name, module in modules.items():
        if sys.modules.get(name) is not module:
            raise CheckError(f"code of the project exchanged the module {name}")


def _picture(modules: Mapping[str, types.ModuleType]) -> Picture:
    """Return each function and class, with what it consists of."""
    found: dict[tuple[str, str], Any] = {}
    for name, module in modules.items():
        for key, value in list(vars(module).items()):
            if callable(value):
                found[name, key] = _parts(value)
            if isinstance(value, type) and value.__module__ == name:
                for own, part in list(vars(value).items()):
                    if callable(part):
                        found[name, f"{key}.{own}"] = _parts(part)
    return found


def _parts(value: Any) -> tuple[Any, ...]:
    if isinstance(value, types.FunctionType):
        return value, value.__code__, value.__defaults__, value.__kwdefaults__
    return (value,)
