"""The reference of the evaluator: fractions, lists and nothing clever; and what it is asked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from pv.check import Metric
from pv.expression import Series

METRICS = {
    metric.name: metric
    for metric in (
        Metric("x", low=-1, high=1, slack=1e-12),
        Metric("y"),
        Metric("n", kind="count"),
        Metric("word", kind="text"),
        Metric("pick", kind="text"),
    )
}
ULP_BELOW, ULP_ABOVE = math.nextafter(0.999, 0), math.nextafter(0.999, 1)
Measured = dict[str, Series]


class Bad(Exception):  # noqa: N818 -- a word of this reference
    """The reference's invalid operand."""


@dataclasses.dataclass(frozen=True)
class Case:
    """An expression as text, and what it means: a function of measurements, all of it eager."""

    text: str
    meaning: Callable[[Measured], Any]


def reference_valid(name: str, measured: Measured) -> list[Fraction]:
    metric, values = METRICS[name], []
    for value in measured[name].values if name in measured else ():
        if isinstance(value, bool | str) or not math.isfinite(value):
            raise Bad
        if metric.kind == "count" and (not isinstance(value, int) or value < 0):
            raise Bad
        exact = Fraction(value)
        if metric.low is not None and exact < Fraction(metric.low) - Fraction(metric.slack):
            raise Bad
        if metric.high is not None and exact > Fraction(metric.high) + Fraction(metric.slack):
            raise Bad
        values.append(exact)
    return values


def reference_aggregate(function: str, values: list[Fraction]) -> Fraction:
    if function == "count":
        return Fraction(len(values))
    if not values:
        raise Bad
    ordered, size = sorted(values), len(values)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "sum": sum(values, Fraction(0)),
        "mean": sum(values, Fraction(0)) / size,
        "median": (ordered[(size - 1) // 2] + ordered[size // 2]) / 2,
        "p95": next(v for rank, v in enumerate(ordered, 1) if Fraction(rank, size) >= Fraction(95, 100)),
        "first": values[0],
        "last": values[-1],
    }[function]


def is_quotient(value: Fraction) -> bool:
    denominator = value.denominator
    while denominator % 2 == 0:
        denominator //= 2
    return denominator > 1


def rounded(value: Fraction, other: Fraction) -> Fraction:
    """A quotient, as it meets a binary64 number that is no integer."""
    binary64 = other.denominator > 1 and abs(other) < 2**1000 and Fraction(float(other)) == other
    return Fraction(float(value)) if is_quotient(value) and binary64 and abs(value) < 2**1000 else value


def compare(symbol: str, left: Fraction, right: Fraction) -> bool:
    left, right = rounded(left, right), rounded(right, left)
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
        "!=": left != right,
    }[symbol]


SYMBOLS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
FUNCTIONS = st.sampled_from(["min", "max", "mean", "median", "p95", "sum", "count", "first", "last"])
NUMBERS = st.sampled_from(["x", "y", "n"])
LITERALS = st.sampled_from(["0", "1", "3", "0.5", "0.999", "1000000000000000000000000000000", "2.5e-300"])


@st.composite
def aggregates(draw: st.DrawFn) -> Case:
    function, name = draw(FUNCTIONS), draw(NUMBERS)
    return Case(f"{function}({name})", lambda m: reference_aggregate(function, reference_valid(name, m)))


@st.composite
def bare(draw: st.DrawFn) -> Case:
    name = draw(NUMBERS)

    def meaning(measured: Measured) -> Fraction:
        values = reference_valid(name, measured)
        if len(values) != 1:
            raise Bad
        return values[0]

    return Case(name, meaning)


@st.composite
def operands(draw: st.DrawFn) -> Case:
    left = draw(st.one_of(aggregates(), aggregates(), bare()))
    if draw(st.booleans()):
        return left
    symbol = draw(st.sampled_from("+-*/"))
    right = draw(
        st.one_of(
            aggregates(),
            LITERALS.map(lambda t: Case(t, lambda _: Fraction(float(t)) if "." in t else Fraction(t))),
        )
    )

    def meaning(measured: Measured) -> Fraction:
        first: Fraction = left.meaning(measured)
        second: Fraction = right.meaning(measured)
        if symbol == "/" and second == 0:
            raise Bad
        return {
            "+": first + second,
            "-": first - second,
            "*": first * second,
            "/": first / second if second else first,
        }[symbol]

    return Case(f"({left.text} {symbol} {right.text})", meaning)


