from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pv_runtime import trace_statistics
from pv_runtime.trace_statistics import Figures, figures, stage_statistics

TABLES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 130)),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


def by_definition(values: NDArray[np.float32]) -> Figures:
    """Take the figures of the finite values one definition after the other."""
    x = values[np.isfinite(values)].astype(np.float64)
    counts = (int(np.isnan(values).sum()), int(np.isinf(values).sum()), int((values == 0).sum()))
    if not len(x):
        return Figures(values.size, None, None, None, None, None, *counts)
    std = float(np.sqrt(((x - x.mean()) ** 2).sum() / (len(x) - 1))) if len(x) > 1 else None
    rms = float(np.sqrt((x**2).mean()))
    return Figures(values.size, float(x.min()), float(x.max()), float(x.mean()), std, rms, *counts)


def close(ours: Figures, theirs: Figures) -> None:
    scale = max(abs(theirs.minimum or 0), abs(theirs.maximum or 0))
    for field in dataclasses.fields(Figures):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name in {"mean", "std", "rms"} and a is not None:
            assert a == pytest.approx(b, rel=1e-9, abs=1e-9 * scale), field.name
        else:
            assert a == b, field.name


@given(TABLES)
def test_figures_are_those_of_their_definitions(values: NDArray[np.float32]) -> None:
    before = values.tobytes()
    found = stage_statistics("ffn_out", 3, torch.from_numpy(values))
    close(found.all, by_definition(values))
    close(found.last, by_definition(values[-1]))
    assert values.tobytes() == before
    assert (found.peak is None) == (not np.isfinite(values).any())


@given(TABLES, st.integers(1, 300))
def test_chunks_make_no_difference(values: NDArray[np.float32], size: int) -> None:
    whole = figures(torch.from_numpy(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_statistics, "_CHUNK", size)
        close(figures(torch.from_numpy(values)), whole)


def test_a_small_spread_about_a_large_mean_is_seen() -> None:
    # E[x²] - mean² would lose all of it in float32, and half of its digits in float64.
    steps = np.tile(np.array([4_000_000.0, 4_000_000.5], np.float32), 5000).reshape(10, 1000)
    found = figures(torch.from_numpy(steps))
    assert found.std == pytest.approx(0.25 * math.sqrt(10000 / 9999), rel=1e-12)


def test_narrow_values_are_widened_exactly() -> None:
    values = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.bfloat16, torch.float16):
        narrow = values.to(dtype)
        assert stage_statistics("a", 0, narrow) == stage_statistics("a", 0, narrow.float())


def test_a_value_alone_has_no_spread() -> None:
    assert figures(torch.tensor([3.0])).std is None
    assert figures(torch.tensor([3.0, 5.0])).std == pytest.approx(math.sqrt(2))


def test_all_tokens_and_the_last_are_two_quantities() -> None:
    # Two channels of the first of seven tokens: nothing is wrong, and the figures are fifty-fold apart.
    values = np.random.default_rng(3).standard_normal((7, 3584)).astype(np.float32)
    values[0, [458, 2570]] = [6400.0, -6000.0]
    found = stage_statistics("ffn_out", 3, torch.from_numpy(values))
    assert found.all.std is not None
    assert found.last.std is not None
    assert found.all.std / found.last.std == pytest.approx(56, rel=0.05)
    assert found.peak is not None
    assert (found.peak.token, found.peak.channel, found.peak.magnitude) == (0, 458, 6400.0)
    assert found.peak.over_median > 1000
    assert found.peak.top_share > 0.999
    assert found.peak.token_share > 0.999
    assert found.peak.std_of_others == pytest.approx(1, rel=0.02)


def test_a_peak_counts_no_value_that_is_not_finite() -> None:
    values = torch.ones(2, 200)
    values[1, 7], values[1, 8], values[1, 9] = math.nan, math.inf, 5.0
    found = stage_statistics("a", 0, values)
    assert found.peak is not None
    assert (found.peak.token, found.peak.channel, found.peak.magnitude) == (1, 9, 5.0)
    assert found.peak.std_of_others == 0
    zeros = stage_statistics("a", 0, torch.zeros(2, 3)).peak
    assert zeros is not None
    assert (zeros.token_share, zeros.top_share, zeros.over_median) == (0, 0, math.inf)
