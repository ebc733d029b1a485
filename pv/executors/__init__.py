"""Where a sweep runs. A module of this registry has ``SETTINGS`` and ``make_executor(setup)``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from pv.errors import ConfigError
from pv.executors.protocol import Executor, Setup

__all__ = ["EXECUTORS", "make_executor", "parse_settings"]

EXECUTORS = {"local": "pv.executors.local", "ray": "pv.executors.ray", "slurm": "pv.executors.slurm"}
"""Name → module."""


class _Module(Protocol):
    SETTINGS: Mapping[str, Callable[[str], Any]]
    """Key of ``[executors.NAME]`` → what reads its text; ValueError where it is not as it should be."""

    def make_executor(self, setup: Setup) -> Executor:
        """Return a new executor."""


def make_executor(name: str, setup: Setup) -> Executor:
    """Return an executor of the kind `name`.

    Raises
    ------
    ConfigError
        There is none of that name, what it needs is not installed, or a setting is wrong.
    """
    return _module(name).make_executor(setup)


def parse_settings(name: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings `stated` of the executor `name`, each as its module reads it.

    Raises
    ------
    ConfigError
        A key is unknown, or its value is not as it should be.
    """
    known = _module(name).SETTINGS
    found: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ConfigError(
                f"executors.{name}.{key} is no setting of this executor (known: {listed})",
                remedy="docs/configuration.md lists every key",
            )
        try:
            found[key] = known[key](str(value))
        except ValueError as error:
            raise ConfigError(f"executors.{name}.{key}: {error}", remedy="correct the value") from error
    return found


def _module(name: str) -> _Module:
    try:
        return cast("_Module", importlib.import_module(EXECUTORS[name]))
    except KeyError:
        known = ", ".join(EXECUTORS)
        raise ConfigError(f"there is no executor {name!r}", remedy=f"one of: {known}") from None
