from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.checks.weights import row_norms, weight_values, zero_share
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


def failing(run: Series) -> set[str]:
    """The ids of the layout contract whose rules fail."""
    count = run["measured"] == run["expected_tensors"]
    spots = run.get("spot_norm", [])
    rules = {
        "001": bool(run.get("embedding_zero_share"))
        and max(run["embedding_zero_share"]) < 0.5
        and max(run["zero_share"]) < 0.8
        and count,
        "003": sum(run.get("nonfinite", [])) == 0 and count,
        "004": len(spots) == 3 and min(spots) >= 1e-6 and max(run["leading_zero_share"]) < 0.5,
        "005": run.get("head_rows") == run["vocabulary"] and run.get("head_columns") == run["width"],
    }
    return {name for name, rule in rules.items() if not rule}


def test_a_sound_model_fulfils_every_rule(measure: Measure, model_folder: Path) -> None:
    run = measure(weight_values, {"model": open_checkpoint(model_folder)})
    assert failing(run) == set()
    assert (run["measured"], run["vocabulary"], run["width"]) == ([26], [96], [256])


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        ("embedding_mostly_zero", {"001"}),
        ("matrix_filled_with_zeros", {"001"}),
        ("one_nan", {"003"}),
        ("one_infinity", {"003"}),
        ("leading_zeros", {"001", "004"}),
        ("dead_in_the_middle", {"004"}),
        ("head_transposed", {"005"}),
        ("head_too_short", {"005"}),
        ("missing_tensor", {"001", "003"}),
        ("empty_model", {"001", "003", "004", "005"}),
    ],
)
def test_each_defect_is_seen_by_the_rules_that_can(
    measure: Measure, model_folder: Path, name: str, seen_by: set[str]
) -> None:
    assert failing(measure(weight_values, {"model": open_checkpoint(model_folder)}, name)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_each_defect_is_seen_by_the_rules_that_can.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(weight_values.counter_examples)


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, float("nan")]), min_size=1))
def test_the_share_of_zeros_is_a_count(values: list[float]) -> None:
    share = zero_share(np.array(values, np.float32))
    assert round(share * len(values)) == sum(value == 0 for value in values)


def test_row_norms_neither_overflow_nor_hide_a_nan() -> None:
    norms = row_norms(np.array([[3e38, 3e38], [3, 4], [np.nan, 1]], np.float32))
    assert norms[0] == pytest.approx(3e38 * 2**0.5)
    assert norms[1] == 5
    assert np.isnan(norms[2])