@st.composite
def links(draw: st.DrawFn) -> Case:
    left, symbol = draw(operands()), draw(SYMBOLS)
    if draw(st.booleans()):
        right = draw(operands())
        return Case(
            f"{left.text} {symbol} {right.text}",
            lambda m: compare(symbol, *[side.meaning(m) for side in (left, right)]),
        )
    text = draw(LITERALS)
    constant = Fraction(float(text)) if "." in text else Fraction(text)
    return Case(f"{left.text} {symbol} {text}", lambda m: compare(symbol, left.meaning(m), constant))


@st.composite
def quantified(draw: st.DrawFn) -> Case:
    """`any` or `all` of one or two comparisons of samples of one metric, with `not` and aggregates."""
    quantifier, name = draw(st.sampled_from(["any", "all"])), draw(NUMBERS)
    word = draw(st.sampled_from(["", "and", "or"]))
    literals = LITERALS.map(lambda t: Case(t, lambda _: Fraction(float(t)) if "." in t else Fraction(t)))
    heads = [(name, True)] + [
        draw(st.sampled_from([(name, True), (f"max({name})", False)])) for _ in word[:1]
    ]
    texts, parts = [], []
    for head, sampled in heads:
        symbol, right, negated = draw(SYMBOLS), draw(st.one_of(literals, aggregates())), draw(st.booleans())
        texts.append(f"{'not ' * negated}{head} {symbol} {right.text}")
        parts.append((sampled, symbol, right, negated))

    def meaning(measured: Measured) -> bool:
        values = reference_valid(name, measured)
        if not values:
            raise Bad
        rows = [
            [
                compare(symbol, value if sampled else max(values), right.meaning(measured)) is not negated
                for sampled, symbol, right, negated in parts
            ]
            for value in values
        ]
        truths = [all(row) if word == "and" else any(row) for row in rows]
        return {"any": any(truths), "all": all(truths)}[quantifier]

    return Case(f"{quantifier}({f' {word} '.join(texts)})", meaning)


def junctions(inner: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    def joined(word: str, parts: list[Case]) -> Case:
        def meaning(measured: Measured) -> bool:
            truths = [part.meaning(measured) for part in parts]  # a list: every part, whatever the first says
            return all(truths) if word == "and" else any(truths)

        return Case(f" {word} ".join(f"({part.text})" for part in parts), meaning)

    return st.one_of(
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda part: Case(f"not ({part.text})", lambda m: not part.meaning(m)), inner),
    )


truths = st.recursive(st.one_of(links(), links(), quantified()), junctions, max_leaves=4)
cosines = st.one_of(
    st.sampled_from([0.999, ULP_BELOW, ULP_ABOVE, 1.0, -1.0, 0.0, -0.0, 1, 1 + 5e-13, 0.1, 5e-324]),
    st.floats(-1, 1),
)
reals = st.one_of(cosines, st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**30), 10**30))
counts = st.one_of(st.integers(0, 4), st.sampled_from([10**30, 10**30 + 1, 2**53, 2**53 + 1]))
invalid: st.SearchStrategy[Any] = st.sampled_from([math.nan, math.inf, -math.inf, True, False, "text"])


@st.composite
def measurements(draw: st.DrawFn, *, spoiled: bool | None = None) -> Measured:
    measured: Measured = {}
    least = 0 if spoiled is None else 1
    kinds: dict[str, st.SearchStrategy[Any]] = {"x": cosines, "y": reals, "n": counts}
    for name, values in kinds.items():
        series: list[Any] = draw(st.lists(values, max_size=4, min_size=least))
        recorded: bool = draw(st.booleans())
        if series or recorded:
            measured[name] = Series(tuple(series))
    if measured and draw(st.sampled_from([0, 0, 0, 1])) and spoiled is None:
        spoil(draw, measured, draw(st.sampled_from(sorted(measured))))
    return measured


def spoil(draw: Callable[..., Any], measured: Measured, name: str) -> None:
    values = list(measured[name].values)
    extra = {"x": [1.0001, -1.0001], "n": [-1, 1.0], "y": [math.nan]}[name]
    bad = draw(st.one_of(invalid, st.sampled_from(extra)))
    values.insert(draw(st.integers(0, len(values))), bad)
    measured[name] = Series(tuple(values))
