"""How a graph looks: text, Graphviz dot, mermaid, JSON. Names of strangers cannot end a label.

Nodes are numbered in the order of names; only labels hold what contracts say. Sources: the dot language,
https://graphviz.org/doc/info/lang.html, and mermaid's entity codes,
https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pv.graph import ContractNode, Edge, Graph
from pv.printable import printable
from pv.standing import ObligationState, State

__all__ = ["as_json", "dot", "mermaid", "text"]

_COLOURS = {
    "DISCHARGED": "#b7e1a1",
    "REFUTED": "#b7e1a1",
    "FUNCTIONAL": "#dcedc8",
    "PARTIAL_ALGORITHM_LEVEL": "#fff2ae",
    "UNBOUND": "#e0e0e0",
    "STALE": "#ffcc80",
    "FALSIFIED": "#f4a7a3",
    "VACUOUS": "#f4a7a3",
}
_OTHER = "#ffffff"
_STATES: Mapping[State, str] = {
    "proved": "#8fd19e",
    "exhaustive": "#b7e1a1",
    "covered": "#dcedc8",
    "algorithm": "#fff2ae",
    "refuted": "#bcd7e6",
    "claimed proved": "#e4d7f5",
    "stale": "#ffcc80",
    "falsified": "#f4a7a3",
    "not applicable": "#eeeeee",
}
"""State → colour, by which :mod:`pv.standing` orders obligations and contracts; the rest is white."""
_THROUGHOUT = "#1b7837"


def text(graph: Graph, *, detailed: bool) -> Iterator[str]:
    """Yield one block a contract: what it depends on, what its falsifiers cover and hold up."""
    depends_on, blocks = _ends(graph.depends_on), _ends(graph.blocks)
    for node in graph.contracts:
        yield printable(f"{node.stem}: {_status(node)}, {_standing(node)}")
        yield from (f"  depends on  {printable(end)}" for end in depends_on.get(node.stem, ()))
        for one in node.states if detailed else ():
            yield printable(f"  {one.id}  {_said(one)}")
        for falsifier in node.falsifiers if detailed else ():
            ship = "  ship-blocking" if falsifier.ship_blocking else ""
            yield printable(f"  {falsifier.address.rpartition('#')[2]}  {falsifier.status}{ship}")
            yield from (printable(f"    covers    {name}") for name in falsifier.covers)
            yield from (printable(f"    blocks    {end}") for end in blocks.get(falsifier.address, ()))


def _ends(edges: Iterable[Edge]) -> dict[str, list[str]]:
    ends: dict[str, list[str]] = {}
    for edge in edges:
        ends.setdefault(edge.start, []).append(edge.end)
    return ends


def dot(graph: Graph, *, detailed: bool) -> Iterator[str]:
    """Yield a directed graph in the dot language; an arrow with a full head is a dependency."""
    numbers = _numbers(graph, detailed=detailed)
    yield "digraph contracts {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style=filled, fontname="sans-serif"];'
    for node in graph.contracts:
        # Its border says whether it holds with all that it depends on.
        more = f', penwidth=4, color="{_THROUGHOUT}"' if node.throughout else ""
        told = f"{_status(node)}\\n{_standing(node)}"
        fill = _STATES.get(node.state, _OTHER)
        yield _dot_node(numbers["contract", node.stem], node.stem, told, "box", fill, more)
        if not detailed:
            continue
        for one in node.states:
            number = numbers["obligation", f"{node.stem}#{one.id}"]
            more = ', style="filled,dashed"' if one.claims else ""
            yield _dot_node(number, one.id, _said(one), "note", _STATES.get(one.state, _OTHER), more)
        for falsifier in node.falsifiers:
            number = numbers["falsifier", falsifier.address]
            shape = "octagon" if falsifier.ship_blocking else "ellipse"
            name = falsifier.address.rpartition("#")[2]
            fill = _COLOURS.get(falsifier.status, _OTHER)
            yield _dot_node(number, name, falsifier.status, shape, fill)
            yield f"  {numbers['contract', node.stem]} -> {number} [arrowhead=none];"
            for name in falsifier.covers:
                yield f'  {number} -> {numbers["obligation", f"{node.stem}#{name}"]} [label="covers"];'
    for edge in graph.depends_on:
        start, end = numbers["contract", edge.start], numbers["contract", edge.end]
        yield f'  {start} -> {end} [label="depends on"];'
    for start, end in _blocks(graph, numbers):
        yield f'  {start} -> {end} [label="blocks", style=dashed];'
    yield "}"


def mermaid(graph: Graph, *, detailed: bool) -> Iterator[str]:
    """Yield a flowchart in mermaid's language."""
    numbers = _numbers(graph, detailed=detailed)
    yield "flowchart LR"
    for node in graph.contracts:
        number = numbers["contract", node.stem]
        told = f"{_entity(_status(node))}<br/>{_standing(node)}"
        yield f'  {number}["{_entity(node.stem)}<br/>{told}"]'
        border = f",stroke:{_THROUGHOUT},stroke-width:4px" if node.throughout else ""
        yield f"  style {number} fill:{_STATES.get(node.state, _OTHER)},color:#000000{border}"
        if not detailed:
            continue
        for one in node.states:
            other = numbers["obligation", f"{node.stem}#{one.id}"]
            yield f'  {other}(["{_entity(one.id)}<br/>{_entity(_said(one))}"])'
            border = ",stroke-dasharray:5 5" if one.claims else ""
            yield f"  style {other} fill:{_STATES.get(one.state, _OTHER)},color:#000000{border}"
        for falsifier in node.falsifiers:
            other = numbers["falsifier", falsifier.address]
            label = f"{_entity(falsifier.address.rpartition('#')[2])}<br/>{_entity(falsifier.status)}"
            yield f'  {other}{{{{"{label}"}}}}' if falsifier.ship_blocking else f'  {other}("{label}")'
            yield f"  style {other} fill:{_COLOURS.get(falsifier.status, _OTHER)},color:#000000"
            yield f"  {number} --- {other}"
            for name in falsifier.covers:
                yield f"  {other} -->|covers| {numbers['obligation', f'{node.stem}#{name}']}"
    for edge in graph.depends_on:
        yield f"  {numbers['contract', edge.start]} -->|depends on| {numbers['contract', edge.end]}"
    for start, end in _blocks(graph, numbers):
        yield f"  {start} -.->|blocks| {end}"


