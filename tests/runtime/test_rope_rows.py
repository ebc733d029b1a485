from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.rope_rows import interleave, separate, with_rows


@given(heads=st.integers(1, 4), half=st.integers(1, 4), row=st.integers(1, 5))
def test_one_undoes_the_other_and_each_row_goes_where_llama_cpp_wants_it(
    heads: int, half: int, row: int
) -> None:
    rows = heads * 2 * half
    raw = np.random.default_rng(row).integers(0, 255, rows * row, dtype=np.uint8)
    moved = interleave(raw, rows, heads)
    assert np.array_equal(separate(moved, rows, heads), raw)
    before, after = raw.reshape(rows, row), moved.reshape(rows, row)
    for head in range(heads):
        for side in range(2):
            for pair in range(half):
                source = head * 2 * half + side * half + pair
                assert np.array_equal(after[head * 2 * half + 2 * pair + side], before[source])


def test_only_query_and_key_rows_move(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    view = with_rows(model, interleave, 4, 2)
    moved = [name for name in model.names() if not np.array_equal(view.raw(name), model.raw(name))]
    assert sorted({name.split(".")[4] for name in moved}) == ["k_proj", "q_proj"]
    assert len(moved) == 8
    back = with_rows(view, separate, 4, 2)
    assert all(np.array_equal(back.raw(name), model.raw(name)) for name in model.names())


def test_rows_that_are_no_heads_are_refused(model_folder: Path) -> None:
    with pytest.raises(LoadError, match="has no 3 heads"):
        with_rows(open_checkpoint(model_folder), interleave, 3, 2)
