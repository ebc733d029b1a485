"""The source of a function that is to be translated, and only if it is what runs."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import textwrap
import types
from typing import Any

__all__ = ["NotPureError", "constant", "function_of", "plain", "tree_of"]

_ANNOTATIONS = 0x1000000
"""The flag of ``from __future__ import annotations``."""
_SUSPENDED = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
)
_STATED_SIGNATURES = frozenset({"__signature__", "_partialmethod", "__partialmethod__"})
"""Attributes of a function that :func:`inspect.signature` believes."""

_TRITON = {
    ("triton.runtime.jit", "JITFunction"),
    ("triton.runtime.interpreter", "InterpretedFunction"),
}


class NotPureError(Exception):
    """A function holds what is not translated; the message says what."""


def plain(function: Any) -> Any:
    """Return `function`, or of a kernel's helper of Triton the function of Python that it compiles."""
    kind = type(function)
    own = vars(sys.modules.get(kind.__module__, sys)).get(kind.__name__) is kind
    return function.fn if own and (kind.__module__, kind.__name__) in _TRITON else function


def function_of(function: Any) -> tuple[types.FunctionType, tuple[Any, ...]]:
    """Return the function behind `function`, and the object that it is a method of, if it is of one.

    Raises
    ------
    NotPureError
        It is no function of Python's, or is wrapped, or sees the variables of another.
    """
    itself: tuple[Any, ...] = ()
    if isinstance(function, types.MethodType):
        itself, function = (function.__self__,), function.__func__
    function = plain(function)
    name = getattr(function, "__qualname__", type(function).__name__)
    if not isinstance(function, types.FunctionType):
        raise NotPureError(f"{name} is no function of Python's")
    if function.__closure__ or hasattr(function, "__wrapped__"):
        raise NotPureError(f"{name} is wrapped, or sees the variables of another function")
    if not vars(function).keys().isdisjoint(_STATED_SIGNATURES):
        raise NotPureError(f"{name} says itself what its parameters are")
    if function.__code__.co_flags & _SUSPENDED:  # a yield that is never reached makes it one, too
        raise NotPureError(f"{name} returns a generator or a coroutine")
    if type(function.__globals__) is not dict or getattr(function, "__builtins__", None) is not vars(
        builtins
    ):
        raise NotPureError(f"{name} sees names that are not those of its module and of Python")
    return function, itself


def tree_of(function: types.FunctionType) -> ast.FunctionDef:
    """Return the tree of `function`, whose compiled form is the one that runs.

    Raises
    ------
    NotPureError
        Its source is not to be had, or is not what was compiled.
    """
    name = function.__qualname__
    try:
        text = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(text)
        imported = _imported("".join(inspect.findsource(function)[0]))
    except (OSError, TypeError, SyntaxError) as error:
        raise NotPureError(f"the source of {name} is not to be had: {error}") from error
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef):
        raise NotPureError(f"{name} is no function that was defined by itself")
    flags = function.__code__.co_flags & _ANNOTATIONS
    # Python calls what hangs on an imported name by other instructions than what hangs on another.
    imports = [ast.Import([ast.alias(name)]) for name in sorted(imported)]
    bare = ast.Module([*imports, _without_decorators(definition)], [])
    module = compile(ast.fix_missing_locations(bare), "<source>", "exec", flags=flags, dont_inherit=True)
    made = next(
        part
        for part in module.co_consts
        if isinstance(part, types.CodeType) and part.co_name == definition.name
    )
    documented = ast.get_docstring(definition) is not None
    if _spelled(made, documented) != _spelled(function.__code__, documented):
        raise NotPureError(f"the source of {name} is not what runs")
    return definition


def constant(value: Any, attribute: str) -> Any:
    """Return an attribute of a module or of a frozen dataclass: nothing else is sure to stay what it is.

    Raises
    ------
    NotPureError
        It is of something else, or is computed whenever it is asked for.
    """
    kind = type(value)
    if kind is types.ModuleType and attribute in vars(value):
        return vars(value)[attribute]
    parameters = vars(kind).get("__dataclass_params__")
    own = not any("__getattribute__" in vars(base) for base in kind.__mro__ if base is not object)
    if getattr(parameters, "frozen", False) and own:
        found = next((vars(base)[attribute] for base in kind.__mro__ if attribute in vars(base)), None)
        stored = not hasattr(type(found), "__get__") or isinstance(found, types.MemberDescriptorType)
        if attribute in vars(kind)["__dataclass_fields__"] and stored:
            return object.__getattribute__(value, attribute)
        if isinstance(found, types.FunctionType) and attribute not in getattr(value, "__dict__", ()):
            return types.MethodType(found, value)
    raise NotPureError(f".{attribute} of {kind.__name__} is not translated")


@functools.lru_cache(maxsize=64)
def _imported(text: str) -> frozenset[str]:
    """Return the names that a module imports outside of its functions and classes."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            waiting += ast.iter_child_nodes(node)
    return frozenset(found - {"*"})


def _without_decorators(definition: ast.FunctionDef) -> ast.FunctionDef:
    arguments = definition.args
    bare = ast.FunctionDef(
        name=definition.name,
        args=ast.arguments(
            posonlyargs=[_unannotated(one) for one in arguments.posonlyargs],
            args=[_unannotated(one) for one in arguments.args],
            vararg=arguments.vararg,
            kwonlyargs=[_unannotated(one) for one in arguments.kwonlyargs],
            kw_defaults=arguments.kw_defaults,
            kwarg=arguments.kwarg,
            defaults=arguments.defaults,
        ),
        body=definition.body,
        decorator_list=[],
        returns=None,
    )
    if "type_params" in ast.FunctionDef._fields:
        setattr(bare, "type_params", [])  # noqa: B010  from Python 3.12 on
    return bare


def _unannotated(argument: ast.arg) -> ast.arg:
    return ast.arg(argument.arg)


def _spelled(code: types.CodeType, documented: bool) -> tuple[Any, ...]:
    """Spell compiled code; its docstring, which comes first, changes with the indentation of the source."""
    constants = tuple(part for part in code.co_consts[documented:] if not isinstance(part, types.CodeType))
    # As text: 1, 1.0 and True are equal.
    return code.co_code, repr(constants), code.co_names, code.co_varnames, code.co_argcount
