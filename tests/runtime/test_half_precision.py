from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="the conversions are compiled")

from pv_runtime import half_precision
from pv_runtime.compiled import compiled


def applied(function: Any, values: Any, out: Any) -> Any:
    @compiled()
    def run(source: Any, target: Any) -> None:
        for i in range(len(source)):
            target[i] = function(source[i])

    run(values, out)
    return out


@pytest.mark.parametrize("name", ["widen_half", "widen_half_portable"])
def test_every_fp16_widens_as_numpy_does(name: str) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    found = applied(getattr(half_precision, name), bits, np.empty(len(bits), np.float32))
    expected = bits.view(np.float16).astype(np.float32)
    assert np.array_equal(found, expected, equal_nan=True)
    finite = np.isfinite(expected)
    assert np.array_equal(
        found.view(np.uint32)[finite], expected.view(np.uint32)[finite]
    )  # and the sign of zero


@pytest.mark.parametrize("name", ["round_half", "round_half_portable"])
def test_rounding_is_numpys(name: str) -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    halves = halves[np.isfinite(halves)]
    middle = ((halves[:-1].astype(np.float64) + halves[1:]) / 2).astype(np.float32)
    more = np.array(
        [65504, 65519.996, 65520, 1e30, -1e30, np.inf, -np.inf, 1e-45, 2.0**-25, 2.0**-24], np.float32
    )
    up, down = np.float32(np.inf), np.float32(-np.inf)
    values = np.concatenate([halves, middle, np.nextafter(middle, up), np.nextafter(middle, down), more])
    found = applied(getattr(half_precision, name), values.view(np.uint32), np.empty(len(values), np.uint32))
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).astype(np.float32)
    assert np.array_equal(found, expected.view(np.uint32))
    bad = applied(
        getattr(half_precision, name), np.array([np.nan], np.float32).view(np.uint32), np.empty(1, np.uint32)
    )
    assert not np.isfinite(bad.view(np.float32)[0])