def as_json(graph: Graph, *, detailed: bool) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    nodes = [
        {
            "contract": node.stem,
            "path": node.path,
            "status": node.status,
            "state": node.state,
            "throughout": node.throughout,
            **(
                {
                    "obligations": list(node.obligations),
                    "states": {one.id: {"state": one.state, "claims": [*one.claims]} for one in node.states},
                    "falsifiers": [
                        {
                            "falsifier": f.address,
                            "status": f.status,
                            "ship_blocking": f.ship_blocking,
                            "covers": list(f.covers),
                        }
                        for f in node.falsifiers
                    ],
                }
                if detailed
                else {}
            ),
        }
        for node in graph.contracts
    ]
    return {
        "contracts": nodes,
        "depends_on": [[edge.start, edge.end] for edge in graph.depends_on],
        "blocks": [[edge.start, edge.end] for edge in graph.blocks],
        "findings": [finding.to_json() for finding in graph.findings],
    }


def _numbers(graph: Graph, *, detailed: bool) -> dict[tuple[str, str], str]:
    names: dict[tuple[str, str], None] = {}
    for node in graph.contracts:
        names["contract", node.stem] = None
        if detailed:
            names |= dict.fromkeys(("obligation", f"{node.stem}#{name}") for name in node.obligations)
            names |= dict.fromkeys(("falsifier", falsifier.address) for falsifier in node.falsifiers)
    return {name: f"n{number}" for number, name in enumerate(names)}


def _blocks(graph: Graph, numbers: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Yield the edges between falsifiers of which both are shown."""
    for edge in graph.blocks:
        start, end = numbers.get(("falsifier", edge.start)), numbers.get(("falsifier", edge.end))
        if start and end:
            yield start, end


def _status(node: ContractNode) -> str:
    return node.status or "not here"


def _standing(node: ContractNode) -> str:
    return f"{node.state} throughout" if node.throughout else node.state


def _said(one: ObligationState) -> str:
    """Say how an obligation stands, and what only its author says."""
    claims = [name for name in one.claims if one.state not in {name, f"claimed {name}"}]
    return f"{one.state} (claimed {', '.join(claims)})" if claims else one.state


def _dot_node(number: str, name: str, told: str, shape: str, fill: str, more: str = "") -> str:
    return f'  {number} [label="{_quoted(name)}\\n{told}", shape={shape}, fillcolor="{fill}"{more}];'


def _quoted(name: str) -> str:
    """Escape for a quoted string of dot, whose labels read backslashes and HTML entities."""
    return printable(name).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _entity(name: str) -> str:
    """Write all but letters, digits, spaces and ``. _ -`` of ASCII as mermaid's decimal entities."""
    return re.sub(
        r"[\x21-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7e]", lambda m: f"#{ord(m[0])};", printable(name)
    )
