"""Which falsifiers wait on which: ``blocks:`` and ``blocked_by:``, within a contract and across contracts.

``blocks: [X]`` written at A and ``blocked_by: [A]`` written at X say the same: X waits on A. A
reference is ``contract#ID``, or an id or alias, which the own contract resolves before the others do.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import Location, PvError

__all__ = ["Blocking", "Joined", "blast_radius", "find_cycles", "problems", "read_blocking"]

Address = str


@dataclasses.dataclass(frozen=True)
class Blocking:
    """Who waits on whom: address → the addresses that wait on it directly, as ``contract#ID``."""

    waiting: Mapping[Address, tuple[Address, ...]]
    ship_blocking: frozenset[Address]

    def behind(self, address: Address) -> tuple[Address, ...]:
        """Return all that wait on `address`, directly or not, nearest first; never `address` itself."""
        return _reach(self.waiting, address)

    def before(self, address: Address) -> tuple[Address, ...]:
        """Return all that `address` waits on, directly or not, nearest first."""
        turned: dict[Address, tuple[Address, ...]] = {}
        for first, others in self.waiting.items():
            for other in others:
                turned[other] = (*turned.get(other, ()), first)
        return _reach(turned, address)

    def lines(self, address: Address) -> list[str]:
        """Say how many wait on `address`, and which (of its own contract by id); empty where none does."""
        found = self.behind(address)
        if not found:
            return []
        shipping = sum(other in self.ship_blocking for other in found)
        noun, verb = ("falsifier", "waits") if len(found) == 1 else ("falsifiers", "wait")
        own = f"{address.rpartition('#')[0]}#"
        names = ", ".join(other.removeprefix(own) for other in found)
        return [f"{len(found)} {noun} {verb} on this one, {shipping} ship-blocking: {names}"]


class Joined:
    """What contracts say of each other's falsifiers, indexed: a repository has thousands of both.

    Of contracts with one stem, the first counts.
    """

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.contracts = {contract.stem: contract for contract in reversed(list(contracts))}
        self._within = {stem: _names(self.contracts[stem]) for stem in reversed(self.contracts)}
        self._named: dict[str, list[Address]] = {}
        for names in self._within.values():
            for name, addresses in names.items():
                self._named.setdefault(name, []).extend(addresses)

    def resolve(self, name: str, contract: Contract) -> list[Address]:
        """Return the addresses that `name`, written in `contract`, which is one of these, may mean."""
        stem, _, identifier = name.rpartition("#")
        if stem:
            return self._within.get(stem, {}).get(identifier, [])
        return self._within[contract.stem].get(identifier) or self._named.get(identifier, [])

    @functools.cached_property
    def blocking(self) -> Blocking:
        """Who waits on whom."""
        waiting: dict[Address, list[Address]] = {}
        listed = [self.contracts[stem] for stem in reversed(self.contracts)]
        for contract in listed:
            for falsifier in contract.falsifiers:
                here = f"{contract.stem}#{falsifier.id}"
                for forwards, names in ((True, falsifier.blocks), (False, falsifier.blocked_by)):
                    for name in names:
                        found = self.resolve(name, contract)
                        if len(found) == 1:
                            first, then = (here, found[0]) if forwards else (found[0], here)
                            waiting.setdefault(first, []).append(then)
        return Blocking(
            {first: tuple(dict.fromkeys(then)) for first, then in sorted(waiting.items())},
            frozenset(
                f"{c.stem}#{f.id}" for c in listed for f in c.falsifiers if f.ship_blocking and not f.excluded
            ),
        )

    @functools.cached_property
    def cycles(self) -> list[tuple[Address, ...]]:
        """The circles in which falsifiers wait on themselves; see :func:`find_cycles`."""
        return find_cycles(self.blocking.waiting)


def read_blocking(contracts: Iterable[Contract]) -> Blocking:
    """Join what `contracts` say; references that lead nowhere are left out (:func:`problems` names them)."""
    return Joined(contracts).blocking


def blast_radius(contract: Contract, falsifier: Falsifier, config: Config) -> list[str]:
    """Say who waits on a falsifier that failed, in all contracts of the project; empty where nobody does."""
    from pv.selection import load_all

    try:
        contracts = load_all(config)
    except PvError as error:
        return [f"who waits on this one is not known: {error.what}"]
    if all(other.stem != contract.stem for other in contracts):
        contracts.append(contract)
    return read_blocking(contracts).lines(f"{contract.stem}#{falsifier.id}")


def problems(contract: Contract, contracts: Sequence[Contract] | Joined) -> Iterator[tuple[Location, str]]:
    """Yield place and message of each reference of `contract` that names nothing, or leads in a circle.

    `contracts` are those of the repository; `contract` need not be among them. Whoever asks of many joins
    them once.
    """
    known = contracts if isinstance(contracts, Joined) else Joined([contract, *contracts])
    if known.contracts.get(contract.stem) is not contract:
        known = Joined([contract, *known.contracts.values()])
    for falsifier in contract.falsifiers:
        for key, names in (("blocks", falsifier.blocks), ("blocked_by", falsifier.blocked_by)):
            for index, name in enumerate(names):
                found = known.resolve(name, contract)
                if not found:
                    yield falsifier.value_where(key, index), f"{key} names {name}, which no contract has"
                elif len(found) > 1:
                    yield (
                        falsifier.value_where(key, index),
                        f"{key} names {name}, which is not unique: {', '.join(found)}",
                    )
    for cycle in known.cycles:
        for falsifier in contract.falsifiers:
            if f"{contract.stem}#{falsifier.id}" in cycle:
                key = "blocks" if falsifier.blocks else "blocked_by"
                yield falsifier.value_where(key), f"it waits on itself: {' → '.join(cycle)}"
                break


def find_cycles(edges: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return cycles of a graph, node → the nodes after it, each as a path that ends where it began.

    Every cycle shares an edge with one of those returned. The order of `edges` does not matter.
    """
    import graphlib

    left = {node: sorted(set(after)) for node, after in sorted(edges.items())}
    found: list[tuple[str, ...]] = []
    while True:
        # Given node → what comes before it; the cycle that it reports follows the edges all the same.
        turned: dict[str, list[str]] = {}
        for node, after in left.items():
            for other in after:
                turned.setdefault(other, []).append(node)
        try:
            graphlib.TopologicalSorter(turned).prepare()
        except graphlib.CycleError as error:
            cycle = _from_the_least(error.args[1][:-1])
            found.append((*cycle, cycle[0]))
            left[cycle[-1]].remove(cycle[0])
        else:
            return sorted(found)


def _from_the_least(cycle: Sequence[str]) -> tuple[str, ...]:
    start = cycle.index(min(cycle))
    return (*cycle[start:], *cycle[:start])


def _reach(edges: Mapping[Address, Sequence[Address]], start: Address) -> tuple[Address, ...]:
    found: dict[Address, None] = {}
    waiting = list(edges.get(start, ()))
    while waiting:
        address = waiting.pop(0)
        if address != start and address not in found:
            found[address] = None
            waiting += edges.get(address, ())
    return tuple(found)


def _names(contract: Contract) -> dict[str, list[Address]]:
    """Return id or alias → the addresses within `contract` that have it."""
    names: dict[str, list[Address]] = {}
    for falsifier in contract.falsifiers:
        for name in dict.fromkeys((falsifier.id, *falsifier.aliases)):
            names.setdefault(name, []).append(f"{contract.stem}#{falsifier.id}")
    return names
