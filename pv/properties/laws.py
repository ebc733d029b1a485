"""What each standard type of obligation claims of its subject: one law each, over values and over symbols.

A law is written once. Called with values, its claims are compared within the tolerance; called with an SMT
solver's symbols, they are what is to be proved.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

from pv.check import CheckError
from pv.properties.stated import Input, Stated

__all__ = ["LAWS", "Case", "Claim", "Law", "mutants_of"]

Values = Mapping[str, Any]


class Case(Protocol):
    """One choice of all inputs, and what a law may do with it."""

    @property
    def stated(self) -> Stated:
        """The property."""

    @property
    def values(self) -> Values:
        """The inputs of the clause."""

    @property
    def extra(self) -> Values:
        """What the law draws besides."""

    def subject(self, values: Values) -> Any:
        """Call the subject, as the counter-example has left it."""

    def reference(self, values: Values) -> Any:
        """Call the reference."""

    def inverse(self, result: Any, values: Values) -> Any:
        """Call the inverse with what the subject returned, and with those inputs that it takes besides."""

    def evaluate(self, text: str, values: Values) -> Any:
        """Return what an expression is."""

    def ordered(self, one: Any, other: Any) -> tuple[Any, Any]:
        """Return two values, the smaller first."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """`left` equals `right`, or is at most as large, or is the same in every bit; or `left` is true."""

    relation: Literal["equal", "at_most", "identical", "true"]
    left: Any
    right: Any = True
    about: tuple[str, Any] = ("", None)
    """Of a truth, the line that it is of, and the result."""


@dataclasses.dataclass(frozen=True)
class Law:
    """One type: what it claims, which keys it needs and may have, and the mutants that break it as a rule.

    `extras` are inputs that are drawn besides those of the clause; `points` is where the subject is called
    with inputs that ``requires`` has to allow.
    """

    claims: Callable[[Case], Iterator[Claim]]
    mutants: tuple[str, ...]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    extras: Callable[[Stated], Mapping[str, Input]] = lambda _: {}
    points: Callable[[Case], list[Values]] = lambda case: [case.values]
    provable: bool = True


def _invariant(case: Case) -> Iterator[Claim]:
    result = case.subject(case.values)
    for line in case.stated.ensures:
        truth = case.evaluate(line, {**case.values, "result": result})
        yield Claim("true", truth, about=(line, result))
    if case.stated.under:
        yield Claim("equal", case.subject(_moved(case)), result)


def _moved(case: Case) -> Values:
    moved = {name: case.evaluate(text, case.values) for name, text in case.stated.under.items()}
    return {**case.values, **moved}


def _points_moved(case: Case) -> list[Values]:
    return [case.values, _moved(case)] if case.stated.under else [case.values]


def _equivalence(case: Case) -> Iterator[Claim]:
    yield Claim("equal", case.subject(case.values), case.reference(case.values))


def _bound(case: Case) -> Iterator[Claim]:
    result = case.subject(case.values)
    for bound, lower in ((case.stated.low, True), (case.stated.high, False)):
        if bound is not None:
            limit = case.evaluate(bound, case.values) if isinstance(bound, str) else bound
            yield Claim("at_most", limit, result) if lower else Claim("at_most", result, limit)


def _second(stated: Stated) -> Mapping[str, Input]:
    return {f"{stated.along}'": stated.inputs[stated.along]}


def _pair(case: Case) -> tuple[Values, Values]:
    along = case.stated.along
    low, high = case.ordered(case.values[along], case.extra[f"{along}'"])
    return {**case.values, along: low}, {**case.values, along: high}


def _monotonicity(case: Case) -> Iterator[Claim]:
    low, high = map(case.subject, _pair(case))
    yield Claim("at_most", high, low) if case.stated.decreasing else Claim("at_most", low, high)


def _idempotency(case: Case) -> Iterator[Claim]:
    once = case.subject(case.values)
    yield Claim("equal", case.subject({**case.values, case.stated.along: once}), once)


def _involution(case: Case) -> Iterator[Claim]:
    along = case.stated.along
    yield Claim("equal", case.subject({**case.values, along: case.subject(case.values)}), case.values[along])


FIRST, SECOND = "first factor", "second factor"


def _terms(stated: Stated) -> Mapping[str, Input]:
    factor = Input("integers", -3, 3)
    return {**_second(stated), FIRST: factor, SECOND: factor}


def _combined(case: Case) -> list[Values]:
    along = case.stated.along
    x, y = case.values[along], case.extra[f"{along}'"]
    combination = x * case.extra[FIRST] + y * case.extra[SECOND]
    return [{**case.values, along: value} for value in (x, y, combination)]


def _linearity(case: Case) -> Iterator[Claim]:
    x, y, both = map(case.subject, _combined(case))
    if isinstance(x, list | tuple | str | bytes | dict):
        raise CheckError(
            f"linearity: a {type(x).__name__} has no sum and no multiple; return a number or an array"
        )
    yield Claim("equal", both, x * case.extra[FIRST] + y * case.extra[SECOND])


def _swapped(case: Case) -> Values:
    one, other = case.stated.along, case.stated.other
    return {**case.values, one: case.values[other], other: case.values[one]}


def _symmetry(case: Case) -> Iterator[Claim]:
    other = _moved(case) if case.stated.under else _swapped(case)
    yield Claim("equal", case.subject(other), case.subject(case.values))


def _points_symmetric(case: Case) -> list[Values]:
    return [case.values, _moved(case) if case.stated.under else _swapped(case)]


def _third(stated: Stated) -> Mapping[str, Input]:
    return {f"{stated.other}'": stated.inputs[stated.other]}


def _associativity(case: Case) -> Iterator[Claim]:
    one, other = case.stated.along, case.stated.other
    x, y, z = case.values[one], case.values[other], case.extra[f"{other}'"]

    def of(left: Any, right: Any) -> Any:
        return case.subject({**case.values, one: left, other: right})

    yield Claim("equal", of(of(x, y), z), of(x, of(y, z)))


def _conservation(case: Case) -> Iterator[Claim]:
    text, along = case.stated.conserves, case.stated.along
    after = case.evaluate(text, {"value": case.subject(case.values)})
    yield Claim("equal", after, case.evaluate(text, {"value": case.values[along]}))


def _ordering(case: Case) -> Iterator[Claim]:
    given, result = _rows(case.values[case.stated.along]), _rows(case.subject(case.values))
    yield Claim("equal", [len(row) for row in result], [len(row) for row in given])
    for keys, row in zip(given, result, strict=False):
        groups: dict[Any, list[Any]] = {}
        for key, value in sorted(zip(keys, row, strict=False), key=lambda pair: pair[0]):
            groups.setdefault(key, []).append(value)
        steps = list(groups.values())
        if case.stated.decreasing:
            steps.reverse()
        yield Claim("at_most", row, row)  # which is false of NaN; max and min may pass it over
        for below, over in itertools.pairwise(steps):
            yield Claim("at_most", max(below), min(over))


def _rows(value: Any) -> list[list[Any]]:
    """Return the rows of an array, of whatever shape; a sequence is one row."""
    if not hasattr(value, "shape"):
        return [list(value)]
    rows = value.reshape(-1, value.shape[-1]) if len(value.shape) else value.reshape(1, 1)
    found: list[list[Any]] = rows.tolist()
    return found


def _determinism(case: Case) -> Iterator[Claim]:
    yield Claim("identical", case.subject(case.values), case.subject(case.values))


def _roundtrip(case: Case) -> Iterator[Claim]:
    along = case.stated.along
    others = {name: value for name, value in case.values.items() if name != along}
    yield Claim("equal", case.inverse(case.subject(case.values), others), case.values[along])


LAWS: Mapping[str, Law] = {
    "invariant": Law(_invariant, ("off_by_one",), may=("ensures", "under"), points=_points_moved),
    "equivalence": Law(_equivalence, ("constant", "off_by_one", "sign_flipped"), needs=("reference",)),
    "bound": Law(_bound, ("off_by_one", "scaled"), may=("low", "high")),
    "monotonicity": Law(
        _monotonicity,
        ("sign_flipped",),
        needs=("along",),
        may=("decreasing",),
        extras=_second,
        points=lambda case: list(_pair(case)),
    ),
    "idempotency": Law(_idempotency, ("off_by_one", "scaled"), needs=("along",)),
    "linearity": Law(
        _linearity, ("nondeterministic", "off_by_one"), needs=("along",), extras=_terms, points=_combined
    ),
    "symmetry": Law(
        _symmetry, ("identity",), needs=("along",), may=("other", "under"), points=_points_symmetric
    ),
    "associativity": Law(_associativity, ("argument_added",), needs=("along", "other"), extras=_third),
    "involution": Law(_involution, ("constant", "scaled"), needs=("along",)),
    "conservation": Law(
        _conservation, ("off_by_one", "scaled"), needs=("along", "conserves"), provable=False
    ),
    "ordering": Law(_ordering, ("sign_flipped",), needs=("along",), may=("decreasing",), provable=False),
    "determinism": Law(_determinism, ("nondeterministic",), provable=False),
    "roundtrip": Law(_roundtrip, ("constant", "off_by_one"), needs=("along", "inverse")),
}
"""Type → law."""


def mutants_of(stated: Stated) -> tuple[str, ...]:
    """Return the counter-examples of a property whose clause lists none."""
    if stated.type == "invariant" and not stated.ensures:
        return ("identity",)  # one more is as invariant as before
    listed = LAWS[stated.type].mutants
    # No proof can be asked of one whose results are no function of its arguments.
    return tuple(name for name in listed if not stated.prove or name != "nondeterministic")
