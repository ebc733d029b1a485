"""How many obligations have an id, and how many are named by a harness by it: ``pv validate --check-ids``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pv.contract import load_contract
from pv.errors import ContractError, DocumentError, SelectionError
from pv.printable import printable, printable_json
from pv.repository import find_contracts

__all__ = ["print_counts"]


def print_counts(paths: Sequence[str], *, json_wanted: bool) -> None:
    """Print the counts of each of `paths`; what is no contract of the right shape is not counted.

    Raises
    ------
    SelectionError
        There is no contract under one of them.
    """
    for word in paths:
        contracts = []
        for path in find_contracts([word]):
            try:
                contracts.append(load_contract(path))
            except (ContractError, DocumentError):
                continue
        if not contracts:
            raise SelectionError(f"0 contracts under {word}", remedy="Name a contract or a folder of such.")
        ids = [{each.id for each in contract.obligations if each.id} for contract in contracts]
        counts = {
            "obligations": sum(len(contract.obligations) for contract in contracts),
            "with_id": sum(map(len, ids)),
            "referenced": sum(
                harness.obligation in known
                for contract, known in zip(contracts, ids, strict=True)
                for harness in contract.kani
            ),
            "contracts": len(contracts),
        }
        if json_wanted:
            print(printable_json(json.dumps({"path": word, **counts})))
        else:
            obligations, with_id, referenced, count = counts.values()
            said = f"{obligations} obligations, {with_id} with id, {referenced} referenced"
            print(printable(f"{said}   ({count} contract(s) under {word})"))
