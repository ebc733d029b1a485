"""Every mutant of every kernel of the registry, and those that a run takes."""

from __future__ import annotations

import ast
import hashlib
import inspect
import itertools
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from pv_kernels.spec import KernelSpec
from triton.runtime.jit import JITFunction

from tests.kernels.mutants.kernel_operators import KERNEL_OPERATORS
from tests.kernels.mutants.launch_operators import LAUNCH_OPERATORS, launches
from tests.kernels.mutants.source import Change, Scope, changed, statement

__all__ = ["OPERATORS", "SEED", "Mutant", "catalogue", "chosen", "mutants_of", "reached"]

OPERATORS = {**KERNEL_OPERATORS, **LAUNCH_OPERATORS}
SEED = 7
EACH = 7
"""Mutants of a kernel that a run takes."""


@dataclass(frozen=True)
class Mutant:
    """A module's text with one change, and the kernel whose tests are to see it.

    Parameters
    ----------
    kernel, module, function
        Names: of the registry, of the module, of the function that is changed.
    operator
        A key of `OPERATORS`, or nothing for the control, in which nothing is changed.
    line
        Where the change is.
    before, after
        The statement, on one line.
    text
        The module's, changed.
    """

    kernel: str
    module: str
    function: str
    operator: str
    line: int
    before: str
    after: str
    text: str


def reached(spec: KernelSpec) -> list[FunctionType]:
    """Return the functions of kernels' modules that a call of the wrapper may come to, and its kernels."""
    pending: list[Any] = [spec.call, *(program.kernel for program in spec.programs)]
    found: dict[FunctionType, None] = {}
    while pending:
        function = pending.pop(0)
        function = function.fn if isinstance(function, JITFunction) else function
        if not isinstance(function, FunctionType) or function in found:
            continue
        if not function.__module__.startswith("pv_kernels."):
            continue
        found[function] = None
        names = (function.__globals__.get(name) for name in _names(function.__code__))
        pending += [value for value in names if isinstance(value, JITFunction | FunctionType)]
    return list(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def mutants_of(text: str, kernel: str, module: str, function: str) -> list[Mutant]:
    """Return the mutants of one function in the text of a module: those of a kernel, or of its launch."""
    tree = ast.parse(text)
    defined = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    scope = Scope(next(defined))
    decorated = any(ast.unparse(decorator) == "jit" for decorator in scope.function.decorator_list)
    operators = KERNEL_OPERATORS if decorated else LAUNCH_OPERATORS if launches(scope) else {}
    found: dict[str, Mutant] = {}
    for node in scope.nodes():
        for name, operator in operators.items():
            for after in operator(node, scope):
                change = Change(node, after)
                new = changed(text, change)
                lines = statement(text, scope, change)
                found.setdefault(new, Mutant(kernel, module, function, name, node.lineno, *lines, new))
    return list(found.values())


def catalogue(specs: Iterable[KernelSpec], kernels: Container[str] | None = None) -> list[Mutant]:
    """Return every mutant, or those of `kernels`; what several reach is mutated for the first of `specs`."""
    done: set[tuple[str, str]] = set()
    mutants = []
    for spec in specs:
        for function in reached(spec):
            place = (function.__module__, function.__qualname__)
            if place in done or not _defined(function):
                continue
            done.add(place)
            if kernels is not None and spec.name not in kernels:
                continue
            text = inspect.getsource(sys.modules[function.__module__])
            mutants += mutants_of(text, spec.name, *place)
    return mutants


def _defined(function: FunctionType) -> bool:
    """Return whether the function is one that a module defines, and not part of a specification."""
    named = "<" not in function.__qualname__
    return named and not function.__module__.startswith(("pv_kernels.specs.", "pv_kernels.checks."))


def chosen(mutants: Sequence[Mutant], *, each: int = EACH, seed: int = SEED) -> list[Mutant]:
    """Return `each` mutants of every kernel, of as many operators as there are, and one of every operator.

    What is chosen of a kernel depends on the texts of its mutants alone: it stays when others come.
    """
    taken: list[Mutant] = []
    for kernel in dict.fromkeys(mutant.kernel for mutant in mutants):
        groups: dict[str, list[Mutant]] = {}
        for mutant in mutants:
            if mutant.kernel == kernel:
                groups.setdefault(mutant.operator, []).append(mutant)
        for group in groups.values():
            group.sort(key=lambda one: _drawn(seed, one.before, one.after))
        order = sorted(groups, key=lambda name: _drawn(seed, kernel, name))
        rounds = (groups[name][turn] for turn in range(each) for name in order if turn < len(groups[name]))
        taken += itertools.islice(rounds, each)
    missing = dict.fromkeys(m.operator for m in mutants if m.operator not in {t.operator for t in taken})
    return taken + [next(m for m in mutants if m.operator == name) for name in missing]


def _drawn(seed: int, *words: str) -> bytes:
    """Return where in a fixed order `words` come: the same whatever else there is to choose from."""
    return hashlib.sha256("\0".join([str(seed), *words]).encode()).digest()
