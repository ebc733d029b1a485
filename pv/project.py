"""What stands around a contract: its project's configuration, checks, evidence, and the other contracts.

Nothing is read until it is asked for, and nothing is read twice: a hook that checks one file waits for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.binding import Binding, bind_falsifier
from pv.blocking import Joined
from pv.check import Metric
from pv.config import Config, find_root, load_config
from pv.contract import Contract, Falsifier, NotAContractError, load_contract
from pv.errors import PvError
from pv.evidence import Record, read_record, records_of
from pv.gathered_contracts import GatheredContracts, by_stem
from pv.regular_file import read_regular_file
from pv.repository import resolved_contracts
from pv.selection import load_all

if TYPE_CHECKING:
    from pv.status import Status

__all__ = ["Project"]


class Project:
    """The project of the contracts in `folder`; `contracts` are those that were read already."""

    def __init__(self, folder: Path, contracts: GatheredContracts | Iterable[Contract] = ()) -> None:
        self.folder = folder.resolve()
        self._gathered = (
            contracts if isinstance(contracts, GatheredContracts) else GatheredContracts.of(contracts)
        )
        self._read: dict[str, Contract] = {}
        self._statuses: dict[tuple[str, str], Status] = {}

    @functools.cached_property
    def config(self) -> Config:
        """What ``pv.toml`` says; the defaults where there is none.

        Raises
        ------
        ConfigError
            It cannot be read.
        """
        return load_config(self.folder, required=False)

    @functools.cached_property
    def root(self) -> Path | None:
        """What references are relative to: the folder of ``pv.toml``, else of git; None where neither is."""
        found = find_root(self.folder)
        if found is not None:
            return found
        return next((f for f in (self.folder, *self.folder.parents) if (f / ".git").exists()), None)

    def binding(self, falsifier: Falsifier) -> Binding:
        """Return what `falsifier` is bound to, as it is declared.

        Raises
        ------
        BindingError
            See :func:`pv.binding.bind_falsifier`.
        """
        return bind_falsifier(falsifier, self.config)

    def binding_if_readable(self, falsifier: Falsifier) -> Binding | None:
        """Return what `falsifier` is bound to; None where that is nothing, or cannot be read."""
        try:
            return self.binding(falsifier)
        except PvError:
            return None

    def metrics_if_readable(self, falsifier: Falsifier) -> Mapping[str, Metric] | None:
        """Return the metrics that the rule of `falsifier` may name; None where they cannot be told.

        Those of a gate are the cited ones, under the names that it gives them.
        """
        if not falsifier.basis:
            bound = self.binding_if_readable(falsifier)
            return None if bound is None else bound.metrics
        metrics: dict[str, Metric] = {}
        for name, cited in falsifier.basis.items():
            found = self.named(cited.falsifier)
            bound = self.binding_if_readable(found[0][1]) if len(found) == 1 else None
            if bound is None or cited.metric not in bound.metrics:
                return None
            metrics[name] = dataclasses.replace(bound.metrics[cited.metric], name=name)
        return metrics

    def named(self, name: str) -> list[tuple[Contract, Falsifier]]:
        """Return the falsifiers that ``contract#ID``, or an id or alias, names in this project."""
        stem, _, identifier = name.rpartition("#")
        return [
            (contract, falsifier)
            for contract in self.contracts()
            if stem in {"", contract.stem}
            for falsifier in contract.falsifiers
            if identifier in {falsifier.id, *falsifier.aliases}
        ]

    def status(self, contract: Contract, falsifier: Falsifier) -> Status:
        """Return the derived status of `falsifier`."""
        # Imported late: few contracts ask, and many files of others do not.
        from pv.status import derive

        key = (contract.stem, falsifier.id)
        if key not in self._statuses:
            if falsifier.basis and not falsifier.excluded:
                with contextlib.suppress(PvError):  # deriving says it
                    load_all(self.config, self._known)
            self._statuses[key] = derive(contract, falsifier, self.config, standing=self.status)
        return self._statuses[key]

    def records(self, contract: Contract, falsifier: Falsifier) -> Iterator[Record]:
        """Yield the records of `falsifier` that can be read; whether they verify is for its status to say."""
        for path in records_of(self.config.evidence, contract.stem, falsifier.id):
            try:
                yield read_record(path)
            except PvError:
                continue

    @functools.cached_property
    def contract_files(self) -> tuple[Path, ...]:
        """Every contract file of the project, and every contract that was read: resolved paths, sorted."""
        if self._is_configured:
            found = set(self._gathered.files)
            for name in self.config.contracts:
                try:
                    found.update(map(Path, resolved_contracts([str(self.config.root / name)])))
                except PvError:  # an empty or missing folder adds nothing
                    continue
            return tuple(sorted(found, key=lambda path: path.parts))
        return self._gathered.files

    @functools.cached_property
    def _is_configured(self) -> bool:
        return find_root(self.folder) is not None

    @functools.cached_property
    def _files_by_stem(self) -> Mapping[str, Sequence[Path]]:
        return by_stem(self.contract_files) if self._is_configured else self._gathered.by_stem

    def twins(self, contract: Contract) -> Iterator[Path]:
        """Yield the other files, of :attr:`contract_files`, that are contracts of the name of `contract`."""
        own = self._gathered.resolved(contract.path)
        for path in self._files_by_stem.get(contract.stem, ()):
            if str(path) != own and self.is_contract(path):
                yield path

    def contracts(self) -> Iterator[Contract]:
        """Yield every contract of the project that can be read; of the rest, their own findings tell."""
        for path in self.contract_files:
            if (contract := self._load(path)) is not None:
                yield contract

    @functools.cached_property
    def joined(self) -> Joined:
        """What the contracts of the project say of each other's falsifiers."""
        return Joined(self.contracts())

    def others_naming(self, contract: Contract, names: Iterable[str]) -> Iterator[Contract]:
        """Yield the other contracts of the project that may hold one of `names` as an id.

        A file is parsed only if a name, or an escape that could spell one, stands in it.
        """
        names = frozenset(names)
        own = self._gathered.resolved(contract.path)
        found = {Path(path) for path in self._gathered.holding(names)}
        if self._unread:
            found.update(self._spelling(names))
        for path in sorted(found, key=lambda path: path.parts):
            if str(path) != own and (other := self._load(path)) is not None:
                yield other

    def _spelling(self, names: frozenset[str]) -> Iterator[Path]:
        spelled = (rf"(?<![\w.-]){re.escape(name)}(?![\w.-])" for name in names)
        wanted = re.compile("|".join([r"\\", *spelled]))
        return (path for path in self._unread if self._holds(path, wanted))

    @functools.cached_property
    def _unread(self) -> tuple[Path, ...]:
        """Those of :attr:`contract_files` that nobody had read before this project was looked at."""
        return tuple(path for path in self.contract_files if str(path) not in self._gathered)

    def is_contract(self, path: Path) -> bool:
        """Tell whether `path`, one of :attr:`contract_files`, is a contract, if a misshapen one."""
        try:
            return self._known(str(path)) is not None or bool(load_contract(path))
        except NotAContractError:
            return False
        except PvError:
            return True

    def _holds(self, path: Path, wanted: re.Pattern[str]) -> bool:
        try:
            return wanted.search(read_regular_file(path).decode("utf-8", "replace")) is not None
        except OSError:
            return False

    def _known(self, resolved: str) -> Contract | None:
        """Return the contract of a file that was read; None of another."""
        if resolved in self._gathered:
            return self._gathered.contract(resolved)
        return self._read.get(resolved)

    def _load(self, path: Path) -> Contract | None:
        if (known := self._known(str(path))) is not None:
            return known
        try:
            return self._read.setdefault(str(path), load_contract(path))
        except PvError:
            return None

    def shown(self, path: str) -> str:
        """Return `path` as messages show it: relative to the project where it is within."""
        return self.config.relative(Path(path))

    def shown_file(self, path: Path) -> str:
        """Return likewise one of :attr:`contract_files`, which need not be searched for links."""
        within = str(path).removeprefix(f"{self.config.root}/")
        return path.name if within.startswith("/") else within
