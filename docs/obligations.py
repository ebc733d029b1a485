"""The list of all proof obligations with who covers them, made from the contracts; and how far both agree.

python -m docs.obligations                     write docs/obligations.json
python -m docs.obligations measure [PLANTED]   print as JSON what is measured, under a planted defect

The list is an input of the claim that every obligation is covered. It changes when an obligation or a
`covers:` does, and not when a status does: a contract has its own status in it,
on which no record could rest.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.config import load_config
from pv.contract import Contract, Falsifier
from pv.coverage import Covered, cover
from pv.selection import load_all
from pv.status import Status

__all__ = ["LIST", "PLANTED", "listed", "measured"]

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs/obligations.json"
_NOT_ASKED = Status("UNBOUND", "nobody asks what its evidence says")

Contracts = Sequence[Contract]
List = Mapping[str, Mapping[str, Sequence[str]]]


def _covered(contracts: Contracts) -> dict[str, Covered]:
    """Return, by contract and id, how each obligation is covered by what is declared, whatever was run."""
    config = load_config(ROOT)
    found: dict[str, Covered] = {}
    for contract in contracts:
        statuses = {falsifier.id: _NOT_ASKED for falsifier in contract.falsifiers}
        for place, each in enumerate(cover(contract, config, statuses).obligations, start=1):
            if each.kind != "not applicable":
                found[f"{contract.stem}#{each.obligation.id or place}"] = each
    return found


def listed(contracts: Contracts) -> dict[str, dict[str, list[str]]]:
    """Return the list as it should be: contract → obligation → falsifiers."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, each in sorted(_covered(contracts).items()):
        stem, _, obligation = name.partition("#")
        found.setdefault(stem, {})[obligation] = sorted(each.falsifiers)
    return found


def measured(planted: str | None = None) -> dict[str, Any]:
    """Hold the contracts, under a planted defect, against the list.

    ``covered`` and ``bound`` have 1 for each obligation that a falsifier names, and of which one is bound to
    something that can be run; ``differing`` counts obligations that the list has otherwise, or not, or alone.
    """
    contracts: Contracts = load_all(load_config(ROOT))
    if planted is not None:
        contracts = PLANTED[planted](contracts)
    found, now = _covered(contracts), listed(contracts)
    before: List = json.loads(LIST.read_text(encoding="utf-8"))
    pairs = {
        (stem, name): (now.get(stem, {}).get(name), before.get(stem, {}).get(name))
        for side in (now, before)
        for stem, names in side.items()
        for name in names
    }
    return {
        "contracts": len(contracts),
        "obligations": len(found),
        "covered": {name: int(each.kind != "uncovered") for name, each in found.items()},
        "bound": {name: int(each.kind not in {"uncovered", "unbound"}) for name, each in found.items()},
        "listed": sum(map(len, before.values())),
        "differing": sum(one != other for one, other in pairs.values()),
    }


def _altered(
    contracts: Contracts, alter: Callable[[tuple[Falsifier, ...]], tuple[Falsifier, ...]]
) -> list[Contract]:
    """Return copies, of which the one that claims the coverage has other falsifiers."""
    return [
        dataclasses.replace(each, falsifiers=alter(each.falsifiers))
        if each.stem.startswith("qwen2-e2e")
        else each
        for each in contracts
    ]


def a_falsifier_removed(contracts: Contracts) -> Contracts:
    """Remove the one falsifier of an obligation."""
    return _altered(contracts, lambda all_: tuple(each for each in all_ if each.id != "FALSIFY-QW2E-003"))


def a_check_removed(contracts: Contracts) -> Contracts:
    """Keep the falsifier, and bind it to nothing."""
    return _altered(
        contracts,
        lambda all_: tuple(
            dataclasses.replace(each, check=None) if each.id == "FALSIFY-QW2E-003" else each for each in all_
        ),
    )


def excluded_with_a_reason(contracts: Contracts) -> Contracts:
    """Say of the one falsifier of an obligation that nothing can measure it."""
    return _altered(
        contracts,
        lambda all_: tuple(
            dataclasses.replace(each, excluded="It is hard.") if each.id == "FALSIFY-QW2E-003" else each
            for each in all_
        ),
    )


def an_obligation_added(contracts: Contracts) -> Contracts:
    """Claim something more, and let nobody say how it could be refuted."""
    first, *others = contracts
    more = dataclasses.replace(first.obligations[0], id="NOBODY-001")
    return [dataclasses.replace(first, obligations=(*first.obligations, more)), *others]


def a_contract_left_out(contracts: Contracts) -> Contracts:
    """Look at all contracts but the last: all of theirs are covered."""
    return contracts[:-1]


PLANTED: Mapping[str, Callable[[Contracts], Contracts]] = {
    planted.__name__: planted
    for planted in (
        a_falsifier_removed,
        a_check_removed,
        excluded_with_a_reason,
        an_obligation_added,
        a_contract_left_out,
    )
}
"""Name → what it makes of the contracts."""


def main(words: Sequence[str]) -> int:
    """Write the list, or print what is measured."""
    if words[:1] == ["measure"]:
        print(json.dumps(measured(*words[1:2])))
        return 0
    text = json.dumps(listed(load_all(load_config(ROOT))), indent=2)
    LIST.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
