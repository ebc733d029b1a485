"""What a rule demands of a rate: what is read follows, whatever the form."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.check import Metric
from pv.expression.parse import parse
from pv.expression.values import Series
from pv.roofline.demanded import demanded
from pv.verdict import passes

SAID = {
    "min(x) >= 5": {"x": 5},
    "5 < max(x)": {"x": 5},
    "x == 5": {"x": 5},
    "min(x) >= 2 * 3 - 1": {"x": 5},
    "min(x) / 2 >= 5": {"x": 10},
    "median(x) - 1 > 4": {"x": 5},
    "5 - min(x) <= 0": {"x": 5},
    "-min(x) <= -5": {"x": 5},
    "max(-x) <= -5": {"x": 5},
    "min(2 * x + 1) >= 11": {"x": 5},
    "all(x / 1000 > 0.5)": {"x": 500},
    "any(x >= 5)": {"x": 5},
    "not min(x) < 5": {"x": 5},
    "not any(x < 5)": {"x": 5},
    "not (x < 5 or y > 1)": {"x": 5},
    "min(x) >= 5 and x < 9": {"x": 5},
    "min(x) >= 7 or max(x) >= 5": {"x": 5},
    "min(x) >= 7 or y >= 5": {},
    "7 < x < 9 or x == 5": {"x": 5},
    "x in {5, 9}": {"x": 5},
    "x in {'5'}": {},
    "not x not in {5, 9}": {"x": 5},
    "sum(x) / count(x) >= 5": {"x": 5},
    "sum(x) / count(y) >= 5": {},
    "sum(x) >= 5": {},
    "2 * min(x) >= min(x) + 5": {"x": 5},
    "min(x) >= y": {},
    "min(x) - max(x) >= 5": {},
    "abs(x) >= 5": {},
    "x * x >= 25": {},
    "1 / x <= 0.2": {},
    "x / 0 >= 5": {},
    "not (3 < x < 5)": {},
    "max(x) <= 5": {},
    "x != 5": {},
}


@pytest.mark.parametrize("line", SAID)
def test_what_follows_from_a_line(line: str) -> None:
    assert demanded(parse(line).root) == {name: pytest.approx(Fraction(n)) for name, n in SAID[line].items()}


NUMBERS = st.integers(-6, 6).map(str)
AGGREGATES = [
    f"{how}({of})" for how in ("min", "max", "mean", "median", "first") for of in ("x", "-x", "2 * x - 1")
]
VALUES = st.recursive(
    st.sampled_from([*AGGREGATES, "sum(x) / count(x)", "y", "min(y)"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), NUMBERS) | inner.map("-({})".format)
    ),
    max_leaves=4,
)
COMPARISONS = st.builds(
    "{} {} {}".format, VALUES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS
)
EACH = st.builds(
    "{}({} < {} * x)".format, st.sampled_from(["any", "all"]), NUMBERS, st.sampled_from(["1", "3", "(-2)"])
)
RULES = st.recursive(
    COMPARISONS | EACH,
    lambda inner: (
        inner.map("not ({})".format)
        | st.builds("(({}) {} ({}))".format, inner, st.sampled_from(["and", "or"]), inner)
    ),
    max_leaves=4,
)
SAMPLES = st.lists(st.integers(-9, 9), min_size=1, max_size=3)


@given(RULES, st.lists(st.tuples(SAMPLES, st.integers(-9, 9)), min_size=4, max_size=8))
def test_whatever_satisfies_a_rule_has_a_sample_as_high_as_it_demands(
    rule: str, measured: list[tuple[list[int], int]]
) -> None:
    least = demanded(parse(rule).root)
    metrics = {name: Metric(name, kind="real") for name in ("x", "y")}
    for x, y in measured:
        series = {"x": Series(tuple(map(float, x))), "y": Series((float(y),))}
        if passes([rule], series, metrics):
            highest = {"x": max(x), "y": y}
            # A quotient is rounded where it is compared.
            assert all(highest[name] >= bound - Fraction(1, 10**9) for name, bound in least.items())
