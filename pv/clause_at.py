"""In which clause of a contract a place lies: by an id, which stays when lines move."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location

__all__ = ["Clauses"]

_Place = tuple[int, int]


class Clauses:
    """The clauses of a contract by where they begin."""

    def __init__(self, contract: Contract) -> None:
        places = sorted(_beginnings(contract))
        self._places = [place for place, _ in places]
        self._names = [name for _, name in places]

    def at(self, where: Location) -> str:
        """Return the id of the clause in which `where` lies, else the top-level key that it is below."""
        index = bisect.bisect_right(self._places, (where.line, where.column)) - 1
        return self._names[index] if index >= 0 else ""


def _beginnings(contract: Contract) -> Iterator[tuple[_Place, str]]:
    document = contract.document
    for key in document.value:
        where = document.where_key(key)
        yield (where.line, where.column), key
    for index, obligation in enumerate(contract.obligations):
        yield _place(obligation.where), obligation.id or f"proof_obligations[{index}]"
    for falsifier in contract.falsifiers:
        yield _place(falsifier.where), falsifier.id
    for harness in contract.kani:
        yield _place(harness.where), harness.id
    for hypothesis in contract.hypotheses:
        yield _place(hypothesis.where), hypothesis.id
    for equation in contract.equations:
        yield _place(document.where_key(*equation.path)), equation.name


def _place(where: Location) -> _Place:
    return where.line, where.column
