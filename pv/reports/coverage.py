"""How coverage looks: a table by contract, what is not covered, and JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from pv.config import Config
from pv.contract import Level
from pv.coverage import COUNTED, KINDS, ContractCoverage, Covered, Kind, count, share
from pv.printable import printable
from pv.selection import place

__all__ = ["as_json", "shown_share", "text"]

_NAMED = 30
"""Of more uncovered obligations than these, only the count is told."""


def text(coverages: Sequence[ContractCoverage], level: Level, config: Config) -> Iterator[str]:
    """Yield the table, then every obligation that is not covered, with its place and why."""
    everything = [one for coverage in coverages for one in coverage.obligations]
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in everything)]
    header = ("contract", "covered", "share", *kinds)
    rows = [_row(c.contract.stem, c.obligations, level, kinds) for c in coverages]
    if len(rows) > 1:
        rows.append(_row("all", everything, level, kinds))
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for number, row in enumerate((header, *rows)):
        cells = [
            printable(cell).ljust(width) if column == 0 else printable(cell).rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)
    left = [one for one in everything if one.kind not in {*COUNTED[level], "not applicable"}]
    declined = [one for one in left if one.kind == "declined"]
    open_ones = [one for one in left if one.kind != "declined"]
    for title, listed in (
        (f"not covered at {level} level or above", open_ones),
        ("declined until somebody has what it needs", declined),
    ):
        if listed:
            yield f"\n{len(listed)} {title}:"
        for one in listed[:_NAMED]:
            named = one.obligation.id or f"{one.obligation.property!r}"
            where = place(one.obligation.where, config)
            yield printable(f"  {where}: {named}: {one.kind}: {one.reason}")
        if len(listed) > _NAMED:
            yield f"  and {len(listed) - _NAMED} more (--format json lists all)"


def _row(name: str, covered: Sequence[Covered], level: Level, kinds: Sequence[Kind]) -> tuple[str, ...]:
    counts = count(covered)
    counting = sum(number for kind, number in counts.items() if kind != "not applicable")
    good = sum(number for kind, number in counts.items() if kind in COUNTED[level])
    cells = (str(counts[kind]) if kind in counts else "-" for kind in kinds)
    return (name, f"{good} of {counting}", shown_share(share(covered, level)), *cells)


def shown_share(part: Fraction | None) -> str:
    """Return a share in percent, rounded down to a tenth: 100.0 only where all is covered."""
    if part is None:
        return "no obligations"
    tenths = part.numerator * 1000 // part.denominator
    return f"{tenths // 10}.{tenths % 10} %"


def as_json(coverages: Sequence[ContractCoverage], level: Level, config: Config) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    everything = [one for coverage in coverages for one in coverage.obligations]
    return {
        "level": level,
        "all": _totals(everything, level),
        "contracts": [
            {
                "contract": coverage.contract.stem,
                "total": _totals(coverage.obligations, level),
                "obligations": [_obligation(one, level, config) for one in coverage.obligations],
            }
            for coverage in coverages
        ],
    }


def _totals(covered: Sequence[Covered], level: Level) -> dict[str, Any]:
    part = share(covered, level)
    counting = sum(one.kind != "not applicable" for one in covered)
    return {
        "obligations": counting,
        "covered": sum(one.kind in COUNTED[level] for one in covered),
        "percent": None if part is None else float(part * 100),
        "kinds": count(covered),
    }


def _obligation(one: Covered, level: Level, config: Config) -> dict[str, Any]:
    where = place(one.obligation.where, config)
    return {
        "id": one.obligation.id,
        "property": one.obligation.property,
        "file": where.path,
        "line": where.line,
        "column": where.column,
        "kind": one.kind,
        "covered": one.kind in COUNTED[level],
        "falsifiers": list(one.falsifiers),
        "reason": one.reason,
    }
