"""What is missing before falsifiers can be judged, and the skeletons that take its place.

A skeleton never passes: it raises, so that its discharge ends with Error and leaves no evidence.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pv.binding import bind, counter_examples_in
from pv.check import Metric
from pv.closure import find_module
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import BindingError, ConfigError
from pv.freshness import base_level
from pv.python_module import PythonModule
from pv.python_source import parse_python
from pv.rule_metrics import rule_metrics
from pv.selection import Selected
from pv.skeletons import bound_test_skeleton, check_skeleton, counter_example_skeleton, property_skeleton

__all__ = ["Clause", "Scaffold", "plan_scaffold"]

_CHECK = {"pv.check": ("Metric", "Run", "check")}
_HYPOTHESIS = {"hypothesis": ("given", "strategies as st")}
_TAKEN = frozenset({"check", "given", "st", "annotations"})
MADE = "candidate"
"""The role that a check passes itself, where the clause names no subjects."""
DEVIATION = "deviation"
"""What is measured where there is no rule yet; and the strictest rule of it."""


@dataclasses.dataclass(frozen=True)
class Clause:
    """What is to be added to a falsifier's clause, by key."""

    contract: Contract
    falsifier: Falsifier
    keys: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Scaffold:
    """The files to write, the clauses to bind, and how many falsifiers had all they name."""

    modules: tuple[PythonModule, ...]
    clauses: tuple[Clause, ...]
    complete: int


def plan_scaffold(chosen: Sequence[Selected], config: Config, into: str | None, tests: str) -> Scaffold:
    """Find what the falsifiers lack; nothing is written.

    Parameters
    ----------
    into
        A module (``package.module``) or a folder, for the checks of falsifiers that are bound to nothing.
    tests
        The folder of the tests, relative to the project.

    Raises
    ------
    BindingError
        A clause names what cannot be a Python name, or a file cannot be extended.
    ConfigError
        `into` or `tests` is no place in the project's sources.
    """
    work = _Work(config, into, tests)
    for item in chosen:
        work.add(item.contract, item.falsifier)
    work.finish()
    changed = tuple(module for module in work.modules.values() if module.added)
    return Scaffold(changed, tuple(work.clauses), len(chosen) - len(work.incomplete))


