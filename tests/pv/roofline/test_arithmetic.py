from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.roofline.arithmetic import (
    attainable,
    decode_rate,
    key_value_bytes,
    least_seconds,
    prefill_rate,
    training_rate,
    weight_bytes,
)

COUNT = st.floats(1, 1e15)
RATE = st.floats(1e6, 1e16)
FACTOR = st.floats(1, 1000)


def test_figures_worked_out_by_hand() -> None:
    # 7.6e9 * 4.5 / 8 = 4.275e9 bytes; 4.8e12 / 4.275e9 = 1122.8
    weights = weight_bytes(7.6e9, 4.5)
    assert weights == 4.275e9
    assert decode_rate(weights=weights, bandwidth=4.8e12) == pytest.approx(1122.807, rel=1e-6)
    # 2 * 28 * 4 * 128 * 4096 * 16 / 8 = 234,881,024
    assert key_value_bytes(layers=28, kv_heads=4, head_dim=128, context=4096, bits=16) == 234_881_024
    assert prefill_rate(parameters=5e9, peak=1e15) == 1e5
    assert attainable(1e12, 1e9, peak=989.4e12, bandwidth=4.8e12) == 989.4e12
    assert attainable(1e9, 1e9, peak=989.4e12, bandwidth=4.8e12) == 4.8e12
    assert least_seconds(1e12, 4.8e12, peak=1e13, bandwidth=4.8e12) == 1.0


@given(COUNT, COUNT, FACTOR, RATE, RATE)
def test_more_bytes_never_make_it_quicker(
    operations: float, moved: float, factor: float, peak: float, bandwidth: float
) -> None:
    assert attainable(operations, moved * factor, peak=peak, bandwidth=bandwidth) <= attainable(
        operations, moved, peak=peak, bandwidth=bandwidth
    )
    assert least_seconds(operations, moved * factor, peak=peak, bandwidth=bandwidth) >= least_seconds(
        operations, moved, peak=peak, bandwidth=bandwidth
    )


@given(COUNT, COUNT, FACTOR, RATE, RATE)
def test_only_the_ratio_of_operations_to_bytes_counts(
    operations: float, moved: float, factor: float, peak: float, bandwidth: float
) -> None:
    one = attainable(operations, moved, peak=peak, bandwidth=bandwidth)
    assert attainable(operations * factor, moved * factor, peak=peak, bandwidth=bandwidth) == pytest.approx(
        one
    )
    assert one <= peak
    assert operations / least_seconds(operations, moved, peak=peak, bandwidth=bandwidth) == pytest.approx(one)


@given(COUNT, st.floats(0, 1e12), RATE, FACTOR, st.integers(1, 512))
def test_decoding_scales_with_bandwidth_and_gains_by_batches_at_most_their_size(
    weights: float, cache: float, bandwidth: float, factor: float, batch: int
) -> None:
    one = decode_rate(weights=weights, cache=cache, bandwidth=bandwidth)
    faster = decode_rate(weights=weights, cache=cache, bandwidth=bandwidth * factor)
    assert faster == pytest.approx(one * factor)
    together = decode_rate(weights=weights, cache=cache, bandwidth=bandwidth, batch=batch)
    assert one * (1 - 1e-12) <= together <= one * batch * (1 + 1e-12)
    assert decode_rate(weights=weights, cache=cache + 1e9, bandwidth=bandwidth) <= one


@given(COUNT, RATE, RATE)
def test_decoding_is_bounded_by_arithmetic_as_well(parameters: float, bandwidth: float, peak: float) -> None:
    rate = decode_rate(weights=1.0, bandwidth=bandwidth, batch=10**6, parameters=parameters, peak=peak)
    assert rate <= prefill_rate(parameters=parameters, peak=peak)
    assert training_rate(parameters=parameters, peak=peak) * 3 == pytest.approx(
        prefill_rate(parameters=parameters, peak=peak)
    )


@given(st.floats(1, 1e12), st.floats(0.1, 32), st.floats(1, 100))
def test_bytes_of_weights_are_linear_in_both(parameters: float, bits: float, factor: float) -> None:
    assert weight_bytes(parameters * factor, bits) == pytest.approx(weight_bytes(parameters, bits) * factor)
    assert weight_bytes(parameters, bits * factor) == pytest.approx(weight_bytes(parameters, bits) * factor)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_what_is_no_count_or_rate_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="moved"):
        attainable(1, wrong, peak=1, bandwidth=1)
    with pytest.raises(ValueError, match="bandwidth"):
        decode_rate(weights=1, bandwidth=wrong)
    with pytest.raises(ValueError, match="peak"):
        prefill_rate(parameters=1, peak=0)
