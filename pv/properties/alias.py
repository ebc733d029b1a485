"""Whether a reference is the subject under another name: then they are equal whatever the subject does."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pv.check import CheckError
from pv.properties.comparing import identical

__all__ = ["refuse_delegation", "remembers", "same_code"]

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
def refuse_delegation(who: str, whom: str, function: Function, given: Mapping[str, Any]) -> Iterator[None]:
    """Watch one of a subject and its reference, `who`, run; `function` is the other, `whom`.

    Raises
    ------
    CheckError
        It called `function` with the arguments `given`: it has no answer of its own.
    """
    asked = _behind(function, given)
    met = False

    def watch(frame: types.FrameType, event: str, argument: Any) -> None:
        nonlocal met
        if not met and event == "c_call":
            met = any(argument is one for one, _ in asked)
        elif not met and event == "call":
            met = any(_runs(frame, one) and _has(frame, its) for one, its in asked)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
    if met:
        raise CheckError(f"the {who} calls the {whom} with the same inputs: it has no answer of its own")


def remembers(function: Function) -> bool:
    """Tell whether `function` hands out what it once returned: a second call computes nothing."""
    kept = functools._lru_cache_wrapper  # noqa: SLF001  it has no other name
    inner: Any = function
    while inner is not None:
        inner = inner.__func__ if isinstance(inner, types.MethodType) else inner
        if isinstance(inner, kept):
            return True
        inner = inner.func if isinstance(inner, functools.partial) else getattr(inner, "__wrapped__", None)
    return False


def _behind(function: Any, given: Mapping[str, Any]) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return `function`, and what it wraps or is a part of, each with the arguments that it is given."""
    found: list[tuple[Any, Mapping[str, Any]]] = []
    waiting = [(function, given)]
    while waiting:
        one, its = waiting.pop()
        one, _ = _bare(one)
        if one is None or any(one is other for other, _ in found):
            continue
        found.append((one, its))
        if isinstance(one, functools.partial):
            waiting.append((one.func, {**one.keywords, **its}))
        elif inspect.isfunction(called := inspect.getattr_static(type(one), "__call__", None)):
            waiting.append((called, its))
        waiting.append((getattr(one, "__wrapped__", None), its))
    return found


def _runs(frame: types.FrameType, function: Any) -> bool:
    """Tell whether `frame` is a call of `function`, and not of one that the same decorator has made."""
    if not isinstance(function, types.FunctionType) or frame.f_code is not function.__code__:
        return False
    cells = zip(frame.f_code.co_freevars, function.__closure__ or (), strict=True)
    return all(frame.f_locals.get(name) is cell.cell_contents for name, cell in cells)


def _has(frame: types.FrameType, given: Mapping[str, Any]) -> bool:
    """Tell whether a call was given the values of `given`, by name or, where it takes any, by place."""
    code, own = frame.f_code, dict(frame.f_locals)
    last = code.co_argcount + code.co_kwonlyargcount
    several: tuple[Any, ...] = ()
    if code.co_flags & inspect.CO_VARARGS:
        several = own[code.co_varnames[last]]
        last += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        own |= own[code.co_varnames[last]]
    return all(
        identical(own[name], value) if name in own else any(identical(one, value) for one in several)
        for name, value in given.items()
    )


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