class _Work:
    def __init__(self, config: Config, into: str | None, tests: str) -> None:
        self.config = config
        self.into = into
        self.tests = tests
        self.modules: dict[Path, PythonModule] = {}
        self.clauses: list[Clause] = []
        self.incomplete: set[str] = set()
        self._checks: dict[tuple[Path, str, str], list[Falsifier]] = {}
        self._names: dict[tuple[Path, str], str] = {}

    def add(self, contract: Contract, falsifier: Falsifier) -> None:
        """Add what `falsifier` lacks; what several name together is made by :meth:`finish`."""
        if falsifier.excluded or falsifier.basis or falsifier.command or falsifier.stated_property:
            return
        if falsifier.pytest:
            self._test(falsifier, falsifier.pytest)
        elif falsifier.check:
            module, _, function = falsifier.check.partition(":")
            _require_names(falsifier, "check", *module.split("."), function)
            path = find_module(module, self.config.sources) or self._new(module)
            self._checks.setdefault((path, module, function), []).append(falsifier)
        else:
            path, module = self._place(contract)
            function = self._unique(path, _function_name(falsifier.id), falsifier)
            self._checks.setdefault((path, module, function), []).append(falsifier)
            keys: dict[str, Any] = {"check": f"{module}:{function}"}
            if not falsifier.expect:
                keys["expect"] = [f"max({DEVIATION}) <= 0"]
            self.clauses.append(Clause(contract, falsifier, keys))
            self.incomplete.add(str(falsifier.where))

    def finish(self) -> None:
        """Make the checks that were named."""
        for (path, module, function), falsifiers in self._checks.items():
            self._check(falsifiers, path, module, function)

    def _check(self, falsifiers: Sequence[Falsifier], path: Path, module: str, function: str) -> None:
        file = self._module(path)
        for falsifier in falsifiers:
            _require_names(falsifier, "subjects", *_roles([falsifier]))
            _require_names(falsifier, "with", *falsifier.arguments)
        if not file.defines(function):
            metrics = {metric.name: metric for f in reversed(falsifiers) for metric in rule_metrics(f)}
            roles = _roles(falsifiers)
            listed = tuple(metrics.values()) or (Metric(DEVIATION),)
            file.add(
                function, check_skeleton(falsifiers, function, listed, roles, None if roles else MADE), _CHECK
            )
            self._property(falsifiers[0], module, function)
            self.incomplete.update(str(falsifier.where) for falsifier in falsifiers)
            planted: dict[str, str] = {}
        elif falsifiers[0].check is None:
            planted = counter_examples_in(parse_python(file.before or b""), function, file.shown)
        else:
            planted = dict(bind(falsifiers[0].check, self.config).counter_examples)
        for falsifier in falsifiers:
            role = next(iter(_base_roles(falsifier)), MADE)
            for plant in self._plants(falsifier, planted):
                name = _free(file, _word(f"{function}_{plant}"))
                file.add(name, counter_example_skeleton(falsifier, function, plant, role, name), {})
                planted[plant] = role
                self.incomplete.add(str(falsifier.where))

    def _plants(self, falsifier: Falsifier, planted: Mapping[str, str]) -> Iterator[str]:
        if falsifier.outcome == "refuted":
            return
        listed = falsifier.counter_examples
        if listed is None and not planted:
            listed = tuple(f"breaks_{_word(covered)}" for covered in falsifier.covers) or ("broken",)
        yield from (plant for plant in dict.fromkeys(listed or ()) if plant not in planted)

    def _property(self, falsifier: Falsifier, module: str, function: str) -> None:
        path = self.config.root / self._tests_folder() / f"test_{module.rpartition('.')[2]}.py"
        file = self._module(path)
        name = f"test_{function}"
        if not file.defines(name):
            file.add(name, property_skeleton(falsifier, name, module), _HYPOTHESIS)

    def _test(self, falsifier: Falsifier, node: str) -> None:
        name, _, rest = node.partition("::")
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or pure.suffix != ".py":
            raise BindingError(
                f"{name!r} is no Python file inside the project",
                where=falsifier.value_where("pytest"),
                remedy="write pytest: path/to/test_file.py::test_name",
            )
        path = self.config.root / pure
        words = rest.partition("[")[0].split("::") if rest else []
        if not words and path.exists():
            return
        *classes, function = words or [f"test_{_function_name(falsifier.id)}"]
        _require_names(falsifier, "pytest", *classes, function)
        if len(classes) > 1:
            raise BindingError(
                "a class within a class is for you to write",
                where=falsifier.value_where("pytest"),
                remedy="write it",
            )
        file, within = self._module(path), classes[0] if classes else None
        if not file.defines(function, within):
            text = bound_test_skeleton(falsifier, function, within_class=bool(within))
            file.add(function, text, {}, within)
            self.incomplete.add(str(falsifier.where))

    def _module(self, path: Path) -> PythonModule:
        if path not in self.modules:
            self.modules[path] = PythonModule(path, self.config)
        return self.modules[path]

    def _unique(self, path: Path, name: str, falsifier: Falsifier) -> str:
        """Return `name`, or one like it where another falsifier of this command has that."""
        owner = str(falsifier.where)
        found, number = name, 1
        while self._names.setdefault((path, found), owner) != owner:
            number += 1
            found = f"{name}_{number}"
        return found

    def _tests_folder(self) -> PurePosixPath:
        folder = PurePosixPath(self.tests)
        if folder.is_absolute() or ".." in folder.parts:
            raise ConfigError(
                f"--tests {self.tests!r} is not inside the project", remedy="name a folder of it"
            )
        return folder

    def _place(self, contract: Contract) -> tuple[Path, str]:
        """Return the file and the module for checks of a contract that names none."""
        into = self.into or "pv_checks/"
        if "/" not in into and not into.endswith(".py") and not (self.config.root / into).is_dir():
            if not all(map(_is_name, into.split("."))):
                raise ConfigError(
                    f"--into {into!r} is no module and no folder", remedy="write package.module"
                )
            return find_module(into, self.config.sources) or self._new(into), into
        given = self.config.root / into
        path = given if into.endswith(".py") else given / f"{_word(contract.stem)}.py"
        for source in sorted(self.config.sources, key=lambda source: -len(source.parts)):
            if path.is_relative_to(source):
                parts = path.relative_to(source).with_suffix("").parts
                if all(map(_is_name, parts)):
                    return path, ".".join(parts)
        raise ConfigError(
            f"--into {into!r} is no module of the project's sources",
            remedy="name a folder in [project] sources of pv.toml, of names that Python can import",
        )

    def _new(self, module: str) -> Path:
        """Return the file of a module that is not there: where its package is, else in the first source."""
        relative = module.replace(".", "/") + ".py"
        inside = [s for s in self.config.sources if s.is_relative_to(self.config.root.resolve())]
        found = [s for s in inside if "." in module and (s / module.split(".", maxsplit=1)[0]).is_dir()]
        for source in (*found, *inside):
            return source / relative
        raise ConfigError(
            "no folder of [project] sources is inside the project", remedy="name one in pv.toml"
        )


def _free(file: PythonModule, name: str) -> str:
    """Return `name`, or one like it that nothing in the file has: no definition may hide another."""
    found, number = name, 1
    while file.defines(found):
        number += 1
        found = f"{name}_{number}"
    return found


def _roles(falsifiers: Sequence[Falsifier]) -> dict[str, bool]:
    """Return every role that some level of some falsifier fills, and whether all do; these first."""
    levels = [roles for falsifier in falsifiers for roles in (falsifier.subjects.values() or [{}])]
    names = dict.fromkeys(role for roles in levels for role in roles)
    found = {role: all(role in roles for roles in levels) for role in names}
    return dict(sorted(found.items(), key=lambda item: not item[1]))


def _base_roles(falsifier: Falsifier) -> Sequence[str]:
    return list(falsifier.subjects.get(base_level(falsifier), {}))


def _require_names(falsifier: Falsifier, key: str, *names: str) -> None:
    for name in names:
        if not _is_name(name) or name == "run":
            raise BindingError(
                f"{name!r} is no name that a Python function or parameter of a check can have",
                where=falsifier.key_where(key),
                remedy="rename it",
            )


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii() and not keyword.iskeyword(text)


def _function_name(identifier: str) -> str:
    return _word(identifier.removeprefix("FALSIFY-"))


def _word(text: str) -> str:
    """Return `text` as a name in lower case, by which nothing else is called."""
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return word if _is_name(word) and word not in _TAKEN else f"falsify_{word}".rstrip("_")
