from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pv_runtime.errors import LoadError
from pv_runtime.saved_trace import Kept, SavedTrace, saved_trace
from pv_runtime.trace_compare import compare_traces, compare_values
from pv_runtime.trace_origin import TraceOrigin

Table = NDArray[np.float32]
FINITE = arrays.arrays(np.float32, (4, 6), elements=st.floats(-1e6, 1e6, width=32))
ORIGIN = TraceOrigin((1, 2, 3, 4), dtype="float32")
TABLE = np.random.default_rng(4).standard_normal((4, 6)).astype(np.float32)


def saved(values: Mapping[str, Table], origin: TraceOrigin = ORIGIN, path: str = "A") -> SavedTrace:
    kept = [Kept(name, each.shape, functools.partial(np.asarray, each)) for name, each in values.items()]
    return saved_trace(path, origin, kept)


@given(FINITE, FINITE)
def test_figures_are_those_of_their_definitions(a: Table, b: Table) -> None:
    found = compare_values("ffn_out", 0, a, b)
    x, y = a.astype(np.float64), b.astype(np.float64)
    assert found.equal == int((a.view(np.uint32) == b.view(np.uint32)).sum())
    assert found.max_difference == np.abs(x - y).max() == abs(x - y)[found.token, found.channel]
    if x.any():
        assert found.relative_l2 == pytest.approx(np.linalg.norm(x - y) / np.linalg.norm(x), rel=1e-9)
    if x.any() and y.any():
        cosine = (x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y)
        assert found.cosine == pytest.approx(cosine, abs=1e-9)
    assert -1 <= found.worst_token_cosine <= 1


@given(FINITE)
def test_a_trace_agrees_with_itself(a: Table) -> None:
    found = compare_values("ffn_out", 0, a, a.copy())
    assert (found.equal, found.relative_l2, found.max_difference) == (24, 0, 0)
    assert found.worst_token_cosine == pytest.approx(1)
    assert found.within(0)


def test_what_a_spread_does_not_see_is_seen() -> None:
    # A flipped sign, a permutation and exchanged heads leave every standard deviation what it is.
    for changed in (-TABLE, TABLE[:, ::-1].copy(), np.roll(TABLE, 3, axis=1)):
        found = compare_values("ffn_out", 0, TABLE, changed)
        assert found.std_ratio == pytest.approx(1)
        assert found.worst_token_cosine < 0.9
        assert found.relative_l2 > 0.5
        assert not found.within(0.1)


def test_one_token_and_one_channel_are_named() -> None:
    changed = TABLE.copy()
    changed[2] *= -1
    changed[2, 4] = 50
    found = compare_values("ffn_out", 0, TABLE, changed)
    assert (found.worst_token, found.token, found.channel) == (2, 2, 4)
    assert found.last_std_ratio == 1


def test_values_that_are_not_finite_are_counted_and_never_within() -> None:
    a, b = TABLE.copy(), TABLE.copy()
    a[1, 2] = b[1, 2] = math.nan
    assert compare_values("ffn_out", 0, a, b).within(0)  # the same bits
    b[1, 3] = math.inf
    found = compare_values("ffn_out", 0, a, b)
    assert (found.not_finite_a, found.not_finite_b, found.equal) == (1, 2, 23)
    assert found.relative_l2 == 0
    assert not found.within(1e9)
    nothing = compare_values("ffn_out", 0, TABLE, np.full_like(TABLE, math.nan))
    assert math.isnan(nothing.relative_l2)
    assert not nothing.within(math.inf)


def test_zeros_have_a_meaning() -> None:
    zeros = np.zeros_like(TABLE)
    assert compare_values("ffn_out", 0, zeros, zeros).cosine == 1
    assert compare_values("ffn_out", 0, zeros, -zeros).equal == 0
    assert compare_values("ffn_out", 0, zeros, -zeros).within(0)
    found = compare_values("ffn_out", 0, zeros, TABLE)
    assert (found.relative_l2, found.cosine, found.std_ratio) == (math.inf, 0, None)
    with pytest.raises(ValueError, match="beside"):
        compare_values("ffn_out", 0, TABLE, TABLE[:3])


def test_stages_on_both_sides_are_compared_and_the_others_named() -> None:
    a = saved({"embedding": TABLE, "layer-0/ffn_out": TABLE, "layer-0/ffn_gate": TABLE})
    b = saved({"embedding": TABLE, "layer-0/ffn_out": TABLE * 2, "lm_head": TABLE}, path="B")
    found = compare_traces(a, b)
    assert [(each.stage, each.relative_l2) for each in found.stages] == [("embedding", 0), ("ffn_out", 1)]
    assert (found.only_a, found.only_b) == ((("ffn_gate", 0),), (("lm_head", None),))
    assert [each.stage for each in compare_traces(a, b, "ffn").stages] == ["ffn_out"]
    assert [each.stage for each in compare_traces(a, b, only=[("embedding", None)]).stages] == ["embedding"]


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (dataclasses.replace(ORIGIN, tokens=(1, 2, 3, 5)), "other tokens"),
        (TraceOrigin((1, 2, 3, 4, 5), (0, 1, 2, 3), "float32"), "other tokens"),
        (dataclasses.replace(ORIGIN, dtype="bfloat16"), "computed in bfloat16, the other side in float32"),
        (dataclasses.replace(ORIGIN, dtype=None), "no stated dtype"),
    ],
)
def test_unlike_is_not_compared_with_like(origin: TraceOrigin, why: str) -> None:
    with pytest.raises(LoadError, match=why) as error:
        compare_traces(saved({"embedding": TABLE}), saved({"embedding": TABLE}, origin, "B"))
    assert str(error.value).startswith("B: ")
    with pytest.raises(LoadError):
        compare_traces(saved({"embedding": TABLE}, origin), saved({"embedding": TABLE}))


def test_all_tokens_are_not_held_against_the_last() -> None:
    last = dataclasses.replace(ORIGIN, positions=(3,))
    with pytest.raises(LoadError, match="other positions"):
        compare_traces(saved({"embedding": TABLE}), saved({"embedding": TABLE[3:]}, last))


def test_counts_and_stages_must_match() -> None:
    with pytest.raises(LoadError, match="embedding has 5 values for each token, the other side has 6"):
        compare_traces(saved({"embedding": TABLE}), saved({"embedding": TABLE[:, :5]}))
    with pytest.raises(LoadError, match="has no stage that A has"):
        compare_traces(saved({"embedding": TABLE}), saved({"lm_head": TABLE}))
    with pytest.raises(LoadError, match="'x' in its name"):
        compare_traces(saved({"embedding": TABLE}), saved({"embedding": TABLE}), "x")


def test_nothing_stated_twice_is_no_dtype() -> None:
    unknown = dataclasses.replace(ORIGIN, dtype=None)
    with pytest.raises(LoadError, match="no stated dtype"):
        compare_traces(saved({"embedding": TABLE}, unknown), saved({"embedding": TABLE}, unknown))
