"""What the specification of decode attention leaves to its wrapper: into how many parts keys are split."""

from __future__ import annotations

import pytest
import torch
from pv_kernels.attention import FLOAT32_SPACE
from pv_kernels.attention import SPACE as PREFILL_SPACE
from pv_kernels.decode_attention import COMBINE_SPACE, MAX_SPLITS, SPACE, choose_splits
from pv_kernels.heads import HEAD_DIMS
from pv_kernels.interpreter import Launch
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.tuning import Tuning


@pytest.mark.parametrize(
    ("pairs", "capacity", "splits"),
    [
        (1, 0, 1),
        (1, 511, 1),
        (1, 512, 2),
        (4, 32768, MAX_SPLITS),
        (8, 32768, 33),
        (264, 32768, 1),
        (0, 32768, MAX_SPLITS),
    ],
)
def test_keys_are_split_until_a_large_gpu_is_busy(pairs: int, capacity: int, splits: int) -> None:
    assert choose_splits(pairs, capacity) == splits


@pytest.mark.parametrize("space", [SPACE, COMBINE_SPACE, PREFILL_SPACE, FLOAT32_SPACE])
def test_there_is_a_configuration_for_every_size_of_head(space: tuple[Tuning, ...]) -> None:
    assert {tuning.constants["head_dim"] for tuning in space} == set(HEAD_DIMS)


def test_the_grid_has_a_program_for_each_split_of_each_key_head(launches: list[Launch]) -> None:
    case = next(case for case in DECODE_ATTENTION.cases if case.name == "split")
    DECODE_ATTENTION.run(case.arguments(torch.float32))
    assert [(launch.kernel, launch.grid) for launch in launches] == [
        ("decode_attention_kernel", (2 * 2, 3)),
        ("combine_splits_kernel", (2 * 14,)),
    ]
