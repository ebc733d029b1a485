from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.evaluation.estimate import estimate, pass_at_k


def by_enumeration(n: int, c: int, k: int) -> Fraction:
    """The share of all choices of k of n completions that hold one of the first c, which are right."""
    choices = list(itertools.combinations(range(n), k))
    return Fraction(sum(min(choice) < c for choice in choices), len(choices))


def test_it_is_what_enumeration_finds() -> None:
    cases = [(n, c, k) for n in range(1, 9) for c in range(n + 1) for k in range(1, n + 1)]
    assert len(cases) == 240
    for n, c, k in cases:
        assert pass_at_k(n, c, k) == by_enumeration(n, c, k), (n, c, k)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_it_is_a_chance_that_grows_with_c_and_with_k(case: tuple[int, int, int]) -> None:
    n, c, k = case
    rate = pass_at_k(n, c, k)
    assert 0 <= rate <= 1
    assert pass_at_k(n, c, 1) == Fraction(c, n)
    assert (rate == 0) == (c == 0)
    assert (rate == 1) == (n - c < k)
    if c < n:
        assert pass_at_k(n, c + 1, k) >= rate
    if k < n:
        assert pass_at_k(n, c, k + 1) >= rate
    # As a stable product, which is how Chen et al. compute it.
    product = 1.0 if n - c < k else 1 - math.prod(1 - k / i for i in range(n - c + 1, n + 1))
    assert float(rate) == pytest.approx(product, abs=1e-9)


def test_it_is_unbiased_where_the_one_that_looks_alike_is_not() -> None:
    """Over all outcomes of n completions, each right with chance p, its mean is the chance of k of them."""
    n, k, p = 6, 3, Fraction(1, 5)
    truth = 1 - (1 - p) ** k
    weights = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    assert sum(weights) == 1
    assert sum(w * pass_at_k(n, c, k) for c, w in enumerate(weights)) == truth
    alike = sum(w * (1 - (1 - Fraction(c, n)) ** k) for c, w in enumerate(weights))
    assert truth - alike > Fraction(1, 100)


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_what_cannot_be_estimated_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"completions cannot be|cannot be estimated"):
        pass_at_k(n, c, k)


def test_the_mean_over_problems_has_an_error_and_an_interval() -> None:
    counts = [(10, c) for c in (0, 0, 5, 10)]
    found = estimate(counts, 1)
    assert found.rate == 0.375
    rates = [0.0, 0.0, 0.5, 1.0]
    variance = sum((r - 0.375) ** 2 for r in rates) / 3
    assert found.standard_error == pytest.approx(math.sqrt(variance / 4))
    assert 0 <= found.low < 0.375 < found.high <= 1
    assert estimate(counts, 1) == found
    assert estimate(counts, 10).rate == 0.5
    assert estimate([(4, 2)], 1).standard_error is None
    with pytest.raises(ValueError, match="no problem"):
        estimate([], 1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = random.Random(1)
    held = 0
    for _ in range(40):
        counts = [(1, int(generator.random() < 0.4)) for _ in range(60)]
        found = estimate(counts, 1)
        held += found.low <= 0.4 <= found.high
    assert held >= 34
