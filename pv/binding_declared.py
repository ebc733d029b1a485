"""``pytest:`` and ``command:`` as bindings: everything that can be refused before anything runs."""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from pv.binding import Binding, Parameter, Reading
from pv.binding_metrics import declared_metrics
from pv.config import Config
from pv.contract import Falsifier, Replacement
from pv.errors import BindingError, Location
from pv.module_source import read_source
from pv.placeholders import GIVEN, HoleError, holes
from pv.project_paths import project_path
from pv.python_source import bound_names

__all__ = ["bind_declared", "test_file"]

Place = tuple[str | int, ...]


def bind_declared(falsifier: Falsifier, config: Config) -> Binding:
    """Read what `falsifier` declares for its ``pytest:`` or ``command:``.

    Raises
    ------
    BindingError
        With the place in the contract: a file, test, role or replacement is not there, a text has a hole
        that nothing fills, or a metric is not declared as it must be.
    """
    if falsifier.arguments:
        raise BindingError(
            "`with:` has a use for check: only",
            where=falsifier.key_where("with"),
            remedy="pass words or environment variables: see docs/how-to/bind-existing-tests.md",
        )
    if (falsifier.satisfying_example or {}).get("with"):
        raise BindingError(
            "a satisfying_example of pytest: or command: fills roles otherwise; `with:` has no use there",
            where=falsifier.value_where("satisfying_example", "with"),
            remedy="write satisfying_example: {subjects: {role: NAME}}",
        )
    metrics, readings = declared_metrics(falsifier)
    if falsifier.command is not None:
        _check_program(falsifier, config)
        reference = f"command:{' '.join(falsifier.command)}"
        at = falsifier.value_where("command")
        where = dataclasses.replace(at, path=config.relative(Path(at.path)))
    else:
        reference = f"pytest:{falsifier.pytest}"
        where = _find_test(falsifier, config)
    passed = _roles_passed(falsifier, readings)
    for index, path in enumerate(falsifier.sources):
        project_path(path, config, falsifier.value_where("sources", index))
    return Binding(
        reference=reference,
        where=where,
        metrics=metrics,
        parameters=tuple(Parameter(role, required=True) for role in passed),
        counter_examples=_replaced(falsifier, config, passed),
        kind="pytest" if falsifier.command is None else "command",
        readings=readings,
    )


def test_file(falsifier: Falsifier) -> str:
    """Return the path of the file in ``pytest: path::test``, as written."""
    return (falsifier.pytest or "").split("::")[0]


def _check_program(falsifier: Falsifier, config: Config) -> None:
    program = (falsifier.command or ("",))[0]
    where = falsifier.value_where("command", 0)
    if not program or "{" in program or "}" in program:
        raise BindingError(
            "the program is no fixed word", where=where, remedy="name a program on PATH, or a project file"
        )
    if "/" in program:
        path = project_path(program, config, where)
        if not path.is_file():
            raise BindingError(
                f"{program} is no file", where=where, remedy="name a program, or a file that can be run"
            )


def _find_test(falsifier: Falsifier, config: Config) -> Location:
    """Find the test without importing it; what only running could show is left to pytest."""
    where = falsifier.value_where("pytest")
    name, _, rest = (falsifier.pytest or "").partition("::")
    path = project_path(name, config, where)
    if path.suffix != ".py" or not path.is_file():
        raise BindingError(
            f"{name} is no Python file", where=where, remedy="write pytest: path/to/test_file.py::test_name"
        )
    source = read_source(path, config)
    names = rest.partition("[")[0].split("::") if rest else []
    body = source.tree.body
    found = Location(source.path, 1, 1)
    for name in names:
        definition = next((node for bound, node in bound_names(body) if bound == name), None)
        if definition is None:
            if any(_opens(statement) for statement in body):
                return found
            raise BindingError(
                f"{source.path} has no {'::'.join(names)}: there is no {name}",
                where=where,
                remedy="correct pytest:; `pytest --collect-only -q` lists what there is",
            )
        found = source.at(definition)
        if not isinstance(definition, ast.ClassDef):
            return found
        if any(not (isinstance(base, ast.Name) and base.id == "object") for base in definition.bases):
            return found  # what it inherits cannot be seen here
        body = definition.body
    return found


