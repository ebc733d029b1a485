"""The layouts against an independent decoder, and what the generated tests of products do not reach."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from pv_kernels.errors import ShapeError
from pv_kernels.interpreter import Launch
from pv_kernels.q4k_gemv import Q4_K, q4k_gemv
from pv_kernels.q4k_gemv import SPACE as Q4_K_SPACE
from pv_kernels.q6k_gemv import Q6_K
from pv_kernels.q8_0_gemv import Q8_0
from pv_kernels.quantised_gemv import BlockFormat, choose
from pv_kernels.specs.block_formats import decode
from pv_kernels.specs.quantised_gemv import random_matrix

FORMATS = pytest.mark.parametrize("form", [Q4_K, Q6_K, Q8_0], ids=lambda form: form.name)


@FORMATS
def test_the_reference_decodes_as_gguf_does_bit_for_bit(form: BlockFormat) -> None:
    matrix = random_matrix(torch.Generator().manual_seed(5), form, 64, 2048)
    theirs = gguf.quants.dequantize(matrix.numpy(), gguf.GGMLQuantizationType[form.name])
    ours = decode(form.name, matrix).numpy()
    assert np.array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@FORMATS
def test_a_block_is_as_long_as_gguf_says(form: BlockFormat) -> None:
    sizes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[form.name]]
    assert (form.weights, form.bytes) == tuple(sizes)
    assert form.bytes % form.alignment == 0
    assert form.row_bytes(3 * form.weights) == 3 * form.bytes


@FORMATS
def test_part_of_a_block_has_no_bytes(form: BlockFormat) -> None:
    with pytest.raises(ShapeError, match="wanted is a multiple"):
        form.row_bytes(form.weights + 1)


def test_the_narrowest_tile_that_holds_the_tokens_is_taken_and_the_widest_beyond() -> None:
    taken = [choose(Q4_K_SPACE, tokens).constants["token_tile"] for tokens in (1, 2, 3, 4, 5, 100)]
    assert taken == [1, 2, 4, 4, 4, 4]


def test_no_columns_give_zeros(launches: list[Launch]) -> None:
    weight, x = torch.zeros(3, 0, dtype=torch.uint8), torch.zeros(2, 0)
    out = torch.full((2, 3), float("nan"))
    assert q4k_gemv(weight, x, out=out) is out
    assert torch.equal(out, torch.zeros(2, 3))
    assert len(launches) == 1


def test_rows_of_a_wider_matrix_are_read_where_they_are(launches: list[Launch]) -> None:
    matrix = random_matrix(torch.Generator().manual_seed(1), Q4_K, 4, 768)
    x = torch.randn(2, 512, generator=torch.Generator().manual_seed(2))
    part = matrix[:, 144:]
    assert torch.equal(q4k_gemv(part, x), q4k_gemv(part.clone(), x))
    assert len(launches) == 2
