"""Whether a reference is the subject under another name: then they are equal whatever the subject does."""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pv.check import CheckError
from pv.properties.comparing import identical

__all__ = ["refuse_delegation", "same_code"]

Function = Callable[..., Any]


def same_code(one: Function, other: Function) -> bool:
    """Tell whether two functions are one, or one's code with other names for its variables."""
    (one, its), (other, others) = _bare(one), _bare(other)
    if its is not others:
        return False
    if one is other:
        return True
    if not (isinstance(one, types.FunctionType) and isinstance(other, types.FunctionType)):
        return False
    left, right = one.__code__, other.__code__
    if left.co_code != right.co_code or _constants(one) != _constants(other):
        return False
    if left.co_names != right.co_names or left.co_argcount != right.co_argcount:
        return False
    missing = object()
    return all(
        one.__globals__.get(name, missing) is other.__globals__.get(name, missing) for name in left.co_names
    ) and (_given(one) == _given(other))


@contextlib.contextmanager
def refuse_delegation(subject: Function, given: Mapping[str, Any]) -> Iterator[None]:
    """Watch a reference run.

    Raises
    ------
    CheckError
        It called `subject` with the arguments `given`: it has no answer of its own.
    """
    bare, _ = _bare(subject)
    code = getattr(bare, "__code__", None)
    met = False

    def watch(frame: types.FrameType, event: str, argument: Any) -> None:
        nonlocal met
        if met:
            return
        if event == "c_call":
            met = argument is bare
        elif event == "call" and code is not None and frame.f_code is code:
            own = frame.f_locals
            met = all(name in own and identical(own[name], value) for name, value in given.items())

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
    if met:
        raise CheckError("the reference calls the subject with the same inputs: it has no answer of its own")


def _bare(function: Any) -> tuple[Any, Any]:
    """Return the function behind what remembers its results, and the object that it is a method of."""
    if isinstance(function, functools._lru_cache_wrapper):  # noqa: SLF001  it has no other name
        function = function.__wrapped__
    if isinstance(function, types.MethodType):
        return function.__func__, function.__self__
    return function, None


def _constants(function: types.FunctionType) -> str:
    """Spell what stands in the code, without nested code, which is never the same, and a docstring."""
    found = function.__code__.co_consts
    documented = bool(found) and found[0] == function.__doc__ and function.__doc__ is not None
    return repr([
        part.co_code if isinstance(part, types.CodeType) else part for part in found[documented:]
    ])  # fmt: skip


def _given(function: types.FunctionType) -> list[Any]:
    cells = [id(cell.cell_contents) for cell in function.__closure__ or ()]
    return [cells, repr(function.__defaults__), repr(function.__kwdefaults__)]