def _opens(statement: ast.stmt) -> bool:
    """Tell whether a statement may bind names that cannot be seen."""
    return any(
        (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
        or (isinstance(node, ast.Name) and node.id in {"globals", "setattr", "exec"})
        for node in ast.walk(statement)
    )


def _texts(falsifier: Falsifier, readings: tuple[Reading, ...]) -> Iterator[tuple[str, Place]]:
    """Yield every text that may have holes, with its place; those of counter-examples not."""
    yield from ((word, ("command", i)) for i, word in enumerate(falsifier.command or ()) if i)
    yield from ((text, ("environment", name)) for name, text in falsifier.environment.items())
    for index, reading in enumerate(readings):
        for key, text in (("file", reading.file), ("sha256_of", reading.sha256_of)):
            if text is not None:
                yield text, ("metrics", index, key)


def _roles_passed(falsifier: Falsifier, readings: tuple[Reading, ...]) -> tuple[str, ...]:
    roles = {role for given in falsifier.subjects.values() for role in given}
    if taken := sorted(roles & GIVEN):
        raise BindingError(
            f"a role cannot be called {taken[0]!r}, which pv fills in itself",
            where=falsifier.key_where("subjects"),
            remedy="rename the role",
        )
    passed: dict[str, None] = {}
    for text, place in _texts(falsifier, readings):
        for name in _holes(falsifier, text, place, roles):
            if name in roles:
                passed[name] = None
    return tuple(passed)


def _holes(falsifier: Falsifier, text: str, place: Place, roles: set[str]) -> tuple[str, ...]:
    where = falsifier.value_where(str(place[0]), *place[1:])
    try:
        found = holes(text)
    except HoleError as error:
        raise BindingError(
            str(error), where=where, remedy="double a brace that is meant: {{ or }}"
        ) from error
    for name in found:
        if name not in roles | GIVEN:
            known = ", ".join(sorted(roles | GIVEN))
            raise BindingError(
                f"{{{name}}} is no role of the falsifier",
                where=where,
                remedy=f"there are: {known}; double the braces of what is no name",
            )
    return found


def _replaced(falsifier: Falsifier, config: Config, passed: tuple[str, ...]) -> dict[str, str]:
    """Check every counter-example, and say what it replaces."""
    if falsifier.counter_examples and not falsifier.replacements:
        raise BindingError(
            "a counter-example of pytest: or command: says what it replaces",
            where=falsifier.key_where("counter_examples"),
            remedy="write counter_examples: {name: {subjects: …, environment: …, modules: …, arguments: …}}",
        )
    return {
        name: _replacement(falsifier, config, passed, name, replacement)
        for name, replacement in falsifier.replacements.items()
    }


def _replacement(
    falsifier: Falsifier, config: Config, passed: tuple[str, ...], name: str, replacement: Replacement
) -> str:
    place = ("counter_examples", name)
    roles = {role for given in falsifier.subjects.values() for role in given}
    replaced: list[str] = []

    def refuse(what: str, remedy: str, *rest: str | int) -> BindingError:
        where = falsifier.value_where(*place, *rest)
        return BindingError(f"counter-example {name!r} {what}", where=where, remedy=remedy)

    for role, path in replacement.subjects.items():
        if role not in passed:
            known = ", ".join(passed) or "none"
            what = f"replaces role {role!r}, whose path is passed to nothing"
            raise refuse(what, f"pass it as {{{role}}}; passed are: {known}", "subjects", role)
        project_path(path, config, falsifier.value_where(*place, "subjects", role))
        replaced.append(f"role {role}")
    for variable, text in replacement.environment.items():
        _holes(falsifier, text, (*place, "environment", variable), roles)
        if falsifier.environment.get(variable) == text:
            raise refuse(f"leaves {variable} as it is", "give another value", "environment", variable)
        replaced.append(f"environment {variable}")
    for module, mutant in replacement.modules.items():
        if falsifier.command is not None:
            raise refuse("replaces a module, which only pytest: can", "replace a word or a path", "modules")
        for path in (module, mutant):
            found = project_path(path, config, falsifier.value_where(*place, "modules", module))
            if found.suffix != ".py" or not found.is_file():
                raise refuse(f"names {path}, no Python file", "name two files", "modules", module)
        if _same(module, test_file(falsifier), config):
            raise refuse(
                "replaces the test itself, which is to notice", "replace what it tests", "modules", module
            )
        if _same(module, mutant, config):
            raise refuse(f"puts {module} in its own place", "name another file", "modules", module)
        replaced.append(f"module {module}")
    if replacement.arguments is not None:
        for index, word in enumerate(replacement.arguments):
            _holes(falsifier, word, (*place, "arguments", index), roles)
        before = () if falsifier.command is None else falsifier.command[1:]
        if replacement.arguments == before:
            raise refuse("leaves the arguments as they are", "give other words", "arguments")
        replaced.append("arguments")
    if not replaced:
        raise refuse("replaces nothing", "add subjects:, environment:, modules: or arguments:")
    return ", ".join(replaced)


def _same(one: str, other: str, config: Config) -> bool:
    # Not the method: what this function is asked, whoever remembers results can watch.
    return os.path.samefile(config.root / one, config.root / other)  # noqa: PTH121
