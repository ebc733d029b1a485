"""The equations of a contract, and which obligations and falsifiers speak of each.

An obligation speaks of an equation that its ``applies_to`` names, or whose name stands as a word in what it
says; a falsifier of one that an obligation it covers speaks of, or that it names itself. In a contract with
one equation, everything that names none is about that one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from pv.contract import Contract, Equation, Falsifier, Obligation

__all__ = ["Spoken", "conditions", "spoken_of"]


@dataclasses.dataclass(frozen=True)
class Spoken:
    """One equation, what is required before and after, and who speaks of it."""

    equation: Equation
    obligations: tuple[Obligation, ...]
    falsifiers: tuple[Falsifier, ...]

    @property
    def preconditions(self) -> tuple[str, ...]:
        """What must hold of the inputs, as written."""
        return conditions(self.equation, "preconditions")

    @property
    def postconditions(self) -> tuple[str, ...]:
        """What holds of the outputs, as written."""
        return conditions(self.equation, "postconditions")


def conditions(equation: Equation, key: str) -> tuple[str, ...]:
    """Return the texts of `key`, which we only repeat: they are expressions of other languages."""
    stated = equation.raw.get(key)
    return tuple(one for one in stated if isinstance(one, str)) if isinstance(stated, list) else ()


def spoken_of(contract: Contract) -> tuple[Spoken, ...]:
    """Return the equations of `contract` in the order of its file."""
    names = [equation.name for equation in contract.equations]
    about = {id(one): _named(_texts(one), one.applies_to, names) for one in contract.obligations}
    found = []
    for equation in contract.equations:
        obligations = tuple(one for one in contract.obligations if equation.name in about[id(one)])
        covered = {one.id for one in obligations if one.id}
        falsifiers = tuple(
            one
            for one in contract.falsifiers
            if covered.intersection(one.covers)
            or equation.name in _named((one.rule, one.prediction), None, names, alone=not one.covers)
        )
        found.append(Spoken(equation, obligations, falsifiers))
    return tuple(found)


def _texts(obligation: Obligation) -> tuple[str, ...]:
    return (obligation.property, obligation.formal or "")


def _named(
    texts: Sequence[str], applies_to: str | None, names: Sequence[str], *, alone: bool = True
) -> frozenset[str]:
    """Return the equations that are named; with `alone`, the only one there is where none is."""
    if applies_to is not None and applies_to in names:
        return frozenset({applies_to})
    found = frozenset(
        name
        for name in names
        if any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for text in texts)
    )
    return found or frozenset(names if alone and len(names) == 1 else ())
