from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.odd_rows import odd_rows

Measure = Callable[..., dict[str, list[Any]]]
ASKED = {"quantisation": "q4_k", "width": 896}


def test_rows_that_no_block_divides_are_written_in_a_type_that_holds_them(measure: Measure) -> None:
    run = measure(odd_rows, {}, **ASKED)
    assert run["expected_matrices"] == [8]
    assert run["odd_matrices"] == [7]
    assert run["reader_ok"] == [1]
    assert run["broken_rows"] == run["shape_differs"] == [0] * 8
    assert min(run["cosine"]) >= 0.99
    assert max(run["cosine"]) < 1  # they were quantised


def test_rows_that_were_filled_up_are_refused_by_another_reader(measure: Measure) -> None:
    run = measure(odd_rows, {}, "rows_filled_up", **ASKED)
    assert run["reader_ok"] == [0]
    assert "cosine" not in run


def test_rows_that_are_listed_as_filled_up_are_of_another_shape(measure: Measure) -> None:
    run = measure(odd_rows, {}, "rows_filled_up_and_listed_so", **ASKED)
    assert run["reader_ok"] == [1]
    assert sum(run["shape_differs"]) == 7


@pytest.mark.parametrize("width", [256, 512])
def test_a_model_that_blocks_divide_has_no_odd_rows_there(measure: Measure, width: int) -> None:
    run = measure(odd_rows, {}, quantisation="q4_k", width=width)
    assert run["odd_matrices"] == [1]  # the projection behind attention is 128 wide
    assert sum(run["broken_rows"]) == 0


def test_every_counter_example_is_tried_above() -> None:
    assert set(odd_rows.counter_examples) == {"rows_filled_up", "rows_filled_up_and_listed_so"}
