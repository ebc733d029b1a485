"""Which number of its version a contract must raise for changed clauses, where git has the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pv.changelog import Raised
from pv.contract import Contract
from pv.contract_sources import at_revision
from pv.errors import PvError
from pv.meaning.change import Bump, bump_of
from pv.meaning.contracts import compare_contracts
from pv.normal_form import clause_digest

__all__ = ["asked_version"]

_NUMBERS: dict[Bump, Raised] = {
    Bump.NONE: "patch",
    Bump.PATCH: "patch",
    Bump.MINOR: "minor",
    Bump.MAJOR: "major",
}


def asked_version(contract: Contract, changed: Sequence[str]) -> tuple[Raised, str]:
    """Return the number to raise, and why that is only a guess; empty where it is none.

    The contract is compared with what was committed last, as ``pv diff`` does. That tells if it has the same
    version, and the falsifiers `changed` (ids) with other clauses; else the number is the minor one.
    """
    try:
        before = at_revision("HEAD", Path(contract.document.path))
    except PvError as error:
        return "minor", f"the contract before is not to be had ({error.what})"
    if before is None:
        return "minor", "the contract was never committed"
    if before.version != contract.version:
        return "minor", f"the last commit has version {before.version}"
    then = {name: clause_digest(f) for f in before.falsifiers for name in (f.id, *f.aliases)}
    for falsifier in contract.falsifiers:
        if falsifier.id in changed and then.get(falsifier.id) in {None, clause_digest(falsifier)}:
            return "minor", f"{falsifier.id} was changed before the last commit, or is new in it"
    return _NUMBERS[bump_of(compare_contracts(before, contract))], ""
