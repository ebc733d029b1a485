"""Put one file in the place of a module: what a ``modules:`` counter-example does, in the child.

The module keeps its name and its ``__file__``, so that whatever it reads beside itself it still finds, and
whoever compares paths is content; only its code is the other file's.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType

from pv.check import CheckError

__all__ = ["Mutants"]


class _Loader(SourceFileLoader):
    """Loads the module at `path` from the code of another file."""

    def __init__(self, name: str, path: str, mutant: str) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Compile the other file; its name stands in tracebacks."""
        code: CodeType = self.source_to_code(self.get_data(self._mutant), self._mutant)
        return code

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """Return the other file's text."""
        return importlib.util.decode_source(self.get_data(self._mutant))


class Mutants(MetaPathFinder):
    """Finds modules as everybody does, and serves the files of `replaced` otherwise; keys are real paths.

    Raises
    ------
    CheckError
        One is imported already.
    """

    def __init__(self, replaced: Mapping[str, str]) -> None:
        self._replaced = {os.path.realpath(path): os.path.realpath(to) for path, to in replaced.items()}
        self.served: set[str] = set()
        self._asking = False
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path and os.path.realpath(path) in self._replaced:
                raise CheckError(f"module {name} is imported before it could be replaced")

    def first(self) -> None:
        """Stand before all other finders; whoever comes later is asked by us."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        sys.meta_path.insert(0, self)

    @property
    def files(self) -> frozenset[str]:
        """The real paths of the files that take the place of others."""
        return frozenset(self._replaced.values())

    @property
    def unserved(self) -> tuple[str, ...]:
        """The files that nobody imported yet."""
        return tuple(sorted(set(self._replaced) - self.served))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find `fullname` among the replaced; None lets the others find it."""
        if self._asking or not self._replaced:
            return None
        self._asking = True
        try:
            found = self._found(fullname, path, target)
        finally:
            self._asking = False
        if found is None or found.origin is None:
            return None
        mutant = self._replaced.get(os.path.realpath(found.origin))
        if mutant is None:
            return None
        self.served.add(os.path.realpath(found.origin))
        return importlib.util.spec_from_file_location(
            fullname,
            found.origin,
            loader=_Loader(fullname, found.origin, mutant),
            submodule_search_locations=found.submodule_search_locations,
        )

    def _found(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            # pytest's own finder remembers what it found, to rewrite its assertions; it must not.
            if finder is self or type(finder).__name__ == "AssertionRewritingHook":
                continue
            find = getattr(finder, "find_spec", None)
            if find is not None and (spec := find(fullname, path, target)) is not None:
                return spec if isinstance(spec, ModuleSpec) else None
        return None
