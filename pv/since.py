"""What changed of falsifiers since a git revision: clauses, the sources that they rest on, subjects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pv.basis import cites
from pv.config import Config
from pv.contract import Contract, Falsifier, NotAContractError, load_contract
from pv.errors import PvError
from pv.freshness import base_level, changes, current_inputs
from pv.normal_form import clause_digest
from pv.repository import find_contracts
from pv.revision_tree import materialised
from pv.selection import Selected, load_all

__all__ = ["changed_since"]


def changed_since(reference: str, chosen: Iterable[Selected], config: Config) -> dict[str, str]:
    """Return address → what changed, of those of `chosen` whose verdict `reference` may say nothing of now.

    That is the clause, the import closure of the check, or what its subjects are: the same five things as
    make evidence stale. A gate changes with what it cites. What is committed and what is not both count.

    Raises
    ------
    SelectionError, ConfigError
        See :func:`pv.revision_tree.materialised`.
    """
    found: dict[str, str] = {}
    with materialised(config.root, reference) as past:
        then = _Then(past.config)
        for item in chosen:
            if why := _why(item.contract, item.falsifier, config, then):
                found[f"{item.contract.stem}#{item.falsifier.id}"] = why
    return found


class _Then:
    """The falsifiers of a past tree."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.falsifiers: dict[tuple[str, str], Falsifier] = {}
        for contract in _contracts(config):
            self.falsifiers |= {(contract.stem, f.id): f for f in contract.falsifiers}


def _contracts(config: Config) -> Iterator[Contract]:
    for folder in config.contracts:
        path = config.root / folder
        if not (path.is_file() or (path.is_dir() and any(path.rglob("*.y*ml")))):
            continue
        for file in find_contracts([str(path)]):
            try:
                yield load_contract(file)
            except NotAContractError:
                continue
            except PvError:
                continue  # it could not be read then: all of it is new


def _why(contract: Contract, falsifier: Falsifier, config: Config, then: _Then) -> str:
    before = then.falsifiers.get((contract.stem, falsifier.id))
    if before is None:
        return "it is new"
    if falsifier.basis:
        if clause_digest(before) != clause_digest(falsifier):
            return "its clause changed"
        return next(_cited(falsifier, config, then), "")
    if not (falsifier.bound and before.bound):
        return "its clause changed" if clause_digest(before) != clause_digest(falsifier) else ""
    levels = dict.fromkeys((base_level(falsifier), *falsifier.subjects))
    for level in levels:
        try:
            now = current_inputs(falsifier, level, config)
        except PvError as error:
            return error.what  # it cannot be told, and its run will say so
        try:
            was = current_inputs(before, level, then.config).to_json()
        except PvError:
            return "it could not be bound then"
        if found := changes(was, now):
            return "; ".join(found)
    return ""


def _cited(gate: Falsifier, config: Config, then: _Then) -> Iterator[str]:
    for contract in load_all(config):
        for falsifier in contract.falsifiers:
            cited = any(cites(one, contract, falsifier) for one in gate.basis.values())
            if cited and not falsifier.basis and (why := _why(contract, falsifier, config, then)):
                yield f"{contract.stem}#{falsifier.id}: {why}"
