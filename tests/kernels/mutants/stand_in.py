"""A text that stands in for a module's file, which is not touched."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import linecache
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["stand_in"]


class _Loader(importlib.abc.Loader):
    def __init__(self, text: str) -> None:
        self.text = text

    def exec_module(self, module: ModuleType) -> None:
        # Triton reads the text of a kernel through linecache; a name in brackets is not looked for on disk.
        name = f"<{module.__name__}, a mutant>"
        lines = self.text.splitlines(keepends=True)
        linecache.cache[name] = (len(self.text), None, lines, name)
        exec(compile(self.text, name, "exec"), vars(module))  # noqa: S102  our own text


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self.name:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(self.text), origin=f"a mutant of {fullname}")


def stand_in(name: str, text: str) -> None:
    """Let `text` be what is imported as module `name` from now on in this process.

    Raises
    ------
    RuntimeError
        The module was imported already, so that the text would be tested nowhere.
    """
    if name in sys.modules:
        raise RuntimeError(f"{name} was imported before its mutant could stand in for it")
    sys.meta_path.insert(0, _Finder(name, text))
