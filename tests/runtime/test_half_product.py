from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.half_product import half_product


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 70), columns=st.integers(1, 70), seed=st.integers(0, 99))
def test_it_is_the_product_of_the_widened_matrix(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(rows, columns, generator=generator).half()
    vector = torch.randn(columns, generator=generator)
    exact = matrix.double() @ vector.double()
    bound = 2.0**-22 * (matrix.double().abs() @ vector.double().abs())
    assert ((half_product(matrix, vector) - exact).abs() <= bound).all()


def test_every_float16_is_widened_exactly() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    matrix = torch.from_numpy(bits.reshape(-1, 1).copy())
    found = half_product(matrix, torch.ones(1)).numpy()
    assert np.array_equal(found, bits.astype(np.float32), equal_nan=True)


def test_values_that_are_not_finite_propagate() -> None:
    matrix = torch.ones(3, 40).half()
    matrix[0, 7], matrix[1, 9] = float("nan"), float("inf")
    found = half_product(matrix, torch.ones(40))
    assert found[0].isnan()
    assert found[1] == float("inf")
    assert found[2] == 40


def test_vectors_and_matrices_that_are_views_are_read_right() -> None:
    matrix, vector = torch.randn(20, 8).half(), torch.randn(16)
    assert torch.allclose(
        half_product(matrix[5:9], vector[::2]), matrix[5:9].float() @ vector[::2], atol=1e-5
    )
