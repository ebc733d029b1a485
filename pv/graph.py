"""Contracts and what joins them: dependencies, what falsifiers cover, and which wait on which."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pv.blocking import Joined, find_cycles, problems
from pv.config import Config
from pv.contract import Contract
from pv.finding import Finding, Severity
from pv.rules.blocking import blocking
from pv.rules.covers import covers
from pv.rules.rule import uses_our_fields
from pv.selection import place
from pv.standing import ObligationState, State, contract_state, states_of, throughout
from pv.status import contract_status, derive

__all__ = ["CYCLE", "DANGLING", "ContractNode", "Edge", "FalsifierNode", "Graph", "build_graph"]

CYCLE = "PV-GRAPH-001"
DANGLING = "PV-GRAPH-002"


@dataclasses.dataclass(frozen=True)
class FalsifierNode:
    """A falsifier, by its address, with its derived status."""

    address: str
    status: str
    ship_blocking: bool
    covers: tuple[str, ...]
    """Obligations of its contract, by id; those that are not there are left out."""


@dataclasses.dataclass(frozen=True)
class ContractNode:
    """A contract with its derived status; one that is depended on but is not there has status None."""

    stem: str
    path: str | None
    status: str | None
    obligations: tuple[str, ...] = ()
    falsifiers: tuple[FalsifierNode, ...] = ()
    state: State = "nothing"
    """The worst of its obligations, and of its ship-blocking falsifiers."""
    throughout: bool = False
    """Whether it holds, and so does all that it depends on, directly and through others."""
    states: tuple[ObligationState, ...] = ()
    """How each of `obligations` stands."""


@dataclasses.dataclass(frozen=True, order=True)
class Edge:
    """`start` depends on `end`; or `end` waits on `start`."""

    start: str
    end: str


@dataclasses.dataclass(frozen=True)
class Graph:
    """Everything sorted by name, so that the same contracts give the same graph."""

    contracts: tuple[ContractNode, ...]
    depends_on: tuple[Edge, ...]
    blocks: tuple[Edge, ...]
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> bool:
        """Whether there is an error: a cycle, or an edge of ours that leads nowhere."""
        return any(finding.severity == "error" for finding in self.findings)


def build_graph(contracts: Sequence[Contract], known: Sequence[Contract], config: Config) -> Graph:
    """Join `contracts`; `known` are all that their references may lead to.

    A dangling edge is an error in a contract that uses our fields, elsewhere a warning: its target may
    lie in another repository. A cycle is an error anywhere.
    """
    named = {contract.stem: contract for contract in contracts}
    universe = {contract.stem: contract for contract in known} | named
    nodes_of: dict[str, ContractNode] = {}

    def node_of(stem: str) -> ContractNode:
        if stem not in nodes_of:
            nodes_of[stem] = _node(universe[stem], config)
        return nodes_of[stem]

    edges = {Edge(c.stem, target) for c in contracts for target in c.depends_on}
    held = throughout(
        sorted({*named, *(edge.end for edge in edges)}),
        lambda stem: universe[stem].depends_on if stem in universe else None,
        lambda stem: node_of(stem).state,
    )
    nodes = [dataclasses.replace(node_of(stem), throughout=stem in held) for stem in named]
    # Of one that is known but was not asked for, the status is still worth showing.
    nodes += [
        dataclasses.replace(node_of(stem), obligations=(), falsifiers=(), states=(), throughout=stem in held)
        if stem in universe
        else ContractNode(stem, None, None)
        for stem in {edge.end for edge in edges} - set(named)
    ]
    shown = {f"{c.stem}#{f.id}" for c in contracts for f in c.falsifiers}
    joined = Joined(universe.values())
    waiting = joined.blocking.waiting
    blocks = {Edge(first, then) for first, others in waiting.items() for then in others}
    return Graph(
        contracts=tuple(sorted(nodes, key=lambda node: node.stem)),
        depends_on=tuple(sorted(edges)),
        blocks=tuple(sorted(edge for edge in blocks if {edge.start, edge.end} & shown)),
        findings=tuple(
            sorted(
                (
                    dataclasses.replace(finding, where=place(finding.where, config))
                    for finding in (
                        *_cycles(contracts, universe),
                        *(f for c in contracts for f in _dangling(c, universe, joined)),
                    )
                ),
                key=lambda finding: (finding.where, finding.code, finding.message),
            )
        ),
    )


def _node(contract: Contract, config: Config) -> ContractNode:
    statuses = [(falsifier, derive(contract, falsifier, config)) for falsifier in contract.falsifiers]
    obligations = tuple(dict.fromkeys(o.id for o in contract.obligations if o.id))
    states = states_of(contract, config, statuses)
    return ContractNode(
        contract.stem,
        contract.path,
        contract_status(statuses),
        obligations,
        tuple(
            FalsifierNode(
                f"{contract.stem}#{falsifier.id}",
                status.name,
                falsifier.ship_blocking,
                tuple(dict.fromkeys(name for name in falsifier.covers if name in obligations)),
            )
            for falsifier, status in statuses
        ),
        contract_state(states, statuses),
        states=tuple({one.id: one for one in reversed(states) if one.id}[name] for name in obligations),
    )


def _cycles(contracts: Sequence[Contract], universe: dict[str, Contract]) -> list[Finding]:
    """Find the cycles of dependencies that a contract which was asked for is part of."""
    asked = {contract.stem for contract in contracts}
    edges = {stem: [t for t in c.depends_on if t in universe] for stem, c in universe.items()}
    found = []
    for cycle in find_cycles(edges):
        for stem in cycle[:-1]:
            if stem in asked:
                contract = universe[stem]
                after = cycle[cycle.index(stem) + 1]
                where = contract.document.where("metadata", "depends_on", contract.depends_on.index(after))
                message = f"contracts depend on each other in a circle: {' → '.join(cycle)}"
                found.append(Finding(where, CYCLE, "error", message, "Take one of these dependencies out."))
                break
    return found


def _dangling(contract: Contract, universe: dict[str, Contract], joined: Joined) -> list[Finding]:
    severity: Severity = "error" if uses_our_fields(contract) else "warning"
    found = [
        Finding(
            contract.document.where("metadata", "depends_on", index),
            DANGLING,
            severity,
            f"depends on {target}, which is no contract here",
            "Correct the name (a file's name without its ending), or name the folder that holds it.",
        )
        for index, target in enumerate(contract.depends_on)
        if target not in universe
    ]
    obligations = {obligation.id for obligation in contract.obligations}
    for falsifier in contract.falsifiers:
        found += [
            Finding(
                falsifier.value_where("covers", index),
                covers.code,
                severity,
                f"{falsifier.id} covers {name}, which is no obligation of this contract",
                covers.remedy,
            )
            for index, name in enumerate(falsifier.covers)
            if name not in obligations
        ]
    found += [
        Finding(where, blocking.code, blocking.severity, message, blocking.remedy)
        for where, message in problems(contract, joined)
    ]
    return found
