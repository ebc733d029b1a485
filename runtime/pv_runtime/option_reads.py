"""Which attributes of a parsed namespace the code of a command reads, found in its source; nothing is run.

It begins at the function that a parser hands its namespace to, and follows the namespace wherever it is
passed on as an argument, into other functions and other modules of the same package. What it cannot follow (a
namespace inside of a list, a name that is computed) counts as not read, so that an option is rather reported
for nothing than missed. What it cannot see is whether a value that is read changes anything.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Reads", "reads_of"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Reads:
    """The attributes that are read, and the files in which that was seen."""

    attributes: frozenset[str]
    files: frozenset[Path]


def reads_of(handlers: Mapping[str, Callable[..., Any]]) -> Reads:
    """Follow the namespace that is handed to ``handlers["run"]``, as its first argument.

    A call of an attribute of the namespace (``arguments.action(arguments)``) leads to that handler.

    Raises
    ------
    KeyError
        There is no ``run``.
    """
    follower = _Follower(handlers)
    start = handlers["run"]
    follower.follow(_module(start.__module__), start.__name__, 0)
    return Reads(frozenset(follower.attributes), frozenset(follower.files))


class _Module:
    """A file of Python: its functions, classes and values by name, and what its imports mean."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.tree = ast.parse(path.read_bytes())
        self.functions: dict[str, _Function] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.values: dict[str, ast.expr] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        for node in self.tree.body:
            if isinstance(node, _Function):
                self.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self.values |= {each.id: node.value for each in targets if isinstance(each, ast.Name)}
        for found in ast.walk(self.tree):
            if isinstance(found, ast.ImportFrom) and found.module:
                for alias in found.names:
                    self.imports[alias.asname or alias.name] = (found.module, alias.name)


@cache
def _module(name: str) -> _Module | None:
    """Read the module `name`; None where it is none, or has no source."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return _Module(name, Path(spec.origin))


class _Follower:
    def __init__(self, handlers: Mapping[str, Callable[..., Any]]) -> None:
        self.handlers = handlers
        self.attributes: set[str] = set()
        self.files: set[Path] = set()
        self._packages = {each.__module__.partition(".")[0] for each in handlers.values()}
        self._seen: set[tuple[str, str, str]] = set()

    def follow(self, module: _Module | None, name: str, place: int | str) -> None:
        """Collect what the function `name` of `module` reads of its argument at `place`."""
        function = module.functions.get(name) if module is not None else None
        if module is None or function is None or module.name.partition(".")[0] not in self._packages:
            return
        parameters = [*function.args.posonlyargs, *function.args.args]
        if isinstance(place, int):
            if place >= len(parameters):
                return
            place = parameters[place].arg
        if (module.name, name, place) in self._seen:
            return
        self._seen.add((module.name, name, place))
        self.files.add(module.path)
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and _is(node.value, place):
                if isinstance(node.ctx, ast.Load):
                    self.attributes.add(node.attr)
            elif isinstance(node, ast.Call):
                self._call(node, place, module, function)

    def _call(self, call: ast.Call, name: str, module: _Module, function: _Function) -> None:
        if _is(call.func, "getattr") and _is(call.args[0], name):
            self.attributes |= set(_Words(module, function).of(call.args[1]))
            return
        places: list[int | str] = [place for place, each in enumerate(call.args) if _is(each, name)]
        places += [each.arg for each in call.keywords if each.arg and _is(each.value, name)]
        for place in places:
            self.follow(*self._callee(call.func, name, module), place)

    def _callee(self, callee: ast.expr, name: str, module: _Module) -> tuple[_Module | None, str]:
        if isinstance(callee, ast.Name):
            if callee.id in module.functions:
                return module, callee.id
            other, attribute = module.imports.get(callee.id, ("", None))
            return _module(other) if other else None, attribute or callee.id
        if isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Name):
            if callee.value.id == name and callee.attr in self.handlers:
                handler = self.handlers[callee.attr]
                return _module(handler.__module__), handler.__name__
            other, attribute = module.imports.get(callee.value.id, ("", None))
            return _module(f"{other}.{attribute}") if attribute else None, callee.attr
        return None, ""


class _Words:
    """The words that an expression of a function can be, where it draws them from what is written out."""

    def __init__(self, module: _Module, scope: ast.AST) -> None:
        self.module, self.scope = module, scope

    def of(self, node: ast.expr) -> Iterator[str]:
        """Yield what one value can be: a word, a name that runs over words, a text with holes of such."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [[*self.of(each)] for each in node.values]
            yield from ("".join(each) for each in itertools.product(*parts))
        elif isinstance(node, ast.FormattedValue):
            yield from self.of(node.value)
        elif isinstance(node, ast.Attribute) and node.attr == "name" and isinstance(node.value, ast.Name):
            yield from self.of(node.value)  # a field of a dataclass
        elif isinstance(node, ast.Name):
            for target, source in _runs_over(self.scope):
                if any(_is(each, node.id) for each in ast.walk(target)):
                    yield from self.among(source)
            yield from self._passed(node.id)

    def among(self, node: ast.expr) -> Iterator[str]:
        """Yield the members of what is iterated over."""
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            for each in node.elts:
                # Of pairs, either half may be the one that is meant.
                yield from self.among(each) if isinstance(each, ast.Tuple) else self.of(each)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield from self.among(value) if key is None else self.of(key)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            yield from _Words(self.module, node).of(node.elt)
        elif isinstance(node, ast.DictComp):
            yield from _Words(self.module, node).of(node.key)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"items", "keys"}:
                yield from self.among(node.func.value)
            elif node.func.attr == "fields" and node.args and isinstance(node.args[0], ast.Name):
                yield from self._fields(node.args[0].id)
        elif isinstance(node, ast.Name):
            yield from self._named(node.id)

    def _named(self, name: str) -> Iterator[str]:
        for node in ast.walk(self.scope):
            if isinstance(node, ast.Assign) and any(_is(each, name) for each in node.targets):
                yield from self.among(node.value)
        if name in self.module.values:
            value = self.module.values[name]
            yield from _Words(self.module, value).among(value)
        elif name in self.module.imports:
            other, attribute = self.module.imports[name]
            found = _module(other)
            if found is not None and attribute in found.values:
                yield from _Words(found, found.values[attribute]).among(found.values[attribute])

    def _fields(self, name: str) -> Iterator[str]:
        module: _Module | None = self.module
        if module is not None and name in module.imports:
            module = _module(module.imports[name][0])
        made = module.classes.get(name) if module is not None else None
        for node in made.body if made is not None else ():
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id

    def _passed(self, name: str) -> Iterator[str]:
        """Yield the words that the module passes for a parameter of the function that is looked at."""
        scope = self.scope
        if not isinstance(scope, _Function):
            return
        places = [place for place, each in enumerate(scope.args.args) if each.arg == name]
        for call in ast.walk(self.module.tree):
            if isinstance(call, ast.Call) and _is(call.func, scope.name):
                for place in places:
                    if place < len(call.args) and isinstance(call.args[place], ast.Constant):
                        yield from self.of(call.args[place])


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _runs_over(scope: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield target and source of every loop and comprehension in `scope`."""
    for node in ast.walk(scope):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.target, node.iter
