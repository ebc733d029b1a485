"""Falsifiers for obligations of a standard type that nothing covers, as far as the type says what they are.

None can be green: each asks ``requires: [TODO]``, which names no input, and is refused until somebody says of
which inputs the claim is made. What else only its author knows stands as `TODO`, or is empty.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.config import Config
from pv.contract import Contract, Obligation
from pv.edit import Add, Edit
from pv.errors import SelectionError
from pv.guessed_inputs import TODO, Guessed, guess_inputs
from pv.properties.laws import LAWS

__all__ = ["Draft", "Drafts", "draft_properties", "edits_of"]

_NUMBERED = re.compile(r"(.*-)([0-9]{1,9})")
_RULE = "violations == 0 and cases >= 100"
_STATED: Mapping[str, Mapping[str, Any]] = {
    "invariant": {"ensures": [TODO]},
    "bound": {"low": TODO, "high": TODO},
}
"""Type → what it asks for of which its law says only that one of several is needed."""


@dataclasses.dataclass(frozen=True)
class Draft:
    """A clause to add to a contract, and the obligation that it is for."""

    contract: Contract
    obligation: Obligation
    clause: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Drafts:
    """The clauses, and how many uncovered obligations are of no standard type, or have no id."""

    drafts: tuple[Draft, ...]
    other_types: int
    without_id: int


def draft_properties(
    contracts: Sequence[Contract], config: Config, subject: str | None, named: Sequence[str] = ()
) -> Drafts:
    """Draft a falsifier for each obligation of a standard type that no falsifier covers; nothing is written.

    Parameters
    ----------
    subject
        ``module:function``, whose inputs are guessed from its source; None leaves both to be written.
    named
        Ids of obligations; of all others nothing is drafted.

    Raises
    ------
    SelectionError
        An obligation that is named is not there, is covered already, or is of no standard type.
    BindingError
        `subject` names no function of the project, or one that cannot be called by name.
    """
    guessed = guess_inputs(subject, config) if subject else None
    found: list[Draft] = []
    others = unnamed = 0
    left = dict.fromkeys(named)
    for contract in contracts:
        ids = _new_ids(contract)
        for obligation in _uncovered(contract):
            if named and obligation.id not in left:
                continue
            if obligation.type not in LAWS:
                others += 1
            elif not obligation.id:
                unnamed += 1
            else:
                clause = _clause(next(ids), obligation, obligation.id, subject, guessed)
                found.append(Draft(contract, obligation, clause))
    drafted = {draft.obligation.id for draft in found}
    for name in left:
        if name not in drafted:
            raise _not_drafted(name, contracts)
    return Drafts(tuple(found), others, unnamed)


def edits_of(drafts: Sequence[Draft]) -> dict[str, list[Edit]]:
    """Return by contract the edits that make the clauses its last falsifiers."""
    by_contract: dict[str, list[Draft]] = {}
    for draft in drafts:
        by_contract.setdefault(draft.contract.path, []).append(draft)
    found: dict[str, list[Edit]] = {}
    for path, listed in by_contract.items():
        contract, key = listed[0].contract, "falsification_tests"
        clauses = [dict(draft.clause) for draft in listed]
        if contract.falsifiers:
            place = contract.falsifiers[-1].path[:-1]
        elif key in contract.document.value:
            place = (key,)
        else:
            found[path] = [Add((), clauses, key)]
            continue
        found[path] = [Add(place, clause) for clause in clauses]
    return found


def _uncovered(contract: Contract) -> Iterator[Obligation]:
    measured = (falsifier for falsifier in contract.falsifiers if not falsifier.excluded)
    covered = {name for falsifier in measured for name in falsifier.covers}
    for obligation in contract.obligations:
        if not (obligation.proved or obligation.not_applicable or obligation.id in covered):
            yield obligation


def _not_drafted(name: str, contracts: Sequence[Contract]) -> SelectionError:
    there = [one for contract in contracts for one in contract.obligations if one.id == name]
    if not there:
        known = [one.id for contract in contracts for one in _uncovered(contract) if one.id]
        return SelectionError(
            f"no obligation {name!r} in what was named",
            remedy=f"uncovered are {', '.join(known) or 'none'}",
        )
    if there[0].type not in LAWS:
        return SelectionError(
            f"{name} is of type {there[0].type}, which is no standard one",
            remedy=f"write a check; the standard types are {', '.join(LAWS)}",
        )
    return SelectionError(
        f"{name} is covered, proved, or does not apply", remedy="leave it out, or write another by hand"
    )


def _new_ids(contract: Contract) -> Iterator[str]:
    """Yield ids behind those of the contract, in their form."""
    taken = [name for falsifier in contract.falsifiers for name in (falsifier.id, *falsifier.aliases)]
    last = next((m for f in reversed(contract.falsifiers) if (m := _NUMBERED.fullmatch(f.id))), None)
    stem = re.sub(r"[^A-Z0-9]+", "-", re.sub(r"-v[0-9]+$", "", contract.stem).upper()).strip("-")
    prefix, width = (last[1], len(last[2])) if last else (f"FALSIFY-{stem or 'CLAIM'}-", 3)
    numbers = [int(m[2]) for name in taken if (m := _NUMBERED.fullmatch(name)) and m[1] == prefix]
    number = max(numbers, default=0)
    while True:
        number += 1
        yield f"{prefix}{number:0{width}}"


def _clause(
    identifier: str, obligation: Obligation, covered: str, subject: str | None, guessed: Guessed | None
) -> dict[str, Any]:
    parameters = guessed.parameters if guessed else ()
    return {
        "id": identifier,
        "rule": " ".join(obligation.property.split()),
        "prediction": "",
        "if_fails": "",
        "covers": [covered],
        "property": {
            "type": obligation.type,
            "subject": subject or TODO,
            "inputs": dict(guessed.inputs) if guessed else TODO,
            "requires": [TODO],
            **_STATED.get(obligation.type, {}),
            **_needed(obligation.type, parameters),
        },
        "expect": [_RULE],
        "counter_examples": list(LAWS[obligation.type].mutants),
    }


def _needed(kind: str, parameters: Sequence[str]) -> dict[str, str]:
    """Return the keys that a type needs: which parameter it is about is known where there is no choice."""
    needs = [*LAWS[kind].needs, *(["other"] if kind == "symmetry" else [])]
    places = [key for key in needs if key in {"along", "other"}]
    known = dict(zip(places, parameters, strict=True)) if len(places) == len(parameters) else {}
    return {key: known.get(key, TODO) for key in needs}
