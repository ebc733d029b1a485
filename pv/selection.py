"""From what is typed to what is meant: ids, addresses and paths → falsifiers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.contract import Contract, Falsifier, NotAContractError
from pv.errors import ContractError, Location, PvError, SelectionError
from pv.loading import load_contracts
from pv.repository import resolved_contracts

__all__ = ["Selected", "by_address", "load_all", "load_paths", "place", "select"]

Known = Callable[[str], Contract | None]


def _nothing(_resolved: str) -> Contract | None:
    return None


@dataclasses.dataclass(frozen=True)
class Selected:
    """One falsifier, and whether it was named itself rather than found in a contract that was."""

    contract: Contract
    falsifier: Falsifier
    named: bool


def load_all(config: Config, read: Known = _nothing) -> list[Contract]:
    """Load every contract of the project; other artefacts among them are passed over.

    `read` gives those that were loaded already, by their resolved path: they are not parsed again.

    Raises
    ------
    SelectionError
        There is none.
    ContractError, DocumentError
        One cannot be read.
    """
    if not config.everything:
        folders = [str(config.root / folder) for folder in config.contracts]
        config.everything.extend(_load(resolved_contracts(folders), config, read))
    if not config.everything:
        raise SelectionError(
            f"no contracts in {', '.join(config.contracts)}",
            remedy="name their folder in pv.toml ([project] contracts)",
        )
    return list(config.everything)


def by_address(contracts: Iterable[Contract]) -> dict[str, Falsifier]:
    """Return every falsifier of `contracts` by its address, ``contract#ID``, in their order."""
    return {
        f"{contract.stem}#{falsifier.id}": falsifier
        for contract in contracts
        for falsifier in contract.falsifiers
    }


def load_paths(paths: Sequence[str], config: Config) -> list[Contract]:
    """Load the contracts that `paths`, files and folders, name; with none, every contract of the project.

    Raises
    ------
    SelectionError
        There is none.
    ContractError, DocumentError
        One cannot be read.
    """
    if not paths:
        return load_all(config)
    contracts = _load(resolved_contracts(paths), config)
    if not contracts:
        raise SelectionError(f"no contracts in {', '.join(paths)}", remedy="name a folder with contracts")
    return contracts


def select(words: Sequence[str], config: Config) -> list[Selected]:
    """Resolve each word: a file or folder, ``contract#ID``, or an id or alias that only one contract has.

    Raises
    ------
    SelectionError
        A word means nothing, or more than one thing; the message lists the candidates.
    """
    chosen: dict[tuple[str, str], Selected] = {}
    everything: list[Contract] | None = None
    for word in words:
        if "#" not in word and (word.endswith((".yaml", ".yml")) or Path(word).exists()):
            found = [
                Selected(contract, falsifier, named=False)
                for contract in _load(resolved_contracts([word]), config)
                for falsifier in contract.falsifiers
            ]
            if not found:
                raise SelectionError(f"{word} has no falsifiers", remedy="name a contract that has some")
        else:
            everything = load_all(config) if everything is None else everything
            found = [_one(word, everything)]
        for item in found:
            key = (item.contract.stem, item.falsifier.id)
            if key not in chosen or item.named:
                chosen[key] = item
    if not chosen:
        raise SelectionError("nothing was selected", remedy="name falsifiers, contracts or folders")
    return list(chosen.values())


def place(where: Location, config: Config) -> Location:
    """Return `where` with a path relative to the project, where it is absolute and lies in the project."""
    path = Path(where.path)
    if path.is_absolute() and path.resolve().is_relative_to(config.root):
        return dataclasses.replace(where, path=config.relative(path))
    return where


def _one(word: str, contracts: Sequence[Contract]) -> Selected:
    stem, _, identifier = word.rpartition("#")
    found = [
        Selected(contract, falsifier, named=True)
        for contract in contracts
        if stem in {"", contract.stem}
        for falsifier in contract.falsifiers
        if identifier in {falsifier.id, *falsifier.aliases}
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        close = _close(identifier, contracts)
        raise SelectionError(
            f"no falsifier {word!r} in {len(contracts)} contract(s)",
            remedy=f"did you mean {', '.join(close[:3])}?"
            if close and identifier
            else "`pv status` lists them all",
        )
    candidates = ", ".join(f"{item.contract.stem}#{item.falsifier.id}" for item in found)
    raise SelectionError(f"{word!r} is not unique: {candidates}", remedy="write contract#ID")


def _close(identifier: str, contracts: Sequence[Contract]) -> list[str]:
    import difflib

    known: dict[str, list[str]] = {}
    for contract in contracts:
        for falsifier in contract.falsifiers:
            for name in (falsifier.id, *falsifier.aliases):
                known.setdefault(name.lower(), []).append(f"{contract.stem}#{falsifier.id}")
    wanted = identifier.lower()
    within = sorted(name for name in known if wanted and wanted in name)
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.7)
    return list(dict.fromkeys(address for name in (*near, *within) for address in known[name]))


def _load(paths: Mapping[str, Path], config: Config, read: Known = _nothing) -> list[Contract]:
    known = {resolved: read(resolved) for resolved in paths}
    unread = load_contracts([path for resolved, path in paths.items() if known[resolved] is None])
    contracts: dict[str, Contract] = {}
    for resolved, path in paths.items():
        loaded = known[resolved] or next(unread)
        if isinstance(loaded, PvError):
            if isinstance(loaded, NotAContractError) and len(paths) > 1:
                continue
            raise loaded
        contract = dataclasses.replace(loaded, path=config.relative(path, resolved))
        twin = contracts.get(contract.stem)
        if twin is not None:
            raise SelectionError(
                f"{twin.path} and {contract.path} are both named {contract.stem}: "
                "their evidence would be one",
                remedy="rename one of the files",
            )
        _refuse_repeated_ids(contract)
        contracts[contract.stem] = contract
    return [*contracts.values()]


def _refuse_repeated_ids(contract: Contract) -> None:
    seen: set[str] = set()
    for falsifier in contract.falsifiers:
        if falsifier.id in seen:
            raise ContractError(
                f"two falsifiers are {falsifier.id}: their evidence would be one",
                where=falsifier.value_where("id"),
                remedy="give each an id of its own",
                code="SCHEMA-007",
            )
        seen.add(falsifier.id)
