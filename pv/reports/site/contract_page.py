"""The page of a contract: its equations, its obligations and how they are covered, its falsifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.coverage import COUNTED
from pv.equations import spoken_of
from pv.notation.mathml import mathml
from pv.reports.gathering import moved
from pv.reports.model import top_of
from pv.reports.site.ladder import bar, counted
from pv.reports.site.source import Source
from pv.status import contract_status
from pv.tally import tally

__all__ = ["contract_context"]


def contract_context(stem: str, source: Source, days: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page of the contract `stem` shows; `days` is address → since when a status holds."""
    contract, rows = source.contracts[stem], source.groups[stem]
    status = contract_status((row.falsifier, row.status) for row in rows)
    stated = contract.metadata.get("description")
    return {
        "contract": contract,
        "where": moved(contract.document.where(), top_of(source.config.root.resolve())).path,
        "description": " ".join(stated.split()) if isinstance(stated, str) else "",
        "status": status,
        "css": status.lower().replace(" ", "-"),
        "bar": bar(tally(rows)),
        "counts": counted(tally(rows)),
        "rows": rows,
        "days": days,
        "obligations": source.coverage[stem].obligations,
        "covering": COUNTED["functional"],
        "named": source.named,
        "equations": spoken_of(contract),
        # HTML: every text in it is escaped already.
        "formulas": {equation.name: mathml(equation.formula) for equation in contract.equations},
        "contracts": source.contracts,
        "needed_by": [
            other for other, found in source.contracts.items() if stem in found.depends_on and other != stem
        ],
    }
