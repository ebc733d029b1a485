from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.summation import repeated_product, scalar_decoding, summation_order

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def test_a_product_repeated_has_the_same_bits(measure: Measure) -> None:
    run = measure(repeated_product, {}, sizes=[64, 300], rounds=6)
    assert (sum(run["differing"]), run["products"], run["elements"]) == (0, [12], [64] * 6 + [300] * 6)


@pytest.mark.parametrize("name", list(repeated_product.counter_examples))
def test_a_product_that_wavers_is_seen(measure: Measure, name: str) -> None:
    assert sum(measure(repeated_product, {}, name, sizes=[64, 300], rounds=6)["differing"]) > 0


def test_two_orders_stay_within_the_bound_and_seldom_agree_in_bits(measure: Measure) -> None:
    run = measure(summation_order, {}, length=3584, lanes=8, pairs=100)
    assert max(run["share_of_bound"]) <= 1
    assert 0 < sum(run["equal_bits"]) <= 50


@pytest.mark.parametrize("name", list(summation_order.counter_examples))
def test_a_sum_beyond_the_bound_is_seen(measure: Measure, name: str) -> None:
    assert max(measure(summation_order, {}, name, length=3584, lanes=8, pairs=100)["share_of_bound"]) > 1


def test_blocks_decode_to_the_bits_of_the_description(measure: Measure) -> None:
    run = measure(scalar_decoding, {}, blocks=64)
    assert (sum(run["differing"]), run["values"], run["blocks"]) == (0, [256] * 64, [64])


@pytest.mark.parametrize("name", list(scalar_decoding.counter_examples))
def test_a_value_decoded_otherwise_is_seen(measure: Measure, name: str) -> None:
    assert sum(measure(scalar_decoding, {}, name, blocks=64)["differing"]) > 0
