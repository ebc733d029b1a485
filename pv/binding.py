"""From ``check: module:function`` to a declared check, without importing anything.

``pytest:`` and ``command:`` declare theirs in the contract: see :mod:`pv.binding_declared`.
The module's file is found by walking the project's declared sources and parsed; the decorator's
metrics and counter-examples must therefore be literals. The worker compares the imported check
with what is read here, and refuses a difference.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from pv.check import CheckError, Metric
from pv.config import Config
from pv.contract import Falsifier
from pv.errors import BindingError, Location
from pv.module_source import find_source
from pv.named_code import REFERENCE

__all__ = ["Binding", "Kind", "Parameter", "Reading", "bind", "bind_falsifier", "counter_examples_in"]

Kind = Literal["check", "pytest", "command", "property"]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A keyword-only parameter of a check: a role or an argument."""

    name: str
    required: bool


@dataclasses.dataclass(frozen=True)
class Reading:
    """Where a metric of a ``command:`` is read: all but `metric` are texts that may have holes.

    With `sha256_of`, the digest of that file. Else a value in a JSON document, found by `pointer`
    (RFC 6901): in `file`, or in what the command printed. With neither, its exit code.
    """

    metric: str
    pointer: str | None = None
    file: str | None = None
    sha256_of: str | None = None


@dataclasses.dataclass(frozen=True)
class Binding:
    """A check as its source declares it, or as the contract declares it for ``pytest:`` and ``command:``."""

    reference: str
    """``module:function``, ``pytest:path::test``, ``command:`` and words, or ``property:`` and what of."""
    where: Location
    metrics: Mapping[str, Metric]
    parameters: tuple[Parameter, ...]
    """Of a ``check:``, its keyword-only parameters; else the roles that are passed as text."""
    counter_examples: Mapping[str, str]
    """Name of the counter-example → the role that it damages, or what it replaces."""
    kind: Kind = "check"
    readings: tuple[Reading, ...] = ()
    doses: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name of a way to do damage by any amount → the role that it damages."""


def bind(reference: str, config: Config) -> Binding:
    """Find and read the check that `reference` (``module:function``) names.

    Raises
    ------
    BindingError
        It is not of that form, the module or function is not there, it is no check, or its
        declaration is not literal.
    """
    if reference not in config.bindings:
        config.bindings[reference] = _bind(reference, config)
    return config.bindings[reference]


def _bind(reference: str, config: Config) -> Binding:
    if not REFERENCE.fullmatch(reference):
        raise BindingError(
            f"{reference!r} does not name a check", remedy="write `check: package.module:function`"
        )
    module, function = reference.split(":")
    source = find_source(module, config, named="`check:`")
    shown, tree = source.path, source.tree
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            declaration = _decorator(node)
            where = source.at(node)
            if declaration is None:
                raise BindingError(
                    f"{function} is a function but not a check",
                    where=where,
                    remedy="decorate it with @check(metrics=[...])",
                )
            return Binding(
                reference=reference,
                where=where,
                metrics=_metrics(declaration, shown),
                parameters=_parameters(node, shown),
                counter_examples=counter_examples_in(tree, function, shown),
                doses=_declared(tree, function, shown, "dose", "dose"),
            )
    raise BindingError(
        f"{shown} defines no function {function}",
        where=Location(shown, 1, 1),
        remedy="correct `check:`, or write the function at the module's top level",
    )


def bind_falsifier(falsifier: Falsifier, config: Config) -> Binding:
    """Read what `falsifier` is bound to: ``check:``, ``property:``, ``pytest:`` or ``command:``.

    Raises
    ------
    BindingError
        It has none of them, or what it names is not there or not declared as it must be.
    """
    if falsifier.check is not None:
        return bind(falsifier.check, config)
    if falsifier.stated_property is not None:
        from pv.binding_property import bind_property  # late, as below

        return bind_property(falsifier, config)
    if falsifier.pytest is None and falsifier.command is None:
        raise BindingError(
            f"no check is bound to {falsifier.id}",
            where=falsifier.where,
            remedy="add check:, property:, pytest: or command:",
        )
    # Imported late: most projects have only checks, and a hook waits for us.
    from pv.binding_declared import bind_declared

    return bind_declared(falsifier, config)


def _decorator(node: ast.FunctionDef) -> ast.Call | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "check":
            return decorator
    return None


def _metrics(declaration: ast.Call, path: str) -> dict[str, Metric]:
    listed = next((keyword.value for keyword in declaration.keywords if keyword.arg == "metrics"), None)
    if not isinstance(listed, ast.List | ast.Tuple):
        raise BindingError(
            "the metrics of a check must be written out as a list in its decorator",
            where=_at(declaration, path),
            remedy="write @check(metrics=[Metric(...), ...]); they are read without importing",
        )
    metrics: dict[str, Metric] = {}
    for item in listed.elts:
        if not (isinstance(item, ast.Call) and _last_name(item.func) == "Metric"):
            raise BindingError(
                "not a Metric(...)", where=_at(item, path), remedy="list Metric(...) calls only"
            )
        try:
            metric = Metric(
                *(ast.literal_eval(argument) for argument in item.args),
                **{keyword.arg or "": ast.literal_eval(keyword.value) for keyword in item.keywords},
            )
        except (ValueError, TypeError, CheckError) as error:
            raise BindingError(
                f"cannot be read as a metric: {error}",
                where=_at(item, path),
                remedy="its arguments must be literals",
            ) from error
        if metric.name in metrics:
            raise BindingError(
                f"metric {metric.name} is declared twice", where=_at(item, path), remedy="drop one"
            )
        metrics[metric.name] = metric
    return metrics


def _parameters(node: ast.FunctionDef, path: str) -> tuple[Parameter, ...]:
    if len(node.args.args) + len(node.args.posonlyargs) != 1 or node.args.vararg or node.args.kwarg:
        raise BindingError(
            f"{node.name} must take the run and keyword-only parameters, nothing else",
            where=_at(node, path),
            remedy="write `def f(run: Run, *, role: Type, argument: Type) -> None`",
        )
    return tuple(
        Parameter(argument.arg, default is None)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    )


def counter_examples_in(tree: ast.Module, function: str, path: str) -> dict[str, str]:
    """Return the counter-examples that a file declares of its check `function`, with the role of each.

    Raises
    ------
    BindingError
        One is not declared with two literal words, or twice; `path` is what messages call the file.
    """
    return _declared(tree, function, path, "counter_example", "counter-example")


def _declared(tree: ast.Module, function: str, path: str, decorated: str, word: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if not (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Attribute)
                and decorator.func.attr == decorated
                and _last_name(decorator.func.value) == function
            ):
                continue
            values: list[Any] = [
                value.value if isinstance(value, ast.Constant) else None
                for value in (*decorator.args, *(k.value for k in decorator.keywords if k.arg == "of"))
            ]
            if len(values) != 2 or not all(isinstance(value, str) for value in values):
                raise BindingError(
                    f"a {word} is declared with two literal words",
                    where=_at(decorator, path),
                    remedy=f'write @{function}.{decorated}("name", of="role")',
                )
            if values[0] in found:
                raise BindingError(
                    f"{word} {values[0]!r} is declared twice",
                    where=_at(decorator, path),
                    remedy="rename one",
                )
            found[values[0]] = values[1]
    return found


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _at(node: ast.expr | ast.stmt, path: str) -> Location:
    return Location(path, node.lineno, node.col_offset + 1)
