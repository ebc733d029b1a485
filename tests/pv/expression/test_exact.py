from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.expression.exact import InvalidOperandError, constant, logarithm, mean, median, p95, shown, total
from pv.expression.parse import parse
from pv.expression.syntax import Comparison

_reals = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**30), 10**30), st.fractions()
)


@given(st.lists(_reals, min_size=1))
def test_aggregates_are_exact(values: list[float | Fraction]) -> None:
    exact = [Fraction(value) for value in values]
    assert total(values) == sum(exact)
    assert mean(values) == sum(exact) / len(exact)
    assert median(values) == statistics.median(exact)
    at_most = p95(values)
    assert sum(value <= at_most for value in exact) >= Fraction(95, 100) * len(exact)
    assert sum(value < at_most for value in exact) < Fraction(95, 100) * len(exact)


def test_sum_loses_nothing_to_cancellation() -> None:
    assert total([1e300, 1.0, -1e300]) == 1
    assert total([0.1] * 10) != 1


def test_sum_of_too_many_odd_quotients_is_refused_quickly() -> None:
    values = [Fraction(1, 2**40 + 2 * i + 1) for i in range(20_000)]
    with pytest.raises(InvalidOperandError, match="record the quotient"):
        total(values)


@given(st.floats(min_value=5e-324, allow_infinity=False))
def test_logarithm_agrees_with_libm(value: float) -> None:
    assert logarithm(value) == pytest.approx(math.log(value), rel=1e-15, abs=1e-300)


def test_logarithm_of_values_beyond_binary64() -> None:
    assert logarithm(10**400) == pytest.approx(400 * math.log(10), rel=1e-15)
    assert logarithm(Fraction(1, 10**400)) == pytest.approx(-400 * math.log(10), rel=1e-15)
    assert logarithm(1) == 0
    with pytest.raises(InvalidOperandError):
        logarithm(0)


@given(_reals)
def test_shown_values_are_the_nearest_and_zero_only_for_zero(value: float | Fraction) -> None:
    seen = shown(value)
    assert not isinstance(seen, str)
    assert (seen == 0) == (value == 0)
    if not isinstance(value, Fraction):
        assert seen == value
    elif value.denominator != 1:
        assert isinstance(seen, float)
        error = abs(Fraction(seen) - value)
        for neighbour in (math.nextafter(seen, math.inf), math.nextafter(seen, -math.inf)):
            assert error <= abs(Fraction(neighbour) - value) or abs(seen) == 5e-324


def test_shown_never_overflows() -> None:
    assert shown(Fraction(10**400, 3)) == round(Fraction(10**400, 3))
    assert shown(2**10_000) == "about 2**10001"
    assert shown(Fraction(-1, 10**400)) == -5e-324


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("86.00 - 1.2", 84.8),  # binary64 arithmetic agrees by luck; that of exact fractions does not
        ("0.1 + 0.2", 0.3),  # and here binary64 says 0.30000000000000004
        ("1 / 3", 1 / 3),
        ("10 * 10 / 4", 25),
        ("4 / 2", 2),
        ("1000000000000000000000000000001 - 1", 10**30),
        ("-2e-2", -0.02),
        ("abs(1 - 3.5)", 2.5),
        ("log(1)", 0),
    ],
)
def test_constants_mean_the_nearest_binary64_of_their_decimal_value(text: str, value: float) -> None:
    root = parse(f"x > {text}").root
    assert isinstance(root, Comparison)
    found = constant(root.operands[1])
    assert found == value
    assert isinstance(found, int) == (isinstance(value, int) and "log" not in text)
