"""How a graph looks: text, Graphviz dot, mermaid, JSON. Names of strangers cannot end a label.

Nodes are numbered in the order of names; only labels hold what contracts say. Sources: the dot language,
https://graphviz.org/doc/info/lang.html, and mermaid's entity codes,
https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pv.graph import ContractNode, Graph
from pv.printable import printable

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


def text(graph: Graph, *, detailed: bool) -> Iterator[str]:
    """Yield one block a contract: what it depends on, what its falsifiers cover and hold up."""
    for node in graph.contracts:
        yield printable(f"{node.stem}: {_status(node)}")
        yield from (f"  depends on  {printable(e.end)}" for e in graph.depends_on if e.start == node.stem)
        for falsifier in node.falsifiers if detailed else ():
            ship = "  ship-blocking" if falsifier.ship_blocking else ""
            yield printable(f"  {falsifier.address.rpartition('#')[2]}  {falsifier.status}{ship}")
            yield from (printable(f"    covers    {name}") for name in falsifier.covers)
            yield from (
                printable(f"    blocks    {e.end}") for e in graph.blocks if e.start == falsifier.address
            )


def dot(graph: Graph, *, detailed: bool) -> Iterator[str]:
    """Yield a directed graph in the dot language; an arrow with a full head is a dependency."""
    numbers = _numbers(graph, detailed=detailed)
    yield "digraph contracts {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style=filled, fontname="sans-serif"];'
    for node in graph.contracts:
        yield _dot_node(numbers["contract", node.stem], node.stem, _status(node), "box")
        if not detailed:
            continue
        for name in node.obligations:
            yield _dot_node(numbers["obligation", f"{node.stem}#{name}"], name, "", "note")
        for falsifier in node.falsifiers:
            number = numbers["falsifier", falsifier.address]
            shape = "octagon" if falsifier.ship_blocking else "ellipse"
            yield _dot_node(number, falsifier.address.rpartition("#")[2], falsifier.status, shape)
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
        yield f'  {number}["{_entity(node.stem)}<br/>{_entity(_status(node))}"]'
        yield f"  style {number} fill:{_COLOURS.get(node.status or '', _OTHER)},color:#000000"
        if not detailed:
            continue
        for name in node.obligations:
            yield f'  {numbers["obligation", f"{node.stem}#{name}"]}(["{_entity(name)}"])'
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
            **(
                {
                    "obligations": list(node.obligations),
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


def _dot_node(number: str, name: str, status: str, shape: str) -> str:
    label = _quoted(name) + (f"\\n{_quoted(status)}" if status else "")
    return f'  {number} [label="{label}", shape={shape}, fillcolor="{_COLOURS.get(status, _OTHER)}"];'


def _quoted(name: str) -> str:
    """Escape for a quoted string of dot, whose labels read backslashes and HTML entities."""
    return printable(name).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _entity(name: str) -> str:
    """Write all but letters, digits, spaces and ``. _ -`` of ASCII as mermaid's decimal entities."""
    return re.sub(
        r"[\x21-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7e]", lambda m: f"#{ord(m[0])};", printable(name)
    )
