from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.closure import find_module
from pv.contract import Contract, Falsifier
from pv.errors import Location
from pv.python_source import parse_python
from pv.rules.rule import Offence, project_rule

if TYPE_CHECKING:
    from pv.project import Project

_CALLS = {
    "sys": {"_getframe", "_current_frames", "_getframemodulename"},
    "inspect": {"stack", "currentframe", "getouterframes", "getinnerframes"},
    "gc": {"get_objects", "get_referrers", "get_referents"},
}
"""Module → what it has to find the engine's own values by."""
_HIDDEN = frozenset({"__self__", "__closure__", "f_back", "f_locals", "tb_frame"})
"""Attributes through which a check reaches what it was not given."""


@project_rule(
    "PV-CHECK-003",
    "warning",
    summary="a check looks at how it is run, by which it could know a planted defect",
    remedy="Measure what was given: counts may come from run.undamaged, comparisons with it may not.",
)
def looking(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find checks whose file compares a role with its undamaged self, or reaches into the engine.

    A check that knows the plant can answer as is wanted of it. This is a look at the file of the check
    alone, or at those of the code that a ``property:`` names, and no proof: what a module that it imports
    does, it does not see.
    """
    seen: dict[str, list[tuple[int, str]]] = {}
    for falsifier in contract.falsifiers:
        code = list(_code(falsifier))
        if not code or project.binding_if_readable(falsifier) is None:
            continue
        for reference, where in code:
            path = find_module(reference.partition(":")[0], project.config.sources)
            if path is None:
                continue
            shown = project.config.relative(path)
            if shown not in seen:
                seen[shown] = list(_looks(parse_python(path.read_bytes())))
            for line, what in seen[shown][:1]:
                yield Offence(where, f"{falsifier.id}: {shown}:{line} {what}")


def _code(falsifier: Falsifier) -> Iterator[tuple[str, Location]]:
    """Yield what a falsifier names of the project's code, and where: a check, or of a property."""
    if falsifier.check is not None:
        yield falsifier.check, falsifier.value_where("check")
    elif falsifier.stated_property is not None:
        for key in ("subject", "reference", "inverse"):
            if falsifier.stated_property[key]:
                yield falsifier.stated_property[key], falsifier.value_where("property", key)


def _looks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line of each look at how the check is run, and what it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            if any(_is_undamaged(side) for side in (node.left, *node.comparators)):
                yield node.lineno, "compares with run.undamaged(...), by which it would know the plant"
        elif isinstance(node, ast.Attribute):
            if node.attr in _HIDDEN:
                yield node.lineno, f"reaches for {node.attr}"
            elif isinstance(node.value, ast.Name) and node.attr in _CALLS.get(node.value.id, ()):
                yield node.lineno, f"asks {node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                if each.name in _CALLS.get(node.module or "", ()):
                    yield node.lineno, f"asks {node.module}.{each.name}"
            if _is_engine(node.module):
                yield node.lineno, f"imports {node.module}; a check needs pv.check alone"
        elif isinstance(node, ast.Import):
            for each in node.names:
                if _is_engine(each.name):
                    yield node.lineno, f"imports {each.name}; a check needs pv.check alone"


def _is_undamaged(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "undamaged"
    )


def _is_engine(module: str | None) -> bool:
    return module is not None and module.startswith("pv.") and module != "pv.check"
