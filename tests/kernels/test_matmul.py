"""What the generated tests of matmul do not reach: every tile, many groups of them, the choice by shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.interpreter import Launch
from pv_kernels.matmul import FLOAT32_SPACE, SPACE, choose, launch, matmul, programs
from pv_kernels.specs.matmul import MATMUL, drawn
from pv_kernels.specs.samples import used
from pv_kernels.tuning import Tuning

from tests.kernels.memory import apart, far_apart

POINTS = [
    *(pytest.param(tuning, torch.float32, id=f"float32 {tuning.name}") for tuning in FLOAT32_SPACE),
    *(pytest.param(tuning, torch.bfloat16, id=f"bfloat16 {tuning.name}") for tuning in SPACE),
]


def check(tuning: Tuning, dtype: torch.dtype, rows: int, outputs: int, columns: int) -> None:
    arguments = drawn(rows, outputs, columns)(torch.Generator().manual_seed(1), dtype)
    out = apart(torch.full((rows, outputs), float("nan"), dtype=dtype), padding=3, offset=1)
    launch(tuning, arguments["x"], arguments["weight"], out)
    expected = MATMUL.expected(arguments)
    assert used((out,), expected, MATMUL.tolerance(arguments, expected)) <= 1


@pytest.mark.kernel
@pytest.mark.parametrize(("tuning", "dtype"), POINTS)
def test_every_tile_of_the_space_covers_odd_shapes(
    launches: list[Launch], tuning: Tuning, dtype: torch.dtype
) -> None:
    tile = tuning.constants
    check(tuning, dtype, tile["row_tile"] + 3, tile["output_tile"] + 5, tile["column_tile"] + 1)
    assert launches[0].grid == (4,)


@pytest.mark.kernel
@pytest.mark.parametrize("rows", [1, 16 * 8, 16 * 8 + 1, 16 * 19])
def test_groups_of_tiles_cover_any_number_of_rows(launches: list[Launch], rows: int) -> None:
    check(SPACE[0], torch.bfloat16, rows, 70, 5)
    assert launches[0].grid == (-(-rows // 16) * 3,)


@pytest.mark.kernel
def test_rows_of_the_matrix_may_pass_the_range_of_32_bits(launches: list[Launch], tmp_path: Path) -> None:
    arguments = drawn(3, 5, 70)(torch.Generator().manual_seed(1), torch.bfloat16)
    weight = far_apart(arguments["weight"], tmp_path / "weight", 2**29 + 16)
    assert torch.equal(matmul(arguments["x"], weight), matmul(**arguments))
    assert len(launches) == 2


@given(st.integers(1, 10_000), st.integers(1, 160_000), st.sampled_from(MATMUL.dtypes))
def test_the_tile_is_the_largest_that_rows_fill_and_that_keeps_a_gpu_busy(
    rows: int, outputs: int, dtype: torch.dtype
) -> None:
    space = FLOAT32_SPACE if dtype == torch.float32 else SPACE
    chosen = choose(rows, outputs, dtype)
    place = space.index(chosen)
    assert (place == 0) == (rows <= 16)
    if place > 1:
        assert 2 * rows > chosen.constants["row_tile"]
        assert programs(chosen, rows, outputs) >= 128
    if place and chosen != space[-1]:
        larger = space[place + 1]
        assert 2 * rows <= larger.constants["row_tile"] or programs(larger, rows, outputs) < 128


@pytest.mark.parametrize(
    ("rows", "outputs", "tile"),
    [
        (1, 152_064, (16, 32)),
        (16, 3584, (16, 32)),
        (17, 512, (64, 128)),
        (512, 3584, (64, 128)),
        (512, 4608, (128, 128)),
        (4096, 18_944, (128, 256)),
        (8192, 8192, (128, 256)),
    ],
)
def test_shapes_of_models_take_the_tile_that_fits(rows: int, outputs: int, tile: tuple[int, int]) -> None:
    constants = choose(rows, outputs, torch.bfloat16).constants
    assert (constants["row_tile"], constants["output_tile"]) == tile
