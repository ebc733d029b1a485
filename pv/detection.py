"""The limit of detection: the smallest damage that a rule notices wherever it is done.

From the amount that ``must_detect:`` requires, smaller and smaller doses are planted at the same places,
until one is noticed at none of them. The limit is the smallest dose down to which every dose was noticed at
every place; below it, a share is missed. Chemistry has the word from Currie 1968 (Analytical Chemistry 40,
586-593), with the share missed fixed at 5 %; with so few places all are required, and shares are told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pv.binding import Binding
from pv.dosing import PLACES, Amount, Dosed, at, smaller

__all__ = ["Limit", "contradiction", "descend", "limits_of"]


@dataclasses.dataclass(frozen=True)
class Limit:
    """The limit of one way to do damage: `steps` are (amount, at how many places it was noticed)."""

    kind: str
    of: str
    places: int
    steps: tuple[tuple[Amount, int], ...]

    @property
    def amount(self) -> Amount | None:
        """The smallest amount down to which everything was noticed; None where not even the first was."""
        found: Amount | None = None
        for amount, noticed in self.steps:
            if noticed < self.places:
                break
            found = amount
        return found

    @property
    def missed_below(self) -> tuple[Amount, float] | None:
        """The next smaller dose and the share of places at which it was missed; None where none was tried."""
        for amount, noticed in self.steps:
            if noticed < self.places:
                return amount, 1 - noticed / self.places
        return None

    def __str__(self) -> str:
        """Say it in words."""
        if self.amount is None:
            return f"{self.kind}: not even {self.steps[0][0]} is always noticed"
        if self.missed_below is None:
            return f"{self.kind}: {self.amount:g}, the smallest that was tried"
        below, share = self.missed_below
        return f"{self.kind}: {self.amount:g} (of {below:g}, {share:.0%} is missed)"


def descend(kind: str, amount: Amount, binding: Binding, notices: Callable[[Dosed], bool]) -> dict[str, Any]:
    """Plant `amount` and ever less of it, until a dose is noticed nowhere; return what evidence holds."""
    steps: list[dict[str, Any]] = []
    of = ""
    for tried in _amounts(kind, amount, binding):
        doses = tuple(at(kind, tried, binding))
        of = doses[0].of
        noticed = sum(map(notices, doses))
        steps.append({"amount": tried, "noticed": noticed})
        if not noticed:
            break
    return {"of": of, "places": PLACES, "steps": steps}


def _amounts(kind: str, amount: Amount, binding: Binding) -> Iterator[Amount]:
    yield amount
    # A dose of a series takes no run: the limit may be told more finely.
    yield from smaller(amount, finer=next(at(kind, amount, binding)).on_series)


def limits_of(predicate: Mapping[str, Any]) -> tuple[Limit, ...]:
    """Return the limits that a record holds, in the order of their kinds."""
    return tuple(
        Limit(
            kind,
            found["of"],
            found["places"],
            tuple((step["amount"], step["noticed"]) for step in found["steps"]),
        )
        for kind, found in sorted(predicate.get("detection", {}).items())
    )


def contradiction(predicate: Mapping[str, Any]) -> str:
    """Say which limit contradicts the counter-examples of the same record; empty if none.

    What is required was planted, and its measurements are there; smaller doses have none.
    """
    planted: Sequence[Mapping[str, Any]] = [
        plant for plant in predicate.get("counter_examples", {}).values() if "dose" in plant
    ]
    for limit in limits_of(predicate):
        first, noticed = limit.steps[0]
        same = [
            plant["caught"]
            for plant in planted
            if (plant["dose"]["kind"], plant["dose"]["amount"]) == (limit.kind, first)
        ]
        falling = all(
            above > below for (above, _), (below, _) in zip(limit.steps, limit.steps[1:], strict=False)
        )
        if len(same) != limit.places or sum(same) != noticed or not falling:
            return limit.kind
    return ""
