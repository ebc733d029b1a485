"""Contracts that were read already, by file and by the ids that they hold."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from pv.contract import Contract
from pv.examined import names_of

__all__ = ["GatheredContracts", "Handle", "by_stem"]


def by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return `files`, in their order, by their name without its ending."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(file.stem, []).append(file)
    return found


class Handle(Protocol):
    """A contract that can be had: :class:`pv.examined.Examined` is one."""

    @property
    def path(self) -> str:
        """The path by which it was named."""

    @property
    def stem(self) -> str:
        """The name by which contracts refer to it."""

    @property
    def names(self) -> frozenset[str]:
        """The ids and aliases of its falsifiers."""

    def contract(self) -> Contract:
        """Return the contract itself, which may take a while."""


class _Loaded:
    """A contract that is there."""

    def __init__(self, contract: Contract) -> None:
        self.path = contract.path
        self.stem = PurePath(contract.path).stem
        self.names = frozenset(names_of(contract))
        self._contract = contract

    def contract(self) -> Contract:
        return self._contract


class GatheredContracts:
    """Contracts by the absolute path of their file, without links."""

    def __init__(self, handles: Iterable[tuple[str, Handle]]) -> None:
        self._handles = dict(handles)
        self._resolved = {handle.path: resolved for resolved, handle in self._handles.items()}

    @classmethod
    def of(cls, contracts: Iterable[Contract]) -> GatheredContracts:
        """Gather `contracts` that are loaded."""
        return cls((os.path.realpath(contract.path), _Loaded(contract)) for contract in contracts)

    def __contains__(self, resolved: str) -> bool:
        """Tell whether the file was read and is a contract."""
        return resolved in self._handles

    def resolved(self, path: str) -> str:
        """Return the absolute path, without links, of a contract's `path`."""
        return self._resolved.get(path) or os.path.realpath(path)

    def contract(self, resolved: str) -> Contract:
        """Return the contract of a file that was read."""
        return self._handles[resolved].contract()

    @functools.cached_property
    def files(self) -> tuple[Path, ...]:
        """The files, sorted."""
        return tuple(sorted(map(Path, self._handles), key=lambda path: path.parts))

    @functools.cached_property
    def by_stem(self) -> Mapping[str, Sequence[Path]]:
        """The files by the name by which contracts refer to them."""
        return by_stem(self.files)

    @functools.cached_property
    def _named(self) -> dict[str, list[str]]:
        named: dict[str, list[str]] = {}
        for resolved, handle in self._handles.items():
            for name in handle.names:
                named.setdefault(name, []).append(resolved)
        return named

    def holding(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the files, each once, of the contracts that have one of `names` as an id or alias."""
        seen: set[str] = set()
        for name in names:
            for resolved in self._named.get(name, ()):
                if resolved not in seen:
                    seen.add(resolved)
                    yield resolved
