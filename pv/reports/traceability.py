"""How chains look: what is broken, the links by kind and strength, and of one contract the chain itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pv.finding import Finding
from pv.printable import printable
from pv.traceability import KINDS, STRENGTHS, Chain, Kind, Link, Reach

__all__ = ["as_json", "text"]


def text(chains: Sequence[Chain], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the findings, the table of links, and how far the chains of the obligations hold."""
    for finding in findings:
        where = finding.where
        yield printable(f"{where}: {finding.severity}[{finding.code}]: {finding.message}")
        yield printable(f"    {finding.remedy}")
    if findings:
        yield ""
    if len(chains) == 1:
        yield from _tree(chains[0])
    yield from _table([link for chain in chains for link in chain.links])
    counts = Counter(reach.strength for chain in chains for reach in chain.reaches)
    told = ", ".join(f"{counts[strength]} {strength}" for strength in reversed(STRENGTHS) if counts[strength])
    errors = sum(finding.severity == "error" for finding in findings)
    yield ""
    if told:
        yield f"{counts.total()} obligation(s) in {len(chains)} contract(s): {told}"
    yield f"{errors} error(s), {len(findings) - errors} warning(s)"


def _tree(chain: Chain) -> Iterator[str]:
    """Yield the chain of each obligation, from its equations to its evidence."""
    links: dict[tuple[Kind, str], Link] = {(link.kind, link.start): link for link in chain.links}
    shown: tuple[tuple[Kind, str], ...] = (("falsifier → check", "check"), ("check → evidence", "evidence"))
    for index, reach in enumerate(chain.reaches):
        yield printable(f"{reach.obligation.id or f'proof obligation {index + 1}'}  {reach.strength}")
        if reach.equations:
            yield printable(f"    from       {', '.join(reach.equations)}")
        for name in reach.falsifiers:
            yield printable(f"    falsifier  {name}")
            for kind, word in shown:
                if link := links.get((kind, name)):
                    yield printable(f"    {word:<9}  {link.end or 'none'}  {link.strength}")
    if chain.reaches:
        yield ""


def _table(links: Sequence[Link]) -> Iterator[str]:
    counts = Counter((link.kind, link.strength) for link in links)
    kinds = [kind for kind in KINDS if any(link.kind == kind for link in links)]
    header = ("link", "links", *STRENGTHS)
    rows = [
        (
            kind,
            str(sum(counts[kind, strength] for strength in STRENGTHS)),
            *(str(counts[kind, strength] or "-") for strength in STRENGTHS),
        )
        for kind in kinds
    ]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = (c.rjust(w) if n else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  ".join(cells)


def as_json(chains: Sequence[Chain], findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    errors = sum(finding.severity == "error" for finding in findings)
    counts = Counter((link.kind, link.strength) for chain in chains for link in chain.links)
    return {
        "findings": [finding.to_json() for finding in findings],
        "links": {
            kind: {strength: counts[kind, strength] for strength in STRENGTHS}
            for kind in KINDS
            if any(counts[kind, strength] for strength in STRENGTHS)
        },
        "contracts": [
            {
                "contract": chain.contract.stem,
                "file": chain.contract.path,
                "links": [_link(link) for link in chain.links],
                "obligations": [_reach(reach) for reach in chain.reaches],
            }
            for chain in chains
        ],
        "errors": errors,
        "warnings": len(findings) - errors,
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "kind": link.kind,
        "start": link.start,
        "end": link.end,
        "strength": link.strength,
        "file": link.where.path,
        "line": link.where.line,
        "column": link.where.column,
    }


def _reach(reach: Reach) -> dict[str, Any]:
    where = reach.obligation.where
    return {
        "id": reach.obligation.id,
        "property": reach.obligation.property,
        "file": where.path,
        "line": where.line,
        "column": where.column,
        "strength": reach.strength,
        "equations": list(reach.equations),
        "falsifiers": list(reach.falsifiers),
    }
